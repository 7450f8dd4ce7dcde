/* What users.h promises about an account's tokens, on every kind of database. */
#include "users_case.h"

#include "cachewarden/clock.h"
#include "suite.h"

static struct user user;

static enum err find(int64_t id)
{
    return users_find_by_id(users, arena, id, &user, &error);
}

START_TEST(a_password_changed_by_its_owner)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "old"), before = clock_wall_s();

    ck_assert_int_eq(
        users_change_password(users, id, STR("old"), STR("new"), STR("family"), &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert(str_eq(user.password_hash, STR("new")));
    ck_assert(str_eq(user.tokens_kept_family, STR("family")));
    /* This very second is over for tokens. */
    ck_assert_int_gt(user.tokens_not_before_s, before);
    ck_assert_int_le(user.tokens_not_before_s, clock_wall_s() + 1);
    /* Nothing is kept from whoever sets it from outside, or ends it all. */
    ck_assert_int_eq(users_set_password(users, id, STR("newer"), &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert_uint_eq(user.tokens_kept_family.len, 0);
    ck_assert_int_eq(users_change_password(users, id, STR("newer"), STR("new"), STR_NONE, &error),
                     ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert_uint_eq(user.tokens_kept_family.len, 0);
    ck_assert_int_eq(users_change_password(users, 4711, STR("new"), STR("n"), STR_NONE, &error),
                     ERR_NOT_FOUND);
    close_backend();
}
END_TEST

/* Whoever checked a hash that is not there any more changes nothing. */
START_TEST(a_password_changed_twice_from_the_same)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "old");

    ck_assert_int_eq(users_change_password(users, id, STR("old"), STR("a"), STR("f"), &error),
                     ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    int64_t not_before_s = user.tokens_not_before_s;
    ck_assert_int_eq(users_change_password(users, id, STR("old"), STR("b"), STR("g"), &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert(str_eq(user.password_hash, STR("a")));
    ck_assert(str_eq(user.tokens_kept_family, STR("f")));
    ck_assert_int_eq(user.tokens_not_before_s, not_before_s);
    close_backend();
}
END_TEST

START_TEST(all_tokens_ended)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "old"), before = clock_wall_s();

    ck_assert_int_eq(
        users_change_password(users, id, STR("old"), STR("new"), STR("family"), &error), ERR_OK);
    ck_assert_int_eq(users_void_tokens(users, id, &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert(str_eq(user.password_hash, STR("new")));
    ck_assert_uint_eq(user.tokens_kept_family.len, 0);
    ck_assert_int_gt(user.tokens_not_before_s, before);
    /* Again within the second: whatever was issued in between is dated with the first. */
    int64_t first_s = user.tokens_not_before_s;
    ck_assert_int_eq(users_void_tokens(users, id, &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert_int_gt(user.tokens_not_before_s, first_s);
    ck_assert_int_eq(users_void_tokens(users, 4711, &error), ERR_NOT_FOUND);
    close_backend();
}
END_TEST

/* Which account it is, where the number alone does not tell. */
START_TEST(an_incarnation)
{
    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "h"),
            other = users_backend_add(users, "bob", "h");

    ck_assert_int_eq(find(other), ERR_OK);
    struct str of_bob = user.incarnation;
    ck_assert_int_eq(find(id), ERR_OK);
    struct str first = user.incarnation;
    ck_assert_uint_eq(first.len, USERS_INCARNATION_SIZE);
    ck_assert(!str_eq(first, of_bob));
    /* What changes about the account does not make it another, */
    ck_assert_int_eq(users_set_superuser(users, id, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_password(users, id, STR("new"), &error), ERR_OK);
    ck_assert_int_eq(users_set_active(users, id, true, &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert(str_eq(user.incarnation, first));
    /* but that it was deactivated. */
    int64_t not_before_s = user.tokens_not_before_s;
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    struct str second = user.incarnation;
    ck_assert_uint_eq(second.len, USERS_INCARNATION_SIZE);
    ck_assert(!str_eq(second, first));
    ck_assert_int_gt(user.tokens_not_before_s, not_before_s);
    ck_assert_int_eq(users_set_active(users, id, true, &error), ERR_OK);
    ck_assert_int_eq(find(id), ERR_OK);
    ck_assert(!str_eq(user.incarnation, first));
    ck_assert(user.is_active);
    ck_assert_int_eq(find(other), ERR_OK);
    ck_assert(str_eq(user.incarnation, of_bob));
    close_backend();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/tokens");
    TCase *tcase = tcase_create("users_tokens");

    tcase_add_loop_test(tcase, a_password_changed_by_its_owner, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, a_password_changed_twice_from_the_same, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, an_incarnation, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, all_tokens_ended, 0, USERS_BACKEND_COUNT);
    suite_add_tcase(suite, tcase);
    return users_backends_run(suite);
}
