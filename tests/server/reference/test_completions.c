/* Completion of bash, asked of bash; of zsh, read. */
#include "cli/cli.h"
#include "cw_server.h"
#include "reference/manual.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder;

static void set_up(void)
{
    struct strbuf text;
    folder = cw_directory_new();
    strbuf_init(&text, NULL, 8192);
    completions_write_bash(&cli_program, &text);
    strbuf_add_char(&text, '\0');
    ck_assert(!text.failed);
    cw_file_write(folder, "completion", text.ptr, 0600);
    strbuf_fini(&text);
}

static void tear_down(void)
{
    cw_directory_remove(&folder);
}

/* What bash would offer behind these words, each with a blank behind it. */
static const char *offered(const char *words)
{
    static char line[4096];
    char script[1024];
    int ends[2], status;
    size_t size = 0;
    ssize_t got;
    snprintf(script, sizeof script,
             "source %s/completion; COMP_WORDS=(cachewarden %s); "
             "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _cachewarden; "
             "printf '%%s ' \"${COMPREPLY[@]}\"",
             folder, words);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp("bash", "bash", "--norc", "-c", script, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], line + size, sizeof line - 1 - size)) > 0)
        size += (size_t)got;
    close(ends[0]);
    line[size] = '\0';
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "bash: status %d\n%s", status, line);
    return line;
}

static void expect_offer(const char *words, const char *name)
{
    char wanted[96], padded[4200];
    snprintf(wanted, sizeof wanted, " %s ", name);
    snprintf(padded, sizeof padded, " %s", offered(words));
    ck_assert_msg(strstr(padded, wanted) != NULL, "behind %s: %s, not in%s", words, name, padded);
}

START_TEST(bash_knows_every_command)
{
    for (size_t i = 0; cli_commands[i]; i++) {
        char words[128], option[64];
        const struct cli_command *command = cli_commands[i];
        expect_offer("\"\"", command->name);
        snprintf(words, sizeof words, "%s \"\"", command->name);
        for (const struct cli_command *sub = command->subcommands; sub && sub->name; sub++)
            expect_offer(words, sub->name);
        for (const struct cli_option *each = command->options; each && each->name; each++) {
            snprintf(option, sizeof option, "--%s", each->name);
            expect_offer(words, option);
        }
    }
}
END_TEST

START_TEST(bash_knows_options_of_subcommands)
{
    expect_offer("user add --g", "--group");
    expect_offer("key create deploy --sc", "--scope");
    ck_assert_str_eq(offered("flush --dry"), "--dry-run ");
}
END_TEST

START_TEST(zsh_knows_every_command)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 16384);
    completions_write_zsh(&cli_program, &text);
    strbuf_add_char(&text, '\0');
    ck_assert(strncmp(text.ptr, "#compdef cachewarden\n", 21) == 0);
    for (size_t i = 0; cli_commands[i]; i++) {
        char line[128];
        snprintf(line, sizeof line, "\n        '%s:", cli_commands[i]->name);
        ck_assert_msg(strstr(text.ptr, line) != NULL, "%s", cli_commands[i]->name);
        for (const struct cli_command *sub = cli_commands[i]->subcommands; sub && sub->name;
             sub++) {
            snprintf(line, sizeof line, "\n    '%s %s')", cli_commands[i]->name, sub->name);
            ck_assert_msg(strstr(text.ptr, line) != NULL, "%s", line);
        }
    }
    strbuf_fini(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("completions");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, set_up, tear_down);
    tcase_add_test(each, bash_knows_every_command);
    tcase_add_test(each, bash_knows_options_of_subcommands);
    tcase_add_test(each, zsh_knows_every_command);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
