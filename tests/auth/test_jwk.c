#include "jwk.h"

#include "cachewarden/arena.h"
#include "rfc_vectors.h"
#include "suite.h"

static const enum jws_algorithm every[] = {JWS_HS256, JWS_HS384, JWS_RS256,
                                           JWS_PS256, JWS_ES256, JWS_EDDSA};
static const struct jwk_rules all_rules = {every, 6, true};

static struct arena *arena;
static struct jws_key *key;
static struct error error;
static struct str kid;
static bool has_kid;

static void set_up(void)
{
    arena = arena_new(64 * 1024, 0);
    error_clear(&error);
}

static void tear_down(void)
{
    jws_key_free(&key);
    arena_free(&arena);
}

static enum err read_with(const struct jwk_rules *rules, const char *text)
{
    const struct json *jwk;

    jws_key_free(&key);
    error_clear(&error);
    ck_assert_msg(json_parse(arena, str_from(text), &jwk, &error) == ERR_OK, "%s", text);
    return jwk_read(arena, rules, jwk, &key, &has_kid, &kid, &error);
}

static void accept(const char *text, enum jws_algorithm algorithm)
{
    ck_assert_msg(read_with(&all_rules, text) == ERR_OK, "%s: %s", text, error.caller);
    ck_assert_int_eq(jws_key_algorithm(key), algorithm);
}

static void refuse(const char *text, const char *why)
{
    ck_assert_msg(read_with(&all_rules, text) == ERR_BAD_INPUT, "taken: %s", text);
    ck_assert_ptr_null(key);
    ck_assert_msg(strstr(error.caller, why) != NULL, "%s: %s", text, error.caller);
}

#define OCT                                                                 \
    "\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-" \
    "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\""
#define EC                                                                                    \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":"                                                                                  \
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define RSA "\"kty\":\"RSA\",\"n\":\"" RFC7515_A2_N "\",\"e\":\"AQAB\""
#define OKP \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

START_TEST(keys_of_every_type)
{
    accept("{" OCT "}", JWS_HS256);
    accept("{" RSA "}", JWS_RS256);
    accept("{" EC "}", JWS_ES256);
    accept("{" OKP "}", JWS_EDDSA);
    ck_assert(!has_kid);
    accept(
        "{" OKP ",\"kid\":\"a "
        "key\",\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"],\"alg\":\"EdDSA\",\"x5t\":\"x\"}",
        JWS_EDDSA);
    ck_assert(has_kid);
    ck_assert(str_eq(kid, STR("a key")));
    /* Private parts are not looked at. */
    accept("{" OKP ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}", JWS_EDDSA);
    accept("{" EC ",\"d\":5}", JWS_ES256);
}
END_TEST

START_TEST(the_algorithm)
{
    accept("{" RSA ",\"alg\":\"PS256\"}", JWS_PS256);
    accept("{" RSA ",\"alg\":\"RS256\"}", JWS_RS256);
    accept("{" OCT ",\"alg\":\"HS384\"}", JWS_HS384);
    refuse("{" OCT ",\"alg\":\"HS512\"}", "alg is not one of those");
    refuse("{" RSA ",\"alg\":\"none\"}", "alg is not one of those");
    refuse("{" RSA ",\"alg\":\"RSA-OAEP\"}", "alg is not one of those");
    refuse("{" RSA ",\"alg\":256}", "alg is not a string");
    refuse("{" RSA ",\"alg\":\"ES256\"}", "ES256 does not take an RSA key");
    refuse("{" RSA ",\"alg\":\"HS256\"}", "HS256 does not take an RSA key");
    refuse("{" OCT ",\"alg\":\"RS256\"}", "RS256 does not take a secret");

    /* The rules' order decides for a key that does not say, and one algorithm is enough. */
    static const enum jws_algorithm ps_first[] = {JWS_PS256, JWS_RS256};
    struct jwk_rules rules = {ps_first, 2, false};
    ck_assert_int_eq(read_with(&rules, "{" RSA "}"), ERR_OK);
    ck_assert_int_eq(jws_key_algorithm(key), JWS_PS256);
    ck_assert_int_eq(read_with(&rules, "{" RSA ",\"alg\":\"RS256\"}"), ERR_OK);
    ck_assert_int_eq(jws_key_algorithm(key), JWS_RS256);
    ck_assert_int_eq(read_with(&rules, "{" EC "}"), ERR_BAD_INPUT);
    rules.algorithm_count = 0;
    ck_assert_int_eq(read_with(&rules, "{" RSA "}"), ERR_BAD_INPUT);
}
END_TEST

START_TEST(secrets_only_where_they_belong)
{
    struct jwk_rules published = {every, 6, false};

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
    refuse("{\"kty\":\"\"}", "kty is not");
    refuse("{\"kty\":\"rsa\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "kty is not");
    refuse("{\"kty\":\"EC\"}", "kty is not");
    refuse("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}", "kty is not");
    refuse("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}", "kty is not");
    refuse("{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AA\"}", "kty is not");
    refuse("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_"
           "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
           "kty is not");
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
    Suite *suite = suite_create("auth/jwk");
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
