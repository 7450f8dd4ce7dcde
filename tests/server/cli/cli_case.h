/* One cachewarden command after another, in a folder of its own, with a Redis of its own or none. */
#ifndef TESTS_SERVER_CLI_CLI_CASE_H
#define TESTS_SERVER_CLI_CLI_CASE_H

#include "cw_server.h"
#include "redis_server.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    char *directory;
    struct redis_server *redis;
    char redis_item[160]; /* "REDIS_URL=…" */
    struct cw_result result;
} cli_test;

static inline void cli_open(void)
{
    cli_test.directory = cw_directory_new();
    snprintf(cli_test.redis_item, sizeof cli_test.redis_item, "REDIS_URL=redis://127.0.0.1:1/0");
}

static inline void cli_open_redis(void)
{
    cli_open();
    cli_test.redis = redis_server_start(NULL);
    snprintf(cli_test.redis_item, sizeof cli_test.redis_item, "REDIS_URL=%s",
             redis_server_url(cli_test.redis));
}

static inline void cli_close(void)
{
    cw_result_fini(&cli_test.result);
    redis_server_stop(&cli_test.redis);
    cw_directory_remove(&cli_test.directory);
}

/* Runs it with standard input and up to three further variables; the exit status. */
static inline int cli_run_with(const char *input, const char *const *variables,
                               const char *const *arguments)
{
    const char *environment[8] = {CW_PATIENT_WITH_REDIS, cli_test.redis_item};
    for (size_t i = 0; variables && variables[i] && i < 3; i++)
        environment[i + 4] = variables[i];
    cw_result_fini(&cli_test.result);
    cw_run(&(struct cw_command){.arguments = arguments,
                                .environment = environment,
                                .input = input,
                                .directory = cli_test.directory},
           &cli_test.result);
    return cli_test.result.status;
}

#define ARGUMENTS(...)            ((const char *const[]){__VA_ARGS__, NULL})
#define VARIABLES(...)            ((const char *const[]){__VA_ARGS__, NULL})
#define cli_run(...)              cli_run_with(NULL, NULL, ARGUMENTS(__VA_ARGS__))
#define cli_run_input(input, ...) cli_run_with((input), NULL, ARGUMENTS(__VA_ARGS__))

#define cli_expect(status_, out_, err_)                                                  \
    do {                                                                                 \
        ck_assert_msg(cli_test.result.status == (status_), "exit %d\n%s%s",              \
                      cli_test.result.status, cli_test.result.out, cli_test.result.err); \
        ck_assert_str_eq(cli_test.result.out, (out_));                                   \
        ck_assert_str_eq(cli_test.result.err, (err_));                                   \
    } while (0)

#define cli_expect_err(status_, words)                                                         \
    ck_assert_msg(cli_test.result.status == (status_) && strstr(cli_test.result.err, (words)), \
                  "expected %d and \"%s\"; exit %d\n%s%s", (status_), (words),                 \
                  cli_test.result.status, cli_test.result.out, cli_test.result.err)

#define cli_expect_out(words)                                                          \
    ck_assert_msg(cli_test.result.status == 0 && strstr(cli_test.result.out, (words)), \
                  "expected \"%s\"; exit %d\n%s%s", (words), cli_test.result.status,   \
                  cli_test.result.out, cli_test.result.err)

#endif
