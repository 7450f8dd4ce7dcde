#include "jwks.h"

#include "cachewarden/arena.h"
#include "foreign_tokens.h"
#include "rfc_vectors.h"
#include "suite.h"
#include "temp_folder.h"

#include <unistd.h>

static const enum jws_algorithm every[] = {JWS_HS256, JWS_HS384, JWS_HS512, JWS_RS256,
                                           JWS_PS256, JWS_ES256, JWS_EDDSA};
static const struct jwk_rules all_rules = {every, 7, true};

static struct arena *arena;
static struct jwks *jwks;
static struct error error;

static void set_up(void)
{
    arena = arena_new(64 * 1024, 0);
    error_clear(&error);
}

static void tear_down(void)
{
    jwks_free(&jwks);
    ck_assert_ptr_null(jwks);
    arena_free(&arena);
}

static enum err parse(const struct jwk_rules *rules, const char *text)
{
    jwks_free(&jwks);
    error_clear(&error);
    return jwks_parse(rules, str_from(text), &jwks, &error);
}

/* What a server does with a token. */
static enum err check(const char *compact)
{
    struct jws jws;
    enum err err = jws_parse(arena, str_from(compact), &jws, &error);
    const struct jws_key *key = err ? NULL : jwks_find(jwks, &jws);

    if (err)
        return err;
    return key ? jws_verify(key, &jws, &error) : ERR_NOT_FOUND;
}

static enum err load_single(const char *algorithm, const char *jwk)
{
    enum jws_algorithm one = jws_algorithm_from_name(str_from(algorithm));
    struct jwk_rules rules = {&one, 1, true};

    ck_assert_int_ne(one, JWS_NO_ALGORITHM);
    return parse(&rules, jwk);
}

/* --- tokens of others --- */

START_TEST(rfc_examples)
{
    for (size_t i = 0; i < RFC_VECTOR_COUNT; i++) {
        ck_assert_msg(load_single(rfc_vectors[i].algorithm, rfc_vectors[i].jwk) == ERR_OK, "%s: %s",
                      rfc_vectors[i].where, error.caller);
        ck_assert_msg(check(rfc_vectors[i].compact) == ERR_OK, "%s", rfc_vectors[i].where);
    }
}
END_TEST

START_TEST(foreign_implementations)
{
    for (size_t i = 0; i < FOREIGN_TOKEN_COUNT; i++) {
        const struct foreign_token *token = &foreign_tokens[i];
        ck_assert_msg(load_single(token->algorithm, token->jwk) == ERR_OK, "%s %s: %s",
                      token->made_by, token->algorithm, error.caller);
        ck_assert_msg(check(token->compact) == ERR_OK, "%s %s", token->made_by, token->algorithm);
    }
}
END_TEST

/* Every fourth byte of every token, in every part, turned into another character of base64url. */
START_TEST(changed_bytes_are_refused)
{
    char text[2048];

    for (size_t i = 0; i < FOREIGN_TOKEN_COUNT; i++) {
        const struct foreign_token *token = &foreign_tokens[i];
        size_t len = strlen(token->compact);
        ck_assert_uint_lt(len, sizeof text);
        ck_assert_int_eq(load_single(token->algorithm, token->jwk), ERR_OK);
        for (size_t at = i % 4; at < len; at += 4) {
            memcpy(text, token->compact, len + 1);
            text[at] = text[at] == 'A' ? 'B' : 'A';
            arena_reset(arena);
            ck_assert_msg(check(text) == ERR_UNAUTHENTICATED, "%s %s, byte %zu", token->made_by,
                          token->algorithm, at);
        }
    }
}
END_TEST

/* Every token with every key: only its own fits, and none fits under another algorithm. */
START_TEST(no_token_fits_another_key)
{
    for (size_t k = 0; k < FOREIGN_TOKEN_COUNT; k++) {
        ck_assert_int_eq(load_single(foreign_tokens[k].algorithm, foreign_tokens[k].jwk), ERR_OK);
        for (size_t t = 0; t < FOREIGN_TOKEN_COUNT; t++) {
            arena_reset(arena);
            ck_assert_int_eq(check(foreign_tokens[t].compact),
                             t == k ? ERR_OK : ERR_UNAUTHENTICATED);
        }
    }
}
END_TEST

/* --- sets --- */

/* {"keys":[…]} of the foreign keys from..to-1. */
static char *set_of(size_t from, size_t to)
{
    struct strbuf text;

    strbuf_init(&text, arena, 4096);
    strbuf_add(&text, STR("{\"keys\":["));
    for (size_t i = from; i < to; i++) {
        strbuf_add(&text, str_from(i > from ? "," : ""));
        strbuf_add(&text, str_from(foreign_tokens[i].jwk));
    }
    strbuf_add(&text, STR("]}"));
    strbuf_add_char(&text, '\0');
    ck_assert(!text.failed);
    return text.ptr;
}

START_TEST(by_kid)
{
    /* jose wrote a kid, PyJWT none. */
    ck_assert_int_eq(parse(&all_rules, set_of(0, 7)), ERR_OK);
    ck_assert_uint_eq(jwks_count(jwks), 7);
    for (size_t i = 0; i < 7; i++)
        ck_assert_int_eq(check(foreign_tokens[i].compact), ERR_OK);
    /* By algorithm where no kid tells. */
    for (size_t i = 7; i < 14; i++)
        ck_assert_int_eq(check(foreign_tokens[i].compact), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(parse(&all_rules, set_of(0, 3)), ERR_OK);
    for (size_t i = 3; i < 7; i++)
        ck_assert_int_eq(check(foreign_tokens[i].compact), ERR_NOT_FOUND);
}
END_TEST

START_TEST(without_kid)
{
    static const enum jws_algorithm rs[] = {JWS_RS256}, es_ed[] = {JWS_ES256, JWS_EDDSA};
    struct jwk_rules rules = {es_ed, 2, true};

    ck_assert_int_eq(parse(&rules, set_of(7, 14)), ERR_OK);
    ck_assert_uint_eq(jwks_count(jwks), 2);
    ck_assert_int_eq(check(foreign_tokens[12].compact), ERR_OK);
    ck_assert_int_eq(check(foreign_tokens[13].compact), ERR_OK);
    ck_assert_int_eq(check(foreign_tokens[10].compact), ERR_NOT_FOUND);
    /* An empty kid is one, and not the lack of one. */
    struct jws empty_kid = {.algorithm = JWS_ES256, .has_kid = true, .kid = STR("")};
    ck_assert_ptr_null(jwks_find(jwks, &empty_kid));
    /* A kid that no key has. */
    ck_assert_int_eq(check(foreign_tokens[5].compact), ERR_NOT_FOUND);
    /* Two that would do: a guess is not made. */
    rules.algorithms = rs;
    rules.algorithm_count = 1;
    ck_assert_int_eq(parse(&rules, set_of(10, 12)), ERR_OK);
    ck_assert_int_eq(check(foreign_tokens[10].compact), ERR_NOT_FOUND);
}
END_TEST

START_TEST(keys_that_share_a_kid)
{
    char text[4096];

    snprintf(text, sizeof text, "{\"keys\":[%s,%s,%s]}", foreign_tokens[5].jwk,
             foreign_tokens[6].jwk, foreign_tokens[5].jwk);
    ck_assert_int_eq(parse(&all_rules, text), ERR_OK);
    ck_assert_uint_eq(jwks_count(jwks), 1);
    ck_assert_int_eq(check(foreign_tokens[5].compact), ERR_NOT_FOUND);
    ck_assert_int_eq(check(foreign_tokens[6].compact), ERR_OK);
    snprintf(text, sizeof text, "{\"keys\":[%s,%s]}", foreign_tokens[5].jwk, foreign_tokens[5].jwk);
    ck_assert_int_eq(parse(&all_rules, text), ERR_BAD_INPUT);
    ck_assert_ptr_null(jwks);
}
END_TEST

/* Threats 10: encryption, short, secret, nonsense; one good one among them is found. */
START_TEST(keys_that_are_left_out)
{
    static const enum jws_algorithm published[] = {JWS_RS256, JWS_ES256};
    struct jwk_rules rules = {published, 2, false};
    char text[4096];

    snprintf(text, sizeof text,
             "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"},{\"kty\":\"oct\",\"k\":"
             "\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\"},{\"kty\":\"RSA\",\"use\":\"enc\","
             "\"n\":\"%s\",\"e\":"
             "\"AQAB\"},7,null,[],{},{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"},%"
             "s],\"more\":1}",
             RFC7515_A2_N, foreign_tokens[5].jwk);
    ck_assert_int_eq(parse(&rules, text), ERR_OK);
    ck_assert_uint_eq(jwks_count(jwks), 1);
    ck_assert_int_eq(check(foreign_tokens[5].compact), ERR_OK);
}
END_TEST

START_TEST(documents_that_are_none)
{
    static const char *const bad[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"keys\":",
        "{\"keys\":null}",
        "{\"keys\":{}}",
        "{\"keys\":[]}",
        "{\"keys\":[{}]}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"kty\":\"RSA\"}",
        "{\"keys\":[{\"keys\":[]}]}",
        "-----BEGIN PUBLIC KEY-----",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(parse(&all_rules, bad[i]) == ERR_BAD_INPUT, "taken: %s", bad[i]);
        ck_assert_ptr_null(jwks);
        ck_assert_str_ne(error.caller, "");
    }
    ck_assert_int_eq(
        parse(&all_rules,
              "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"alg\":\"RS256\"}]}"),
        ERR_BAD_INPUT);
    ck_assert_str_eq(
        error.caller,
        "no key of the set can be used: the RSA key has 17 bits, only 2048 to 8192 are accepted");
}
END_TEST

START_TEST(too_much)
{
    static char text[JWKS_MAX_SIZE + 2];
    struct strbuf many;

    memset(text, ' ', sizeof text - 1);
    ck_assert_int_eq(jwks_parse(&all_rules, (struct str){text, JWKS_MAX_SIZE + 1}, &jwks, &error),
                     ERR_TOO_LARGE);
    memcpy(text, foreign_tokens[5].jwk, strlen(foreign_tokens[5].jwk));
    ck_assert_int_eq(jwks_parse(&all_rules, (struct str){text, JWKS_MAX_SIZE}, &jwks, &error),
                     ERR_OK);
    jwks_free(&jwks);

    strbuf_init(&many, arena, 65536);
    strbuf_add(&many, STR("{\"keys\":[{}"));
    for (int i = 0; i < JWKS_KEYS_MAX; i++)
        strbuf_add(&many, STR(",{}"));
    strbuf_add(&many, STR("]}"));
    ck_assert_int_eq(jwks_parse(&all_rules, strbuf_str(&many), &jwks, &error), ERR_TOO_LARGE);
    ck_assert_ptr_null(jwks);
}
END_TEST

/* --- files --- */

START_TEST(from_a_file)
{
    struct temp_folder folder;
    char path[400];

    temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/keys.json", folder.path);
    ck_assert_int_eq(jwks_load_file(&all_rules, path, &jwks, &error), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.caller, path));
    ck_assert_ptr_nonnull(strstr(error.caller, "No such file"));
    ck_assert_int_eq(jwks_load_file(&all_rules, folder.path, &jwks, &error), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.caller, "not a regular file"));
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(jwks_load_file(&all_rules, path, &jwks, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(unlink(path), 0);

    FILE *file = fopen(path, "w");
    ck_assert_int_gt(fprintf(file, "%s\n", set_of(0, 7)), 0);
    fclose(file);
    ck_assert_int_eq(jwks_load_file(&all_rules, path, &jwks, &error), ERR_OK);
    ck_assert_uint_eq(jwks_count(jwks), 7);
    ck_assert_int_eq(check(foreign_tokens[3].compact), ERR_OK);
    jwks_free(&jwks);

    ck_assert_int_eq(truncate(path, JWKS_MAX_SIZE + 100), 0);
    ck_assert_int_eq(jwks_load_file(&all_rules, path, &jwks, &error), ERR_TOO_LARGE);
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert_int_eq(jwks_load_file(&all_rules, path, &jwks, &error), ERR_BAD_INPUT);
    temp_folder_fini(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/jwks");
    TCase *tcase = tcase_create("jwks");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, rfc_examples);
    tcase_add_test(tcase, foreign_implementations);
    tcase_add_test(tcase, changed_bytes_are_refused);
    tcase_add_test(tcase, no_token_fits_another_key);
    tcase_add_test(tcase, by_kid);
    tcase_add_test(tcase, without_kid);
    tcase_add_test(tcase, keys_that_share_a_kid);
    tcase_add_test(tcase, keys_that_are_left_out);
    tcase_add_test(tcase, documents_that_are_none);
    tcase_add_test(tcase, too_much);
    tcase_add_test(tcase, from_a_file);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
