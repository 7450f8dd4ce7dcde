/* Tokens beside what this node remembers of their account. */
#include "identity_callers.h"

#include "suite.h"

/* Somebody asked for an id here before another node gave it: what was not there is remembered. */
static void add_after_a_look(int64_t next, const char *name)
{
    expect_refused(own_bearer(next, name, now_s - 100), STR_NONE, "does not exist");
    ck_assert_int_eq(users_backend_add(users, name, "h"), next);
}

START_TEST(an_account_of_a_moment_ago)
{
    add_after_a_look(1, "alice");
    ck_assert_int_eq(authenticate(own_bearer(1, "alice", now_s), STR_NONE), ERR_OK);
    ck_assert(str_eq(principal.email, STR("alice@example.org")));

    add_after_a_look(2, "bob");
    struct str by_name =
        bearer(str_format(arena, "{\"sub\":\"bob\",\"exp\":%lld}", (long long)now_s + 60).ptr);
    ck_assert_int_eq(authenticate(by_name, STR_NONE), ERR_OK);

    struct api_key key = {.name = STR("k"), .scopes = SCOPE_USER, .owner_id = 3};
    struct str secret;
    add_after_a_look(3, "carol");
    ck_assert_int_eq(identity_create_key(identity, arena, &key, now_s, &secret, &error), ERR_OK);
    ck_assert_int_eq(authenticate(STR_NONE, secret), ERR_OK);
}
END_TEST

/* The name was another's when this node asked for it. */
START_TEST(a_name_that_changed_hands)
{
    int64_t id = users_backend_add(users, "alice", "h");
    struct str by_name =
        bearer(str_format(arena, "{\"sub\":\"alice\",\"exp\":%lld}", (long long)now_s + 60).ptr);

    ck_assert_int_eq(authenticate(by_name, STR_NONE), ERR_OK);
    ck_assert_int_eq(users_delete(users, id, &error), ERR_OK);
    int64_t next = users_backend_add(users, "alice", "h");
    identity_forget(identity, id);
    ck_assert_int_eq(authenticate(by_name, STR_NONE), ERR_OK);
    ck_assert_int_eq(principal.user_id, next);
}
END_TEST

/* Activated on another node, and signed in there. */
START_TEST(activated_a_moment_ago)
{
    int64_t id = users_backend_add(users, "alice", "h");

    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    expect_refused(own_bearer(id, "alice", now_s - 100), STR_NONE, "deactivated or deleted");
    ck_assert_int_eq(users_set_active(users, id, true, &error), ERR_OK);
    /* What is signed now is dated with the next second, or the one behind it. */
    ck_assert_int_eq(authenticate(own_bearer(id, "alice", clock_wall_s() + 2), STR_NONE), ERR_OK);
}
END_TEST

/* An older copy of the database was put back: the next account gets a number that was another's. */
START_TEST(another_account_of_the_same_number)
{
    int64_t id = users_backend_add(users, "alice", "h");
    struct str stolen = own_bearer(id, "alice", now_s), nobodys = own_bearer(4711, "x", now_s);
    struct user before, after;

    ck_assert_int_eq(authenticate(stolen, STR_NONE), ERR_OK);
    ck_assert_int_eq(users_find_by_id(users, arena, id, &before, &error), ERR_OK);
    fixture_start_again();
    ck_assert_int_eq(users_backend_add(users, "alice", "h"), id);
    ck_assert_int_eq(users_find_by_id(users, arena, id, &after, &error), ERR_OK);
    ck_assert(!str_eq(before.incarnation, after.incarnation));
    expect_refused(stolen, STR_NONE, "made for another account");
    expect_refused(nobodys, STR_NONE, "does not exist");
    ck_assert_int_eq(authenticate(own_bearer(id, "alice", now_s), STR_NONE), ERR_OK);
}
END_TEST

/* What is revoked is kept for as long as the longest lifetime there ever was. */
START_TEST(the_longest_lifetime_is_remembered)
{
    ck_assert_int_eq(token_longest_ttl_s(identity_tokens(identity)), 604800);
    fixture_refresh_ttl_s = 60;
    fixture_restart();
    ck_assert_int_eq(token_refresh_ttl_s(identity_tokens(identity)), 60);
    ck_assert_int_eq(token_longest_ttl_s(identity_tokens(identity)), 604800);
    fixture_refresh_ttl_s = 700000;
    fixture_restart();
    fixture_refresh_ttl_s = 60;
    fixture_restart();
    ck_assert_int_eq(token_longest_ttl_s(identity_tokens(identity)), 700000);
    fixture_refresh_ttl_s = FIXTURE_REFRESH_TTL_S;
}
END_TEST

/* --- numbers of somebody else --- */

static int64_t add_root(void)
{
    int64_t id = users_backend_add(users, "root", "h");

    ck_assert_int_eq(users_set_superuser(users, id, true, &error), ERR_OK);
    return id;
}

static void expect_stranger(struct str authorization, int64_t id)
{
    ck_assert_msg(authenticate(authorization, STR_NONE) == ERR_OK, "%s", error.detail);
    ck_assert_int_eq(principal.kind, PRINCIPAL_USER);
    ck_assert_int_eq(principal.user_id, id);
    ck_assert(principal.is_stranger && !principal.is_superuser && !principal.is_admin);
    ck_assert_ptr_null(memmem(principal.name.ptr, principal.name.len, "root", 4));
    ck_assert_uint_eq(principal.email.len, 0);
}

/* Django's customer with the number that the operator has here. */
START_TEST(a_number_is_no_account)
{
    int64_t id = add_root();
    struct str customer = bearer_of_id(id);
    const struct revocation everything = {.kind = REVOKED_USER,
                                          .user_id = id,
                                          .whose = incarnation_of(id),
                                          .cut_s = now_s,
                                          .expires_at_s = now_s + 100};

    expect_stranger(customer, id);
    /* Nor its state: each of these ends the operator's own tokens. */
    ck_assert_int_eq(users_set_password(users, id, STR("new"), &error), ERR_OK);
    identity_forget(identity, id);
    expect_stranger(customer, id);
    ck_assert_int_eq(revocations_add(identity_revocations(identity), &everything, true), ERR_OK);
    expect_stranger(customer, id);
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    identity_forget(identity, id);
    expect_stranger(customer, id);
    ck_assert_int_eq(users_delete(users, id, &error), ERR_OK);
    identity_forget(identity, id);
    expect_stranger(customer, id);
    expect_refused(own_bearer(id, "root", now_s + 3), STR_NONE, "deactivated or deleted");
}
END_TEST

START_TEST(a_number_is_an_account_where_that_is_configured)
{
    int64_t id = add_root();

    fixture_shared.accounts_are_local = true;
    fixture_restart();
    ck_assert_int_eq(authenticate(bearer_of_id(id), STR_NONE), ERR_OK);
    ck_assert(!principal.is_stranger && principal.is_superuser && principal.is_admin);
    ck_assert(str_eq(principal.name, STR("root")));
    expect_stranger(bearer_of_id(id + 1), id + 1);
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    identity_forget(identity, id);
    expect_refused(bearer_of_id(id), STR_NONE, "deactivated or deleted");
}
END_TEST

static struct str claiming(int64_t id, const char *claims)
{
    return bearer(str_format(arena, "{\"exp\":%lld,\"user_id\":%lld,%s}", (long long)now_s + 60,
                             (long long)id, claims)
                      .ptr);
}

START_TEST(rights_of_strangers_are_claimed)
{
    int64_t id = add_root();

    users_backend_add(users, "alice", "h");
    fixture_shared.superuser_claim = STR("is_superuser");
    fixture_shared.groups_claim = STR("django.groups");
    fixture_restart();
    ck_assert_int_eq(authenticate(claiming(7, "\"is_superuser\":true"), STR_NONE), ERR_OK);
    ck_assert(principal.is_stranger && principal.is_superuser && principal.is_admin);
    ck_assert(principal.has_claimed_groups);
    ck_assert_uint_eq(principal.claimed_groups.len, 0);
    ck_assert_int_eq(
        authenticate(claiming(7, "\"django\":{\"groups\":[\"x\",\"Admin\"]}"), STR_NONE), ERR_OK);
    ck_assert(!principal.is_superuser && principal.is_admin);
    ck_assert(str_eq(principal.claimed_groups, STR("x\nAdmin\n")));
    expect_stranger(claiming(id, "\"is_superuser\":\"true\",\"groups\":[\"Admin\"]"), id);
    /* Twice: what is remembered of a token is the same as what was read. */
    struct str admin = claiming(8, "\"is_superuser\":true");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(authenticate(admin, STR_NONE), ERR_OK);
        ck_assert(principal.is_superuser);
    }
    /* An account of ours has the rights it has here, and nothing is claimed in our own tokens. */
    ck_assert_int_eq(authenticate(bearer_of_name("alice", ",\"is_superuser\":true"), STR_NONE),
                     ERR_OK);
    ck_assert(!principal.is_stranger && !principal.is_superuser && !principal.has_claimed_groups);
    ck_assert_int_eq(authenticate(bearer_of_name("root", ""), STR_NONE), ERR_OK);
    ck_assert(principal.is_superuser);
    ck_assert_int_eq(authenticate(own_bearer(id, "root", now_s), STR_NONE), ERR_OK);
    ck_assert(principal.is_superuser && !principal.has_claimed_groups);
}
END_TEST

START_TEST(a_stranger_is_another_than_the_account)
{
    int64_t id = add_root();
    struct api_key key = {.name = STR("k"), .scopes = SCOPE_USER, .owner_id = id};
    struct str secret;

    ck_assert_int_eq(identity_create_key(identity, arena, &key, now_s, &secret, &error), ERR_OK);
    ck_assert_int_eq(authenticate(own_bearer(id, "root", now_s), secret), ERR_OK);
    ck_assert_int_eq(authenticate(bearer_of_id(id), secret), ERR_BAD_INPUT);
    ck_assert_str_eq(error.caller, "Conflicting credentials.");
}
END_TEST

/* No account is asked for, so none has to be there to ask. */
START_TEST(strangers_need_no_database)
{
    users_backends[0].ruin();
    expect_stranger(bearer_of_id(7), 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/identity_account");
    TCase *tcase = tcase_create("identity_account");

    tcase_add_checked_fixture(tcase, fixture_init, fixture_fini);
    tcase_add_test(tcase, an_account_of_a_moment_ago);
    tcase_add_test(tcase, a_name_that_changed_hands);
    tcase_add_test(tcase, activated_a_moment_ago);
    tcase_add_test(tcase, another_account_of_the_same_number);
    tcase_add_test(tcase, the_longest_lifetime_is_remembered);
    tcase_add_test(tcase, a_number_is_no_account);
    tcase_add_test(tcase, a_number_is_an_account_where_that_is_configured);
    tcase_add_test(tcase, rights_of_strangers_are_claimed);
    tcase_add_test(tcase, a_stranger_is_another_than_the_account);
    tcase_add_test(tcase, strangers_need_no_database);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
