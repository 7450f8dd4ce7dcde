#include "issuers/issuer_keys.h"

#include "issuers/key_file.h"

#include "cachewarden/arena.h"
#include "signer.h"
#include "suite.h"
#include "temp_folder.h"

#include <string.h>

static struct arena *arena;
static struct error error;
static struct jws jws;

static void set_up(void)
{
    arena = arena_new(16384, 0);
    error_clear(&error);
}

static void tear_down(void)
{
    arena_free(&arena);
}

static void parse(const struct signer *signer)
{
    char *compact = signer_mint(signer, "{}");

    ck_assert_int_eq(jws_parse(arena, str_dup(arena, str_from(compact)), &jws, &error), ERR_OK);
    free(compact);
}

static enum err verify(const struct issuer_keys *keys, const struct signer *signer)
{
    parse(signer);
    const char *why;
    const struct jws_key *key = issuer_keys_find(keys, &jws, &why);
    return key ? jws_verify(key, &jws, &error) : ERR_NOT_FOUND;
}

START_TEST(a_set)
{
    static const struct str algorithms[] = {STR("ES256"), STR("EdDSA")};
    const struct issuer_spec spec = {.algorithms = algorithms, .algorithm_count = 2};
    struct signer *a = signer_new("ES256", "a"), *b = signer_new("EdDSA", "b"),
                  *rsa = signer_new("RS256", "c"), *other = signer_new("ES256", "a");
    char *text = signer_jwks((const struct signer *const[]){a, b, rsa, NULL});
    struct issuer_keys *keys, *same, *less;

    ck_assert_int_eq(issuer_keys_new(&spec, str_from(text), &keys, &error), ERR_OK);
    ck_assert_uint_eq(issuer_keys_count(keys), 2); /* RS256 is not configured */
    ck_assert_int_eq(verify(keys, a), ERR_OK);
    ck_assert_int_eq(verify(keys, b), ERR_OK);
    ck_assert_int_eq(verify(keys, rsa), ERR_NOT_FOUND);
    ck_assert_int_eq(verify(keys, other), ERR_UNAUTHENTICATED);

    ck_assert_int_eq(issuer_keys_new(&spec, str_from(text), &same, &error), ERR_OK);
    ck_assert(issuer_keys_same(keys, same));
    ck_assert(issuer_keys_same(NULL, NULL) && !issuer_keys_same(keys, NULL) &&
              !issuer_keys_same(NULL, keys));
    free(text);
    text = signer_jwks((const struct signer *const[]){a, NULL});
    ck_assert_int_eq(issuer_keys_new(&spec, str_from(text), &less, &error), ERR_OK);
    ck_assert(!issuer_keys_same(keys, less));

    /* Held twice, freed with the second. */
    struct issuer_keys *held = issuer_keys_hold(keys);
    issuer_keys_release(&keys);
    ck_assert_ptr_null(keys);
    ck_assert_int_eq(verify(held, a), ERR_OK);
    issuer_keys_release(&held);
    issuer_keys_release(&same);
    issuer_keys_release(&less);
    ck_assert_ptr_null(issuer_keys_hold(NULL));
    free(text);
    signer_free(&a);
    signer_free(&b);
    signer_free(&rsa);
    signer_free(&other);
}
END_TEST

START_TEST(a_secret)
{
    static const struct str algorithms[] = {STR("HS384")};
    struct signer *signer = signer_new("HS384", NULL), *named = signer_new("HS384", "k"),
                  *hs256 = signer_new("HS256", NULL);
    struct temp_folder folder;
    char path[300];
    struct issuer_keys *keys;
    struct key_file_stamp stamp;

    temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/secret", folder.path);
    FILE *file = fopen(path, "w");
    fprintf(file, "%s\r\n", signer_secret(signer));
    ck_assert_int_eq(fclose(file), 0);
    const struct issuer_spec spec = {
        .algorithms = algorithms, .algorithm_count = 1, .secret_file = str_from(path)};
    ck_assert_int_eq(issuer_keys_load(&spec, &stamp, &keys, &error), ERR_OK);
    ck_assert_uint_eq(issuer_keys_count(keys), 1);
    ck_assert_int_eq(verify(keys, signer), ERR_OK);
    ck_assert_int_eq(verify(keys, named), ERR_NOT_FOUND); /* it has a kid, and the secret none */
    ck_assert_int_eq(verify(keys, hs256), ERR_UNAUTHENTICATED);
    issuer_keys_release(&keys);
    temp_folder_fini(&folder);
    ck_assert_int_eq(issuer_keys_load(&spec, &stamp, &keys, &error), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_null(keys);
    signer_free(&signer);
    signer_free(&named);
    signer_free(&hs256);
}
END_TEST

START_TEST(what_is_no_set)
{
    static const struct str algorithms[] = {STR("ES256")};
    const struct issuer_spec spec = {.algorithms = algorithms, .algorithm_count = 1};
    struct signer *secret = signer_new("HS256", "k");
    char *oct = signer_jwks((const struct signer *const[]){secret, NULL});
    const char *const bad[] = {"",  "<html>",          "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]}",
                               oct, signer_jwk(secret)};
    struct issuer_keys *keys;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error_clear(&error);
        ck_assert_int_eq(issuer_keys_new(&spec, str_from(bad[i]), &keys, &error), ERR_BAD_INPUT);
        ck_assert_ptr_null(keys);
        ck_assert_str_ne(error.caller, "");
    }
    free(oct);
    signer_free(&secret);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/issuer_keys");
    TCase *tcase = tcase_create("issuer_keys");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_set);
    tcase_add_test(tcase, a_secret);
    tcase_add_test(tcase, what_is_no_set);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
