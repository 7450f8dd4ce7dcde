/* Trouble with a SQLite file that passes: other processes create, open and close it meanwhile. */
#include "users/sqlite/schema.h"

#include "suite.h"
#include "users_backend.h"

#include <limits.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

static struct temp_folder folder;
static char path[400], url[512];
static struct users *users;
static struct arena *arena;
static struct error error;

static void set_up(void)
{
    temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/users.db", folder.path);
    snprintf(url, sizeof url, "sqlite:%s", path);
    arena = arena_new(4096, 0);
    error_clear(&error);
}

static void tear_down(void)
{
    users_close(&users);
    arena_free(&arena);
    temp_folder_fini(&folder);
}

/* --- many at once --- */

static int64_t count_of(const char *table)
{
    sqlite3 *raw = NULL;
    sqlite3_stmt *statement = NULL;
    char sql[64];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    ck_assert_int_eq(sqlite3_open(path, &raw), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(raw, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(raw);
    return count;
}

/* One of many processes: waits for the start, opens, says why not. */
static pid_t start_opener(const int gate[2])
{
    pid_t child = fork();
    char byte;

    ck_assert_int_ge(child, 0);
    if (child > 0)
        return child;
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 0 || users_open(str_from(url), &users, &error) != ERR_OK) {
        fprintf(stderr, "%s\n", error.caller);
        _exit(1);
    }
    users_close(&users);
    _exit(0);
}

/*
 * Everybody makes it, or finds it made; nobody fails. Processes, because SQLite's locks are theirs.
 * Who closes last takes the log away while others open: that is part of it.
 */
START_TEST(many_open_a_new_one_at_once)
{
    enum { OPENERS = 16, TURNS = 10 };
    pid_t openers[OPENERS];
    int gate[2], status;

    for (int turn = 0; turn < TURNS; turn++) {
        snprintf(path, sizeof path, "%s/turn%d/users.db", folder.path, turn);
        snprintf(url, sizeof url, "sqlite:%s", path);
        ck_assert_int_eq(pipe(gate), 0);
        for (int i = 0; i < OPENERS; i++)
            openers[i] = start_opener(gate);
        close(gate[0]);
        close(gate[1]);
        int failed = 0;
        for (int i = 0; i < OPENERS; i++) {
            ck_assert_int_eq(waitpid(openers[i], &status, 0), openers[i]);
            failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        }
        ck_assert_int_eq(failed, 0);
        ck_assert_int_eq(count_of("migrations"), users_sqlite_version);
        ck_assert_int_eq(count_of("facts"), 1);
    }
}
END_TEST

/* --- one at a time, to order --- */

/* The file system as SQLite sees it, with other processes at work in it: what each test says. */
static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    int log_open_failures, log_look_failures, delete_failures;
    int failure;
} weather;

static bool is_journal(const char *name, int flags)
{
    return name && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
}

static int open_in_weather(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                           int *flags_out)
{
    (void)vfs;
    if (is_journal(name, flags) && weather.log_open_failures > 0) {
        weather.log_open_failures--;
        file->pMethods = NULL;
        return weather.failure;
    }
    return weather.real->xOpen(weather.real, name, file, flags, flags_out);
}

static int access_in_weather(sqlite3_vfs *vfs, const char *name, int flags, int *result_out)
{
    (void)vfs;
    if (strstr(name, "users.db-") && weather.log_look_failures > 0) {
        weather.log_look_failures--;
        return weather.failure;
    }
    return weather.real->xAccess(weather.real, name, flags, result_out);
}

static int delete_in_weather(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    int code = weather.real->xDelete(weather.real, name, sync);
    if (weather.delete_failures == 0)
        return code;
    weather.delete_failures--;
    return weather.failure;
}

/* The test's process is its own, and so is its weather. */
static void change_weather(int failure)
{
    weather.real = sqlite3_vfs_find(NULL);
    weather.vfs = *weather.real;
    weather.vfs.zName = "weather";
    weather.vfs.xOpen = open_in_weather;
    weather.vfs.xAccess = access_in_weather;
    weather.vfs.xDelete = delete_in_weather;
    weather.failure = failure;
    ck_assert_int_eq(sqlite3_vfs_register(&weather.vfs, 1), SQLITE_OK);
}

/* What SQLite says where two processes are in each other's way. */
static const int passing[] = {SQLITE_IOERR_DELETE_NOENT, SQLITE_CANTOPEN, SQLITE_BUSY_RECOVERY,
                              SQLITE_PROTOCOL};
enum { PASSING_COUNT = sizeof passing / sizeof *passing };

static void open_use_and_close(void)
{
    struct user user;

    ck_assert_msg(users_open(str_from(url), &users, &error) == ERR_OK, "%s", error.caller);
    int64_t id = users_backend_add(users, "alice", "h");
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    users_close(&users);
}

START_TEST(a_look_that_fails_for_a_moment)
{
    change_weather(passing[_i]);
    weather.log_look_failures = 20;
    open_use_and_close();
    ck_assert_int_eq(weather.log_look_failures, 0);
}
END_TEST

START_TEST(a_journal_that_opens_at_the_next_try)
{
    change_weather(passing[_i]);
    weather.log_open_failures = 20;
    open_use_and_close();
    ck_assert_int_eq(weather.log_open_failures, 0);
}
END_TEST

START_TEST(a_journal_that_somebody_else_deleted)
{
    change_weather(SQLITE_IOERR_DELETE_NOENT);
    weather.delete_failures = 1;
    open_use_and_close();
    ck_assert_int_eq(weather.delete_failures, 0);
}
END_TEST

/* Readers open their own connection, later. */
START_TEST(a_readers_look_that_fails_for_a_moment)
{
    struct user user;

    change_weather(passing[_i]);
    ck_assert_msg(users_open(str_from(url), &users, &error) == ERR_OK, "%s", error.caller);
    int64_t id = users_backend_add(users, "alice", "h");
    weather.log_look_failures = 5;
    ck_assert_msg(users_find_by_id(users, arena, id, &user, &error) == ERR_OK, "%s", error.detail);
    ck_assert_int_eq(weather.log_look_failures, 0);
}
END_TEST

/* What lasts is told. */
START_TEST(trouble_that_does_not_pass)
{
    static const int lasting[] = {SQLITE_IOERR_DELETE_NOENT, SQLITE_CANTOPEN, SQLITE_IOERR_READ};

    change_weather(lasting[_i]);
    weather.log_look_failures = INT_MAX;
    ck_assert_int_eq(users_open(str_from(url), &users, &error), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_null(users);
    ck_assert_msg(strstr(error.caller, path) != NULL, "%s", error.caller);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/sqlite/transient");
    TCase *tcase = tcase_create("users_sqlite_transient");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, many_open_a_new_one_at_once);
    tcase_add_loop_test(tcase, a_look_that_fails_for_a_moment, 0, PASSING_COUNT);
    tcase_add_loop_test(tcase, a_journal_that_opens_at_the_next_try, 0, PASSING_COUNT);
    tcase_add_test(tcase, a_journal_that_somebody_else_deleted);
    tcase_add_loop_test(tcase, a_readers_look_that_fails_for_a_moment, 0, PASSING_COUNT);
    tcase_add_loop_test(tcase, trouble_that_does_not_pass, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
