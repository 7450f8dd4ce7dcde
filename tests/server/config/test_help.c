/* The example file and the help: made of the same rows as everything else. */
#include "config_case.h"

#include "cachewarden/routes.h"

#include <ctype.h>

static char *example(void)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 0);
    config_print_example(&text);
    ck_assert(!text.failed);
    char *copy = strndup(text.ptr, text.len);
    strbuf_fini(&text);
    return copy;
}

START_TEST(the_committed_file_is_the_generated_one)
{
    char *made = example(), *committed = cw_file_read(CW_SOURCE_DIR "/conf/cachewarden.conf");
    ck_assert_msg(committed && strcmp(made, committed) == 0,
                  "conf/cachewarden.conf is out of date; make it anew with: "
                  "cachewarden help settings --format conf > conf/cachewarden.conf");
    free(made);
    free(committed);
}
END_TEST

START_TEST(it_is_a_sound_file)
{
    char *text = example();
    case_load_well(text, NULL);
    ck_assert_str_eq(case_problems(), "");
    free(text);
}
END_TEST

/* "#name = value;" lines are settings, "# words" are comments: takes the '#' off the former. */
static int take_comments_off(char *text)
{
    int count = 0;
    for (char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char *mark = line + strspn(line, " ");
        if (mark[0] == '#' && islower((unsigned char)mark[1])) {
            *mark = ' ';
            count++;
        }
    }
    return count;
}

START_TEST(its_values_are_the_defaults)
{
    char *text = example();
    ck_assert_int_eq(take_comments_off(text), SETTING_COUNT);
    case_load_well(text, NULL);
    ck_assert_str_eq(case_problems(), "");
    struct config *plain = calloc(1, sizeof *plain);
    struct config_report ignored = {0};
    config_set_defaults(plain, &ignored);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        ck_assert_msg(value_equal(&config_settings.rows[i], plain, one.config), "%s",
                      config_settings.rows[i].name);
        ck_assert_int_eq(one.config->sources[i].layer, CONFIG_FILE);
    }
    config_free(&plain);
    free(text);
}
END_TEST

/* Of each limit the help names all routes that are counted against it. */
START_TEST(limits_name_what_they_count)
{
    size_t count;
    const struct route *routes = routes_table(&count);
    int limited = 0;
    for (size_t i = 0; i < count; i++) {
        char setting[64], name[128];
        const char *help = "";
        if (routes[i].limit == LIMIT_NONE)
            continue;
        snprintf(setting, sizeof setting, "limits.%s_per_minute", limit_name(routes[i].limit));
        snprintf(name, sizeof name, "%s %s", method_name(routes[i].method), routes[i].path);
        for (size_t k = 0; k < SETTING_COUNT; k++)
            if (strcmp(config_settings.rows[k].name, setting) == 0)
                help = config_settings.rows[k].help;
        ck_assert_msg(strstr(help, name) != NULL, "%s does not name %s", setting, name);
        limited++;
    }
    ck_assert_int_gt(limited, 10);
}
END_TEST

/* As `cachewarden routes` prints them. */
START_TEST(the_page_tells_of_every_permission)
{
    size_t count;
    const struct route *routes = routes_table(&count);
    char *page = cw_file_read(CW_SOURCE_DIR "/docs/secure.md"), name[64];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "`%s`", permit_name(routes[i].permit));
        ck_assert_msg(strstr(page, name) != NULL, "docs/secure.md has no %s", name);
    }
    free(page);
}
END_TEST

FOR_EACH_SETTING(help_tells_of_every_setting)
{
    struct strbuf text;
    char *file = example();
    const struct setting *row = &config_settings.rows[number];
    strbuf_init(&text, NULL, 0);
    ck_assert(config_print_help(&text, NULL));
    strbuf_add_char(&text, '\0');
    ck_assert_ptr_nonnull(strstr(text.ptr, row->name));
    ck_assert(!row->environment || strstr(text.ptr, row->environment));
    ck_assert(!row->environment || strstr(file, row->environment));
    strbuf_fini(&text);
    free(file);
}

START_TEST(help_of_a_group_has_that_group_only)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 0);
    ck_assert(config_print_help(&text, "log."));
    strbuf_add_char(&text, '\0');
    ck_assert_str_eq(
        text.ptr,
        "log.access = \"all\"\n"
        "    Which requests get a line: all, those answered with 400 or above (not misses of a "
        "cache), or\n"
        "    none. A request that failed (5xx) gets its warning in any case; a /health or "
        "/metrics that\n"
        "    went well gets none above debug.\n"
        "    all or failed or off; variable CACHEWARDEN_LOG_ACCESS; SIGHUP applies a "
        "change\n"
        "log.level = \"info\"\n"
        "    The least important lines to write.\n"
        "    debug or info or warn or error; variable CACHEWARDEN_LOG_LEVEL; SIGHUP "
        "applies a change\n"
        "log.format = \"text\"\n"
        "    key=value lines, or one JSON object a line.\n"
        "    text or json; variable CACHEWARDEN_LOG_FORMAT; SIGHUP applies a change\n");
    ck_assert(!config_print_help(&text, "nosuch"));
    strbuf_fini(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_help");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, case_open, case_close);
    tcase_add_test(all, the_committed_file_is_the_generated_one);
    tcase_add_test(all, it_is_a_sound_file);
    tcase_add_test(all, its_values_are_the_defaults);
    tcase_add_test(all, limits_name_what_they_count);
    tcase_add_test(all, the_page_tells_of_every_permission);
    tcase_add_test(all, help_tells_of_every_setting);
    tcase_add_test(all, help_of_a_group_has_that_group_only);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
