/* From settings to services: what is opened, what is refused, and in whose words. */
#include "config_case.h"

#include "cachewarden/users.h"

#include <sys/stat.h>
#include <unistd.h>

static struct app *app;
static struct error error;

static void close_app(void)
{
    app_close(&app);
    case_close();
}

static enum err open_app(const char *text, bool direct)
{
    char url[400];
    snprintf(url, sizeof url, "DATABASE_URL=sqlite:%s/data/users.db", one.directory);
    case_load_well(text, ENVIRONMENT(url, "REDIS_URL=redis://127.0.0.1:1/0"));
    return config_open_app(one.config, direct, &one.report, &app, &error);
}

START_TEST(everything_opens_without_redis)
{
    struct stat info;
    char path[400];
    ck_assert_msg(open_app(NULL, false) == ERR_OK, "%s", error.caller);
    ck_assert_ptr_nonnull(app->users);
    ck_assert_ptr_nonnull(app->identity);
    ck_assert(!app->registration_open && !app->policy.flush_for_authenticated);
    snprintf(path, sizeof path, "%s/data/users.db.secret", one.directory);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
}
END_TEST

static void remove_secret(void)
{
    char path[400];
    app_close(&app);
    snprintf(path, sizeof path, "%s/data/users.db.secret", one.directory);
    ck_assert_int_eq(unlink(path), 0);
}

/* The old one was lost: whoever has a token hears of it, and so does the operator. */
START_TEST(a_new_secret_beside_accounts_is_warned_of)
{
    const struct user user = {.username = STR("alice"),
                              .email = STR("alice@example.com"),
                              .password_hash = STR("h"),
                              .is_active = true};
    int64_t id;
    ck_assert_int_eq(open_app(NULL, false), ERR_OK);
    ck_assert_uint_eq(one.report.warnings, 0);
    remove_secret();
    /* Nobody has a token yet. */
    ck_assert_int_eq(open_app(NULL, false), ERR_OK);
    ck_assert_uint_eq(one.report.warnings, 0);
    ck_assert_int_eq(users_add(app->users, &user, &id, &error), ERR_OK);
    remove_secret();
    ck_assert_int_eq(open_app(NULL, false), ERR_OK);
    ck_assert_uint_eq(one.report.warnings, 1);
    ck_assert_ptr_nonnull(strstr(case_problems(),
                                 "users.db.secret was not there, and a new one was "
                                 "made: all tokens and sessions are void"));
    app_close(&app);
    ck_assert_int_eq(open_app(NULL, false), ERR_OK);
    ck_assert_uint_eq(one.report.warnings, 0);
}
END_TEST

START_TEST(settings_arrive)
{
    ck_assert_int_eq(
        open_app(
            "users: { registration = \"open\"; };\nauth: { flush_permission = \"authenticated\"; "
            "secret = \"0123456789012345678901234567890123\"; access_ttl_s = 77; refresh_ttl_s = "
            "78; session_idle_s = 79; session_ttl_s = 80; };\n"
            "redis: { borrow_timeout_ms = 1; connect_timeout_ms = 20; command_timeout_ms = 300; };",
            false),
        ERR_OK);
    ck_assert(app->registration_open && app->policy.flush_for_authenticated);
    ck_assert_int_eq(token_access_ttl_s(identity_tokens(app->identity)), 77);
    ck_assert_int_eq(token_refresh_ttl_s(identity_tokens(app->identity)), 78);
    ck_assert_int_eq(token_longest_ttl_s(identity_tokens(app->identity)), 80);
    ck_assert_int_eq(app->budget_ms, 321);
    char path[400];
    snprintf(path, sizeof path, "%s/data/users.db.secret", one.directory);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(direct_commands_touch_no_database)
{
    char path[400];
    ck_assert_int_eq(open_app(NULL, true), ERR_OK);
    ck_assert_ptr_null(app->users);
    snprintf(path, sizeof path, "%s/data", one.directory);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_database_that_cannot_be_opened_is_named)
{
    case_load_well(NULL, ENVIRONMENT("DATABASE_URL=sqlite:/proc/nowhere/users.db"));
    ck_assert_int_ne(config_open_app(one.config, false, &one.report, &app, &error), ERR_OK);
    ck_assert_ptr_nonnull(strstr(error.caller, "/proc/nowhere"));
    ck_assert_ptr_null(app);
}
END_TEST

START_TEST(a_cache_in_the_control_database_is_refused)
{
    ck_assert_int_eq(open_app("caches = ( { name = \"all\"; database = 0; } );", false),
                     ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "holds the control data"));
    ck_assert_ptr_null(app);
    /* The same by URL. */
    ck_assert_int_eq(
        open_app("caches = ( { name = \"all\"; database = \"redis://127.0.0.1:1/0\"; } );", true),
        ERR_BAD_INPUT);
    ck_assert_int_eq(
        open_app("caches = ( { name = \"all\"; database = \"redis://127.0.0.1:1/4\"; } );", true),
        ERR_OK);
}
END_TEST

START_TEST(listeners_and_limits_arrive)
{
    struct http_options options;
    case_load_well(
        "server: { listen = [ \"127.0.0.1:1\", \"[::1]:2\" ]; threads = 5; max_body = 6; "
        "header_timeout_ms = 7; "
        "body_timeout_ms = 8; keep_alive_timeout_ms = 9; trusted_proxies = [ \"10.0.0.0/8\" ]; "
        "allowed_hosts = [ \"a\" ]; cors_origins = [ \"https://a\", \"https://b\" ]; };",
        NULL);
    config_http_options(one.config, &options);
    ck_assert_uint_eq(options.listen_count, 2);
    ck_assert_int_eq(options.listen[1].port, 2);
    ck_assert_int_eq(options.threads, 5);
    ck_assert_uint_eq(options.max_body, 6);
    ck_assert_int_eq(options.header_timeout_ms, 7);
    ck_assert_int_eq(options.body_timeout_ms, 8);
    ck_assert_int_eq(options.keep_alive_timeout_ms, 9);
    ck_assert_uint_eq(options.trusted_proxy_count, 1);
    ck_assert_uint_eq(options.allowed_host_count, 1);
    ck_assert_str_eq(options.cors_origins[1], "https://b");
    ck_assert_ptr_null(options.tls_certificate);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_app");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, case_open, close_app);
    tcase_add_test(all, everything_opens_without_redis);
    tcase_add_test(all, a_new_secret_beside_accounts_is_warned_of);
    tcase_add_test(all, settings_arrive);
    tcase_add_test(all, direct_commands_touch_no_database);
    tcase_add_test(all, a_database_that_cannot_be_opened_is_named);
    tcase_add_test(all, a_cache_in_the_control_database_is_refused);
    tcase_add_test(all, listeners_and_limits_arrive);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
