/* The pages name everything there is, and hold no line a formatter would stumble over. */
#include "cli/cli.h"
#include "config/config_private.h"
#include "reference/manual.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct strbuf text;

static void set_up(void)
{
    strbuf_init(&text, NULL, 65536);
}

static void tear_down(void)
{
    strbuf_fini(&text);
}

static const char *finish(void)
{
    strbuf_add_char(&text, '\0');
    ck_assert(!text.failed);
    return text.ptr;
}

static const char *page(void (*write)(struct strbuf *out))
{
    text.len = 0;
    write(&text);
    return finish();
}

static const char *page_of(void (*write)(const struct cli_program *program, struct strbuf *out))
{
    text.len = 0;
    write(&cli_program, &text);
    return finish();
}

/* A name as the page spells it: with hyphens that can be pasted. */
static const char *spelt(const char *name)
{
    static char out[128];
    size_t at = 0;
    for (; *name && at + 2 < sizeof out; name++) {
        if (*name == '-')
            out[at++] = '\\';
        out[at++] = *name;
    }
    out[at] = '\0';
    return out;
}

START_TEST(every_command_and_option)
{
    const char *manual = page_of(manual_write_commands);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_option *option = cli_commands[i]->options;
        ck_assert_msg(strstr(manual, cli_commands[i]->summary) != NULL, "%s",
                      cli_commands[i]->name);
        for (; option && option->name; option++)
            ck_assert_msg(strstr(manual, spelt(option->name)) != NULL, "--%s", option->name);
        for (const struct cli_command *sub = cli_commands[i]->subcommands; sub && sub->name; sub++)
            ck_assert_msg(strstr(manual, sub->summary) != NULL, "%s %s", cli_commands[i]->name,
                          sub->name);
    }
}
END_TEST

START_TEST(every_setting)
{
    const char *manual = page(manual_write_settings);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char line[160];
        snprintf(line, sizeof line, ".TP\n\\fB%s\\fR\n", spelt(config_settings.rows[i].name));
        ck_assert_msg(strstr(manual, line) != NULL, "%s", config_settings.rows[i].name);
    }
}
END_TEST

static const char *const requests[] = {".TH ", ".SH ", ".SS ", ".TP", ".PP", ".EX",
                                       ".EE",  ".BR ", ".br",  ".RS", ".RE"};

/* A line that begins with a dot is a request we meant; no line is empty. */
static void check_lines(const char *manual)
{
    ck_assert(strncmp(manual, ".TH ", 4) == 0);
    for (const char *line = manual; *line; line += strcspn(line, "\n") + 1) {
        bool is_known = false;
        ck_assert_msg(*line != '\n', "an empty line before: %.60s", line + 1);
        for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
            is_known = is_known || strncmp(line, requests[i], strlen(requests[i])) == 0;
        ck_assert_msg((*line != '.' && *line != '\'') || is_known, "%.60s", line);
    }
}

START_TEST(lines_are_sound)
{
    check_lines(page_of(manual_write_commands));
    check_lines(page(manual_write_settings));
    check_lines(page_of(manual_write_server));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("manual");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, set_up, tear_down);
    tcase_add_test(each, every_command_and_option);
    tcase_add_test(each, every_setting);
    tcase_add_test(each, lines_are_sound);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
