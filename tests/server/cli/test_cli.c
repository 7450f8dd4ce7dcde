/* The one parser of all commands: options, arguments, hints, exit statuses. */
#include "cli_case.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what is wrong is said, with a hint, and exits 64 ---- */

struct usage {
    const char *arguments[6];
    const char *words;
};

static const struct usage mistakes[] = {
    {{"frobnicate"}, "cachewarden: there is no command of that name\nTry: cachewarden help\n"},
    {{"flsuh"}, "did you mean flush?"},
    {{"sreve"}, "did you mean serve?"},
    {{"--nonsense"}, "there is no command of that name"},
    {{""}, "there is no command of that name"},
    {{"user"}, "cachewarden user: needs a command: add | list"},
    {{"user", "--json"}, "needs a command"},
    {{"user", "--config", "a"}, "cachewarden user: needs a command"},
    {{"user", "--config"}, "cachewarden user: --config needs a value"},
    {{"--config", "a"}, "cachewarden: needs a command\nTry: cachewarden help\n"},
    {{"--config", "a", "user", "--config", "b", "list"}, "--config is given twice"},
    {{"--verbose", "user", "list"}, "there is no command of that name"},
    {{"user", "ad"}, "did you mean add?\nTry: cachewarden help user\n"},
    {{"user", "add"}, "cachewarden user add: needs more: NAME --email E"},
    {{"user", "add", "x"}, "needs --email E"},
    {{"user", "add", "x", "y"},
     "does not know what to do with argument 2; it takes: NAME --email E"},
    {{"user", "add", "x", "--password", "canary"},
     "use --password-file FILE, or - for standard input"},
    {{"user", "add", "x", "--password=canary"}, "there is no option --password:"},
    {{"user", "add", "x", "--secret=canary"}, "there is no option --secret:"},
    {{"user", "list", "--jsn"}, "there is no option --jsn; did you mean --json?"},
    {{"user", "list", "--json=1"}, "--json takes no value"},
    {{"user", "list", "--config"}, "--config needs a value: --config FILE"},
    {{"user", "list", "--config="}, "--config needs a value"},
    {{"user", "list", "--config", "a", "--config", "b"}, "--config is given twice"},
    {{"user", "list", "-x"}, "there is no option -x"},
    {{"user", "list", "-json"}, "there is no option -json"},
    {{"user", "password", "x", "canary"},
     "does not know what to do with argument 2; it takes: NAME"},
    {{"user", "list", "Canary=canary"}, "does not know what to do with argument 1"},
    {{"backup", "list", "canary"}, "does not know what to do with argument 1"},
    {{"doctor", "canary"}, "does not know what to do with argument 1"},
    {{"canary"}, "there is no command of that name"},
    {{"user", "canary"}, "cachewarden user: there is no command of that name"},
    {{"help", "canary"}, "there is no command of that name"},
    {{"user", "password", "x", "-canary"}, "there is no option of that name"},
    {{"user", "password", "x", "--1canary"}, "there is no option of that name"},
    {{"user", "list", "--h"}, "there is no option --h"},
    {{"user", "list", "extra"}, "does not know what to do with argument 1; it takes: [--json]"},
    {{"user", "grant", "x"}, "needs --superuser or --group G"},
    {{"user", "revoke", "x"}, "needs --superuser or --group G"},
    {{"key", "create"}, "needs more: NAME"},
    {{"key", "create", "k", "--scope", "root"},
     "there is no scope \"root\"; they are flush, entries, admin, user and metrics"},
    {{"key", "create", "k", "--scope", "user"}, "add --user NAME"},
    {{"key", "create", "k", "--expires-days", "0"},
     "--expires-days must be a whole number from 1 to 36500"},
    {{"key", "create", "k", "--expires-days", "x"}, "--expires-days must be"},
    {{"cache", "status"}, "needs --user ID"},
    {{"cache", "status", "--user", "0"}, "--user must be the id of an account"},
    {{"cache", "status", "--user", "+1"}, "--user must be"},
    {{"cache", "status", "--user", "9223372036854775808"}, "--user must be"},
    {{"cache", "clear"}, "needs --user ID, --namespace N, or --all"},
    {{"cache", "clear", "--user", "1", "--all"},
     "--user, --namespace and --all do not go together"},
    {{"cache", "enable", "--all"}, "there is no option --all"},
    {{"flush", "a", "b"}, "does not know what to do with argument 2; it takes: [TARGET]"},
    {{"serve", "now"}, "does not know what to do with argument 1; it takes: "},
    {{"serve", "--json"}, "--json and --verbose go with --check-config"},
    {{"serve", "--check-config", "--demo"}, "do not go together"},
    {{"version", "--yaml"}, "there is no option --yaml"},
    {{"routes", "--", "--json"}, "does not know what to do with argument 1"},
    {{"help", "nosuch"}, "there is no command of that name"},
    {{"help", "user", "nosuch"}, "there is no command of that name"},
    {{"help", "settings", "nosuch"}, "there is no setting that begins with \"nosuch\""},
    {{"help", "settings", "--format", "yaml"}, "--format is text or conf"},
    {{"help", "--format", "conf"}, "--format goes with: help settings"},
};

START_TEST(mistakes_get_a_hint_and_64)
{
    cli_run_with(NULL, NULL, mistakes[_i].arguments);
    cli_expect_err(64, mistakes[_i].words);
    ck_assert_str_eq(cli_test.result.out, "");
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "Try: cachewarden help"));
    /* What was taken for a secret is not repeated. */
    ck_assert_ptr_null(strstr(cli_test.result.err, "canary"));
}
END_TEST

START_TEST(no_command_at_all_shows_what_there_is)
{
    cw_run(&(struct cw_command){.directory = cli_test.directory}, &cli_test.result);
    cli_expect_err(64, "Usage: cachewarden COMMAND");
    ck_assert_str_eq(cli_test.result.out, "");
}
END_TEST

/* ---- help ---- */

static const char *const commands[][3] = {
    {"serve"},
    {"flush"},
    {"user"},
    {"key"},
    {"cache"},
    {"health"},
    {"doctor"},
    {"routes"},
    {"version"},
    {"help"},
    {"user", "add"},
    {"user", "list"},
    {"user", "show"},
    {"user", "password"},
    {"user", "grant"},
    {"user", "revoke"},
    {"user", "deactivate"},
    {"user", "activate"},
    {"user", "delete"},
    {"key", "create"},
    {"key", "list"},
    {"key", "revoke"},
    {"cache", "status"},
    {"cache", "enable"},
    {"cache", "disable"},
    {"cache", "clear"},
};

START_TEST(every_command_explains_itself)
{
    const char *const *command = commands[_i];
    char first[64];
    snprintf(first, sizeof first, "Usage: cachewarden %s%s%s", command[0], command[1] ? " " : "",
             command[1] ? command[1] : "");
    /* `help user add`, `user add --help` and `user add -h` say the same. */
    cli_run_with(NULL, NULL, ARGUMENTS("help", command[0], command[1]));
    cli_expect_out(first);
    char *help = strdup(cli_test.result.out);
    cli_run_with(NULL, NULL,
                 command[1] ? ARGUMENTS(command[0], command[1], "--help")
                            : ARGUMENTS(command[0], "--help"));
    cli_expect(0, help, "");
    cli_run_with(NULL, NULL,
                 command[1] ? ARGUMENTS(command[0], command[1], "-h")
                            : ARGUMENTS(command[0], "-h"));
    cli_expect(0, help, "");
    bool is_group = strstr(help, "Options:") == NULL;
    ck_assert(is_group || (strstr(help, "--config FILE") && strstr(help, "--help")));
    free(help);
}
END_TEST

START_TEST(the_overview_lists_every_command)
{
    cli_run("help");
    for (size_t i = 0; i < 9; i++) {
        char line[32];
        snprintf(line, sizeof line, "\n  %s ", commands[i][0]);
        cli_expect_out(line);
    }
    char *overview = strdup(cli_test.result.out);
    cli_run("--help");
    cli_expect(0, overview, "");
    free(overview);
    ck_assert_ptr_null(strstr(cli_test.result.out, "sentinel"));
}
END_TEST

START_TEST(help_has_the_settings)
{
    cli_run("help", "settings", "redis.pool");
    cli_expect(
        0,
        "redis.pool_size = 16\n"
        "    Connections to Redis at most. When all are in use, requests share them in batches.\n"
        "    1 to 1024; variable CACHEWARDEN_REDIS_POOL_SIZE\n",
        "");
    cli_run("help", "settings", "--format", "conf");
    char *committed = cw_file_read(CW_SOURCE_DIR "/conf/cachewarden.conf");
    cli_expect(0, committed, "");
    free(committed);
}
END_TEST

START_TEST(options_come_in_several_forms)
{
    cw_file_write(cli_test.directory, "c.conf", "log: { level = 1; };", 0600);
    cli_run("user", "list", "--config=c.conf");
    cli_expect_err(1, "error: c.conf:1: log.level");
    cli_run("user", "list", "--config", "c.conf", "--json");
    cli_expect_err(1, "error: c.conf:1: log.level");
    cli_run("flush", "--config", "c.conf", "--", "messages");
    cli_expect_err(1, "error: c.conf:1: log.level");
    /* What every command takes may stand between the words of its name. */
    cli_run("user", "--config", "c.conf", "list");
    cli_expect_err(1, "error: c.conf:1: log.level");
    cli_run("--config=c.conf", "user", "list", "--json");
    cli_expect_err(1, "error: c.conf:1: log.level");
    cli_run("user", "--config", "c.conf", "--help");
    cli_expect_out("Usage: cachewarden user COMMAND");
}
END_TEST

/* ---- version, routes ---- */

START_TEST(version_says_what_it_is_made_of)
{
    cli_run("version");
    cli_expect_out("cachewarden " CW_VERSION "\n");
    cli_expect_out("\nopenssl 3.");
    cli_expect_out("\nciv");
    char *text = strdup(cli_test.result.out);
    cli_run("--version");
    cli_expect(0, text, "");
    free(text);
    cli_run("version", "--json");
    cli_expect_out("{\"version\":\"" CW_VERSION "\",\"libraries\":{\"civetweb\":\"");
    cli_expect_out("\"sqlite3\":\"3.");
}
END_TEST

START_TEST(routes_are_listed)
{
    cli_run("routes");
    cli_expect_out("METHOD  PATH");
    cli_expect_out("\nGET     /api/cache/status/ ");
    cli_expect_out("\nDELETE  /api/v1/cache ");
    cli_expect_out("user ");
    cli_expect_out(" fill_bytes\n");
    cli_run("routes", "--json");
    cli_expect_out("[{\"method\":\"GET\",\"path\":\"/api/cache/status/"
                   "\",\"name\":\"cache.status\",\"permission\":\"user\",\"limit\":"
                   "\"status\",\"summary\":\"");
    cli_expect_out("\"name\":\"caches.flush\",\"permission\":\"scope:flush\",\"limit\":\"job\"");
    /* The endpoints are what they are, but those of the gateway are not known. */
    cli_run("routes", "--config", "nowhere.conf");
    cli_expect_err(1, "routes of the gateway are not listed");
    ck_assert_ptr_nonnull(strstr(cli_test.result.out, "\nGET     /api/cache/status/ "));
}
END_TEST

/* ---- a failing output is a failure ---- */

START_TEST(a_full_disk_is_not_success)
{
    pid_t pid = fork();
    if (pid == 0) {
        int full = open("/dev/full", O_WRONLY);
        dup2(full, STDOUT_FILENO);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        execl(CW_BINARY, CW_BINARY, "routes", (char *)NULL);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
}
END_TEST

/* Standard error closed: what goes there must not end up in the first file that is opened. */
START_TEST(closed_standard_files_are_no_trap)
{
    char database[300], path[300];
    int status;
    snprintf(database, sizeof database, "DATABASE_URL=sqlite:%s/users.db", cli_test.directory);
    pid_t pid = fork();
    if (pid == 0) {
        putenv(database);
        setenv("REDIS_URL", "redis://127.0.0.1:1/0", 1);
        setenv("CACHEWARDEN_LOG_LEVEL", "debug", 1);
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        close(STDERR_FILENO);
        execl(CW_BINARY, CW_BINARY, "key", "create", "k", (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    snprintf(path, sizeof path, "%s/users.db", cli_test.directory);
    char *text = cw_file_read(path);
    ck_assert_int_eq(strncmp(text, "SQLite format 3", 15), 0);
    free(text);
    cli_run("key", "list");
    cli_expect_out(" k ");
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

int main(void)
{
    Suite *suite = suite_create("cli");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, cli_open, cli_close);
    tcase_add_loop_test(all, mistakes_get_a_hint_and_64, 0, COUNT(mistakes));
    tcase_add_test(all, no_command_at_all_shows_what_there_is);
    tcase_add_loop_test(all, every_command_explains_itself, 0, COUNT(commands));
    tcase_add_test(all, the_overview_lists_every_command);
    tcase_add_test(all, help_has_the_settings);
    tcase_add_test(all, options_come_in_several_forms);
    tcase_add_test(all, version_says_what_it_is_made_of);
    tcase_add_test(all, routes_are_listed);
    tcase_add_test(all, a_full_disk_is_not_success);
    tcase_add_test(all, closed_standard_files_are_no_trap);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
