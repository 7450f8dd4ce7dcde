/* What `doctor` says of backups, by what the users database knows of them. */
#include "cli_case.h"

#include <sqlite3.h>
#include <time.h>
#include <unistd.h>

static void expect_line(const char *begin, const char *words)
{
    const char *line = strstr(cli_test.result.out, begin);
    const char *end = line ? strchr(line, '\n') : NULL, *found = line ? strstr(line, words) : NULL;

    ck_assert_msg(end && found && found < end, "no line \"%s … %s …\" in\n%s%s", begin, words,
                  cli_test.result.out, cli_test.result.err);
}

static void set_fact(const char *name, const char *format, long long at_s)
{
    char path[256], sql[512], value[256];
    sqlite3 *database;
    snprintf(path, sizeof path, "%s/users.db", cli_test.directory);
    snprintf(value, sizeof value, format, at_s);
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO facts (name, value) VALUES ('%s', '%s')",
             name, value);
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

START_TEST(the_last_ones)
{
    const long long now_s = (long long)time(NULL), day_s = 86400;
    const char *const daily[] = {"BACKUP_SCHEDULE=@daily", NULL};
    cli_run("user", "list");
    cli_run("doctor");
    expect_line("warning  backups: none was made yet, and none is scheduled", "backup.schedule");
    cli_run_with(NULL, daily, ARGUMENTS("doctor"));
    expect_line("ok       backups: the first is due at ", "T00:00:00Z");
    expect_line("warning  backups: backup.directory is \"./backups\"", "give it a whole path");
    set_fact("backup_good", "%lld good 7 8 20260131T000000Z-01234567 host ", now_s - 3 * 3600);
    set_fact("backup_since_s", "%lld", now_s - 30 * day_s);
    cli_run_with(NULL, daily, ARGUMENTS("doctor"));
    expect_line("ok       backups: the last good one is 20260131T000000Z-01234567 of ",
                "(3 hours ago); the next is due at ");
    cli_run("doctor");
    expect_line("ok       backups: the last good one is ", "none is scheduled");
    set_fact("backup_last", "%lld failed 0 8 - host redis is away", now_s);
    cli_run_with(NULL, daily, ARGUMENTS("doctor"));
    expect_line("warning  backups: the last one failed on host, ", "redis is away");
    set_fact("backup_good", "%lld good 7 8 20260131T000000Z-01234567 host ", now_s - 4 * day_s);
    cli_run_with(NULL, daily, ARGUMENTS("doctor"));
    expect_line("FAILED   backups: two ticks of \"@daily\" have brought no good one; the last is ",
                "(96 hours ago), and then one failed: redis is away; ");
    /* One that this machine has made, and has no more. */
    char node[64] = "", fact[128];
    ck_assert_int_eq(gethostname(node, sizeof node - 1), 0);
    snprintf(fact, sizeof fact, "%%lld good 7 8 20260131T000000Z-01234567 %s ", node);
    set_fact("backup_good", fact, now_s);
    cli_run_with(NULL, daily, ARGUMENTS("doctor"));
    expect_line("warning  backups: the last good one is not in ./backups: ", "mount its disk");
    /* Where none can be written. */
    cli_run_with(NULL, VARIABLES("BACKUP_DIR=users.db"), ARGUMENTS("doctor"));
    expect_line("FAILED   backups: none can be made: users.db: Not a directory",
                "backup.directory");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/doctor_backups");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, cli_open, cli_close);
    tcase_add_test(all, the_last_ones);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
