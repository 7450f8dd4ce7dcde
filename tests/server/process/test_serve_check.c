/*
 * `serve --check-config` and `serve` judge alike: what one refuses the other refuses in the same words, and
 * what the table of settings allows at its edges the server starts with.
 */
#include "config/config_private.h"
#include "cw_server.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char *directory;
static bool is_nobody; /* who runs what failure_of runs */
static struct cw_server server;

static void open_all(void)
{
    directory = cw_directory_new();
}

static void close_all(void)
{
    cw_server_stop(&server);
    cw_directory_remove(&directory);
}

/* ---- what is refused ---- */

#define TEN_MORE(first)                                                                    \
    "127.0.0.1:" first "0,127.0.0.1:" first "1,127.0.0.1:" first "2,127.0.0.1:" first "3," \
    "127.0.0.1:" first "4,127.0.0.1:" first "5,127.0.0.1:" first "6,127.0.0.1:" first "7,"

static const struct {
    const char *variables[3];
    const char *words;
} refused[] = {
    {{"CACHEWARDEN_SERVER_THREADS=1025"}, "server.threads must be a whole number from 1 to 1024"},
    {{"CACHEWARDEN_SERVER_THREADS=4096"}, "server.threads must be a whole number from 1 to 1024"},
    {{"CACHEWARDEN_LISTEN=" TEN_MORE("3010") TEN_MORE("3011") "127.0.0.1:30120"},
     "17 is out of range"},
    {{"CACHEWARDEN_LISTEN=192.0.2.1:8000"}, "server.listen: 192.0.2.1:8000 cannot be listened on"},
    {{"CACHEWARDEN_LISTEN=no-such-host.invalid:0"},
     "server.listen: look-up of the host no-such-host.invalid: "},
    {{"CACHEWARDEN_LISTEN=127.0.0.1:0s", "CACHEWARDEN_SERVER_TLS_CERTIFICATE=garbage.pem",
      "CACHEWARDEN_SERVER_TLS_KEY=garbage.pem"},
     "server.tls.certificate: garbage.pem: "},
    {{"CACHEWARDEN_SERVER_TLS_CERTIFICATE=/nonexistent.pem",
      "CACHEWARDEN_SERVER_TLS_KEY=garbage.pem"},
     "server.tls.certificate cannot be read: /nonexistent.pem"},
    {{"CACHEWARDEN_SERVER_THREADS=800"}, "server.threads: 800 need "}, /* of few descriptors */
    {{"CACHEWARDEN_REDIS_POOL_SIZE=1024"}, "redis.pool_size"},
    {{"DATABASE_URL=sqlite:garbage.pem"}, "users database: "},
    {{"JWT_SECRET=short"}, "auth.secret has 5 bytes"},
};
enum { REFUSALS = sizeof refused / sizeof *refused };

/* The line of the failure without the program's or the severity's name. */
static char *failure_of(const char *const *arguments, const char *const *variables)
{
    static char line[1024];
    struct cw_result result = {0};

    cw_run(&(struct cw_command){.arguments = arguments,
                                .environment = variables,
                                .directory = directory,
                                .is_nobody = is_nobody},
           &result);
    ck_assert_msg(result.status == 1, "%s: exit status %d\n%s%s", variables[0], result.status,
                  result.out, result.err);
    const char *last = result.err;
    for (const char *at = last; (at = strchr(at, '\n')) && at[1]; at++)
        last = at + 1;
    const char *text = strstr(last, ": ");
    snprintf(line, sizeof line, "%s", text ? text + 2 : last);
    cw_result_fini(&result);
    return line;
}

START_TEST(what_one_refuses_the_other_refuses)
{
    const struct rlimit few = {1024, 1024};
    const char *variables[] = {refused[_i].variables[0], refused[_i].variables[1],
                               refused[_i].variables[2], NULL};
    char of_check[1024];

    cw_file_write(directory, "garbage.pem", "This is neither a certificate nor a database.\n",
                  0600);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    snprintf(of_check, sizeof of_check, "%s",
             failure_of((const char *const[]){"serve", "--check-config", NULL}, variables));
    ck_assert_str_eq(failure_of((const char *const[]){"serve", NULL}, variables), of_check);
    ck_assert_msg(strstr(of_check, refused[_i].words) != NULL, "expected: %s\ngot: %s",
                  refused[_i].words, of_check);
}
END_TEST

/* A secret that is too short stands beside the users database. */
START_TEST(a_made_secret_is_looked_at_too)
{
    const char *const none[] = {"NODE_ENV=test", NULL};
    char of_check[1024];

    cw_file_write(directory, "users.db.secret", "short\n", 0600);
    snprintf(of_check, sizeof of_check, "%s",
             failure_of((const char *const[]){"serve", "--check-config", NULL}, none));
    ck_assert_ptr_nonnull(strstr(of_check, "holds fewer than 32 bytes"));
    ck_assert_str_eq(failure_of((const char *const[]){"serve", NULL}, none), of_check);
}
END_TEST

static void expect_the_same_as_nobody(const char *words)
{
    const char *const none[] = {"NODE_ENV=test", NULL};
    char of_check[1024];
    struct cw_result result = {0};

    is_nobody = true;
    snprintf(of_check, sizeof of_check, "%s",
             failure_of((const char *const[]){"serve", "--check-config", NULL}, none));
    ck_assert_str_eq(failure_of((const char *const[]){"serve", NULL}, none), of_check);
    ck_assert_msg(strstr(of_check, words) != NULL, "expected: %s\ngot: %s", words, of_check);
    cw_run(&(struct cw_command){.arguments = (const char *const[]){"doctor", NULL},
                                .environment = none,
                                .directory = directory,
                                .is_nobody = true},
           &result);
    ck_assert_msg(strstr(result.out, "FAILED   users database: ") && strstr(result.out, words),
                  "%s", result.out);
    cw_result_fini(&result);
}

/* Whoever may not write the users database, or make it, does not get past the check. */
START_TEST(rights_on_the_users_database)
{
    char path[300];

    ck_assert_int_eq(chmod(directory, 0755), 0);
    expect_the_same_as_nobody("it cannot be made (Permission denied)");
    cw_file_write(directory, "users.db", "", 0644);
    expect_the_same_as_nobody("it cannot be read and written (Permission denied)");
    snprintf(path, sizeof path, "%s/users.db", directory);
    ck_assert_int_eq(chmod(path, 0666), 0);
    expect_the_same_as_nobody("its folder cannot be written (Permission denied)");
    ck_assert_int_eq(chmod(directory, 0), 0);
    expect_the_same_as_nobody("(Permission denied)");
    ck_assert_int_eq(chmod(directory, 0755), 0);
}
END_TEST

/* ---- what is allowed ---- */

static char items[SETTING_COUNT][128];
static const char *environment[SETTING_COUNT + 1];

/* Every number of the table at its least, or at its most. */
static void fill_environment(bool at_most)
{
    size_t count = 0;

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings.rows[i];
        if (row->kind != KIND_INTEGER || !row->environment)
            continue;
        snprintf(items[count], sizeof *items, "%s=%lld", row->environment,
                 (long long)(at_most ? row->max : row->min));
        environment[count] = items[count];
        count++;
    }
    ck_assert_uint_gt(count, 20);
    environment[count] = NULL;
}

START_TEST(at_its_edges_the_table_is_right)
{
    struct cw_result result = {0};

    fill_environment(_i == 1);
    cw_run(&(struct cw_command){.arguments = (const char *const[]){"serve", "--check-config", NULL},
                                .environment = environment,
                                .directory = directory},
           &result);
    ck_assert_msg(result.status == 0, "%s", result.err);
    cw_result_fini(&result);
    cw_server_start(
        &server, &(struct cw_server_options){.environment = environment, .directory = directory});
}
END_TEST

/* And beyond them each is refused. */
START_TEST(beyond_its_edges_everything_is_refused)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings.rows[i];
        for (int above = 0; row->kind == KIND_INTEGER && above <= 1; above++) {
            char value[32];
            struct config *config;
            struct config_report report;
            snprintf(value, sizeof value, "%lld", (long long)(above ? row->max + 1 : row->min - 1));
            const struct config_override override = {row->name, value, "--test"};
            const struct config_input input = {
                .no_default_file = true, .overrides = &override, .override_count = 1};
            ck_assert_msg(config_load(&input, &config, &report) == ERR_BAD_INPUT, "%s = %s",
                          row->name, value);
            config_report_fini(&report);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("serve_check");
    TCase *tcase = tcase_create("both");

    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_loop_test(tcase, what_one_refuses_the_other_refuses, 0, REFUSALS);
    tcase_add_test(tcase, a_made_secret_is_looked_at_too);
    tcase_add_test(tcase, rights_on_the_users_database);
    tcase_add_loop_test(tcase, at_its_edges_the_table_is_right, 0, 2);
    tcase_add_test(tcase, beyond_its_edges_everything_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
