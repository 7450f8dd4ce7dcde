/* Where settings come from and which source wins; secrets in files; what this version cannot do. */
#include "config_case.h"

#include <sys/stat.h>
#include <unistd.h>

#define SECRET_40 "0123456789012345678901234567890123456789"

/* ---- order ---- */

START_TEST(each_source_beats_the_weaker_ones)
{
    const char *file = "server: { threads = 2; drain_s = 2; body_timeout_ms = 2; };";
    cw_file_write(one.directory, "test.conf", file, 0600);
    const struct config_override override = {"server.threads", "4", "--threads"};
    const struct config_input input = {
        .file = one.path,
        .environment = ENVIRONMENT("CACHEWARDEN_SERVER_THREADS=3", "CACHEWARDEN_SERVER_DRAIN_S=3"),
        .overrides = &override,
        .override_count = 1,
    };
    ck_assert_int_eq(case_load_input(&input), ERR_OK);
    ck_assert_int_eq(one.config->server_threads, 4);
    ck_assert_int_eq(one.config->server_drain_s, 3);
    ck_assert_int_eq(one.config->server_body_timeout_ms, 2);
    ck_assert_int_eq(one.config->server_header_timeout_ms, 5000);
    ck_assert_str_eq(one.config->sources[SETTING_server_threads].place, "--threads");
    ck_assert_str_eq(one.config->file, one.path);
}
END_TEST

START_TEST(problems_of_the_command_line_name_the_option)
{
    const struct config_override overrides[] = {{"server.listen", "nowhere", "--listen"},
                                                {"server.lisen", "x", "--listen"}};
    const struct config_input input = {
        .no_default_file = true, .overrides = overrides, .override_count = 2};
    ck_assert_int_eq(case_load_input(&input), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(case_problems(), "error: --listen: server.listen must hold"));
    ck_assert_ptr_nonnull(
        strstr(case_problems(), "error: --listen: there is no setting server.lisen"));
}
END_TEST

START_TEST(an_empty_variable_counts_as_not_given)
{
    case_load_well(
        "redis: { password = \"from-file\"; };",
        ENVIRONMENT("REDIS_PASSWORD=", "REDIS_URL=", "CACHEWARDEN_LISTEN=", "JWT_SECRET_FILE="));
    ck_assert_str_eq(one.config->redis.password, "from-file");
    ck_assert_str_eq(one.config->redis.host, "localhost");
}
END_TEST

START_TEST(lists_in_variables_have_commas)
{
    case_load_well(NULL, ENVIRONMENT("CACHEWARDEN_LISTEN= 127.0.0.1:1 ,[::1]:2, *:0 ,"));
    ck_assert_uint_eq(one.config->listen_count, 3);
    ck_assert_str_eq(one.config->listen[1].host, "::1");
    ck_assert_str_eq(one.config->listen[2].host, "*");
    ck_assert_int_eq(one.config->listen[2].port, 0);
}
END_TEST

START_TEST(truth_has_several_words)
{
    static const char *const yes[] = {"true", "1", "yes", "ON"}, *const no[] = {"false", "0", "No",
                                                                                "off"};
    char item[64];
    snprintf(item, sizeof item, "REDIS_TLS=%s", no[_i]);
    case_load_well(NULL, ENVIRONMENT(item));
    ck_assert(!one.config->redis.tls);
    snprintf(item, sizeof item, "REDIS_TLS=%s", yes[_i]);
    case_load_well(NULL, ENVIRONMENT(item));
    ck_assert(one.config->redis.tls);
    case_expect_error(NULL, ENVIRONMENT("REDIS_TLS=maybe"),
                      "error: REDIS_TLS: redis.tls must be true or false, not \"maybe\"");
}
END_TEST

/* ---- Redis: a URL and its parts ---- */

struct redis_case {
    const char *file;
    const char *environment[5];
    const char *address; /* as redis_address_describe says it */
    const char *user, *password;
    const char *warning; /* or NULL */
};

static const struct redis_case redis_cases[] = {
    {NULL, {NULL}, "localhost:6379/0", NULL, NULL, NULL},
    {NULL, {"REDIS_URL=redis://u:p%40@h:7000/3"}, "h:7000/3", "u", "p@", NULL},
    {NULL, {"REDIS_URL=unix:///run/r.sock?db=2"}, "/run/r.sock/2", NULL, NULL, NULL},
    {NULL,
     {"REDIS_HOST=h", "REDIS_PORT=7000", "REDIS_DB=2", "REDIS_PASSWORD=p"},
     "h:7000/2",
     NULL,
     "p",
     NULL},
    {NULL, {"REDIS_HOST=::1"}, "[::1]:6379/0", NULL, NULL, NULL},
    /* The environment beats the file, whichever form it uses. */
    {"redis: { url = \"redis://f:1/5\"; };", {"REDIS_HOST=h"}, "h:1/5", NULL, NULL, NULL},
    {"redis: { url = \"redis://f:1/5\"; };",
     {"REDIS_HOST=h", "REDIS_PORT=2", "REDIS_DB=0"},
     "h:2/0",
     NULL,
     NULL,
     NULL},
    {"redis: { url = \"redis://f:1/5\"; };", {"REDIS_PASSWORD=p"}, "f:1/5", NULL, "p", NULL},
    {"redis: { url = \"unix:///f.sock?db=4\"; };", {"REDIS_HOST=h"}, "h:6379/4", NULL, NULL, NULL},
    {"redis: { url = \"unix:///f.sock\"; };", {"REDIS_DB=9"}, "/f.sock/9", NULL, NULL, NULL},
    {"redis: { host = \"f\"; port = 1; password = \"fp\"; };",
     {"REDIS_URL=redis://h/7"},
     "h:6379/7",
     NULL,
     NULL,
     NULL},
    {"redis: { url = \"redis://f:1\"; };", {"REDIS_URL=redis://h:2"}, "h:2/0", NULL, NULL, NULL},
    /* Within one source the URL beats its parts, and a disagreement is told. */
    {NULL,
     {"REDIS_URL=redis://h:2/1", "REDIS_HOST=h", "REDIS_PORT=2", "REDIS_DB=1"},
     "h:2/1",
     NULL,
     NULL,
     NULL},
    {NULL,
     {"REDIS_URL=redis://h:2", "REDIS_HOST=g"},
     "h:2/0",
     NULL,
     NULL,
     "warning: REDIS_HOST: redis.host is not used: REDIS_URL says otherwise, and it counts\n"},
    {NULL,
     {"REDIS_URL=redis://h:2", "REDIS_PORT=3", "REDIS_PASSWORD=p"},
     "h:2/0",
     NULL,
     NULL,
     "warning: REDIS_PORT: redis.port is not used: REDIS_URL says otherwise, and it counts\n"
     "warning: REDIS_PASSWORD: redis.password is not used: REDIS_URL says otherwise, and it "
     "counts\n"},
    {NULL,
     {"REDIS_URL=redis://h:2", "REDIS_TLS=true"},
     "h:2/0",
     NULL,
     NULL,
     "warning: REDIS_TLS: redis.tls is not used: REDIS_URL says otherwise, and it counts\n"},
    {"redis: { url = \"redis://f:1\"; db = 3; };",
     {NULL},
     "f:1/0",
     NULL,
     NULL,
     "warning: %s:1: redis.db is not used: redis.url says otherwise, and it counts\n"},
};
enum { REDIS_CASES = sizeof redis_cases / sizeof *redis_cases };

static void expect_text(const char *got, const char *wanted)
{
    ck_assert(!got == !wanted);
    if (wanted)
        ck_assert_str_eq(got, wanted);
}

START_TEST(redis_is_where_the_strongest_source_says)
{
    const struct redis_case *wanted = &redis_cases[_i];
    char address[256], warning[1024];
    case_load_well(wanted->file, wanted->environment);
    redis_address_describe(&one.config->redis, address, sizeof address);
    ck_assert_str_eq(address, wanted->address);
    expect_text(one.config->redis.username, wanted->user);
    expect_text(one.config->redis.password, wanted->password);
    snprintf(warning, sizeof warning, wanted->warning ? wanted->warning : "", one.path);
    ck_assert_str_eq(case_problems(), warning);
}
END_TEST

/* A password of Redis is never repeated, however the URL is broken. */
START_TEST(broken_urls_are_explained_without_their_text)
{
    static const char *const urls[] = {
        "REDIS_URL=http://:canary@h",     "REDIS_URL=redis://:canary@h:0",
        "REDIS_URL=redis://:can%zzary@h", "REDIS_URL=redis://:canary@",
        "REDIS_URL=redis://:canary@h/x",  "REDIS_URL=unix://:canary@"};
    case_expect_error(NULL, ENVIRONMENT(urls[_i]),
                      "error: REDIS_URL: redis.url is not the URL of a Redis: ");
    ck_assert_ptr_null(strstr(case_problems(), "canary"));
    ck_assert_ptr_null(strstr(case_problems(), "can%"));
}
END_TEST

START_TEST(hosts_are_checked)
{
    static const char *const hosts[] = {"REDIS_HOST=a b", "REDIS_HOST=h:6379",
                                        "REDIS_HOST=redis://h", "REDIS_HOST=u@h", "REDIS_HOST=-x"};
    case_expect_error(NULL, ENVIRONMENT(hosts[_i]),
                      "error: REDIS_HOST: redis.host must be a host name or an address");
}
END_TEST

/* ---- secrets ---- */

static char *secret_file(const char *text, mode_t mode)
{
    static char item[400];
    cw_file_write(one.directory, "secret", text, mode);
    snprintf(item, sizeof item, "JWT_SECRET_FILE=%s/secret", one.directory);
    return item;
}

START_TEST(a_secret_may_be_in_a_file)
{
    static const char *const endings[] = {"", "\n", "\r\n", "\n\n"};
    char text[64];
    snprintf(text, sizeof text, "%s%s", SECRET_40, endings[_i]);
    case_load_well(NULL, ENVIRONMENT(secret_file(text, 0600)));
    ck_assert_str_eq(one.config->auth_secret, SECRET_40);
    ck_assert_str_eq(one.config->sources[SETTING_auth_secret].place, "JWT_SECRET_FILE");
    ck_assert_str_eq(case_problems(), "");
}
END_TEST

START_TEST(the_configuration_may_name_the_file)
{
    char text[512];
    cw_file_write(one.directory, "secret", SECRET_40 "\n", 0600);
    cw_file_write(one.directory, "url", "redis://:p@h:7/1\n", 0640);
    snprintf(text, sizeof text,
             "auth: { secret_file = \"%s/secret\"; }; redis: { url_file = \"%s/url\"; };",
             one.directory, one.directory);
    case_load_well(text, NULL);
    ck_assert_str_eq(one.config->auth_secret, SECRET_40);
    ck_assert_str_eq(one.config->redis.password, "p");
    ck_assert_str_eq(case_problems(), "");
}
END_TEST

/* The file that everybody may read only names them. */
START_TEST(secrets_in_files_of_their_own_are_not_in_the_main_file)
{
    char text[1024];
    cw_file_write(one.directory, "secret", SECRET_40 "\n", 0600);
    cw_file_write(one.directory, "url", "redis://:p@h:7/1\n", 0600);
    snprintf(text, sizeof text,
             "auth: { secret_file = \"%s/secret\"; }; redis: { url_file = \"%s/url\"; };\n"
             "caches = ( { name = \"c\"; keys = [ \"k\" ]; redis_url_file = \"%s/url\"; } );",
             one.directory, one.directory, one.directory);
    cw_file_write(one.directory, "test.conf", text, 0644);
    const struct config_input input = {.file = one.path};
    ck_assert_int_eq(case_load_input(&input), ERR_OK);
    ck_assert_str_eq(case_problems(), "");
}
END_TEST

FOR_EACH_SETTING(every_secret_has_a_file_variant)
{
    const struct setting *row = &config_settings.rows[number];
    const char *value = row->offset == offsetof(struct config, users_database) ? "sqlite:/x"
                        : row->kind != KIND_URL                                ? SECRET_40
                                                                               : "redis://h:1/1";
    char item[400];
    if (!setting_is_secret(row))
        return;
    cw_file_write(one.directory, "secret", value, 0600);
    snprintf(item, sizeof item, "%s_FILE=%s/secret", row->environment, one.directory);
    case_load_well(NULL, ENVIRONMENT(item));
    const void *field = setting_field_const(row, one.config);
    if (row->kind == KIND_SECRETS)
        field = ((const struct config_texts *)field)->items;
    ck_assert_str_eq(*(char *const *)field, value);
}

START_TEST(a_secret_given_twice_is_an_error)
{
    char text[512];
    case_expect(NULL, ENVIRONMENT(secret_file(SECRET_40, 0600), "JWT_SECRET=" SECRET_40),
                "error: JWT_SECRET_FILE: auth.secret is given twice: by JWT_SECRET and by "
                "JWT_SECRET_FILE; keep one\n");
    snprintf(text, sizeof text,
             "auth: {\n  secret = \"" SECRET_40 "\";\n  secret_file = \"%s/secret\"; };",
             one.directory);
    case_expect(
        text, NULL,
        "error: %s:3: auth.secret is given twice: by itself and as auth.secret_file; keep one\n");
}
END_TEST

START_TEST(the_stronger_source_has_the_secret_in_either_form)
{
    case_load_well("auth: { secret = \"ffffffffffffffffffffffffffffffff\"; };",
                   ENVIRONMENT(secret_file(SECRET_40, 0600)));
    ck_assert_str_eq(one.config->auth_secret, SECRET_40);
}
END_TEST

START_TEST(secret_files_that_will_not_do)
{
    case_expect(NULL, ENVIRONMENT("JWT_SECRET_FILE=/nonexistent"),
                "error: JWT_SECRET_FILE: auth.secret cannot be read from /nonexistent: No such "
                "file or directory\n");
    case_expect_error(NULL, ENVIRONMENT(secret_file("\n", 0600)), "it is empty");
    case_expect_error(NULL, ENVIRONMENT(secret_file("short-canary\n", 0600)),
                      "error: JWT_SECRET_FILE: auth.secret has 12 bytes and needs at least 32; "
                      "make one with: openssl rand -hex 32");
    ck_assert_ptr_null(strstr(case_problems(), "canary"));
    case_expect_error("auth: { secret_file = 3; };", NULL,
                      "auth.secret needs the name of a file, in quotes");

    char *large = calloc(1, 65537);
    memset(large, 'x', 65536);
    case_expect_error(NULL, ENVIRONMENT(secret_file(large, 0600)), "it is longer than 65535 bytes");
    free(large);
}
END_TEST

/* Of two programs that share it, one would take it off and the other would not. */
static const struct {
    const char *before, *behind, *says;
} edges[] = {
    {"", "\r", "ends in a carriage return, of a line as Windows writes them; take it out"},
    {"", "\r\r\n", "ends in a carriage return"},
    {"", " ", "ends in a blank; take it out"},
    {"", "\t\n", "ends in a blank; take it out"},
    {" ", "", "begins with a blank; take it out"},
    {"\xef\xbb\xbf", "\n", "begins with a byte order mark; save it as UTF-8 without one"},
};

START_TEST(secrets_with_something_at_their_ends)
{
    char text[64], item[128], words[256];
    snprintf(text, sizeof text, "%s" SECRET_40 "%s", edges[_i].before, edges[_i].behind);
    snprintf(words, sizeof words, "error: JWT_SECRET_FILE: auth.secret %s", edges[_i].says);
    case_expect_error(NULL, ENVIRONMENT(secret_file(text, 0600)), words);
    ck_assert_ptr_null(strstr(case_problems(), SECRET_40));
    text[strcspn(text, "\n")] = '\0';
    snprintf(item, sizeof item, "JWT_SECRET=%s", text);
    snprintf(words, sizeof words, "error: JWT_SECRET: auth.secret %s", edges[_i].says);
    case_expect_error(NULL, ENVIRONMENT(item), words);
    snprintf(item, sizeof item, "REDIS_PASSWORD=%s", text);
    case_expect_error(NULL, ENVIRONMENT(item), edges[_i].says);
}
END_TEST

/* A path that ends in a blank would be another database. */
START_TEST(urls_with_something_at_their_ends)
{
    case_expect(NULL, ENVIRONMENT("DATABASE_URL=sqlite:/tmp/x.db "),
                "error: DATABASE_URL: users.database ends in a blank; take it out\n");
    case_expect_error(NULL, ENVIRONMENT("REDIS_URL=redis://h\r"),
                      "REDIS_URL: redis.url ends in a carriage return");
    case_expect(NULL, ENVIRONMENT("REDIS_URL=\"redis://h\""),
                "error: REDIS_URL: redis.url stands in quotes; take them off\n");
}
END_TEST

START_TEST(files_that_everybody_may_read_are_warned_of)
{
    char wanted[512];
    case_load_well(NULL, ENVIRONMENT(secret_file(SECRET_40, 0604)));
    snprintf(wanted, sizeof wanted,
             "warning: JWT_SECRET_FILE: auth.secret is in %s/secret, which everybody may read: "
             "chmod 600 it\n",
             one.directory);
    ck_assert_str_eq(case_problems(), wanted);

    cw_file_write(one.directory, "open.conf", "redis: { password = \"p\"; };", 0644);
    char path[400];
    snprintf(path, sizeof path, "%s/open.conf", one.directory);
    const struct config_input input = {.file = path};
    ck_assert_int_eq(case_load_input(&input), ERR_OK);
    ck_assert_ptr_nonnull(strstr(
        case_problems(),
        "open.conf:1: redis.password stands in a file that everybody may read: chmod 640 it, "
        "or use redis.password_file"));
    cw_file_write(one.directory, "open.conf", "redis: { url = \"redis://h:1\"; };", 0644);
    ck_assert_int_eq(case_load_input(&input), ERR_OK);
    ck_assert_str_eq(case_problems(), "");
}
END_TEST

/* ---- what this version cannot do ---- */

START_TEST(nothing_asked_for_is_left_out_in_silence)
{
    case_expect("log: { level = \"warn\"; };\nredis: { master_name = \"m\"; };\n",
                ENVIRONMENT("CACHEWARDEN_REDIS_NODES=a:1", "BACKUP_RETENTION_DAYS=7"),
                "warning: %s:2: redis.master_name is not used without redis.topology = "
                "\"sentinel\"\n"
                "warning: CACHEWARDEN_REDIS_NODES: redis.nodes has no effect in this version\n");
}
END_TEST

START_TEST(what_would_be_unsafe_to_leave_out_is_an_error)
{
    static const char *const cases[][2] = {
        {"redis: { topology = \"cluster\"; };",
         "redis.topology cluster is not available in this version"},
    };
    case_expect_error(cases[_i][0], NULL, cases[_i][1]);
    ck_assert_ptr_null(strstr(case_problems(), "canary"));
}
END_TEST

/* ---- commands that work straight on Redis ---- */

START_TEST(direct_commands_look_at_nothing_else)
{
    cw_file_write(one.directory, "test.conf",
                  "server: { threads = 0; };\nusers: { database = 3; };\nauth: { secret_file = "
                  "\"/nonexistent\"; };\n"
                  "redis: { url = \"redis://h:5/1\"; };\n",
                  0600);
    struct config_input input = {
        .file = one.path,
        .environment = ENVIRONMENT("JWT_SECRET=short", "DATABASE_URL=postgresql://h/d",
                                   "CACHEWARDEN_LISTEN=x", "BACKUP_DIR=/b"),
        .direct = true,
    };
    ck_assert_int_eq(case_load_input(&input), ERR_OK);
    ck_assert_str_eq(case_problems(), "");
    ck_assert_int_eq(one.config->redis.port, 5);
    /* A file that is broken as such is broken for everybody. */
    cw_file_write(one.directory, "test.conf", "servr: { };\nredis: { pool_size = 0; };\n", 0600);
    ck_assert_int_eq(case_load_input(&input), ERR_BAD_INPUT);
    ck_assert_uint_eq(one.report.errors, 2);
}
END_TEST

/* ---- reloading ---- */

static void note_difference(const char *name, bool reloadable, void *arg)
{
    char *text = arg;
    snprintf(text + strlen(text), 256 - strlen(text), "%s%s ", name, reloadable ? "+" : "-");
}

START_TEST(differences_are_named)
{
    char differences[256] = "";
    case_load_well("log: { level = \"debug\"; }; server: { threads = 3; }; caches = ( { name = "
                   "\"a\"; database = 2; } );",
                   NULL);
    struct config *before = one.config;
    one.config = NULL;
    case_load_well("log: { level = \"warn\"; }; server: { threads = 3; }; caches = ( { name = "
                   "\"a\"; database = 3; } );",
                   ENVIRONMENT("JWT_SECRET=" SECRET_40));
    config_compare(before, one.config, note_difference, differences);
    ck_assert_str_eq(differences, "auth.secret+ caches- log.level+ ");
    differences[0] = '\0';
    config_compare(before, before, note_difference, differences);
    ck_assert_str_eq(differences, "");
    config_free(&before);
}
END_TEST

/* Of URLs another user and password alone can be had without a restart. */
START_TEST(logins_are_reloadable_places_are_not)
{
    static const struct {
        const char *before, *after, *wanted;
    } cases[] = {
        {"redis: { url = \"redis://a:b@h:1/2\"; };", "redis: { url = \"redis://c:d@h:1/2\"; };",
         "redis.url+ "},
        {"redis: { url = \"redis://h:1/2\"; };", "redis: { url = \"redis://:d@h:1/2\"; };",
         "redis.url+ "},
        {"redis: { url = \"redis://a:b@h:1/2\"; };", "redis: { url = \"redis://a:b@h:1/3\"; };",
         "redis.url- "},
        {"redis: { url = \"redis://a:b@h:1/2\"; };", "redis: { url = \"rediss://a:c@h:1/2\"; };",
         "redis.url- "},
        {"users: { database = \"postgresql://a:b@h/d\"; };",
         "users: { database = \"postgresql://a:c@h/d\"; };", "users.database+ "},
        {"users: { database = \"postgresql://a:b@h/d\"; };",
         "users: { database = \"postgresql://a:b@i/d\"; };", "users.database- "},
        {"users: { database = \"sqlite:/a\"; };", "users: { database = \"sqlite:/b\"; };",
         "users.database- "},
        {"entries: { redis_url = \"redis://:b@h:1\"; };",
         "entries: { redis_url = \"redis://:c@h:1\"; };", "entries.redis_url+ "},
        {"", "entries: { redis_url = \"redis://:c@h:1\"; };", "entries.redis_url- "},
        {"caches = ( { name = \"a\"; database = \"redis://:a@h:1/2\"; } );",
         "caches = ( { name = \"a\"; database = \"redis://:b@h:1/2\"; } );", "caches+ "},
        {"caches = ( { name = \"a\"; database = \"redis://:a@h:1/2\"; } );",
         "caches = ( { name = \"b\"; database = \"redis://:b@h:1/2\"; } );", "caches- "},
        {"redis: { password = \"a\"; };", "redis: { password = \"b\"; };", "redis.password+ "},
    };
    char differences[256] = "";
    const char *const secret[] = {"JWT_SECRET=" SECRET_40, NULL};

    case_load_well(cases[_i].before, secret);
    struct config *before = one.config;
    one.config = NULL;
    case_load_well(cases[_i].after, secret);
    config_compare(before, one.config, note_difference, differences);
    ck_assert_str_eq(differences, cases[_i].wanted);
    config_free(&before);
}
END_TEST

/* ---- secrets of before ---- */

START_TEST(previous_secrets_stand_one_a_line)
{
    char item[400];

    cw_file_write(one.directory, "secret", SECRET_40 "\n\n" SECRET_40 ", with a comma\r\n", 0600);
    snprintf(item, sizeof item, "JWT_PREVIOUS_SECRETS_FILE=%s/secret", one.directory);
    case_load_well(NULL, ENVIRONMENT(item));
    ck_assert_uint_eq(one.config->auth_previous_secrets.count, 2);
    ck_assert_str_eq(one.config->auth_previous_secrets.items[0], SECRET_40);
    ck_assert_str_eq(one.config->auth_previous_secrets.items[1], SECRET_40 ", with a comma");
    const struct secrets secrets = config_secrets(one.config, "beside");
    ck_assert_uint_eq(secrets.previous_count, 2);
    ck_assert(str_eq(secrets.current, STR("beside")));
    /* The last one was taken out. */
    cw_file_write(one.directory, "secret", "\n", 0600);
    case_load_well(NULL, ENVIRONMENT(item));
    ck_assert_uint_eq(one.config->auth_previous_secrets.count, 0);
    cw_file_write(one.directory, "secret", SECRET_40 " \n", 0600);
    case_expect_error(NULL, ENVIRONMENT(item), "ends in a blank");
}
END_TEST

START_TEST(previous_secrets_are_few_and_long)
{
    case_expect_error("auth: { previous_secrets = [ \"" SECRET_40 "\", \"short\" ]; };", NULL,
                      "auth.previous_secrets has one of 5 bytes, which needs at least 32");
    case_expect_error("auth: { previous_secrets = [ \"" SECRET_40 "\", \"" SECRET_40
                      "\", \"" SECRET_40 "\", \"" SECRET_40 "\" ]; };",
                      NULL, "auth.previous_secrets has 4 of them and may have 3");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_load");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, case_open, case_close);
    tcase_add_test(all, each_source_beats_the_weaker_ones);
    tcase_add_test(all, problems_of_the_command_line_name_the_option);
    tcase_add_test(all, an_empty_variable_counts_as_not_given);
    tcase_add_test(all, lists_in_variables_have_commas);
    tcase_add_loop_test(all, truth_has_several_words, 0, 4);
    tcase_add_loop_test(all, redis_is_where_the_strongest_source_says, 0, REDIS_CASES);
    tcase_add_loop_test(all, broken_urls_are_explained_without_their_text, 0, 6);
    tcase_add_loop_test(all, hosts_are_checked, 0, 5);
    tcase_add_loop_test(all, a_secret_may_be_in_a_file, 0, 4);
    tcase_add_test(all, the_configuration_may_name_the_file);
    tcase_add_test(all, secrets_in_files_of_their_own_are_not_in_the_main_file);
    tcase_add_test(all, every_secret_has_a_file_variant);
    tcase_add_test(all, a_secret_given_twice_is_an_error);
    tcase_add_test(all, the_stronger_source_has_the_secret_in_either_form);
    tcase_add_test(all, secret_files_that_will_not_do);
    tcase_add_test(all, files_that_everybody_may_read_are_warned_of);
    tcase_add_loop_test(all, secrets_with_something_at_their_ends, 0, sizeof edges / sizeof *edges);
    tcase_add_test(all, urls_with_something_at_their_ends);
    tcase_add_test(all, nothing_asked_for_is_left_out_in_silence);
    tcase_add_loop_test(all, what_would_be_unsafe_to_leave_out_is_an_error, 0, 1);
    tcase_add_test(all, direct_commands_look_at_nothing_else);
    tcase_add_test(all, differences_are_named);
    tcase_add_loop_test(all, logins_are_reloadable_places_are_not, 0, 12);
    tcase_add_test(all, previous_secrets_stand_one_a_line);
    tcase_add_test(all, previous_secrets_are_few_and_long);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
