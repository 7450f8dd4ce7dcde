/* A token of each algorithm, changed in every place: none of the changed ones is good. */
#include "issuers/issuers_private.h"

#include "identity_fixture.h"
#include "sanitized.h"
#include "signer.h"
#include "suite.h"

#include <stdio.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char *const algorithms[] = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                         "RS512", "PS256", "PS384", "PS512", "ES256",
                                         "ES384", "ES512", "EdDSA"};
enum {
    ALGORITHM_COUNT = sizeof algorithms / sizeof *algorithms,
    STRIDE = IS_SANITIZED ? 5 : 1 /* from one place that is changed to the next */
};

static struct issuers *issuers;
static struct issuer_claims claims;
static struct signer *signer;
static char path[300];
static int tried;

static void open_issuer(const char *algorithm)
{
    bool is_secret = algorithm[0] == 'H';
    struct str name = str_from(algorithm);
    struct issuer_spec spec = {.name = STR("i"),
                               .algorithms = &name,
                               .algorithm_count = 1,
                               .user_claim = STR("sub"),
                               .accounts = ISSUER_ACCOUNTS_NONE};

    signer = signer_new(algorithm, is_secret ? NULL : "k");
    snprintf(path, sizeof path, "%s/key", users_backend_folder.path);
    char *keys = signer_jwks((const struct signer *const[]){signer, NULL});
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(is_secret ? signer_secret(signer) : keys, file);
    ck_assert_int_eq(fclose(file), 0);
    free(keys);
    *(is_secret ? &spec.secret_file : &spec.jwks_file) = str_from(path);
    const struct issuers_options options = {
        .specs = &spec, .spec_count = 1, .own_name = STR("cachewarden"), .users = users};
    ck_assert_msg(issuers_new(&options, &issuers, &error) == ERR_OK, "%s", error.caller);
}

/* Also through the memory of good ones, as a request would come. */
static bool is_good(struct str compact)
{
    arena_reset(arena);
    error_clear(&error);
    tried++;
    enum err err = issuers_recall(issuers, arena, compact, now_s, &claims, &error);
    if (err == ERR_NOT_FOUND)
        err = issuers_verify(issuers, arena, compact, now_s, &claims, &error);
    ck_assert(err == ERR_OK || err == ERR_UNAUTHENTICATED || err == ERR_NOT_FOUND);
    return err == ERR_OK;
}

static void expect_bad(const char *text, size_t size, size_t place, const char *how)
{
    ck_assert_msg(!is_good((struct str){text, size}), "%s: good although %s at %zu of %.*s",
                  signer_algorithm(signer), how, place, (int)size, text);
}

/* Every bit of the six a character stands for, and bytes that stand for nothing. */
static void change_characters(char *text, size_t size)
{
    for (size_t i = 0; i < size; i += STRIDE) {
        char was = text[i];
        const char *found = strchr(alphabet, was);
        for (int bit = 0; bit < 6 && found; bit++) {
            text[i] = alphabet[(size_t)(found - alphabet) ^ (size_t)1 << bit];
            expect_bad(text, size, i, "a bit is flipped");
        }
        static const char others[] = {'.', '=', '+', '/', ' ', '\n', '\0', '\xff'};
        for (size_t j = 0; j < sizeof others; j++) {
            text[i] = others[j];
            if (others[j] != was)
                expect_bad(text, size, i, "a byte is another");
        }
        text[i] = was;
    }
}

static void change_length(const char *text, size_t size)
{
    char changed[4096];

    for (size_t i = 0; i < size; i += STRIDE) {
        expect_bad(text, i, i, "it is cut");
        memcpy(changed, text, i);
        memcpy(changed + i, text + i + 1, size - i - 1);
        expect_bad(changed, size - 1, i, "a byte is gone");
    }
    for (size_t i = 0; i <= size; i += STRIDE) {
        memcpy(changed, text, i);
        changed[i] = 'A';
        memcpy(changed + i + 1, text + i, size - i);
        expect_bad(changed, size + 1, i, "there is one more");
    }
}

START_TEST(no_place_is_free)
{
    fixture_init();
    open_issuer(algorithms[_i]);
    char *compact =
        signer_mint(signer, "{\"iss\":\"i\",\"sub\":\"42\",\"exp\":%lld}", (long long)now_s + 600);
    size_t size = strlen(compact);

    ck_assert(is_good(str_from(compact)));
    change_characters(compact, size);
    change_length(compact, size);
    ck_assert_int_gt(tried, (int)size * 10 / STRIDE);
    ck_assert(is_good(str_from(compact)));
    free(compact);
    signer_free(&signer);
    issuers_free(&issuers);
    fixture_fini();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/mutation");
    TCase *tcase = tcase_create("issuers_mutation");

    tcase_add_loop_test(tcase, no_place_is_free, 0, ALGORITHM_COUNT);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
