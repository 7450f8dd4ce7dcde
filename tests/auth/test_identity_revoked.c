/* Tokens whose signature is good, and which are not any more. */
#include "identity_callers.h"
#include "suite.h"

static void put_on_list(enum revocation_kind kind, const char *name, int64_t user_id, int64_t cut_s)
{
    struct str whose = kind == REVOKED_USER ? incarnation_of(user_id) : STR_NONE;
    const struct revocation revocation = {.kind = kind,
                                          .name = str_from(name),
                                          .whose = whose,
                                          .user_id = user_id,
                                          .cut_s = cut_s,
                                          .expires_at_s = now_s + 1000};

    ck_assert_int_eq(revocations_add(identity_revocations(identity), &revocation, true), ERR_OK);
}

START_TEST(revoked_tokens)
{
    int64_t alice = users_backend_add(users, "alice", "h"),
            bob = users_backend_add(users, "bob", "h");
    struct str own = own_bearer(alice, "alice", now_s), later = own_bearer(bob, "bob", now_s + 1);
    struct str foreign = bearer_of_id(alice), named, pretender;

    named = bearer(str_format(arena, "{\"sub\":\"bob\",\"iat\":%lld,\"exp\":%lld}",
                              (long long)now_s, (long long)now_s + 60)
                       .ptr);
    pretender =
        bearer(str_format(arena, "{\"user_id\":%lld,\"jti\":\"p\",\"family\":\"fam\",\"exp\":%lld}",
                          (long long)alice, (long long)now_s + 60)
                   .ptr);
    put_on_list(REVOKED_TOKEN, "j", 0, 0); /* ours of that name */
    put_on_list(REVOKED_FOREIGN, "j", bob, 0);
    ck_assert_int_eq(authenticate(foreign, STR_NONE), ERR_OK);
    put_on_list(REVOKED_FOREIGN, "j", alice, 0);
    expect_refused(foreign, STR_NONE, "revoked");
    ck_assert_int_eq(authenticate(own, STR_NONE), ERR_OK);
    put_on_list(REVOKED_FAMILY, "fam", 0, 0);
    expect_refused(own, STR_NONE, "revoked");
    /* Who holds the secret, but is not us, has no families. */
    ck_assert_int_eq(authenticate(pretender, STR_NONE), ERR_OK);
    ck_assert_uint_eq(principal.family.len, 0);

    ck_assert_int_eq(authenticate(named, STR_NONE), ERR_OK);
    put_on_list(REVOKED_USER, NULL, bob, now_s);
    expect_refused(named, STR_NONE, "revoked");
    expect_refused(later, STR_NONE, "revoked"); /* by its family */
}
END_TEST

/* Everything of an account and everything of whoever has its number elsewhere are two things. */
START_TEST(strangers)
{
    int64_t alice = users_backend_add(users, "alice", "h");
    struct str own = own_bearer(alice, "alice", now_s), customer = bearer_of_id(alice);

    const struct revocation everything = {
        .kind = REVOKED_USER, .user_id = alice, .cut_s = now_s, .expires_at_s = now_s + 100};
    ck_assert_int_eq(revocations_add(identity_revocations(identity), &everything, true), ERR_OK);
    expect_refused(customer, STR_NONE, "revoked");
    ck_assert_int_eq(authenticate(own, STR_NONE), ERR_OK);
    now_s++;
    ck_assert_int_eq(authenticate(bearer_of_id(alice), STR_NONE), ERR_OK);
}
END_TEST

/* It is before every moment up to which tokens were ended: the log says that, and not "revoked". */
START_TEST(one_that_does_not_say_when)
{
    int64_t bob = users_backend_add(users, "bob", "h");
    struct str undated =
        bearer(str_format(arena, "{\"sub\":\"bob\",\"exp\":%lld}", (long long)now_s + 60).ptr);

    ck_assert_int_eq(authenticate(undated, STR_NONE), ERR_OK);
    ck_assert_int_eq(principal.issued_at_s, 0);
    struct str id = str_dup(arena, principal.token_id);
    put_on_list(REVOKED_USER, NULL, bob, now_s);
    expect_refused(undated, STR_NONE, "does not say when it was issued (iat)");
    put_on_list(REVOKED_FOREIGN, id.ptr, bob, 0);
    expect_refused(undated, STR_NONE, "revoked");
}
END_TEST

/* Its digest stands for the `jti` that it does not have. */
START_TEST(one_without_an_id)
{
    int64_t bob = users_backend_add(users, "bob", "h");
    const char *const more[] = {"", ",\"n\":1"};

    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(authenticate(bearer_of_name("bob", more[i]), STR_NONE), ERR_OK);
    ck_assert_uint_eq(principal.token_id.len, 32);
    put_on_list(REVOKED_FOREIGN, str_dup(arena, principal.token_id).ptr, bob, 0);
    expect_refused(bearer_of_name("bob", more[1]), STR_NONE, "revoked");
    ck_assert_int_eq(authenticate(bearer_of_name("bob", more[0]), STR_NONE), ERR_OK);
}
END_TEST

START_TEST(one_family_is_kept)
{
    int64_t id = users_backend_add(users, "alice", "h");
    struct str kept = own_bearer(id, "alice", now_s - 5);
    struct token_claims other = {.user_id = id,
                                 .subject = STR("alice"),
                                 .family = STR("other"),
                                 .incarnation = incarnation_of(id)};
    struct str compact, stranger;

    stranger = bearer(
        str_format(arena, "{\"sub\":\"alice\",\"jti\":\"p\",\"family\":\"fam\",\"exp\":%lld}",
                   (long long)now_s + 60)
            .ptr);
    ck_assert_int_eq(token_issue(identity_tokens(identity), arena, now_s, &other, &compact),
                     ERR_OK);
    compact = str_format(arena, "Bearer %.*s", STR_ARG(compact));
    ck_assert_int_eq(authenticate(compact, STR_NONE), ERR_OK);
    ck_assert_int_eq(users_change_password(users, id, STR("h"), STR("new"), STR("fam"), &error),
                     ERR_OK);
    identity_forget(identity, id);
    ck_assert_int_eq(authenticate(kept, STR_NONE), ERR_OK);
    expect_refused(compact, STR_NONE,
                   "issued before those of its account were ended (a new password");
    expect_refused(stranger, STR_NONE, "does not say when it was issued (iat)");
    ck_assert_int_eq(identity_void_tokens(identity, id, &error), ERR_OK);
    expect_refused(kept, STR_NONE, "issued before those of its account were ended");
    ck_assert_int_eq(identity_void_tokens(identity, 4711, &error), ERR_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/identity_revoked");
    TCase *tcase = tcase_create("identity_revoked");

    tcase_add_checked_fixture(tcase, fixture_init, fixture_fini);
    tcase_add_test(tcase, revoked_tokens);
    tcase_add_test(tcase, strangers);
    tcase_add_test(tcase, one_that_does_not_say_when);
    tcase_add_test(tcase, one_without_an_id);
    tcase_add_test(tcase, one_family_is_kept);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
