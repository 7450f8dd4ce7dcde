/*
 * Settings that are there and cannot be read stop every command, before it has changed anything: with
 * the defaults in their place it would work on other keys, or make another users database.
 */
#include "cli_case.h"

#include <sys/stat.h>
#include <unistd.h>

static char path[400], folder[400];

static void open_all(void)
{
    cli_open_redis();
    ck_assert_int_eq(chmod(cli_test.directory, 0777), 0);
    snprintf(path, sizeof path, "%s/test.conf", cli_test.directory);
    snprintf(folder, sizeof folder, "%s/conf.d", cli_test.directory);
    redis_server_do(cli_test.redis,
                    "MSET whatsapp:development:in 1 whatsapp:production:in 1 other 1");
}

static void close_all(void)
{
    chmod(folder, 0755);
    cli_close();
}

static const char *const commands[][8] = {
    {"flush"},
    {"flush", "--json"},
    {"flush", "--dry-run"},
    {"doctor"},
    {"cache", "status", "--user", "1"},
    {"cache", "clear", "--all"},
    {"cache", "disable", "--user", "1"},
    {"user", "list"},
    {"user", "grant", "alice", "--superuser"},
    {"key", "list"},
    {"key", "create", "k"},
    {"serve", "--check-config"},
    {"serve", "--listen", "127.0.0.1:0"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void expect_refused(const char *const *command, const char *place)
{
    char wanted[500], users[400];
    const char *arguments[12] = {0};
    size_t count = 0;
    for (; command[count]; count++)
        arguments[count] = command[count];
    arguments[count] = "--config";
    arguments[count + 1] = "test.conf";
    cw_result_fini(&cli_test.result);
    cw_run(&(struct cw_command){.arguments = arguments,
                                .environment = ARGUMENTS(cli_test.redis_item),
                                .directory = cli_test.directory,
                                .is_nobody = true},
           &cli_test.result);
    const char *told =
        strcmp(command[0], "doctor") == 0 ? cli_test.result.out : cli_test.result.err;
    snprintf(wanted, sizeof wanted,
             "%s: cannot be read: Permission denied; run this as root or as the account of the "
             "service, or let this account read it",
             place);
    ck_assert_msg(cli_test.result.status == 1 && strstr(told, wanted), "%s %s: %d\n%s\n%s",
                  command[0], command[1] ? command[1] : "", cli_test.result.status,
                  cli_test.result.out, cli_test.result.err);
    ck_assert_ptr_null(strstr(cli_test.result.out, "✅"));
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "DBSIZE"), 3);
    snprintf(users, sizeof users, "%s/users.db", cli_test.directory);
    ck_assert_int_ne(access(users, F_OK), 0);
}

START_TEST(the_file)
{
    cw_file_write(cli_test.directory, "test.conf", "environment = \"production\";", 0);
    expect_refused(commands[_i], "test.conf");
}
END_TEST

START_TEST(one_of_conf_d)
{
    cw_file_write(cli_test.directory, "test.conf", "", 0644);
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    cw_file_write(folder, "a.conf", "environment = \"production\";", 0);
    expect_refused(commands[_i], "conf.d/a.conf");
    ck_assert_int_eq(chmod(folder, 0), 0);
    expect_refused(commands[_i], "conf.d");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unreadable");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_loop_test(all, the_file, 0, COMMANDS);
    tcase_add_loop_test(all, one_of_conf_d, 0, COMMANDS);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
