/* What the tests of `doctor` share: its lines, and how it ended. */
#ifndef TESTS_SERVER_CLI_DOCTOR_CASE_H
#define TESTS_SERVER_CLI_DOCTOR_CASE_H

#include "cli_case.h"

/* The last output has a line that begins so, with these words in it. */
static inline void expect_line(const char *begin, const char *words)
{
    const char *line = cli_test.result.out;
    size_t len = strlen(begin);
    while (line && *line) {
        const char *found = strstr(line, words), *end = strchr(line, '\n');
        if (strncmp(line, begin, len) == 0 && found && found < end)
            return;
        line = end ? end + 1 : NULL;
    }
    ck_abort_msg("no line \"%s … %s …\" in\n%s%s", begin, words, cli_test.result.out,
                 cli_test.result.err);
}

static inline void expect_status(int status)
{
    ck_assert_msg(cli_test.result.status == status, "exit %d\n%s%s", cli_test.result.status,
                  cli_test.result.out, cli_test.result.err);
    ck_assert_str_eq(cli_test.result.err, "");
}

#endif
