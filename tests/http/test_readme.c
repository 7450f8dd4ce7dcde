/* The first requests of README.md, pasted beside a demo as it says, answer what it prints. */
#include "cw_server.h"
#include "suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct cw_server demo;
static char *directory;

static void path_in(char out[512], const char *name)
{
    snprintf(out, 512, "%s/%s", directory, name);
}

/* README speaks of a checkout, with build/cachewarden in it. */
static void open_demo(void)
{
    char path[512];

    directory = cw_directory_new();
    path_in(path, "build");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    path_in(path, "build/cachewarden");
    ck_assert_int_eq(symlink(CW_BINARY, path), 0);
    cw_server_start(&demo,
                    &(struct cw_server_options){
                        .arguments = (const char *const[]){"--demo", NULL},
                        .environment = (const char *const[]){"DATABASE_URL=", "REDIS_URL=", NULL},
                        .directory = directory,
                    });
}

static void close_demo(void)
{
    cw_server_stop(&demo);
    cw_directory_remove(&directory);
}

/* "The first lines": what the demo printed from CW= to KEY=. */
static void write_first_lines(FILE *script)
{
    char *printed = cw_file_read(demo.output_path);
    char *from = strstr(printed, "\nCW="), *key = strstr(printed, "\nKEY=");

    ck_assert_msg(from && key, "%s", printed);
    fprintf(script, "%.*s\n", (int)(strchr(key + 1, '\n') - from), from);
    free(printed);
}

/* A line "$ COMMAND" runs here and now, and its output ends with a line break as on the page; all other
 * lines of a block are what is wanted. */
static int write_examples(FILE *script, FILE *wanted)
{
    char *text = cw_file_read(CW_SOURCE_DIR "/README.md"), *rest = NULL;
    char *from = strstr(text, "\n## First request"), *end = strstr(text, "\n## What there is");
    bool in_block = false;
    int commands = 0;

    ck_assert(from && end && from < end);
    *end = '\0';
    for (char *line = strtok_r(from, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "```", 3) == 0) {
            in_block = !in_block;
        } else if (in_block && strncmp(line, "$ ", 2) == 0) {
            fprintf(script, "{ %s\n} >answer\nsed -e '$a\\' answer\n", line + 2);
            commands++;
        } else if (in_block) {
            fprintf(wanted, "%s\n", line);
        }
    }
    free(text);
    return commands;
}

static void run_script(const char *script, const char *output)
{
    static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/", NULL};
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (out >= 0 && dup2(out, STDOUT_FILENO) >= 0 && chdir(directory) == 0)
            execle("/bin/sh", "sh", "-e", script, (char *)NULL, environment);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the shell ended with %x",
                  (unsigned)status);
}

START_TEST(the_first_requests_answer_what_it_prints)
{
    char script_path[512], wanted_path[512], output_path[512];
    path_in(script_path, "script");
    path_in(wanted_path, "wanted");
    path_in(output_path, "output");
    FILE *script = fopen(script_path, "w"), *wanted = fopen(wanted_path, "w");
    ck_assert(script && wanted);

    write_first_lines(script);
    ck_assert_int_ge(write_examples(script, wanted), 6);
    ck_assert_int_eq(fclose(script), 0);
    ck_assert_int_eq(fclose(wanted), 0);
    run_script(script_path, output_path);

    char *is = cw_file_read(output_path), *should = cw_file_read(wanted_path);
    ck_assert_str_eq(is, should);
    free(is);
    free(should);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("readme");
    TCase *tcase = tcase_create("demo");
    tcase_add_checked_fixture(tcase, open_demo, close_demo);
    tcase_add_test(tcase, the_first_requests_answer_what_it_prints);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
