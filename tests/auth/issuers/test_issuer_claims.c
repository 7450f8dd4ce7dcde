#include "issuers/issuer_claims.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>

#define REST "\"iss\":\"i\",\"exp\":2000"

static struct arena *arena;
static struct error error;
static struct issuer_spec spec;
static struct issuer_claims claims;
static const struct claimed_rights *const rights = &claims.claims.token.rights;
static const struct issuer_claims_rules rules = {.leeway_s = 30, .admin_group = STR("Admin")};

static void set_up(void)
{
    arena = arena_new(16384, 0);
    spec = (struct issuer_spec){
        .name = STR("i"), .user_claim = STR("sub"), .accounts = ISSUER_ACCOUNTS_LOCAL};
}

static void tear_down(void)
{
    arena_free(&arena);
}

static enum err read(const char *payload)
{
    error_clear(&error);
    return issuer_claims_read(&spec, &rules, arena, str_from(payload), &claims, &error);
}

static void expect_good(const char *payload)
{
    ck_assert_msg(read(payload) == ERR_OK, "%s: %s", payload, error.detail);
    ck_assert(claims.is_foreign && !claims.claims.token.is_own);
}

static void expect_bad(const char *payload, const char *why)
{
    ck_assert_msg(read(payload) == ERR_UNAUTHENTICATED, "%s", payload);
    ck_assert_msg(strstr(error.detail, why) != NULL, "%s, not %s", error.detail, why);
    ck_assert_str_eq(error.caller, "");
}

START_TEST(numbers_are_ids)
{
    const struct token_claims *token = &claims.claims.token;

    expect_good("{" REST ",\"sub\":\"42\",\"jti\":\"j\",\"iat\":1000,\"nbf\":900}");
    ck_assert_int_eq(token->user_id, 42);
    ck_assert(str_eq(token->subject, STR("42")));
    ck_assert(str_eq(token->id, STR("j")));
    struct str issuer = token->issuer;
    ck_assert_uint_eq(issuer.len, 32);
    ck_assert_int_eq(token->issued_at_s, 1000);
    ck_assert_int_eq(token->expires_at_s, 2000);
    ck_assert_int_eq(claims.claims.not_before_s, 900);
    ck_assert_int_eq(token->use, TOKEN_ACCESS);
    spec.user_claim = STR("uid");
    expect_good("{" REST ",\"uid\":9223372036854775807,\"sub\":\"alice\"}");
    ck_assert_int_eq(token->user_id, INT64_MAX);
    ck_assert(str_eq(token->subject, STR("alice")));
    expect_good("{" REST ",\"uid\":7}");
    ck_assert_uint_eq(token->subject.len, 0);
    ck_assert(str_eq(token->issuer, issuer));
    /* Claims that mean something in our own tokens mean nothing here. */
    expect_good("{" REST ",\"uid\":7,\"user_id\":\"x\",\"family\":\"f\",\"unrecorded\":\"u\"}");
    ck_assert_int_eq(token->user_id, 7);
    ck_assert_int_eq(claims.accounts, ISSUER_ACCOUNTS_LOCAL);
    spec.accounts = ISSUER_ACCOUNTS_NONE;
    expect_good("{" REST ",\"uid\":7,\"user_id\":\"x\",\"family\":\"f\",\"unrecorded\":\"u\"}");
    ck_assert_int_eq(token->user_id, 7);
    ck_assert_int_eq(claims.accounts, ISSUER_ACCOUNTS_NONE);
    ck_assert_uint_eq(token->family.len + token->unrecorded.len, 0);
}
END_TEST

/* RFC 7519 wants a string; many issuers write the number that they have. */
START_TEST(a_subject_that_is_a_number)
{
    expect_good("{" REST ",\"sub\":42}");
    ck_assert_int_eq(claims.claims.token.user_id, 42);
    ck_assert(str_eq(claims.claims.token.subject, STR("42")));
    spec.accounts = ISSUER_ACCOUNTS_PROVISION;
    expect_good("{" REST ",\"sub\":-7}");
    ck_assert(str_eq(claims.user, STR("-7")));
    spec.user_claim = STR("email");
    expect_good("{" REST ",\"sub\":42,\"email\":\"a@b\"}");
    ck_assert(str_eq(claims.user, STR("a@b")));
    ck_assert(str_eq(claims.claims.token.subject, STR("42")));
}
END_TEST

START_TEST(users_that_are_none)
{
    static const char *const users[] = {
        "\"alice\"", "\"0\"",  "0",       "-1",     "\"-1\"",
        "\"+1\"",    "\"01\"", "\"1.0\"", "\" 1\"", "\"9223372036854775808\""};
    char payload[128];

    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        snprintf(payload, sizeof payload, "{" REST ",\"uid\":%s}", users[i]);
        spec.user_claim = STR("uid");
        expect_bad(payload, "is not a positive integer");
    }
    expect_bad("{" REST "}", "the user claim is missing");
    expect_bad("{" REST ",\"uid\":1.5}", "the user claim is not a string");
    expect_bad("{" REST ",\"uid\":null}", "the user claim is not a string");
    expect_bad("{" REST ",\"uid\":[1]}", "the user claim is not a string");
    expect_bad("{" REST ",\"uid\":\"\"}", "the user claim is empty");
    expect_bad("{" REST ",\"uid\":\"a\\nb\"}", "control characters");
    expect_bad("{" REST ",\"uid\":1,\"uid\":2}", "is not a JSON object"); /* twice */
}
END_TEST

START_TEST(subjects_that_get_an_account)
{
    spec.accounts = ISSUER_ACCOUNTS_PROVISION;
    expect_good("{" REST ",\"sub\":\"auth0|7\"}");
    ck_assert_int_eq(claims.claims.token.user_id, 0);
    ck_assert(str_eq(claims.user, STR("auth0|7")));
    /* No id of ours, whatever it looks like. */
    expect_good("{" REST ",\"sub\":\"1\"}");
    ck_assert_int_eq(claims.claims.token.user_id, 0);
    ck_assert(str_eq(claims.user, STR("1")));
    spec.user_claim = STR("uid");
    expect_good("{" REST ",\"uid\":1}");
    ck_assert_int_eq(claims.claims.token.user_id, 0);
    ck_assert(str_eq(claims.user, STR("1")));
}
END_TEST

START_TEST(rights_only_where_they_are_named)
{
#define BOAST "\"admin\":true,\"groups\":[\"x\",\"Admin\"],\"is_superuser\":true"
    expect_good("{" REST ",\"sub\":\"1\"," BOAST "}");
    ck_assert(!rights->has_superuser && !rights->is_superuser);
    ck_assert(!rights->has_groups && !rights->is_admin_member);
    spec.superuser_claim = STR("admin");
    expect_good("{" REST ",\"sub\":\"1\"," BOAST "}");
    ck_assert(rights->has_superuser && rights->is_superuser);
    ck_assert(!rights->has_groups && !rights->is_admin_member);
    spec.groups_claim = STR("groups");
    expect_good("{" REST ",\"sub\":\"1\"," BOAST "}");
    ck_assert(rights->has_groups && rights->is_admin_member);
    spec.groups_claim = STR("https://id.example/groups");
    expect_good("{" REST ",\"sub\":\"1\",\"https://id.example/groups\":\"Admin\"}");
    ck_assert(rights->is_admin_member && !rights->is_superuser);
}
END_TEST

START_TEST(claims_inside_claims)
{
    spec.groups_claim = STR("realm_access.roles");
    expect_good("{" REST ",\"sub\":\"1\",\"realm_access\":{\"roles\":[\"a\",\"Admin\"]}}");
    ck_assert(rights->is_admin_member);
    /* A claim of the whole name comes first. */
    expect_good("{" REST ",\"sub\":\"1\",\"realm_access.roles\":[],"
                "\"realm_access\":{\"roles\":[\"Admin\"]}}");
    ck_assert(!rights->is_admin_member);
    static const char *const others[] = {"{\"role\":[\"Admin\"]}", "[\"Admin\"]", "\"Admin\"",
                                         "null", "{\"roles\":{\"roles\":[\"Admin\"]}}"};
    char payload[160];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(payload, sizeof payload, "{" REST ",\"sub\":\"1\",\"realm_access\":%s}",
                 others[i]);
        expect_good(payload);
        ck_assert_msg(!rights->is_admin_member, "%s", payload);
    }
    spec.user_claim = STR("a.b.c");
    expect_good("{" REST ",\"a\":{\"b\":{\"c\":42}}}");
    ck_assert_int_eq(claims.claims.token.user_id, 42);
    spec.user_claim = STR(".");
    expect_bad("{" REST ",\"a\":1}", "the user claim is missing");
}
END_TEST

START_TEST(rights_of_the_wrong_kind)
{
    static const char *const values[][2] = {
        {"1", "[]"},
        {"\"true\"", "[\"admin\"]"},
        {"[true]", "[\"Admins\"]"},
        {"null", "null"},
        {"false", "{\"Admin\":true}"},
        {"{}", "[[\"Admin\"]]"},
        {"1.0", "\"Admin,x\""},
        {"0", "[1,null]"},
    };
    char payload[160];

    spec.superuser_claim = STR("s");
    spec.groups_claim = STR("g");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(payload, sizeof payload, "{" REST ",\"sub\":\"1\",\"s\":%s,\"g\":%s}",
                 values[i][0], values[i][1]);
        expect_good(payload);
        ck_assert_msg(!rights->is_superuser && !rights->is_admin_member, "%s", payload);
        ck_assert(rights->has_superuser && rights->has_groups);
    }
    expect_good("{" REST ",\"sub\":\"1\"}");
    ck_assert(!rights->is_superuser && !rights->is_admin_member);
    /* Without an admin group nobody is in it. */
    const struct issuer_claims_rules none = {.admin_group = STR_NONE};
    ck_assert_int_eq(issuer_claims_read(&spec, &none, arena,
                                        STR("{" REST ",\"sub\":\"1\",\"g\":\"\"}"), &claims,
                                        &error),
                     ERR_OK);
    ck_assert(!rights->is_admin_member);
}
END_TEST

START_TEST(what_all_tokens_have)
{
    expect_bad("{\"iss\":\"j\",\"exp\":2000,\"sub\":\"1\"}", "iss is not ours");
    expect_bad("{\"iss\":\"I\",\"exp\":2000,\"sub\":\"1\"}", "iss is not ours");
    expect_bad("{\"iss\":[\"i\"],\"exp\":2000,\"sub\":\"1\"}", "iss is not ours");
    expect_bad("{\"exp\":2000,\"sub\":\"1\"}", "iss is missing");
    expect_bad("{\"iss\":\"i\",\"sub\":\"1\"}", "exp is missing");
    expect_bad("{\"iss\":\"i\",\"exp\":\"2000\",\"sub\":\"1\"}", "exp is not a number");
    expect_bad("{" REST ",\"sub\":\"1\",\"nbf\":\"x\"}", "nbf is not a number");
    expect_bad("{" REST ",\"sub\":\"1\",\"iat\":-1}", "iat is out of range");
    expect_bad("{" REST ",\"sub\":\"1\",\"jti\":5}", "jti is not a string");
    expect_bad("{" REST ",\"sub\":5.5}", "is not a string");
    expect_bad("{" REST ",\"sub\":[5]}", "is not a string");
    expect_bad("{" REST ",\"sub\":null}", "sub is not a string");
    expect_bad("[]", "is not a JSON object");
    expect_bad("{" REST ",\"sub\":\"1\",\"aud\":\"a\"}", "no audience is configured");
    spec.audience = STR("a");
    expect_bad("{" REST ",\"sub\":\"1\"}", "aud is missing");
    expect_bad("{" REST ",\"sub\":\"1\",\"aud\":\"b\"}", "aud is not ours");
    expect_bad("{" REST ",\"sub\":\"1\",\"aud\":[\"b\",\"c\"]}", "aud is not ours");
    expect_bad("{" REST ",\"sub\":\"1\",\"aud\":[\"a\",1]}", "aud has an item");
    expect_good("{" REST ",\"sub\":\"1\",\"aud\":\"a\"}");
    expect_good("{" REST ",\"sub\":\"1\",\"aud\":[\"b\",\"a\"]}");
}
END_TEST

/* What our own tokens say with it is nothing that another issuer knows of. */
START_TEST(their_token_type_means_nothing)
{
    static const char *const values[] = {"\"Bearer\"", "\"refresh\"", "\"session\"", "\"access\"",
                                         "\"\"",       "null",        "7",           "[\"x\"]"};
    char payload[128];

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(payload, sizeof payload, "{" REST ",\"sub\":\"1\",\"token_type\":%s}", values[i]);
        expect_good(payload);
        ck_assert_int_eq(claims.claims.token.use, TOKEN_ACCESS);
    }
}
END_TEST

START_TEST(whose_it_says_to_be)
{
    ck_assert(str_eq(issuer_claims_peek(arena, STR("{\"iss\":\"i\"}")), STR("i")));
    static const char *const none[] = {"{}",
                                       "[]",
                                       "",
                                       "{\"iss\":5}",
                                       "{\"iss\":[\"i\"]}",
                                       "{\"iss\":\"a\",\"iss\":\"b\"}",
                                       "{\"iss\":\"i\"} x"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_uint_eq(issuer_claims_peek(arena, str_from(none[i])).len, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/issuer_claims");
    TCase *tcase = tcase_create("issuer_claims");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, numbers_are_ids);
    tcase_add_test(tcase, a_subject_that_is_a_number);
    tcase_add_test(tcase, users_that_are_none);
    tcase_add_test(tcase, subjects_that_get_an_account);
    tcase_add_test(tcase, rights_only_where_they_are_named);
    tcase_add_test(tcase, claims_inside_claims);
    tcase_add_test(tcase, rights_of_the_wrong_kind);
    tcase_add_test(tcase, what_all_tokens_have);
    tcase_add_test(tcase, their_token_type_means_nothing);
    tcase_add_test(tcase, whose_it_says_to_be);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
