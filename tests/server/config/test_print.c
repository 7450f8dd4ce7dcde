/* The settings in force: with their source, and without a secret in any form. */
#include "config_case.h"

#include "cachewarden/arena.h"

static char *effective(void)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 0);
    config_print_effective(one.config, &text);
    char *copy = strndup(text.ptr, text.len);
    strbuf_fini(&text);
    return copy;
}

static char *effective_json(void)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, NULL, 0);
    json_writer_init(&json, &text);
    json_open_object(&json);
    config_write_effective(one.config, &json);
    json_close_object(&json);
    char *copy = strndup(text.ptr, text.len);
    strbuf_fini(&text);
    return copy;
}

static void expect_line(const char *line)
{
    char *text = effective();
    ck_assert_msg(strstr(text, line) != NULL, "no \"%s\" in\n%s", line, text);
    free(text);
}

START_TEST(every_setting_has_its_source)
{
    char line[400];
    case_load_well("server: {\n threads = 3; };",
                   ENVIRONMENT("REDIS_PORT=7000", "NODE_ENV=production"));
    expect_line("environment = \"production\"  # NODE_ENV\n");
    snprintf(line, sizeof line, "server.threads = 3  # %s:2\n", one.path);
    expect_line(line);
    expect_line("redis.port = 7000  # REDIS_PORT\n");
    expect_line("limits.enabled = true  # default\n");
    expect_line("server.trusted_proxies = [ ]  # default\n");
    expect_line("auth.secret = \"\"  # default\n");
    expect_line("caches = ( { name = \"messages\"; keys = [ \"whatsapp:{env}:in\", "
                "\"whatsapp:{env}:out\" ]; }, "
                "{ name = \"search\"; database = 1; } )  # default\n");
    expect_line("# Redis is at localhost:7000/0\n");
}
END_TEST

#define CANARY "canary-0123456789-0123456789-0123456789"

START_TEST(secrets_are_not_shown)
{
    case_load_well("auth: { previous_secrets = [ \"" CANARY CANARY CANARY "\" ]; };\n"
                   "caches = ( { name = \"a\"; keys = [ \"k\" ]; redis_url = \"redis://u:" CANARY
                   "@h:1/2\"; },\n"
                   "           { name = \"b\"; database = \"redis://:" CANARY "@h:1/3\"; } );",
                   ENVIRONMENT("JWT_SECRET=" CANARY, "REDIS_URL=redis://someuser:" CANARY "@h:7/1",
                               "REDIS_PASSWORD=" CANARY));
    char *text = effective(), *json = effective_json();
    ck_assert_ptr_null(strstr(text, "canary"));
    ck_assert_ptr_null(strstr(json, "canary"));
    ck_assert_ptr_null(strstr(text, "someuser"));
    ck_assert_ptr_null(strstr(case_problems(), "canary"));
    free(text);
    free(json);
    expect_line("auth.secret = \"(set)\"  # JWT_SECRET\n");
    expect_line("auth.previous_secrets = [ \"(set)\" ]");
    expect_line("redis.url = \"redis://***@h:7/1\"  # REDIS_URL\n");
    expect_line("redis_url = \"redis://***@h:1/2\";");
    expect_line("database = \"redis://***@h:1/3\";");
}
END_TEST

START_TEST(urls_are_shown_without_credentials)
{
    static const char *const cases[][2] = {
        {"sqlite:/var/a@b.db", "\"sqlite:/var/a@b.db\""},
        {"sqlite:/x.db", "\"sqlite:/x.db\""},
        {"postgresql://u:canary@h/d", "\"postgresql://***@h/d\""},
        {"postgresql://u:can/ary@h/d", "\"postgresql://***@h/d\""},
        {"postgresql://u:can@ary@h/d", "\"postgresql://***@h/d\""},
        {"postgresql://h/d?password=canary", "\"postgresql://h/d?***\""},
        {"u:canary@h", "\"***@h\""},
    };
    struct config config = {.users_database = strdup(cases[_i][0])};
    struct strbuf text;
    strbuf_init(&text, NULL, 0);
    value_print(&text, setting_find(&config_settings, STR("users.database")), &config);
    strbuf_add_char(&text, '\0');
    ck_assert_str_eq(text.ptr, cases[_i][1]);
    strbuf_fini(&text);
    free(config.users_database);
}
END_TEST

START_TEST(json_has_values_and_sources)
{
    struct arena *arena = arena_new(65536, 0);
    const struct json *root;
    struct error error;
    case_load_well(NULL, ENVIRONMENT("CACHEWARDEN_SERVER_THREADS=3"));
    char *text = effective_json();
    ck_assert_int_eq(json_parse(arena, str_from(text), &root, &error), ERR_OK);
    ck_assert_uint_eq(json_count(root), SETTING_COUNT);
    const struct json *threads = json_get(root, "server.threads");
    ck_assert_int_eq(json_integer(json_get(threads, "value")), 3);
    ck_assert(str_eq(json_string(json_get(threads, "from")), STR("CACHEWARDEN_SERVER_THREADS")));
    ck_assert_int_eq(json_kind(json_get(json_get(root, "auth.secret"), "value")), JSON_NULL);
    const struct json *caches = json_get(json_get(root, "caches"), "value");
    ck_assert_int_eq(json_integer(json_get(json_at(caches, 1), "database")), 1);
    ck_assert(json_bool(json_get(json_get(root, "limits.enabled"), "value")));
    free(text);
    arena_free(&arena);
}
END_TEST

START_TEST(quotes_are_escaped)
{
    case_load_well("auth: { issuer = \"a\\\"b\\\\c\"; };", NULL);
    expect_line("auth.issuer = \"a\\\"b\\\\c\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_print");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, case_open, case_close);
    tcase_add_test(all, every_setting_has_its_source);
    tcase_add_test(all, secrets_are_not_shown);
    tcase_add_loop_test(all, urls_are_shown_without_credentials, 0, 7);
    tcase_add_test(all, json_has_values_and_sources);
    tcase_add_test(all, quotes_are_escaped);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
