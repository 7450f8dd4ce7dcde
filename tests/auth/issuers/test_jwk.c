#include "issuers/jwk.h"

#include "cachewarden/arena.h"
#include "rfc_vectors.h"
#include "suite.h"

#include <stdio.h>

static const enum jws_algorithm every[] = {JWS_HS256, JWS_HS384, JWS_RS256, JWS_PS512,
                                           JWS_ES256, JWS_ES512, JWS_EDDSA};
static const struct jwk_rules all_rules = {every, 7, true};

static struct arena *arena;
static struct jwk jwk;
static struct error error;

static void set_up(void)
{
    arena = arena_new(64 * 1024, 0);
    error_clear(&error);
}

static void tear_down(void)
{
    jwk_free_keys(&jwk);
    arena_free(&arena);
}

static enum err read_with(const struct jwk_rules *rules, const char *text)
{
    const struct json *document;

    jwk_free_keys(&jwk);
    error_clear(&error);
    ck_assert_msg(json_parse(arena, str_from(text), &document, &error) == ERR_OK, "%s", text);
    return jwk_read(arena, rules, document, &jwk, &error);
}

/* `names`: of its keys' algorithms, in the order of the rules. */
static void accept_with(const struct jwk_rules *rules, const char *text, const char *names)
{
    char found[128] = "";

    ck_assert_msg(read_with(rules, text) == ERR_OK, "%s: %s", text, error.caller);
    for (size_t i = 0; i < jwk.count; i++) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s%s", i > 0 ? " " : "",
                 jws_algorithm_name(jws_key_algorithm(jwk.keys[i])));
    }
    ck_assert_str_eq(found, names);
}

static void accept(const char *text, const char *names)
{
    accept_with(&all_rules, text, names);
}

static void refuse(const char *text, const char *why)
{
    ck_assert_msg(read_with(&all_rules, text) == ERR_BAD_INPUT, "taken: %s", text);
    ck_assert_uint_eq(jwk.count, 0);
    ck_assert_msg(strstr(error.caller, why) != NULL, "%s: %s", text, error.caller);
}

#define OCT                                                                 \
    "\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-" \
    "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\""
#define EC                                                                                    \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":"                                                                                  \
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC521                                                                          \
    "\"kty\":\"EC\",\"crv\":\"P-521\","                                                \
    "\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9" \
    "tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDh" \
    "jDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\""
#define RSA "\"kty\":\"RSA\",\"n\":\"" RFC7515_A2_N "\",\"e\":\"AQAB\""
#define OKP \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

START_TEST(keys_of_every_type)
{
    accept("{" OCT "}", "HS256 HS384");
    accept("{" RSA "}", "RS256 PS512");
    accept("{" EC "}", "ES256");
    accept("{" EC521 "}", "ES512");
    accept("{" OKP "}", "EdDSA");
    ck_assert(!jwk.has_kid && !jwk.names_algorithm && !jwk.names_use);
    accept(
        "{" OKP ",\"kid\":\"a "
        "key\",\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"],\"alg\":\"EdDSA\",\"x5t\":\"x\"}",
        "EdDSA");
    ck_assert(jwk.has_kid && jwk.names_algorithm && jwk.names_use);
    ck_assert(str_eq(jwk.kid, STR("a key")));
    /* Private parts are not looked at. */
    accept("{" OKP ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}", "EdDSA");
    accept("{" EC ",\"d\":5}", "ES256");
}
END_TEST

START_TEST(the_algorithm)
{
    accept("{" RSA ",\"alg\":\"PS512\"}", "PS512");
    accept("{" RSA ",\"alg\":\"RS256\"}", "RS256");
    accept("{" OCT ",\"alg\":\"HS384\"}", "HS384");
    refuse("{" RSA ",\"alg\":\"PS256\"}", "alg is not one of those");
    refuse("{" OCT ",\"alg\":\"HS512\"}", "alg is not one of those");
    refuse("{" RSA ",\"alg\":\"none\"}", "alg is not one of those");
    refuse("{" RSA ",\"alg\":\"RSA-OAEP\"}", "alg is not one of those");
    refuse("{" RSA ",\"alg\":256}", "alg is not a string");
    refuse("{" RSA ",\"alg\":\"ES256\"}", "kty and crv are for none");
    refuse("{" EC ",\"alg\":\"ES512\"}", "kty and crv are for none");
    refuse("{" RSA ",\"alg\":\"HS256\"}", "kty and crv are for none");
    refuse("{" OCT ",\"alg\":\"RS256\"}", "kty and crv are for none");

    /* A key that does not say is for all of the rules that take it, and for no other. */
    static const enum jws_algorithm rsa[] = {JWS_PS256, JWS_RS256, JWS_RS384,
                                             JWS_RS512, JWS_PS384, JWS_PS512};
    struct jwk_rules rules = {rsa, 6, false};
    accept_with(&rules, "{" RSA "}", "PS256 RS256 RS384 RS512 PS384 PS512");
    accept_with(&rules, "{" RSA ",\"alg\":\"RS384\"}", "RS384");
    rules.algorithm_count = 1;
    accept_with(&rules, "{" RSA "}", "PS256");
    ck_assert_int_eq(read_with(&rules, "{" EC "}"), ERR_BAD_INPUT);
    rules.algorithm_count = 0;
    ck_assert_int_eq(read_with(&rules, "{" RSA "}"), ERR_BAD_INPUT);
}
END_TEST

START_TEST(secrets_only_where_they_belong)
{
    struct jwk_rules published = {every, 7, false};

    ck_assert_int_eq(read_with(&published, "{" OCT "}"), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "a secret in a key set"));
    ck_assert_int_eq(read_with(&published, "{" RSA "}"), ERR_OK);
}
END_TEST

START_TEST(keys_for_other_purposes)
{
    refuse("{" RSA ",\"use\":\"enc\"}", "use is not sig");
    refuse("{" RSA ",\"use\":\"\"}", "use is not sig");
    refuse("{" RSA ",\"use\":1}", "use is not sig");
    refuse("{" RSA ",\"key_ops\":[]}", "key_ops");
    refuse("{" RSA ",\"key_ops\":[\"sign\"]}", "key_ops");
    refuse("{" RSA ",\"key_ops\":[\"encrypt\",\"decrypt\"]}", "key_ops");
    refuse("{" RSA ",\"key_ops\":\"verify\"}", "key_ops");
    refuse("{" RSA ",\"key_ops\":[1]}", "key_ops");
}
END_TEST

START_TEST(what_is_no_key)
{
    refuse("{}", "it is no JWK");
    refuse("[]", "it is no JWK");
    refuse("null", "it is no JWK");
    refuse("{\"kty\":1}", "it is no JWK");
    refuse("{\"kty\":\"\"}", "kty and crv are for none");
    refuse("{\"kty\":\"rsa\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "kty and crv are for none");
    refuse("{\"kty\":\"EC\"}", "kty and crv are for none");
    refuse("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
           "kty and crv are for none");
    refuse("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
           "kty and crv are for none");
    refuse("{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AA\"}", "kty and crv are for none");
    refuse("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_"
           "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
           "kty and crv are for none");
    refuse("{" RSA ",\"kid\":1}", "kid is not a string");
    refuse("{" RSA ",\"kid\":null}", "kid is not a string");
}
END_TEST

START_TEST(parts_that_are_none)
{
    static const enum jws_algorithm rs[] = {JWS_RS256}, es[] = {JWS_ES256}, ed[] = {JWS_EDDSA},
                                    hs[] = {JWS_HS256};
    static const struct {
        const enum jws_algorithm *algorithm;
        const char *jwk, *why;
    } cases[] = {
        {rs, "{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "n is missing"},
        {rs, "{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}", "n is missing"},
        {rs, "{\"kty\":\"RSA\",\"n\":5,\"e\":\"AQAB\"}", "n is missing"},
        {rs, "{\"kty\":\"RSA\",\"n\":\"AQAB=\",\"e\":\"AQAB\"}", "n is missing"},
        {rs, "{\"kty\":\"RSA\",\"n\":\"AQ+/\",\"e\":\"AQAB\"}", "n is missing"},
        {rs, "{\"kty\":\"RSA\",\"n\":\"" RFC7515_A2_N "\"}", "e is missing"},
        {rs, "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "the RSA key has 17 bits"},
        {es, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"y\":\"AA\"}", "x is missing"},
        {es, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\"}", "y is missing"},
        {es, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", "32 bytes each"},
        {ed, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", "x is missing"},
        {ed, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}", "32 bytes"},
        {hs, "{\"kty\":\"oct\"}", "k is missing"},
        {hs, "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}", "the secret has 5 bytes"},
        {hs, "{\"kty\":\"oct\",\"k\":null}", "k is missing"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jwk_rules rules = {cases[i].algorithm, 1, true};
        ck_assert_msg(read_with(&rules, cases[i].jwk) == ERR_BAD_INPUT, "taken: %s", cases[i].jwk);
        ck_assert_msg(strstr(error.caller, cases[i].why) != NULL, "%s: %s", cases[i].jwk,
                      error.caller);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/jwk");
    TCase *tcase = tcase_create("jwk");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, keys_of_every_type);
    tcase_add_test(tcase, the_algorithm);
    tcase_add_test(tcase, secrets_only_where_they_belong);
    tcase_add_test(tcase, keys_for_other_purposes);
    tcase_add_test(tcase, what_is_no_key);
    tcase_add_test(tcase, parts_that_are_none);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
