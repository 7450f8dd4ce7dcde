/* auth.issuers: what is refused, with file and line, and what auth/ is told. */
#include "config_case.h"

#include "signer.h"

#define GOOD         "issuer = \"https://id.example\"; algorithms = [ \"ES256\" ]; "
#define URL          "jwks_url = \"https://id.example/keys\"; "
#define LIST(groups) "auth: {\n issuers = (\n" groups "\n ); };"

static void write_keys(void)
{
    struct signer *signer = signer_new("ES256", "k");
    char *keys = signer_jwks((const struct signer *const[]){signer, NULL});
    cw_file_write(one.directory, "keys.json", keys, 0600);
    cw_file_write(one.directory, "secret", "0123456789abcdef0123456789abcdef\n", 0600);
    cw_file_write(one.directory, "mark", "\xef\xbb\xbf{\"keys\":[]}\n", 0600);
    cw_file_write(one.directory, "blank", "0123456789abcdef0123456789abcdef \n", 0600);
    cw_file_write(one.directory, "short", "canary\n", 0600);
    free(keys);
    signer_free(&signer);
}

static void open_case(void)
{
    case_open();
    write_keys();
}

/* $D in the text is the test's folder. */
static enum err load(const char *text)
{
    static char filled[4096];
    size_t size = 0;
    for (const char *at = text; *at; at++) {
        bool is_folder = at[0] == '$' && at[1] == 'D';
        size += (size_t)snprintf(filled + size, sizeof filled - size, is_folder ? "%s" : "%.1s",
                                 is_folder ? one.directory : at);
        at += is_folder;
        ck_assert_uint_lt(size, sizeof filled);
    }
    return case_load(filled, NULL);
}

START_TEST(what_auth_is_told)
{
    struct arena *arena = arena_new(1024, 0);
    const struct issuer_spec *specs;
    size_t count;
    ck_assert_msg(
        load(LIST("{ " GOOD URL "},\n"
                  "{ issuer = \"b\"; algorithms = [ \"RS256\", \"EdDSA\" ]; jwks_url = "
                  "\"http://127.0.0.1:1/k\"; audience = \"us\"; user_claim = \"uid\"; "
                  "superuser_claim = \"admin\"; groups_claim = \"https://b/groups\"; accounts = "
                  "\"local\"; },\n"
                  "{ issuer = \"c\"; algorithms = [ \"ES256\" ]; jwks_file = \"$D/keys.json\"; "
                  "accounts = \"none\"; },\n"
                  "{ issuer = \"d\"; algorithms = [ \"HS256\" ]; secret_file = \"$D/secret\"; "
                  "provision = true; }")) == ERR_OK,
        "%s", case_problems());
    ck_assert_int_eq(config_issuer_specs(one.config, arena, &specs, &count), ERR_OK);
    ck_assert_uint_eq(count, 4);
    ck_assert(str_eq(specs[0].name, STR("https://id.example")));
    ck_assert(str_eq(specs[0].jwks_url, STR("https://id.example/keys")));
    ck_assert_uint_eq(specs[0].algorithm_count, 1);
    ck_assert(str_eq(specs[0].algorithms[0], STR("ES256")));
    ck_assert(str_eq(specs[0].user_claim, STR("sub")));
    ck_assert_uint_eq(specs[0].audience.len + specs[0].superuser_claim.len +
                          specs[0].groups_claim.len + specs[0].jwks_file.len +
                          specs[0].secret_file.len + specs[0].jwks_ca.len,
                      0);
    ck_assert_int_eq(specs[0].accounts, ISSUER_ACCOUNTS_PROVISION);
    ck_assert_uint_eq(specs[1].algorithm_count, 2);
    ck_assert(str_eq(specs[1].algorithms[1], STR("EdDSA")));
    ck_assert(str_eq(specs[1].audience, STR("us")));
    ck_assert(str_eq(specs[1].user_claim, STR("uid")));
    ck_assert(str_eq(specs[1].superuser_claim, STR("admin")));
    ck_assert(str_eq(specs[1].groups_claim, STR("https://b/groups")));
    ck_assert_int_eq(specs[1].accounts, ISSUER_ACCOUNTS_LOCAL);
    ck_assert_int_eq(specs[2].accounts, ISSUER_ACCOUNTS_NONE);
    ck_assert_int_eq(specs[3].accounts, ISSUER_ACCOUNTS_PROVISION);
    ck_assert(str_ends(specs[2].jwks_file, STR("/keys.json")));
    ck_assert(str_ends(specs[3].secret_file, STR("/secret")));
    arena_free(&arena);
}
END_TEST

START_TEST(none)
{
    struct arena *arena = arena_new(1024, 0);
    const struct issuer_spec *specs;
    size_t count = 5;
    ck_assert_int_eq(load("auth: { issuers = ( ); };"), ERR_OK);
    ck_assert_int_eq(config_issuer_specs(one.config, arena, &specs, &count), ERR_OK);
    ck_assert_uint_eq(count, 0);
    arena_free(&arena);
}
END_TEST

static const struct {
    const char *text, *says;
} refused[] = {
    {LIST("{ " GOOD "}"),
     ":3: auth.issuers[0] must have one of jwks_file, jwks_url and secret_file, not none"},
    {LIST("{ " GOOD URL "jwks_file = \"$D/keys.json\"; }"), "not several"},
    {LIST("{ algorithms = [ \"RS256\" ]; " URL "}"), ":3: auth.issuers[0].issuer is missing"},
    {LIST("{ issuer = \"i\"; " URL "}"), ":3: auth.issuers[0].algorithms is missing"},
    {LIST("{ issuer = \"i\"; algorithms = 3; " URL "}"),
     ":3: auth.issuers[0].algorithms must be a list"},
    {LIST("{ issuer = \"i\"; algorithms = [ ]; " URL "}"), "auth.issuers[0].algorithms"},
    {LIST("{ issuer = \"i\"; algorithms = [ \"none\" ]; " URL "}"),
     ":3: auth.issuers[0].algorithms must be of RS, PS, ES and HS"},
    {LIST("{ issuer = \"i\"; algorithms = [ \"RS521\" ]; " URL "}"), "not \"RS521\""},
    {LIST("{ issuer = \"i\"; algorithms = [ \"HS256\" ]; " URL "}"),
     "auth.issuers[0].algorithms has HS256, which takes a secret"},
    {LIST("{ " GOOD "secret_file = \"$D/secret\"; provision = true; }"),
     "auth.issuers[0].algorithms has ES256, which takes a public key"},
    {LIST("{ " GOOD "jwks_url = \"http://id.example/keys\"; }"),
     ":3: auth.issuers[0].jwks_url must begin with https://"},
    {LIST("{ " GOOD "jwks_url = \"https://u:canary@id.example/keys\"; }"),
     "auth.issuers[0].jwks_url must not have a user or a password"},
    {LIST("{ " GOOD URL "},\n{ issuer = \"b\"; algorithms = [ \"ES256\" ]; " URL "},\n{ " GOOD URL
          "}"),
     ":5: auth.issuers[2].issuer is \"https://id.example\", like that of auth.issuers[0]"},
    {LIST("{ issuer = \"cachewarden\"; algorithms = [ \"ES256\" ]; " URL "}"),
     "auth.issuers[0].issuer is that of auth.issuer"},
    {LIST("{ " GOOD URL "user_claim = \"\"; }"), "auth.issuers[0].user_claim"},
    {LIST("{ " GOOD URL "jwks_uri = \"https://i\"; }"), "jwks_uri"},
    {LIST("{ " GOOD URL "provision = \"yes\"; }"), "auth.issuers[0].provision must be"},
    {LIST("{ " GOOD URL "provision = false; }"), "auth.issuers[0].provision is false: say what"},
    {LIST("{ " GOOD URL "accounts = \"ours\"; }"), "auth.issuers[0].accounts must be"},
};

START_TEST(nonsense)
{
    ck_assert_msg(load(refused[_i].text) == ERR_BAD_INPUT, "%s", refused[_i].text);
    ck_assert_msg(strstr(case_problems(), refused[_i].says) != NULL, "%s\nnot: %s", case_problems(),
                  refused[_i].says);
    ck_assert_ptr_null(strstr(case_problems(), "canary"));
}
END_TEST

/* Somebody else's files: whoever checks the settings wants to know, everybody else goes on without them. */
static const struct {
    const char *text, *says;
} unusable[] = {
    {LIST("{ " GOOD URL "jwks_ca = \"$D/nothing\"; }"), "auth.issuers[0].jwks_ca cannot be read"},
    {LIST("{ " GOOD "jwks_file = \"$D/nothing\"; }"),
     "auth.issuers[0].jwks_file the key file cannot be read (No such file or directory)"},
    {LIST("{ " GOOD "jwks_file = \"$D/mark\"; }"),
     "auth.issuers[0].jwks_file it begins with a byte order mark; save it as UTF-8 without one"},
    {LIST("{ " GOOD "jwks_file = \"$D/short\"; }"),
     "auth.issuers[0].jwks_file it is no JSON object"},
    {LIST("{ issuer = \"i\"; algorithms = [ \"HS256\" ]; secret_file = \"$D/short\"; }"),
     "auth.issuers[0].secret_file the secret has 6 bytes, but HS256 needs at least 32"},
    {LIST("{ issuer = \"i\"; algorithms = [ \"HS256\" ]; secret_file = \"$D/blank\"; }"),
     "auth.issuers[0].secret_file the secret ends in a blank; take it out"},
};

START_TEST(files_that_cannot_be_used)
{
    ck_assert_msg(load(unusable[_i].text) == ERR_OK, "%s", case_problems());
    ck_assert_uint_eq(one.report.warnings, 1);
    ck_assert_msg(strstr(case_problems(), unusable[_i].says) != NULL, "%s", case_problems());
    ck_assert_ptr_nonnull(strstr(case_problems(), "warning: "));
    ck_assert_ptr_nonnull(strstr(case_problems(), "tokens of this issuer are refused until"));
    ck_assert_ptr_null(strstr(case_problems(), "canary"));
    const struct config_input strict = {
        .file = one.path, .no_default_file = true, .is_strict = true};
    ck_assert_int_eq(case_load_input(&strict), ERR_BAD_INPUT);
    ck_assert_msg(strstr(case_problems(), unusable[_i].says) != NULL, "%s", case_problems());
    ck_assert_uint_eq(one.report.errors, 1);
}
END_TEST

/* All of them at once, each with its place. */
START_TEST(every_mistake_is_told)
{
    ck_assert_int_eq(load(LIST("{ " GOOD "},\n{ issuer = \"b\"; algorithms = [ \"X\" ]; " URL "}")),
                     ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(case_problems(), ":3: auth.issuers[0] must have one of"));
    ck_assert_ptr_nonnull(strstr(case_problems(), ":4: auth.issuers[1].algorithms must be of"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/config_issuers");
    TCase *tcase = tcase_create("config_issuers");
    tcase_add_checked_fixture(tcase, open_case, case_close);
    tcase_add_test(tcase, what_auth_is_told);
    tcase_add_test(tcase, none);
    tcase_add_loop_test(tcase, nonsense, 0, sizeof refused / sizeof *refused);
    tcase_add_loop_test(tcase, files_that_cannot_be_used, 0, sizeof unusable / sizeof *unusable);
    tcase_add_test(tcase, every_mistake_is_told);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
