#include "account_cache.h"

#include "cachewarden/clock.h"
#include "suite.h"
#include "users_backend.h"

static const struct users_backend *backend = &users_backends[0];
static struct users *users;
static struct account_cache *cache;
static struct account account;
static struct error error;

static void set_up(void)
{
    backend->init();
    users = users_backend_open();
    error_clear(&error);
    ck_assert_int_eq(account_cache_new(users, STR("Admin"), &cache), ERR_OK);
}

static void tear_down(void)
{
    account_cache_free(&cache);
    ck_assert_ptr_null(cache);
    users_close(&users);
    backend->fini();
}

static void fetch(int64_t id, int64_t at_s)
{
    ck_assert_int_eq(
        account_by_id(cache, id, at_s * NS_PER_S, TTL_CACHE_STALE_NS, &account, &error), ERR_OK);
    ck_assert_int_eq(account.id, id);
}

START_TEST(an_account_as_identity_needs_it)
{
    int64_t id = users_backend_add(users, "Alice", "h");

    fetch(id, 100);
    ck_assert(account.exists && account.is_usable && !account.is_superuser &&
              !account.is_admin_member);
    ck_assert(str_eq((struct str){account.username, account.username_len}, STR("Alice")));
    ck_assert(str_eq((struct str){account.email, account.email_len}, STR("Alice@example.org")));
    ck_assert_int_eq(account.tokens_not_before_s, 0);
}
END_TEST

START_TEST(changes_are_felt_after_a_second)
{
    int64_t id = users_backend_add(users, "alice", "h");

    fetch(id, 100);
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    fetch(id, 100);
    ck_assert(account.is_usable);
    fetch(id, 101);
    ck_assert(!account.is_usable);
    /* At once for who says so. */
    ck_assert_int_eq(users_set_active(users, id, true, &error), ERR_OK);
    account_forget(cache, id);
    fetch(id, 101);
    ck_assert(account.is_usable);
    ck_assert_int_eq(users_delete(users, id, &error), ERR_OK);
    account_forget_all(cache);
    fetch(id, 101);
    ck_assert(account.exists && !account.is_usable);
    ck_assert_uint_eq(account.username_len, 0);
}
END_TEST

START_TEST(admins)
{
    int64_t super = users_backend_add(users, "super", "h"),
            member = users_backend_add(users, "member", "h"),
            other = users_backend_add(users, "other", "h");
    struct account_cache *no_group = NULL;

    ck_assert_int_eq(users_set_superuser(users, super, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, member, STR("Admin"), true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, member, STR("Zzz"), true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, other, STR("admin"), true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, other, STR("Admins"), true, &error), ERR_OK);
    fetch(super, 100);
    ck_assert(account.is_superuser && !account.is_admin_member);
    fetch(member, 100);
    ck_assert(!account.is_superuser && account.is_admin_member);
    fetch(other, 100);
    ck_assert(!account.is_superuser && !account.is_admin_member);

    /* No admin group: superusers alone. */
    ck_assert_int_eq(account_cache_new(users, STR_NONE, &no_group), ERR_OK);
    ck_assert_int_eq(
        account_by_id(no_group, member, NS_PER_S, TTL_CACHE_STALE_NS, &account, &error), ERR_OK);
    ck_assert(!account.is_admin_member);
    account_cache_free(&no_group);
}
END_TEST

START_TEST(nobody_is_remembered_too)
{
    fetch(1, 100);
    ck_assert(!account.exists && !account.is_usable && !account.is_admin_member);
    ck_assert_int_eq(users_backend_add(users, "alice", "h"), 1);
    fetch(1, 100);
    ck_assert(!account.exists);
    fetch(1, 101);
    ck_assert(account.exists && account.is_usable);
}
END_TEST

START_TEST(by_name)
{
    int64_t id = users_backend_add(users, "Alice", "h");

    ck_assert_int_eq(account_by_name(cache, STR("alice"), 100 * NS_PER_S, false, &account, &error),
                     ERR_OK);
    ck_assert_int_eq(account.id, id);
    ck_assert_int_eq(account_by_name(cache, STR("bob"), 100 * NS_PER_S, false, &account, &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(account_by_name(cache, STR_NONE, 100 * NS_PER_S, false, &account, &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(account_by_name(cache, STR("' OR 1"), 100 * NS_PER_S, false, &account, &error),
                     ERR_NOT_FOUND);

    /* A deactivated one keeps its name, a deleted one has none any more, remembered or not. */
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    account_forget(cache, id);
    ck_assert_int_eq(account_by_name(cache, STR("alice"), 100 * NS_PER_S, false, &account, &error),
                     ERR_OK);
    ck_assert(account.exists && !account.is_usable);
    ck_assert_int_eq(users_delete(users, id, &error), ERR_OK);
    ck_assert_int_eq(account_by_name(cache, STR("alice"), 101 * NS_PER_S, false, &account, &error),
                     ERR_NOT_FOUND);

    /* The name's next owner is another account. */
    int64_t next = users_backend_add(users, "alice", "h");
    ck_assert_int_eq(account_by_name(cache, STR("alice"), 102 * NS_PER_S, false, &account, &error),
                     ERR_OK);
    ck_assert_int_eq(account.id, next);
}
END_TEST

/* Who has a number as well may be believed to have no name here, for a second. */
START_TEST(absence_is_believed)
{
    ck_assert_int_eq(account_by_name(cache, STR("alice"), 100 * NS_PER_S, true, &account, &error),
                     ERR_NOT_FOUND);
    int64_t id = users_backend_add(users, "alice", "h");
    ck_assert_int_eq(account_by_name(cache, STR("alice"), 100 * NS_PER_S, true, &account, &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(account_by_name(cache, STR("alice"), 100 * NS_PER_S, false, &account, &error),
                     ERR_OK);
    ck_assert_int_eq(account.id, id);
    ck_assert_int_eq(account_by_name(cache, STR("alice"), 100 * NS_PER_S, true, &account, &error),
                     ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/account_cache");
    TCase *tcase = tcase_create("account_cache");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_account_as_identity_needs_it);
    tcase_add_test(tcase, changes_are_felt_after_a_second);
    tcase_add_test(tcase, admins);
    tcase_add_test(tcase, nobody_is_remembered_too);
    tcase_add_test(tcase, by_name);
    tcase_add_test(tcase, absence_is_believed);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
