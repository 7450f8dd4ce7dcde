/* Tokens beside what this node remembers of their account. */
#include "identity_callers.h"

#include "suite.h"

/* Somebody asked for an id here before another node gave it: what was not there is remembered. */
static void add_after_a_look(int64_t next, const char *name)
{
    ck_assert_int_eq(authenticate(bearer_of_id(next), STR_NONE), ERR_OK);
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
    expect_refused(bearer_of_id(id), STR_NONE, "deactivated or deleted");
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
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
