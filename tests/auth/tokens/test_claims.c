#include "tokens/claims.h"

#include "cachewarden/arena.h"
#include "suite.h"

#include <stdio.h>

enum { NOW = 1700000000 };

static struct arena *arena;
static struct token_claims claims;
static int64_t not_before_s;
static struct error error;
static struct claims_rules rules;

static void set_up(void)
{
    arena = arena_new(64 * 1024, 0);
    rules = (struct claims_rules){.issuer = STR("cachewarden"), .leeway_s = 30};
    error_clear(&error);
}

static void tear_down(void)
{
    arena_free(&arena);
}

static enum err read_as(enum token_use use, const char *payload)
{
    struct claims read;

    enum err err = claims_read(&rules, arena, str_from(payload), &read, &error);
    if (!err)
        err = claims_judge(&rules, &read, use, NOW, &error);
    claims = read.token;
    not_before_s = read.not_before_s;
    return err;
}

static void accept(const char *payload)
{
    ck_assert_msg(read_as(TOKEN_ACCESS, payload) == ERR_OK, "%s: %s", payload, error.detail);
}

/* The reason names the claim. */
static void refuse(const char *payload, const char *claim)
{
    error_clear(&error);
    ck_assert_msg(read_as(TOKEN_ACCESS, payload) == ERR_UNAUTHENTICATED, "taken: %s", payload);
    ck_assert_msg(strstr(error.detail, claim) != NULL, "%s: %s", payload, error.detail);
    ck_assert_str_eq(error.caller, "");
}

START_TEST(everything_is_read)
{
    accept("{\"token_type\":\"access\",\"user_id\":42,\"sub\":\"alice\",\"jti\":\"abc\",\"family\":"
           "\"f\",\"incarnation\":\"n\","
           "\"iat\":1699999990,\"nbf\":1699999990,\"exp\":1700000010,\"iss\":\"cachewarden\","
           "\"more\":[1]}");
    ck_assert_int_eq(claims.use, TOKEN_ACCESS);
    ck_assert_int_eq(claims.user_id, 42);
    ck_assert(str_eq(claims.subject, STR("alice")));
    ck_assert(str_eq(claims.id, STR("abc")));
    ck_assert(str_eq(claims.family, STR("f")));
    ck_assert(str_eq(claims.incarnation, STR("n")));
    ck_assert_int_eq(claims.issued_at_s, 1699999990);
    ck_assert_int_eq(claims.expires_at_s, 1700000010);
    ck_assert_int_eq(not_before_s, 1699999990);
    ck_assert(claims.is_own);

    accept("{\"sub\":\"admin\",\"exp\":1700000010}");
    ck_assert_int_eq(claims.user_id, 0);
    ck_assert(str_eq(claims.subject, STR("admin")));
    ck_assert_uint_eq(claims.id.len + claims.family.len, 0);
    ck_assert_int_eq(claims.issued_at_s, 0);
    ck_assert(!claims.is_own);
}
END_TEST

START_TEST(payloads_that_are_no_object)
{
    refuse("", "payload");
    refuse("null", "payload");
    refuse("[]", "payload");
    refuse("\"a\"", "payload");
    refuse("{\"user_id\":1,\"exp\":1700000010", "payload");
    refuse("{\"user_id\":1,\"exp\":1700000010} {}", "payload");
    refuse("{\"user_id\":1,\"exp\":1700000010,\"user_id\":1}", "payload");
    refuse("{\"user_id\":1,\"exp\":1,\"exp\":1700000010}", "payload");
    refuse("{\"user_id\":1,\"exp\":1700000010,\"x\":\"\xff\"}", "payload");
    refuse("{\"user_id\":1,\"exp\":1700000010,\"x\":\"\\ud800\"}", "payload");
    refuse("{\"user_id\":1,\"exp\":1700000010,\"x\":\"\\u0000\"}", "payload");
}
END_TEST

START_TEST(expiry)
{
    refuse("{\"user_id\":1}", "exp is missing");
    refuse("{\"user_id\":1,\"exp\":null}", "exp");
    refuse("{\"user_id\":1,\"exp\":\"1700000010\"}", "exp");
    refuse("{\"user_id\":1,\"exp\":true}", "exp");
    refuse("{\"user_id\":1,\"exp\":[1700000010]}", "exp");
    refuse("{\"user_id\":1,\"exp\":{}}", "exp");
    refuse("{\"user_id\":1,\"exp\":-1}", "exp is out of range");
    refuse("{\"user_id\":1,\"exp\":-0.5}", "exp is out of range");
    refuse("{\"user_id\":1,\"exp\":1e400}", "payload");
    refuse("{\"user_id\":1,\"exp\":1e300}", "exp is out of range");
    refuse("{\"user_id\":1,\"exp\":9007199254740993}", "exp is out of range");
    refuse("{\"user_id\":1,\"exp\":9223372036854775807}", "exp is out of range");
    refuse("{\"user_id\":1,\"exp\":9223372036854775808}", "payload");
    refuse("{\"user_id\":1,\"exp\":0}", "exp is over");
    refuse("{\"user_id\":1,\"EXP\":1700000010}", "exp is missing");

    /* 30 s of leeway: the first second that is too late is exp + 30 (RFC 7519: "on or after"). */
    accept("{\"user_id\":1,\"exp\":1699999971}");
    refuse("{\"user_id\":1,\"exp\":1699999970}", "exp is over");
    accept("{\"user_id\":1,\"exp\":1699999971.9}");
    refuse("{\"user_id\":1,\"exp\":1699999970.9}", "exp is over");
    accept("{\"user_id\":1,\"exp\":1.70000001e9}");
    ck_assert_int_eq(claims.expires_at_s, 1700000010);
    accept("{\"user_id\":1,\"exp\":9007199254740992}");
    rules.leeway_s = 0;
    accept("{\"user_id\":1,\"exp\":1700000001}");
    refuse("{\"user_id\":1,\"exp\":1700000000}", "exp is over");
}
END_TEST

START_TEST(dates_in_the_future)
{
    accept("{\"user_id\":1,\"exp\":1700009999,\"nbf\":1700000030,\"iat\":1700000030}");
    refuse("{\"user_id\":1,\"exp\":1700009999,\"nbf\":1700000031}", "nbf is in the future");
    refuse("{\"user_id\":1,\"exp\":1700009999,\"iat\":1700000031}", "iat is in the future");
    refuse("{\"user_id\":1,\"exp\":1700009999,\"nbf\":\"0\"}", "nbf");
    refuse("{\"user_id\":1,\"exp\":1700009999,\"iat\":null}", "iat");
    refuse("{\"user_id\":1,\"exp\":1700009999,\"iat\":-5}", "iat");
    accept("{\"user_id\":1,\"exp\":1700009999,\"nbf\":0,\"iat\":0.5}");
    /* Our own may be dated with the next second, even where no clocks are to be allowed for. */
    rules.leeway_s = 0;
    accept("{\"user_id\":1,\"exp\":1700009999,\"iss\":\"cachewarden\",\"incarnation\":\"n\","
           "\"iat\":1700000005}");
    refuse("{\"user_id\":1,\"exp\":1700009999,\"iss\":\"cachewarden\",\"incarnation\":\"n\","
           "\"iat\":1700000006}",
           "iat is in the future");
    refuse("{\"user_id\":1,\"exp\":1700009999,\"iat\":1700000001}", "iat is in the future");
}
END_TEST

START_TEST(user_ids)
{
    accept("{\"exp\":1700000010,\"user_id\":1}");
    accept("{\"exp\":1700000010,\"user_id\":\"17\"}");
    ck_assert_int_eq(claims.user_id, 17);
    accept("{\"exp\":1700000010,\"user_id\":9223372036854775807}");
    accept("{\"exp\":1700000010,\"user_id\":\"9223372036854775807\"}");
    ck_assert_int_eq(claims.user_id, INT64_MAX);

    refuse("{\"exp\":1700000010,\"user_id\":0}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":-1}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":1.0}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":1e3}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":9223372036854775808}", "payload");
    refuse("{\"exp\":1700000010,\"user_id\":true}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":null,\"sub\":\"alice\"}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":[1]}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":\"\",\"sub\":\"alice\"}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":\"0\"}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":\"-1\"}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":\"+1\"}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":\"01\"}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":\" 1\"}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":\"1.0\"}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":\"0x1\"}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":\"9223372036854775808\"}", "user_id");
    refuse("{\"exp\":1700000010,\"user_id\":\"alice\"}", "user_id");
    /* A name beside it makes no bad id good. */
    refuse("{\"exp\":1700000010,\"user_id\":0,\"sub\":\"alice\"}", "user_id is not");
    refuse("{\"exp\":1700000010,\"user_id\":-1,\"sub\":\"alice\"}", "user_id is not");
    refuse("{\"exp\":1700000010}", "user_id");
    refuse("{\"exp\":1700000010,\"jti\":\"a\"}", "user_id");
}
END_TEST

START_TEST(texts)
{
    static const char *const names[] = {"sub", "jti", "family"};
    char payload[512];

    for (size_t i = 0; i < 3; i++) {
        static const char *const bad[] = {"1",    "null",      "[\"a\"]",
                                          "\"\"", "\"a\\nb\"", "\"\\u007f\""};
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            snprintf(payload, sizeof payload, "{\"exp\":1700000010,\"user_id\":1,\"%s\":%s}",
                     names[i], bad[j]);
            refuse(payload, names[i]);
        }
        snprintf(payload, sizeof payload, "{\"exp\":1700000010,\"user_id\":1,\"%s\":\"%0255d\"}",
                 names[i], 1);
        accept(payload);
        snprintf(payload, sizeof payload, "{\"exp\":1700000010,\"user_id\":1,\"%s\":\"%0256d\"}",
                 names[i], 1);
        refuse(payload, names[i]);
    }
}
END_TEST

START_TEST(uses)
{
    static const char access[] = "{\"exp\":1700000010,\"user_id\":1,\"token_type\":\"access\"}";
    static const char refresh[] = "{\"exp\":1700000010,\"user_id\":1,\"token_type\":\"refresh\"}";
    static const char none[] = "{\"exp\":1700000010,\"user_id\":1}";

    ck_assert_int_eq(read_as(TOKEN_ACCESS, access), ERR_OK);
    ck_assert_int_eq(read_as(TOKEN_ACCESS, refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(read_as(TOKEN_ACCESS, none), ERR_OK);
    ck_assert_int_eq(read_as(TOKEN_REFRESH, access), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(read_as(TOKEN_REFRESH, refresh), ERR_OK);
    ck_assert_int_eq(claims.use, TOKEN_REFRESH);
    ck_assert_int_eq(read_as(TOKEN_REFRESH, none), ERR_UNAUTHENTICATED);
    refuse("{\"exp\":1700000010,\"user_id\":1,\"token_type\":\"Access\"}", "token_type");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"token_type\":\"sliding\"}", "token_type");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"token_type\":\"\"}", "token_type");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"token_type\":null}", "token_type");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"token_type\":[\"access\"]}", "token_type");
}
END_TEST

/* As flask-jwt-extended writes it. */
START_TEST(types)
{
    static const char refresh[] =
        "{\"exp\":1700000010,\"sub\":\"alice\",\"fresh\":false,\"type\":\"refresh\"}";

    accept("{\"exp\":1700000010,\"sub\":\"alice\",\"fresh\":false,\"type\":\"access\"}");
    accept("{\"exp\":1700000010,\"user_id\":1,\"token_type\":\"access\",\"type\":\"access\"}");
    refuse(refresh, "type");
    ck_assert_int_eq(read_as(TOKEN_REFRESH, refresh), ERR_UNAUTHENTICATED);
    refuse("{\"exp\":1700000010,\"user_id\":1,\"token_type\":\"access\",\"type\":\"refresh\"}",
           "type");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"type\":\"Access\"}", "type");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"type\":\"\"}", "type");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"type\":null}", "type");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"type\":[\"access\"]}", "type");
}
END_TEST

START_TEST(issuers)
{
    accept("{\"exp\":1700000010,\"user_id\":1}");
    ck_assert(!claims.is_own);
    accept("{\"exp\":1700000010,\"user_id\":1,\"iss\":\"cachewarden\",\"incarnation\":\"n\"}");
    ck_assert(claims.is_own);
    /* Somebody else with the secret may call itself so: no account's incarnation, no token of ours. */
    accept("{\"exp\":1700000010,\"user_id\":1,\"iss\":\"cachewarden\"}");
    ck_assert(!claims.is_own);
    accept("{\"exp\":1700000010,\"user_id\":1,\"incarnation\":\"n\"}");
    ck_assert(!claims.is_own);
    refuse("{\"exp\":1700000010,\"user_id\":1,\"incarnation\":\"\"}", "incarnation");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"iss\":\"Cachewarden\"}", "iss");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"iss\":\"\"}", "iss");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"iss\":null}", "iss");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"iss\":[\"cachewarden\"]}", "iss");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"iss\":\"https://evil.example\"}", "iss");
}
END_TEST

START_TEST(audiences)
{
    /* None configured: none may be named. */
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":\"api\"}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":[]}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":null}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":\"\"}", "aud");

    rules.audience = STR("api");
    refuse("{\"exp\":1700000010,\"user_id\":1}", "aud is missing");
    accept("{\"exp\":1700000010,\"user_id\":1,\"aud\":\"api\"}");
    accept("{\"exp\":1700000010,\"user_id\":1,\"aud\":[\"api\"]}");
    accept("{\"exp\":1700000010,\"user_id\":1,\"aud\":[\"other\",\"api\"]}");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":\"API\"}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":\"api2\"}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":[]}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":[\"other\"]}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":[\"api\",1]}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":[[\"api\"]]}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":{\"api\":1}}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":null}", "aud");
    refuse("{\"exp\":1700000010,\"user_id\":1,\"aud\":1}", "aud");
}
END_TEST

/* Rights are never read: a token cannot bring them. */
START_TEST(role_claims_mean_nothing)
{
    accept("{\"exp\":1700000010,\"user_id\":1,\"is_superuser\":true,\"groups\":[\"Admin\"],"
           "\"scope\":\"admin\"}");
    ck_assert_int_eq(claims.user_id, 1);
}
END_TEST

START_TEST(writing)
{
    struct token_claims all = {.use = TOKEN_REFRESH,
                               .user_id = 3,
                               .subject = STR("al\"ice"),
                               .id = STR("i"),
                               .family = STR("f"),
                               .incarnation = STR("n"),
                               .unrecorded = STR("m"),
                               .recorded_term = 4,
                               .issued_at_s = 5,
                               .expires_at_s = 6};
    struct token_claims few = {
        .use = TOKEN_ACCESS, .user_id = 3, .id = STR("i"), .expires_at_s = 6};

    rules.audience = STR("api");
    ck_assert_str_eq(
        str_dup(arena, claims_write(&rules, arena, &all)).ptr,
        "{\"token_type\":\"refresh\",\"user_id\":3,\"sub\":\"al\\\"ice\",\"jti\":"
        "\"i\",\"family\":\"f\",\"incarnation\":\"n\",\"unrecorded\":\"m\",\"recorded\":4,"
        "\"iat\":5,\"exp\":6,\"iss\":\"cachewarden\",\"aud\":\"api\"}");
    rules.audience = STR_NONE;
    ck_assert_str_eq(str_dup(arena, claims_write(&rules, arena, &few)).ptr,
                     "{\"token_type\":\"access\",\"user_id\":3,\"jti\":\"i\",\"iat\":0,\"exp\":6,"
                     "\"iss\":\"cachewarden\"}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/tokens/claims");
    TCase *tcase = tcase_create("claims");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, everything_is_read);
    tcase_add_test(tcase, payloads_that_are_no_object);
    tcase_add_test(tcase, expiry);
    tcase_add_test(tcase, dates_in_the_future);
    tcase_add_test(tcase, user_ids);
    tcase_add_test(tcase, texts);
    tcase_add_test(tcase, uses);
    tcase_add_test(tcase, types);
    tcase_add_test(tcase, issuers);
    tcase_add_test(tcase, audiences);
    tcase_add_test(tcase, role_claims_mean_nothing);
    tcase_add_test(tcase, writing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
