/* `backup restore` from the shell: beside a server, alone, on a new machine, and when it may not. */
#include "cli_case.h"

#include "cachewarden/users.h"

#include <errno.h>
#include <jansson.h>
#include <unistd.h>

static char id[64], path[512];

static int add_user(const char *name)
{
    char email[64];

    snprintf(email, sizeof email, "%s@example.com", name);
    return cli_run_input("correct-horse-battery\n", "user", "add", name, "--email", email,
                         "--password-file", "-");
}

static void make_backup(void)
{
    ck_assert_int_eq(cli_run("backup", "create", "--json"), 0);
    json_t *made = json_loads(cli_test.result.out, 0, NULL);
    snprintf(id, sizeof id, "%s", json_string_value(json_object_get(made, "id")));
    json_decref(made);
    snprintf(path, sizeof path, "%s/backups/%s.tar.zst", cli_test.directory, id);
    ck_assert_int_eq(access(path, R_OK), 0);
}

/* The setting, in each command. */
#define cli_run_with_entries(...) \
    cli_run_with("v", VARIABLES("CACHEWARDEN_BACKUP_INCLUDE_ENTRIES=true"), ARGUMENTS(__VA_ARGS__))

static void open_with_a_backup(void)
{
    cli_open_redis();
    ck_assert_int_eq(add_user("ann"), 0);
    make_backup();
    ck_assert_int_eq(add_user("bob"), 0);
}

static void expect_users(const char *there, const char *gone)
{
    ck_assert_int_eq(cli_run("user", "list"), 0);
    ck_assert_ptr_nonnull(strstr(cli_test.result.out, there));
    if (gone)
        ck_assert_ptr_null(strstr(cli_test.result.out, gone));
}

static long long number(const char *name)
{
    json_t *root = json_loads(cli_test.result.out, 0, NULL);
    ck_assert_msg(json_is_integer(json_object_get(root, name)), "%s: %s", name,
                  cli_test.result.out);
    long long value = json_integer_value(json_object_get(root, name));
    json_decref(root);
    return value;
}

START_TEST(by_its_id_and_by_its_path)
{
    const char *what = _i == 0 ? id : path;

    cli_run("backup", "restore", what, "--dry-run");
    cli_expect_out("users removed:      1\n");
    cli_expect_out("Nothing was changed.\n");
    expect_users("bob", NULL);
    cli_run("backup", "restore", what);
    cli_expect(1, "",
               "cachewarden: there is nobody to ask; say --yes, or --dry-run to see what "
               "would change\n");
    cli_run("backup", "restore", what, "--yes", "--json");
    ck_assert_msg(cli_test.result.status == 0, "%s", cli_test.result.err);
    ck_assert_str_eq(cli_test.result.err, "");
    ck_assert(number("users") == 1 && number("users_removed") == 1 && number("users_added") == 0);
    ck_assert_ptr_nonnull(strstr(cli_test.result.out, "\"redis\":\"restored\""));
    expect_users("ann", "bob");
    /* For people. */
    cli_run("backup", "restore", what, "--yes");
    cli_expect_out("Restored.\n");
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "rows: "));
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "XLEN cw:audit:changes") > 0, 1);
}
END_TEST

static void lose_users(void)
{
    static const char *const names[] = {"users.db", "users.db-wal", "users.db-shm"};
    char file[600];

    for (int i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s/%s", cli_test.directory, names[i]);
        ck_assert(unlink(file) == 0 || errno == ENOENT);
    }
}

/* A server that was just set up runs on it: it gets the accounts, and stays who it is. */
START_TEST(an_empty_database_that_somebody_has_open)
{
    struct arena *arena = arena_new(4096, 0);
    struct error error = {0};
    struct str before, after;
    struct users *users;
    char url[600];

    lose_users();
    redis_server_do(cli_test.redis, "FLUSHALL");
    snprintf(url, sizeof url, "sqlite:%s/users.db", cli_test.directory);
    ck_assert_int_eq(users_open(str_from(url), &users, &error), ERR_OK);
    ck_assert_int_eq(users_fact_get(users, arena, STR("install_id"), &before, &error), ERR_OK);
    cli_run("backup", "restore", path, "--yes");
    cli_expect_err(1, "has the users database open; stop the server first");
    cli_run("backup", "restore", id, "--yes", "--json");
    ck_assert_msg(cli_test.result.status == 0, "%s", cli_test.result.err);
    ck_assert_int_eq(number("users_added"), 1);
    ck_assert_int_eq(users_fact_get(users, arena, STR("install_id"), &after, &error), ERR_OK);
    ck_assert(str_eq(before, after));
    users_close(&users);
    arena_free(&arena);
}
END_TEST

START_TEST(a_new_machine)
{
    char elsewhere[600];

    snprintf(elsewhere, sizeof elsewhere, "%s/backup.tar.zst", cli_test.directory);
    ck_assert_int_eq(rename(path, elsewhere), 0);
    /* Only the secret was kept; Redis may have been, too. */
    lose_users();
    if (_i < 2)
        redis_server_do(cli_test.redis, "FLUSHALL");
    /* Something was tried there before, so that its control data is of a database that goes. */
    if (_i == 1) {
        ck_assert_int_eq(cli_run("cache", "clear", "--user", "1"), 0);
        ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "EXISTS cw:dataset"), 1);
    }
    cli_run("backup", "restore", elsewhere, "--yes", "--json");
    ck_assert_msg(cli_test.result.status == 0, "%s", cli_test.result.err);
    ck_assert_int_eq(number("users_added"), 1);
    expect_users("ann", "bob");
    cli_run("cache", "status", "--user", "1");
    ck_assert_msg(cli_test.result.status == 0, "%s", cli_test.result.err);
}
END_TEST

START_TEST(what_is_refused)
{
    cli_run("backup", "restore", "20200101T000000Z-00000001", "--yes");
    cli_expect(1, "", "cachewarden: There is no such backup.\n");
    cli_run("backup", "restore", "/nonexistent/a.tar.zst", "--yes");
    cli_expect_err(1, "There is no backup to read at /nonexistent/a.tar.zst: No such file");
    cli_run("backup", "restore", cli_test.directory, "--yes");
    cli_expect_err(1, "is no regular file.");
    ck_assert_int_eq(truncate(path, 300), 0);
    cli_run("backup", "restore", path, "--yes");
    cli_expect_err(1, "The archive is damaged: ");
    cli_run("backup", "restore", "--yes");
    cli_expect_err(64, "restore");
    expect_users("bob", NULL);
}
END_TEST

START_TEST(redis_is_away)
{
    redis_server_kill(cli_test.redis);
    cli_run("backup", "restore", id, "--yes");
    cli_expect_err(1, "redis unavailable");
    expect_users("bob", NULL);
    cli_run("backup", "restore", id, "--yes", "--without-redis", "--json");
    ck_assert_msg(cli_test.result.status == 0, "%s", cli_test.result.err);
    ck_assert_ptr_nonnull(strstr(cli_test.result.out, "\"redis\":\"unavailable\""));
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "Redis was not told: redis unavailable"));
    expect_users("ann", "bob");
}
END_TEST

/* Nothing has failed: they wait for a restore that Redis is told of. */
START_TEST(entries_of_a_redis_that_was_away)
{
    ck_assert_int_eq(cli_run_with_entries("entry", "set", "k", "--namespace", "app:shop"), 0);
    ck_assert_int_eq(cli_run_with_entries("backup", "create", "--json"), 0);
    json_t *made = json_loads(cli_test.result.out, 0, NULL);
    snprintf(id, sizeof id, "%s", json_string_value(json_object_get(made, "id")));
    json_decref(made);
    redis_server_kill(cli_test.redis);
    cli_run_with_entries("backup", "restore", id, "--yes", "--without-redis", "--json");
    cli_expect_out("\"entries\":{\"state\":\"untouched\",\"restored\":1,");
    ck_assert_ptr_null(strstr(cli_test.result.err, "backup.entries_failed"));
    cli_run_with_entries("backup", "restore", id, "--yes", "--without-redis");
    cli_expect_out("Redis was not told of the restore\n");
    redis_server_restart(cli_test.redis);
    cli_run_with_entries("backup", "restore", id, "--yes", "--json");
    cli_expect_out("\"entries\":{\"state\":\"restored\",\"restored\":1,");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/cli/backup_restore");
    TCase *tcase = tcase_create("restore");

    tcase_add_checked_fixture(tcase, open_with_a_backup, cli_close);
    tcase_add_loop_test(tcase, by_its_id_and_by_its_path, 0, 2);
    tcase_add_loop_test(tcase, a_new_machine, 0, 3);
    tcase_add_test(tcase, an_empty_database_that_somebody_has_open);
    tcase_add_test(tcase, what_is_refused);
    tcase_add_test(tcase, redis_is_away);
    tcase_add_test(tcase, entries_of_a_redis_that_was_away);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
