#include "issuers/jwks.h"

#include "cachewarden/arena.h"
#include "foreign_tokens.h"
#include "rfc_vectors.h"
#include "signer.h"
#include "suite.h"
#include "temp_folder.h"

#include <unistd.h>

static const enum jws_algorithm every[] = {JWS_HS256, JWS_HS384, JWS_HS512, JWS_RS256, JWS_RS384,
                                           JWS_RS512, JWS_PS256, JWS_PS384, JWS_PS512, JWS_ES256,
                                           JWS_ES384, JWS_ES512, JWS_EDDSA};
static const struct jwk_rules all_rules = {every, sizeof every / sizeof *every, true};

static struct arena *arena;
static struct jwks *jwks;
static const char *why;
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
    const struct jws_key *key = err ? NULL : jwks_find(jwks, &jws, &why);

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
            bool is_alike = strcmp(foreign_tokens[t].algorithm, foreign_tokens[k].algorithm) == 0;
            ck_assert_int_eq(check(foreign_tokens[t].compact), t == k     ? ERR_OK
                                                               : is_alike ? ERR_UNAUTHENTICATED
                                                                          : ERR_NOT_FOUND);
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

/* The ES256 key of PyJWT, under a name of its own. */
static const char *with_kid(const char *kid)
{
    struct str text =
        str_format(arena, "{\"keys\":[{\"kid\":\"%s\",%s]}", kid, foreign_tokens[12].jwk + 1);

    ck_assert_ptr_nonnull(text.ptr);
    return text.ptr;
}

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
    ck_assert_int_eq(parse(&rules, with_kid("")), ERR_OK);
    ck_assert_int_eq(check(foreign_tokens[5].compact), ERR_NOT_FOUND);
    ck_assert_str_eq(why, "its issuer has no such key");
    /* Two that would do: a guess is not made. */
    rules.algorithms = rs;
    rules.algorithm_count = 1;
    ck_assert_int_eq(parse(&rules, set_of(10, 12)), ERR_BAD_INPUT);
    ck_assert_str_eq(error.caller, "no key of the set can be used: several keys without kid are "
                                   "for RS256");
}
END_TEST

/* --- sets of which several keys have one kid --- */

/* What a JWK says beside its parts, in place of what the signer says. */
static struct str jwk_saying(const struct signer *signer, const char *members)
{
    const char *jwk = signer_jwk(signer), *end = strstr(jwk, ",\"kid\"");

    ck_assert_ptr_nonnull(end);
    return str_format(arena, "%.*s%s}", (int)(end - jwk), jwk, members);
}

static enum err parse_two(struct str a, struct str b)
{
    struct str text = str_format(arena, "{\"keys\":[%.*s,%.*s]}", STR_ARG(a), STR_ARG(b));

    ck_assert_ptr_nonnull(text.ptr);
    return parse(&all_rules, text.ptr);
}

static enum err check_minted(const struct signer *signer)
{
    char *compact = signer_mint(signer, "{}");
    enum err err = check(str_dup(arena, str_from(compact)).ptr);

    free(compact);
    return err;
}

/* The example of RFC 7517 section 4.5: equivalent alternatives of several types. */
START_TEST(one_kid_for_several_types)
{
    struct signer *rsa = signer_new("RS256", "k"), *ec = signer_new("ES256", "k"),
                  *p384 = signer_new("ES384", "k"), *other = signer_new("ES256", "k"),
                  *ps = signer_new_like(rsa, "PS512", "k");
    char *text = signer_jwks((const struct signer *const[]){rsa, ec, p384, ps, NULL});

    ck_assert_int_eq(parse(&all_rules, text), ERR_OK);
    ck_assert_uint_eq(jwks_count(jwks), 4);
    ck_assert_int_eq(check_minted(rsa), ERR_OK);
    ck_assert_int_eq(check_minted(ec), ERR_OK);
    ck_assert_int_eq(check_minted(p384), ERR_OK);
    ck_assert_int_eq(check_minted(ps), ERR_OK);
    ck_assert_int_eq(check_minted(other), ERR_UNAUTHENTICATED);
    free(text);
    signer_free(&rsa);
    signer_free(&ec);
    signer_free(&p384);
    signer_free(&other);
    signer_free(&ps);
}
END_TEST

START_TEST(one_kid_for_several_uses)
{
    struct signer *a = signer_new("RS256", "k"), *b = signer_new("RS256", "k");
    static const char *const others[] = {
        ",\"kid\":\"k\",\"use\":\"enc\"",
        ",\"kid\":\"k\",\"use\":\"sig\",\"alg\":\"RS512\"",
        ",\"kid\":\"k\",\"alg\":\"RSA-OAEP\"",
        ",\"kid\":\"k\"", /* may be for RS256, the other one is */
        ",\"kid\":\"k\",\"use\":\"sig\"",
        ",\"kid\":\"k\",\"alg\":\"RS256\"",
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct str other = jwk_saying(b, others[i]);
        ck_assert_int_eq(parse_two(str_from(signer_jwk(a)), other), ERR_OK);
        ck_assert_msg(check_minted(a) == ERR_OK, "%s", others[i]);
        ck_assert_int_eq(check_minted(b), ERR_UNAUTHENTICATED);
        ck_assert_int_eq(parse_two(other, str_from(signer_jwk(a))), ERR_OK);
        ck_assert_msg(check_minted(a) == ERR_OK, "%s", others[i]);
    }
    signer_free(&a);
    signer_free(&b);
}
END_TEST

START_TEST(the_very_same_key_twice_is_one)
{
    struct signer *a = signer_new("RS256", "k"), *b = signer_new("ES256", "k");
    struct str jwk = str_from(signer_jwk(a));

    ck_assert_int_eq(parse_two(jwk, jwk), ERR_OK);
    ck_assert_uint_eq(jwks_count(jwks), 1);
    ck_assert_int_eq(check_minted(a), ERR_OK);
    ck_assert_int_eq(parse_two(jwk, jwk_saying(a, ",\"kid\":\"k\"")), ERR_OK);
    ck_assert_int_eq(check_minted(a), ERR_OK);
    /* Under two names, and a token that names none. */
    ck_assert_int_eq(parse_two(jwk_saying(b, ",\"kid\":\"x\""), jwk_saying(b, ",\"kid\":\"y\"")),
                     ERR_OK);
    struct signer *bare = signer_new_like(b, "ES256", NULL);
    ck_assert_int_eq(check_minted(bare), ERR_OK);
    signer_free(&bare);
    signer_free(&a);
    signer_free(&b);
}
END_TEST

START_TEST(what_stays_ambiguous_is_dropped)
{
    struct signer *a = signer_new("RS256", "k"), *b = signer_new("RS256", "k"),
                  *c = signer_new("ES256", "c");
    char *text = signer_jwks((const struct signer *const[]){a, c, b, NULL});

    ck_assert_int_eq(parse(&all_rules, text), ERR_OK);
    ck_assert_uint_eq(jwks_count(jwks), 1);
    ck_assert_int_eq(check_minted(c), ERR_OK);
    ck_assert_int_eq(check_minted(a), ERR_NOT_FOUND);
    ck_assert_str_eq(why, "its issuer has several keys for its kid and algorithm");
    ck_assert_int_eq(check_minted(b), ERR_NOT_FOUND);
    ck_assert_int_eq(parse_two(str_from(signer_jwk(a)), str_from(signer_jwk(b))), ERR_BAD_INPUT);
    ck_assert_ptr_null(jwks);
    ck_assert_str_eq(error.caller,
                     "no key of the set can be used: several keys with the kid k are for RS256");
    free(text);
    signer_free(&a);
    signer_free(&b);
    signer_free(&c);
}
END_TEST

/* It cannot be another's, and the signature tells whether it is. */
START_TEST(one_key_without_kid_serves_a_token_with_one)
{
    struct signer *named = signer_new("ES256", "k"), *bare = signer_new_like(named, "ES256", NULL),
                  *rsa = signer_new("RS256", "r"), *other = signer_new("ES256", "k");
    struct str secret = STR("{\"kty\":\"RSA\",\"use\":\"enc\",\"kid\":\"e\"}");

    ck_assert_int_eq(parse_two(str_from(signer_jwk(bare)), secret), ERR_OK);
    ck_assert_int_eq(check_minted(named), ERR_OK);
    ck_assert_int_eq(check_minted(other), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(check_minted(rsa), ERR_NOT_FOUND);
    ck_assert_int_eq(parse_two(str_from(signer_jwk(bare)), str_from(signer_jwk(rsa))), ERR_OK);
    ck_assert_int_eq(check_minted(named), ERR_OK);
    /* Where keys for the algorithm have names, a name that is not there is none of theirs. */
    struct signer *third = signer_new("ES256", "third");
    ck_assert_int_eq(parse_two(str_from(signer_jwk(bare)), str_from(signer_jwk(third))), ERR_OK);
    ck_assert_int_eq(check_minted(named), ERR_NOT_FOUND);
    ck_assert_int_eq(check_minted(third), ERR_OK);
    signer_free(&named);
    signer_free(&bare);
    signer_free(&rsa);
    signer_free(&other);
    signer_free(&third);
}
END_TEST

/* The operator's list says what it is for. */
START_TEST(a_key_without_alg_serves_all_that_are_configured)
{
    static const enum jws_algorithm two[] = {JWS_RS256, JWS_PS384};
    const struct jwk_rules rules = {two, 2, false};
    struct signer *rs256 = signer_new("RS256", "k"), *ps384 = signer_new_like(rs256, "PS384", "k"),
                  *rs512 = signer_new_like(rs256, "RS512", "k");
    struct str set = str_format(arena, "{\"keys\":[%s]}", jwk_saying(rs256, ",\"kid\":\"k\"").ptr);

    ck_assert_int_eq(parse(&rules, set.ptr), ERR_OK);
    ck_assert_uint_eq(jwks_count(jwks), 1);
    ck_assert_int_eq(check_minted(rs256), ERR_OK);
    ck_assert_int_eq(check_minted(ps384), ERR_OK);
    ck_assert_int_eq(check_minted(rs512), ERR_NOT_FOUND);
    signer_free(&rs256);
    signer_free(&ps384);
    signer_free(&rs512);
}
END_TEST

/* Encryption, short, secret, nonsense; one good one among them is found. */
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
    Suite *suite = suite_create("auth/issuers/jwks");
    TCase *tcase = tcase_create("jwks");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, rfc_examples);
    tcase_add_test(tcase, foreign_implementations);
    tcase_add_test(tcase, changed_bytes_are_refused);
    tcase_add_test(tcase, no_token_fits_another_key);
    tcase_add_test(tcase, by_kid);
    tcase_add_test(tcase, without_kid);
    tcase_add_test(tcase, one_kid_for_several_types);
    tcase_add_test(tcase, one_kid_for_several_uses);
    tcase_add_test(tcase, the_very_same_key_twice_is_one);
    tcase_add_test(tcase, what_stays_ambiguous_is_dropped);
    tcase_add_test(tcase, one_key_without_kid_serves_a_token_with_one);
    tcase_add_test(tcase, a_key_without_alg_serves_all_that_are_configured);
    tcase_add_test(tcase, keys_that_are_left_out);
    tcase_add_test(tcase, documents_that_are_none);
    tcase_add_test(tcase, too_much);
    tcase_add_test(tcase, from_a_file);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
