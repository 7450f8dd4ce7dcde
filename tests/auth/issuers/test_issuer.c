#include "issuers/issuer.h"

#include "key_server.h"
#include "signer.h"
#include "suite.h"
#include "temp_folder.h"

#include <string.h>
#include <unistd.h>

static struct temp_folder folder;
static char keys_path[300], secret_path[300], missing_path[300], short_path[300];
static struct arena *arena;
static struct error error;
static const char *field;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void set_up(void)
{
    struct signer *signer = signer_new("ES256", "k1");
    char *keys = signer_jwks((const struct signer *const[]){signer, NULL});

    temp_folder_init(&folder);
    snprintf(keys_path, sizeof keys_path, "%s/keys.json", folder.path);
    snprintf(secret_path, sizeof secret_path, "%s/secret", folder.path);
    snprintf(missing_path, sizeof missing_path, "%s/missing", folder.path);
    snprintf(short_path, sizeof short_path, "%s/short", folder.path);
    write_file(keys_path, keys);
    write_file(secret_path, "0123456789abcdef0123456789abcdef\n");
    write_file(short_path, "canary-short\n");
    arena = arena_new(1024, 0);
    free(keys);
    signer_free(&signer);
}

static void tear_down(void)
{
    arena_free(&arena);
    temp_folder_fini(&folder);
}

static const struct str es256[] = {STR("ES256")}, hs256[] = {STR("HS256")};

static struct issuer_spec good_spec(void)
{
    return (struct issuer_spec){.name = STR("https://id.example"),
                                .algorithms = es256,
                                .algorithm_count = 1,
                                .jwks_url = STR("https://id.example/keys"),
                                .user_claim = STR("sub")};
}

static void expect_good(const struct issuer_spec *spec)
{
    error_clear(&error);
    ck_assert_msg(issuer_check(spec, &field, &error) == ERR_OK, "%s %s", field, error.caller);
}

static void expect_good_files(const struct issuer_spec *spec)
{
    expect_good(spec);
    ck_assert_msg(issuer_check_files(spec, &field, &error) == ERR_OK, "%s %s", field, error.caller);
}

static void expect_told(const char *bad_field, const char *why)
{
    ck_assert_msg(strstr(error.caller, why) != NULL, "%s, not %s", error.caller, why);
    ck_assert_ptr_null(strstr(error.caller, "canary"));
    if (bad_field)
        ck_assert_str_eq(field, bad_field);
    else
        ck_assert_ptr_null(field);
}

static void expect_bad(const struct issuer_spec *spec, const char *bad_field, const char *why)
{
    error_clear(&error);
    ck_assert_int_eq(issuer_check(spec, &field, &error), ERR_BAD_INPUT);
    expect_told(bad_field, why);
}

/* Good by its form: what is wrong is in the file. */
static void expect_bad_file(const struct issuer_spec *spec, const char *bad_field, const char *why)
{
    expect_good(spec);
    ck_assert_int_eq(issuer_check_files(spec, &field, &error), ERR_BAD_INPUT);
    expect_told(bad_field, why);
}

START_TEST(good_ones)
{
    static const struct str many[] = {STR("RS256"), STR("RS384"), STR("RS512"), STR("PS256"),
                                      STR("PS384"), STR("PS512"), STR("ES256"), STR("ES384"),
                                      STR("ES512"), STR("EdDSA")};
    struct issuer_spec spec = good_spec();

    expect_good(&spec);
    spec.algorithms = many;
    spec.algorithm_count = sizeof many / sizeof *many;
    expect_good(&spec);
    spec.jwks_ca = str_from(keys_path);
    expect_good_files(&spec);
    spec = good_spec();
    spec.jwks_url = STR_NONE;
    spec.jwks_file = str_from(keys_path);
    expect_good_files(&spec);
    spec.jwks_file = STR_NONE;
    spec.secret_file = str_from(secret_path);
    spec.algorithms = hs256;
    expect_good_files(&spec);
}
END_TEST

START_TEST(one_source)
{
    struct issuer_spec spec = good_spec();

    spec.jwks_file = str_from(keys_path);
    expect_bad(&spec, NULL, "must have one of jwks_file, jwks_url and secret_file, not several");
    spec.jwks_file = spec.jwks_url = STR_NONE;
    expect_bad(&spec, NULL, "must have one of jwks_file, jwks_url and secret_file, not none");
}
END_TEST

static void expect_algorithms(size_t count, const struct str *names, bool has_secret,
                              const char *why)
{
    struct issuer_spec spec = good_spec();

    spec.algorithms = names;
    spec.algorithm_count = count;
    if (has_secret) {
        spec.jwks_url = STR_NONE;
        spec.secret_file = str_from(secret_path);
    }
    expect_bad(&spec, "algorithms", why);
}

START_TEST(algorithms_and_keys_that_do_not_fit)
{
    static const struct str none[] = {STR("none")}, lower[] = {STR("es256")},
                            es521[] = {STR("ES256"), STR("ES521")},
                            twice[] = {STR("ES256"), STR("ES256")}, empty[] = {STR("")},
                            mixed[] = {STR("RS256"), STR("HS256")},
                            two[] = {STR("HS256"), STR("HS512")};

    expect_algorithms(0, es256, false, "must name at least one");
    expect_algorithms(1, none, false, "not \"none\"");
    expect_algorithms(1, lower, false, "not \"es256\"");
    expect_algorithms(1, empty, false, "not \"\"");
    expect_algorithms(2, es521, false, "not \"ES521\"");
    expect_algorithms(2, twice, false, "names ES256 twice");
    expect_algorithms(1, hs256, false, "has HS256, which takes a secret");
    expect_algorithms(2, mixed, false, "has HS256, which takes a secret");
    expect_algorithms(1, es256, true, "has ES256, which takes a public key");
    expect_algorithms(2, mixed, true, "has RS256, which takes a public key");
    expect_algorithms(2, two, true, "must name one");
}
END_TEST

START_TEST(texts)
{
    static char long_text[300];
    struct issuer_spec spec = good_spec();

    memset(long_text, 'a', sizeof long_text - 1);
    spec.name = STR("");
    expect_bad(&spec, "issuer", "must not be empty");
    spec.name = STR("a\nb");
    expect_bad(&spec, "issuer", "control characters");
    spec.name = str_from(long_text);
    expect_bad(&spec, "issuer", "up to 255 bytes");
    spec = good_spec();
    spec.audience = STR("\xff");
    expect_bad(&spec, "audience", "UTF-8");
    spec = good_spec();
    spec.user_claim = STR_NONE;
    expect_bad(&spec, "user_claim", "must not be empty");
    spec = good_spec();
    spec.superuser_claim = str_from(long_text);
    expect_bad(&spec, "superuser_claim", "up to 255 bytes");
    spec = good_spec();
    spec.groups_claim = STR("\x01");
    expect_bad(&spec, "groups_claim", "control characters");
}
END_TEST

START_TEST(places)
{
    static char long_url[3000] = "https://id.example/";
    struct issuer_spec spec = good_spec();

    spec.jwks_url = STR("http://id.example/keys");
    expect_bad(&spec, "jwks_url", "must begin with https://");
    memset(long_url + strlen(long_url), 'a', sizeof long_url - 1 - strlen(long_url));
    spec.jwks_url = str_from(long_url);
    expect_bad(&spec, "jwks_url", "longer than 2048");
    spec = good_spec();
    spec.jwks_ca = str_from(missing_path);
    expect_bad_file(&spec, "jwks_ca", "cannot be read");
    spec.jwks_url = STR("http://127.0.0.1/keys");
    expect_bad(&spec, "jwks_ca", "is for a jwks_url that begins with https://");
}
END_TEST

START_TEST(files)
{
    struct issuer_spec spec = good_spec();

    spec.jwks_url = STR_NONE;
    spec.jwks_file = str_from(missing_path);
    expect_bad_file(&spec, "jwks_file", "No such file");
    spec.jwks_file = str_from(secret_path);
    expect_bad_file(&spec, "jwks_file", "no JSON object");
    spec.jwks_file = str_from(folder.path);
    expect_bad_file(&spec, "jwks_file", "not a regular file");
    /* Keys, but for another algorithm. */
    static const struct str rs256[] = {STR("RS256")};
    spec.jwks_file = str_from(keys_path);
    spec.algorithms = rs256;
    expect_bad_file(&spec, "jwks_file", "no key of the set can be used");
    spec.jwks_file = STR_NONE;
    spec.algorithms = hs256;
    spec.secret_file = str_from(short_path);
    expect_bad_file(&spec, "secret_file", "the secret has 12 bytes, but HS256 needs at least 32");
    static const struct str hs512[] = {STR("HS512")};
    spec.algorithms = hs512;
    spec.secret_file = str_from(secret_path);
    expect_bad_file(&spec, "secret_file", "HS512 needs at least 64");
}
END_TEST

START_TEST(a_copy_is_its_own)
{
    char name[] = "issuer", algorithm[] = "ES256", url[] = "https://id.example/keys";
    struct str algorithms[] = {str_from(algorithm)};
    struct issuer_spec copy, spec = good_spec();

    spec.name = str_from(name);
    spec.algorithms = algorithms;
    spec.jwks_url = str_from(url);
    spec.accounts = ISSUER_ACCOUNTS_LOCAL;
    ck_assert_int_eq(issuer_spec_copy(arena, &spec, &copy), ERR_OK);
    name[0] = algorithm[0] = url[0] = 'X';
    ck_assert(str_eq(copy.name, STR("issuer")));
    ck_assert(str_eq(copy.algorithms[0], STR("ES256")));
    ck_assert_str_eq(copy.jwks_url.ptr, "https://id.example/keys"); /* ends with NUL */
    ck_assert_int_eq(copy.accounts, ISSUER_ACCOUNTS_LOCAL);
    ck_assert_ptr_null(copy.jwks_file.ptr);
    ck_assert_ptr_null(copy.groups_claim.ptr);
}
END_TEST

START_TEST(what_keys_depend_on)
{
    static const struct str rs256[] = {STR("RS256")}, both[] = {STR("ES256"), STR("RS256")};
    struct issuer_spec a = good_spec(), b = good_spec();

    b.audience = b.user_claim = b.groups_claim = STR("other");
    b.accounts = ISSUER_ACCOUNTS_LOCAL;
    ck_assert(issuer_spec_same_keys(&a, &b));
    b.algorithms = rs256;
    ck_assert(!issuer_spec_same_keys(&a, &b));
    b.algorithms = both;
    b.algorithm_count = 2;
    ck_assert(!issuer_spec_same_keys(&a, &b));
    struct str *const parts[] = {&b.name, &b.jwks_url, &b.jwks_ca, &b.jwks_file, &b.secret_file};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        b = good_spec();
        *parts[i] = STR("other");
        ck_assert(!issuer_spec_same_keys(&a, &b));
    }
}
END_TEST

START_TEST(a_server)
{
    enum { MS = 10000, LITTLE_MS = 50 };
    struct signer *good = signer_new("ES256", "k1"), *other = signer_new("RS256", "k2");
    char *keys = signer_jwks((const struct signer *const[]){good, other, NULL}),
         *others = signer_jwks((const struct signer *const[]){other, NULL});
    struct key_server *server = key_server_start(NULL, 0);
    struct issuer_spec spec = good_spec();
    size_t count;

    spec.jwks_url = str_from(key_server_url(server));
    key_server_publish(server, keys);
    ck_assert_int_eq(issuer_check_server(&spec, MS, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 1);
    key_server_publish(server, others);
    ck_assert_int_eq(issuer_check_server(&spec, MS, &count, &error), ERR_BAD_INPUT);
    ck_assert_uint_eq(count, 0);
    ck_assert_str_ne(error.caller, "");
    key_server_mute(server);
    ck_assert_int_eq(issuer_check_server(&spec, LITTLE_MS, &count, &error), ERR_UPSTREAM_DOWN);
    free(keys);
    free(others);
    signer_free(&good);
    signer_free(&other);
    key_server_stop(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/issuer");
    TCase *tcase = tcase_create("issuer");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, good_ones);
    tcase_add_test(tcase, one_source);
    tcase_add_test(tcase, algorithms_and_keys_that_do_not_fit);
    tcase_add_test(tcase, texts);
    tcase_add_test(tcase, places);
    tcase_add_test(tcase, files);
    tcase_add_test(tcase, a_server);
    tcase_add_test(tcase, a_copy_is_its_own);
    tcase_add_test(tcase, what_keys_depend_on);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
