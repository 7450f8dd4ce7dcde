#include "token_case.h"

#include <pthread.h>

#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD  "{\"user_id\":1,\"exp\":1700000010}"

static enum err verify(const char *compact)
{
    return token_verify(tokens, lent(), str_from(compact), TOKEN_ACCESS, NOW, &claims);
}

static enum err verify_forged(const char *header, const char *payload, const char *secret)
{
    char line[MINT_SIZE];

    mint_forged(line, sizeof line, header, payload, secret, strlen(secret));
    return verify(mint_token(line));
}

START_TEST(what_we_issue_we_take)
{
    struct token_claims issued = {
        .user_id = 42, .incarnation = STR("i"), .subject = STR("alice"), .family = STR("fam")};
    struct str compact;

    ck_assert_int_eq(token_issue(tokens, arena, NOW, &issued, &compact), ERR_OK);
    ck_assert_int_eq(issued.issued_at_s, NOW);
    ck_assert_int_eq(issued.expires_at_s, NOW + 900);
    ck_assert_uint_eq(issued.id.len, 32);
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_ACCESS, NOW, &claims), ERR_OK);
    ck_assert_int_eq(claims.use, TOKEN_ACCESS);
    ck_assert_int_eq(claims.user_id, 42);
    ck_assert(str_eq(claims.subject, STR("alice")));
    ck_assert(str_eq(claims.family, STR("fam")));
    ck_assert(str_eq(claims.id, issued.id));
    ck_assert_int_eq(claims.issued_at_s, NOW);
    ck_assert_int_eq(claims.expires_at_s, NOW + 900);
    ck_assert(claims.is_own);

    /* Good to the last second of the leeway. */
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_ACCESS, NOW + 929, &claims),
                     ERR_OK);
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_ACCESS, NOW + 930, &claims),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_REFRESH, NOW, &claims),
                     ERR_UNAUTHENTICATED);
}
END_TEST

START_TEST(refresh_tokens)
{
    struct token_claims issued = {.use = TOKEN_REFRESH, .user_id = 42, .incarnation = STR("i")};
    struct str compact;

    ck_assert_int_eq(token_issue(tokens, arena, NOW, &issued, &compact), ERR_OK);
    ck_assert_int_eq(issued.expires_at_s, NOW + 604800);
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_REFRESH, NOW, &claims), ERR_OK);
    ck_assert_int_eq(claims.use, TOKEN_REFRESH);
    /* A refresh token is no access token. */
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_ACCESS, NOW, &claims),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(token_access_ttl_s(tokens), 900);
    ck_assert_int_eq(token_refresh_ttl_s(tokens), 604800);
}
END_TEST

static struct str issue_session(int64_t began_s, int64_t at_s, struct token_claims *issued)
{
    struct str compact;

    *issued = (struct token_claims){.user_id = 42,
                                    .incarnation = STR("i"),
                                    .subject = STR("alice"),
                                    .family = STR("fam"),
                                    .issued_at_s = began_s};
    ck_assert_int_eq(token_issue_session(tokens, arena, at_s, issued, &compact), ERR_OK);
    return compact;
}

START_TEST(session_tokens)
{
    struct token_claims issued;
    struct str compact = issue_session(NOW, NOW, &issued), next;

    ck_assert_int_eq(issued.expires_at_s, NOW + 1800);
    /* To the second, whatever the leeway. */
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_SESSION, NOW + 1799, &claims),
                     ERR_OK);
    ck_assert(str_eq(claims.id, issued.id) && str_eq(claims.family, STR("fam")));
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_SESSION, NOW + 1800, &claims),
                     ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "token: the session was idle for too long");
    /* Good for nothing else, and nothing else for it. */
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_ACCESS, NOW, &claims),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_REFRESH, NOW, &claims),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(token_issue(tokens, arena, NOW, &issued, &compact), ERR_OK);
    issued.use = TOKEN_ACCESS;
    ck_assert_int_eq(token_issue(tokens, arena, NOW, &issued, &compact), ERR_OK);
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_SESSION, NOW, &claims),
                     ERR_UNAUTHENTICATED);
    /* The next one is of the same session, and lasts longer. */
    compact = issue_session(NOW, NOW, &issued);
    struct token_claims renewed = issued;
    ck_assert_int_eq(token_issue_session(tokens, arena, NOW + 600, &renewed, &next), ERR_OK);
    ck_assert_int_eq(token_verify(tokens, lent(), next, TOKEN_SESSION, NOW + 2399, &claims),
                     ERR_OK);
    ck_assert(str_eq(claims.id, issued.id));
    ck_assert_int_eq(claims.issued_at_s, NOW);
}
END_TEST

START_TEST(sessions_do_not_last_for_ever)
{
    struct token_claims issued;
    struct token_options shorter = default_options();
    struct str compact = issue_session(NOW, NOW + 43000, &issued);

    ck_assert_int_eq(issued.expires_at_s, NOW + 43200);
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_SESSION, NOW + 43199, &claims),
                     ERR_OK);
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_SESSION, NOW + 43200, &claims),
                     ERR_UNAUTHENTICATED);
    /* A shorter time holds for sessions that have begun, too. */
    compact = issue_session(NOW, NOW + 5000, &issued);
    shorter.session_ttl_s = 5500;
    struct tokens *other = new_tokens(&shorter);
    ck_assert_int_eq(token_verify(other, lent(), compact, TOKEN_SESSION, NOW + 5499, &claims),
                     ERR_OK);
    ck_assert_int_eq(token_verify(other, lent(), compact, TOKEN_SESSION, NOW + 5500, &claims),
                     ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "token: the session has lasted its time");
    ck_assert_int_eq(token_longest_ttl_s(other), 604800);
    tokens_free(&other);
    shorter.session_ttl_s = 1000000;
    other = new_tokens(&shorter);
    ck_assert_int_eq(token_longest_ttl_s(other), 1000000);
    tokens_free(&other);
    shorter.session_ttl_s = 0;
    ck_assert_int_eq(tokens_new(&shorter, &other, &error), ERR_BAD_INPUT);
}
END_TEST

START_TEST(when_a_new_cookie_is_due)
{
    ck_assert(!token_session_is_stale(tokens, NOW, NOW + 1800, NOW));
    ck_assert(!token_session_is_stale(tokens, NOW, NOW + 1800, NOW + 179));
    ck_assert(token_session_is_stale(tokens, NOW, NOW + 1800, NOW + 180));
    /* At the end there is nothing to gain any more. */
    ck_assert(!token_session_is_stale(tokens, NOW, NOW + 43200, NOW + 43000));
    ck_assert(!token_session_is_stale(tokens, NOW, NOW + 43100, NOW + 43000));
}
END_TEST

START_TEST(sessions_that_others_made)
{
    static const char *const payloads[] = {
        "{\"token_type\":\"session\",\"exp\":1700000010,\"iat\":1700000000,\"user_id\":1,"
        "\"jti\":\"j\",\"family\":\"f\",\"incarnation\":\"n\"}",
        "{\"token_type\":\"session\",\"exp\":1700000010,\"iat\":1700000000,\"user_id\":1,"
        "\"jti\":\"j\",\"family\":\"f\",\"iss\":\"cachewarden\"}",
        "{\"token_type\":\"session\",\"exp\":1700000010,\"iat\":1700000000,\"user_id\":1,"
        "\"jti\":\"j\",\"incarnation\":\"n\",\"iss\":\"cachewarden\"}",
        "{\"token_type\":\"session\",\"exp\":1700000010,\"iat\":1700000000,\"user_id\":1,"
        "\"family\":\"f\",\"incarnation\":\"n\",\"iss\":\"cachewarden\"}",
        "{\"token_type\":\"session\",\"exp\":1700000010,\"iat\":1700000000,\"sub\":\"a\","
        "\"jti\":\"j\",\"family\":\"f\",\"incarnation\":\"n\",\"iss\":\"cachewarden\"}",
        "{\"token_type\":\"session\",\"exp\":1700000010,\"user_id\":1,\"jti\":\"j\","
        "\"family\":\"f\",\"incarnation\":\"n\",\"iss\":\"cachewarden\"}",
    };

    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        char line[MINT_SIZE];
        mint_bearer(line, SECRET, "%s", payloads[i]);
        struct str compact = str_from(line + strlen("Authorization: Bearer "));
        ck_assert_msg(token_verify(tokens, lent(), compact, TOKEN_SESSION, NOW, &claims) ==
                          ERR_UNAUTHENTICATED,
                      "%s", payloads[i]);
    }
}
END_TEST

START_TEST(no_two_tokens_are_alike)
{
    struct token_claims first = {.user_id = 42, .incarnation = STR("i")},
                        second = {.user_id = 42, .incarnation = STR("i")};
    struct str a, b;

    ck_assert_int_eq(token_issue(tokens, arena, NOW, &first, &a), ERR_OK);
    ck_assert_int_eq(token_issue(tokens, arena, NOW, &second, &b), ERR_OK);
    ck_assert(!str_eq(first.id, second.id));
    ck_assert(!str_eq(a, b));
}
END_TEST

START_TEST(audience_is_written_and_asked_for)
{
    struct token_options options = default_options();
    struct token_claims issued = {.user_id = 42, .incarnation = STR("i")};
    struct str compact;

    options.audience = STR("api");
    struct tokens *with_audience = new_tokens(&options);
    ck_assert_int_eq(token_issue(with_audience, arena, NOW, &issued, &compact), ERR_OK);
    ck_assert_int_eq(token_verify(with_audience, lent(), compact, TOKEN_ACCESS, NOW, &claims),
                     ERR_OK);
    ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_ACCESS, NOW, &claims),
                     ERR_UNAUTHENTICATED);
    tokens_free(&with_audience);
}
END_TEST

/* As Django's simplejwt makes them: PyJWT's header, user_id a number or (since 5.4) a string. */
START_TEST(simplejwt)
{
    ck_assert_int_eq(
        verify_forged(HS256,
                      "{\"token_type\":\"access\",\"exp\":1700000300,\"iat\":1700000000,"
                      "\"jti\":\"4f1d0e9c4e6c4f0c9d8d1f2b3a4c5d6e\",\"user_id\":5}",
                      SECRET),
        ERR_OK);
    ck_assert_int_eq(claims.user_id, 5);
    ck_assert(!claims.is_own);
    ck_assert_int_eq(
        verify_forged("{\"typ\":\"JWT\",\"alg\":\"HS256\"}",
                      "{\"token_type\":\"access\",\"exp\":1700000300,\"iat\":1700000000,"
                      "\"jti\":\"4f1d0e9c4e6c4f0c9d8d1f2b3a4c5d6e\",\"user_id\":\"5\"}",
                      SECRET),
        ERR_OK);
    ck_assert_int_eq(claims.user_id, 5);
    ck_assert_int_eq(
        verify_forged(HS256,
                      "{\"token_type\":\"refresh\",\"exp\":1700000300,\"iat\":1700000000,"
                      "\"jti\":\"4f1d0e9c4e6c4f0c9d8d1f2b3a4c5d6e\",\"user_id\":5}",
                      SECRET),
        ERR_UNAUTHENTICATED);
}
END_TEST

/* A token of a Django shop: of its own secret, and over since September 2025. */
START_TEST(the_token_of_another_shop)
{
    static const char printed[] =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZG1pbiIsImV4cCI6MTc1ODg3MDc4OH0."
        "GrXDnxCPAYJxm3rG33_0bP3hMJXTu5FX68uHHF1WV1I";

    ck_assert_int_eq(verify(printed), ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "token: the signature is not the key's");

    /* The same claims with our secret: good before that day, over after it. */
    ck_assert_int_eq(verify_forged(HS256, "{\"sub\":\"admin\",\"exp\":1758870788}", SECRET),
                     ERR_OK);
    ck_assert(str_eq(claims.subject, STR("admin")));
    ck_assert_int_eq(claims.user_id, 0);
    char line[MINT_SIZE];
    mint_forged(line, sizeof line, HS256, "{\"sub\":\"admin\",\"exp\":1758870788}", SECRET,
                strlen(SECRET));
    ck_assert_int_eq(
        token_verify(tokens, lent(), str_from(mint_token(line)), TOKEN_ACCESS, 1758870818, &claims),
        ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "token: exp is over");
}
END_TEST

START_TEST(other_secrets)
{
    ck_assert_int_eq(verify_forged(HS256, GOOD, SECRET), ERR_OK);
    ck_assert_int_eq(verify_forged(HS256, GOOD, "0123456789abcdef0123456789abcdeg"),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(verify_forged(HS256, GOOD, SECRET "0"), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(verify_forged(HS256, GOOD, ""), ERR_UNAUTHENTICATED);
}
END_TEST

START_TEST(types)
{
    static const char *const good[] = {"{\"alg\":\"HS256\"}",
                                       "{\"alg\":\"HS256\",\"typ\":\"jwt\"}",
                                       "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
                                       "{\"alg\":\"HS256\",\"typ\":\"AT+JWT\"}",
                                       "{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}",
                                       "{\"alg\":\"HS256\",\"typ\":\"Application/AT+JWT\"}"};
    static const char *const bad[] = {"{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}",
                                      "{\"alg\":\"HS256\",\"typ\":\"JWS\"}",
                                      "{\"alg\":\"HS256\",\"typ\":\"secevent+jwt\"}",
                                      "{\"alg\":\"HS256\",\"typ\":\"JWT \"}",
                                      "{\"alg\":\"HS256\",\"typ\":\"application/secevent+jwt\"}",
                                      "{\"alg\":\"HS256\",\"typ\":\"text/at+jwt\"}"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(verify_forged(good[i], GOOD, SECRET) == ERR_OK, "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(verify_forged(bad[i], GOOD, SECRET) == ERR_UNAUTHENTICATED, "%s", bad[i]);
}
END_TEST

/* Our secret has no name, so no token can mean it by one. */
START_TEST(kid)
{
    ck_assert_int_eq(verify_forged("{\"alg\":\"HS256\",\"kid\":\"1\"}", GOOD, SECRET),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(verify_forged("{\"alg\":\"HS256\",\"kid\":\"\"}", GOOD, SECRET),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(verify_forged("{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", GOOD, SECRET),
                     ERR_UNAUTHENTICATED);
}
END_TEST

/* The algorithm is the key's: a token that names another one is refused, however it was signed. */
START_TEST(algorithm_confusion)
{
    static const char *const named[] = {"none",  "None",  "nOnE",  "HS384", "HS512", "RS256",
                                        "PS256", "ES256", "EdDSA", "hs256", ""};
    char header[64], line[MINT_SIZE];

    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", named[i]);
        ck_assert_msg(verify_forged(header, GOOD, SECRET) == ERR_UNAUTHENTICATED, "%s", named[i]);
        /* Unsigned. */
        mint_forged(line, sizeof line, header, GOOD, "", 0);
        ck_assert_int_eq(verify(mint_token(line)), ERR_UNAUTHENTICATED);
    }
}
END_TEST

/* What is not proven is not read: a payload full of trouble is refused for its signature. */
START_TEST(the_signature_comes_first)
{
    ck_assert_int_eq(
        verify_forged(HS256, "{\"user_id\":1,\"user_id\":1", "somebody else's secret, long enough"),
        ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "token: the signature is not the key's");
    ck_assert_int_eq(claims.user_id, 0);
}
END_TEST

/* Whether the sound token was seen before (_i) or not. */
START_TEST(every_changed_byte_is_refused)
{
    struct token_claims issued = {.user_id = 42, .incarnation = STR("i"), .subject = STR("alice")};
    struct str compact;

    ck_assert_int_eq(token_issue(tokens, arena, NOW, &issued, &compact), ERR_OK);
    if (_i)
        ck_assert_int_eq(token_verify(tokens, lent(), compact, TOKEN_ACCESS, NOW, &claims), ERR_OK);
    char *text = arena_alloc(arena, compact.len);
    memcpy(text, compact.ptr, compact.len);
    struct str changed = {text, compact.len};
    for (size_t i = 0; i < compact.len; i++) {
        struct arena *scratch = arena_new(4096, 0);
        for (int with = 0; with < 256; with += 17) {
            if ((char)with == compact.ptr[i])
                continue;
            text[i] = (char)with;
            ck_assert_int_eq(token_verify(tokens, (struct work){.arena = scratch, .error = &error},
                                          changed, TOKEN_ACCESS, NOW, &claims),
                             ERR_UNAUTHENTICATED);
        }
        text[i] = compact.ptr[i];
        arena_free(&scratch);
    }
    ck_assert_int_eq(token_verify(tokens, lent(), changed, TOKEN_ACCESS, NOW, &claims), ERR_OK);
}
END_TEST

START_TEST(size)
{
    static char text[TOKEN_MAX_SIZE + 1];

    memset(text, 'A', sizeof text);
    text[10] = text[20] = '.';
    ck_assert_int_eq(
        token_verify(tokens, lent(), (struct str){text, sizeof text}, TOKEN_ACCESS, NOW, &claims),
        ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "token: longer than 16384 bytes");
}
END_TEST

START_TEST(options_that_are_refused)
{
    struct tokens *none = NULL;
    struct token_options options = default_options();

    options.secret = STR("0123456789abcdef0123456789abcde");
    ck_assert_int_eq(tokens_new(&options, &none, &error), ERR_BAD_INPUT);
    ck_assert_ptr_null(none);
    ck_assert_ptr_nonnull(strstr(error.caller, "auth.secret has 31 bytes"));
    ck_assert_ptr_null(strstr(error.caller, "0123456789"));

    options = default_options();
    options.issuer = STR_NONE;
    ck_assert_int_eq(tokens_new(&options, &none, &error), ERR_BAD_INPUT);
    options = default_options();
    options.access_ttl_s = 0;
    ck_assert_int_eq(tokens_new(&options, &none, &error), ERR_BAD_INPUT);
    options = default_options();
    options.refresh_ttl_s = INT64_MAX;
    ck_assert_int_eq(tokens_new(&options, &none, &error), ERR_BAD_INPUT);
    options = default_options();
    options.leeway_s = -1;
    ck_assert_int_eq(tokens_new(&options, &none, &error), ERR_BAD_INPUT);
    ck_assert_ptr_null(none);
    tokens_free(&none);
}
END_TEST

/* Two sets with secrets of their own, used in turn by one thread. */
START_TEST(two_secrets_in_one_process)
{
    struct token_options options = default_options();
    struct token_claims claims_a = {.user_id = 1, .incarnation = STR("i")},
                        claims_b = {.user_id = 2, .incarnation = STR("i")};
    struct str a, b;

    options.secret = STR("another secret of more than 32 bytes");
    struct tokens *other = new_tokens(&options);
    ck_assert_int_eq(token_issue(tokens, arena, NOW, &claims_a, &a), ERR_OK);
    ck_assert_int_eq(token_issue(other, arena, NOW, &claims_b, &b), ERR_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(token_verify(tokens, lent(), a, TOKEN_ACCESS, NOW, &claims), ERR_OK);
        ck_assert_int_eq(token_verify(other, lent(), b, TOKEN_ACCESS, NOW, &claims), ERR_OK);
        ck_assert_int_eq(token_verify(tokens, lent(), b, TOKEN_ACCESS, NOW, &claims),
                         ERR_UNAUTHENTICATED);
        ck_assert_int_eq(token_verify(other, lent(), a, TOKEN_ACCESS, NOW, &claims),
                         ERR_UNAUTHENTICATED);
    }
    tokens_free(&other);
}
END_TEST

static void *issue_and_verify(void *arg)
{
    struct arena *own = arena_new(4096, 0);

    for (int i = 1; i < 300; i++) {
        struct token_claims issued = {.user_id = i, .incarnation = STR("i")}, read;
        struct error why;
        struct str compact;
        ck_assert_int_eq(token_issue(arg, own, NOW, &issued, &compact), ERR_OK);
        ck_assert_int_eq(token_verify(arg, (struct work){.arena = own, .error = &why}, compact,
                                      TOKEN_ACCESS, NOW, &read),
                         ERR_OK);
        ck_assert_int_eq(read.user_id, i);
        arena_reset(own);
    }
    arena_free(&own);
    return NULL;
}

START_TEST(all_threads_at_once)
{
    pthread_t threads[8];

    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, issue_and_verify, tokens), 0);
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/tokens/token");
    TCase *tcase = tcase_create("token");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_we_issue_we_take);
    tcase_add_test(tcase, refresh_tokens);
    tcase_add_test(tcase, session_tokens);
    tcase_add_test(tcase, sessions_do_not_last_for_ever);
    tcase_add_test(tcase, when_a_new_cookie_is_due);
    tcase_add_test(tcase, sessions_that_others_made);
    tcase_add_test(tcase, no_two_tokens_are_alike);
    tcase_add_test(tcase, audience_is_written_and_asked_for);
    tcase_add_test(tcase, simplejwt);
    tcase_add_test(tcase, the_token_of_another_shop);
    tcase_add_test(tcase, other_secrets);
    tcase_add_test(tcase, types);
    tcase_add_test(tcase, kid);
    tcase_add_test(tcase, algorithm_confusion);
    tcase_add_test(tcase, the_signature_comes_first);
    tcase_add_loop_test(tcase, every_changed_byte_is_refused, 0, 2);
    tcase_add_test(tcase, size);
    tcase_add_test(tcase, options_that_are_refused);
    tcase_add_test(tcase, two_secrets_in_one_process);
    tcase_add_test(tcase, all_threads_at_once);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
