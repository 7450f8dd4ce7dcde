/* Sessions among the other credentials. */
#include "identity_fixture.h"

#include "suite.h"

static struct principal principal;
static int64_t alice, bob;
static struct str session, xsrf, alice_bearer, bob_bearer;
static struct token_claims session_claims;

static struct str bearer_of(int64_t id, const char *name)
{
    struct token_claims claims = {.user_id = id,
                                  .subject = str_from(name),
                                  .family = STR("fam-b"),
                                  .incarnation = incarnation_of(id)};
    struct str compact;

    ck_assert_int_eq(token_issue(identity_tokens(identity), arena, now_s, &claims, &compact),
                     ERR_OK);
    return str_format(arena, "Bearer %.*s", STR_ARG(compact));
}

static void set_up(void)
{
    fixture_init();
    alice = users_backend_add(users, "alice", "h");
    bob = users_backend_add(users, "bob", "h");
    alice_bearer = bearer_of(alice, "alice");
    bob_bearer = bearer_of(bob, "bob");
    session_claims = (struct token_claims){.user_id = alice,
                                           .subject = STR("alice"),
                                           .family = STR("fam"),
                                           .incarnation = incarnation_of(alice),
                                           .issued_at_s = now_s};
    ck_assert_int_eq(
        token_issue_session(identity_tokens(identity), arena, now_s, &session_claims, &session),
        ERR_OK);
    ck_assert_int_eq(xsrf_of_session(arena, session_claims.id, &xsrf), ERR_OK);
}

static struct credentials safe(void)
{
    return (struct credentials){.has_session = true, .session = session, .is_safe = true};
}

static enum err authenticate(const struct credentials *credentials)
{
    error_clear(&error);
    memset(&principal, 0x55, sizeof principal);
    enum err err = identity_authenticate(identity, (struct work){.arena = arena, .error = &error},
                                         credentials, now_s, &principal);
    if (err != ERR_OK)
        ck_assert_int_eq(principal.kind, PRINCIPAL_ANONYMOUS);
    return err;
}

START_TEST(a_user)
{
    struct credentials credentials = safe();

    ck_assert_int_eq(authenticate(&credentials), ERR_OK);
    ck_assert_int_eq(principal.kind, PRINCIPAL_USER);
    ck_assert_int_eq(principal.credential, CREDENTIAL_SESSION);
    ck_assert_int_eq(principal.user_id, alice);
    ck_assert(str_eq(principal.token_id, session_claims.id));
    ck_assert(str_eq(principal.family, STR("fam")));
    ck_assert_int_eq(principal.issued_at_s, now_s);
    ck_assert_int_eq(principal.expires_at_s, now_s + 1800);
}
END_TEST

START_TEST(what_must_be_proven)
{
    struct credentials credentials = safe();

    credentials.is_safe = false;
    ck_assert_int_eq(authenticate(&credentials), ERR_FORBIDDEN);
    ck_assert_str_eq(error.caller, "CSRF Failed");
    credentials.proof = (struct xsrf_proof){true, xsrf};
    ck_assert_int_eq(authenticate(&credentials), ERR_OK);
    /* A session that is none has nothing to prove. */
    credentials.proof.is_same_origin = false;
    credentials.session = str_sub(session, 0, session.len - 1);
    ck_assert_int_eq(authenticate(&credentials), ERR_UNAUTHENTICATED);
}
END_TEST

START_TEST(what_is_no_session)
{
    struct credentials credentials = {.has_session = true, .is_safe = true};

    ck_assert_int_eq(authenticate(&credentials), ERR_UNAUTHENTICATED);
    credentials.session = str_sub(alice_bearer, 7, alice_bearer.len);
    ck_assert_int_eq(authenticate(&credentials), ERR_UNAUTHENTICATED);
    credentials = (struct credentials){
        .authorization = str_format(arena, "Bearer %.*s", STR_ARG(session)), .is_safe = true};
    ck_assert_int_eq(authenticate(&credentials), ERR_UNAUTHENTICATED);
}
END_TEST

START_TEST(beside_others)
{
    struct api_key key = {.name = STR("k"), .scopes = SCOPE_USER, .owner_id = alice};
    struct credentials credentials = safe();
    struct str secret;

    ck_assert_int_eq(identity_create_key(identity, arena, &key, now_s, &secret, &error), ERR_OK);
    credentials.is_safe = false;
    credentials.authorization = alice_bearer;
    ck_assert_int_eq(authenticate(&credentials), ERR_OK);
    ck_assert_int_eq(principal.credential, CREDENTIAL_BEARER);
    credentials.api_key = secret;
    ck_assert_int_eq(authenticate(&credentials), ERR_OK);
    ck_assert_int_eq(principal.credential, CREDENTIAL_BEARER);
    credentials.authorization = STR_NONE;
    ck_assert_int_eq(authenticate(&credentials), ERR_OK);
    ck_assert_int_eq(principal.credential, CREDENTIAL_API_KEY);
    credentials.authorization = bob_bearer;
    ck_assert_int_eq(authenticate(&credentials), ERR_BAD_INPUT);
    ck_assert_str_eq(error.caller, "Conflicting credentials.");
    credentials.api_key = STR_NONE;
    ck_assert_int_eq(authenticate(&credentials), ERR_BAD_INPUT);
    credentials.authorization = alice_bearer;
    credentials.session = STR_NONE;
    ck_assert_int_eq(authenticate(&credentials), ERR_BAD_INPUT);
    credentials.authorization = STR("Bearer x");
    ck_assert_int_eq(authenticate(&credentials), ERR_UNAUTHENTICATED);
}
END_TEST

static void put_on_list(enum revocation_kind kind, const char *name, int64_t user_id, int64_t cut_s)
{
    struct str whose = kind == REVOKED_USER ? incarnation_of(user_id) : STR_NONE;
    const struct revocation revocation = {.kind = kind,
                                          .name = str_from(name),
                                          .whose = whose,
                                          .user_id = user_id,
                                          .cut_s = cut_s,
                                          .expires_at_s = now_s + 900};
    ck_assert_int_eq(revocations_add(identity_revocations(identity), &revocation, true), ERR_OK);
}

START_TEST(ended_with_its_family)
{
    struct credentials credentials = safe();

    put_on_list(REVOKED_FAMILY, "fam-b", 0, 0);
    ck_assert_int_eq(authenticate(&credentials), ERR_OK);
    put_on_list(REVOKED_FAMILY, "fam", 0, 0);
    ck_assert_int_eq(authenticate(&credentials), ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "token: revoked");
}
END_TEST

/* A token that was renewed by a node that had not heard yet is still of the old session. */
START_TEST(ended_with_everything_of_the_account)
{
    struct credentials credentials = safe();

    now_s += 600;
    ck_assert_int_eq(token_issue_session(identity_tokens(identity), arena, now_s, &session_claims,
                                         &credentials.session),
                     ERR_OK);
    put_on_list(REVOKED_USER, NULL, alice, now_s - 601);
    ck_assert_int_eq(authenticate(&credentials), ERR_OK);
    put_on_list(REVOKED_USER, NULL, alice, now_s - 600);
    ck_assert_int_eq(authenticate(&credentials), ERR_UNAUTHENTICATED);
}
END_TEST

/* Even of the family whose tokens stay good: the cookie may have been copied. */
START_TEST(ended_with_the_password)
{
    struct credentials credentials = safe();

    ck_assert_int_eq(users_change_password(users, alice, STR("h"), STR("h2"), STR("fam"), &error),
                     ERR_OK);
    identity_forget(identity, alice);
    ck_assert_int_eq(authenticate(&credentials), ERR_UNAUTHENTICATED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity, sessions");
    TCase *tcase = tcase_create("sessions");
    tcase_add_checked_fixture(tcase, set_up, fixture_fini);
    tcase_add_test(tcase, a_user);
    tcase_add_test(tcase, what_must_be_proven);
    tcase_add_test(tcase, what_is_no_session);
    tcase_add_test(tcase, beside_others);
    tcase_add_test(tcase, ended_with_its_family);
    tcase_add_test(tcase, ended_with_everything_of_the_account);
    tcase_add_test(tcase, ended_with_the_password);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
