/* Loading a configuration in a test: a file's text and a few variables in, a config and its report out. */
#ifndef TESTS_SERVER_CONFIG_CONFIG_CASE_H
#define TESTS_SERVER_CONFIG_CONFIG_CASE_H

#include "config/config_private.h"
#include "cw_server.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

/* NULL-terminated list of "NAME=value". */
#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

/*
 * FOR_EACH_SETTING(name) { … } is a test whose body runs for the `number` of each row of the settings. All in
 * one process: under AddressSanitizer a process a row was most of what these tests cost.
 */
#define FOR_EACH_SETTING(name)                  \
    static void name##_of(int number);          \
    START_TEST(name)                            \
    {                                           \
        for (int i = 0; i < SETTING_COUNT; i++) \
            name##_of(i);                       \
    }                                           \
    END_TEST                                    \
    static void name##_of(int number)

struct config_case {
    char *directory;
    char path[300]; /* of the file, once there is one */
    struct config *config;
    struct config_report report;
};

static struct config_case one;

static inline void case_open(void)
{
    one.directory = cw_directory_new();
    snprintf(one.path, sizeof one.path, "%s/test.conf", one.directory);
}

static inline void case_forget(void)
{
    config_free(&one.config);
    config_report_fini(&one.report);
}

static inline void case_close(void)
{
    case_forget();
    cw_directory_remove(&one.directory);
}

static inline enum err case_load_input(const struct config_input *input)
{
    case_forget();
    return config_load(input, &one.config, &one.report);
}

/* `text` NULL: no file. `environment` NULL: empty. */
static inline enum err case_load(const char *text, const char *const *environment)
{
    if (text)
        cw_file_write(one.directory, "test.conf", text, 0600);
    return case_load_input(&(struct config_input){
        .file = text ? one.path : NULL, .no_default_file = true, .environment = environment});
}

/* All problems, one a line, with "error: " or "warning: " before each. */
static inline const char *case_problems(void)
{
    static char text[16384];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < one.report.count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s: %s\n",
                                 one.report.items[i].severity == CONFIG_ERROR ? "error" : "warning",
                                 one.report.items[i].text);
    return text;
}

static inline void case_load_well(const char *text, const char *const *environment)
{
    enum err err = case_load(text, environment);
    ck_assert_msg(err == ERR_OK, "%s\n%s", err_name(err), case_problems());
}

/* The load fails with exactly these problems ("%s" in `problems` is the file's path). */
static inline void case_expect(const char *text, const char *const *environment,
                               const char *problems)
{
    char wanted[4096];
    enum err err = case_load(text, environment);
    snprintf(wanted, sizeof wanted, problems, one.path, one.path, one.path, one.path);
    ck_assert_str_eq(case_problems(), wanted);
    ck_assert_int_eq(err, strstr(wanted, "error: ") ? ERR_BAD_INPUT : ERR_OK);
    ck_assert(err == ERR_OK || !one.config);
}

/* The load fails, and some problem has this text. */
static inline void case_expect_error(const char *text, const char *const *environment,
                                     const char *words)
{
    ck_assert_msg(case_load(text, environment) == ERR_BAD_INPUT, "no error; expected: %s", words);
    ck_assert_msg(strstr(case_problems(), words) != NULL, "expected: %s\ngot: %s", words,
                  case_problems());
}

#endif
