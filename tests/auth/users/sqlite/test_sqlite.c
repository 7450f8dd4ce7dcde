/* What is SQLite's own: the file, its modes, its troubles, its schema. */
#include "users/sqlite/schema.h"

#include "cachewarden/clock.h"
#include "cachewarden/users_copy.h"
#include "slowness.h"
#include "suite.h"
#include "users_backend.h"

#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct temp_folder folder;
static char path[400], url[512];
static struct users *users;
static struct arena *arena;
static struct error error;

static void name_file(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    snprintf(url, sizeof url, "sqlite:%s", path);
}

static void set_up(void)
{
    temp_folder_init(&folder);
    name_file("users.db");
    arena = arena_new(4096, 0);
    error_clear(&error);
}

static void tear_down(void)
{
    users_close(&users);
    arena_free(&arena);
    temp_folder_fini(&folder);
}

static void open_users(void)
{
    ck_assert_msg(users_open(str_from(url), &users, &error) == ERR_OK, "%s", error.caller);
}

/* The reason, and the file's name, are in the text. */
static void refuse_to_open(enum err wanted, const char *reason)
{
    error_clear(&error);
    enum err err = users_open(str_from(url), &users, &error);
    ck_assert_msg(err == wanted, "%s: %s", err_name(err), error.caller);
    ck_assert_ptr_null(users);
    ck_assert_msg(strstr(error.caller, reason) != NULL, "%s", error.caller);
    if (wanted != ERR_BAD_INPUT)
        ck_assert_msg(strstr(error.caller, path) != NULL, "%s", error.caller);
}

static unsigned mode_of(const char *file)
{
    struct stat status;

    ck_assert_int_eq(stat(file, &status), 0);
    return status.st_mode & 07777;
}

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* Looks at, or tampers with, the file as another program. */
static sqlite3 *open_raw(void)
{
    sqlite3 *raw = NULL;

    ck_assert_int_eq(sqlite3_open(path, &raw), SQLITE_OK);
    return raw;
}

static void exec_raw(const char *sql)
{
    sqlite3 *raw = open_raw();

    ck_assert_int_eq(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(raw), SQLITE_OK);
}

static int64_t integer_raw(const char *sql)
{
    sqlite3 *raw = open_raw();
    sqlite3_stmt *statement = NULL;

    ck_assert_int_eq(sqlite3_prepare_v2(raw, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(raw);
    return value;
}

/* --- the file --- */

START_TEST(private_whatever_the_umask)
{
    static const mode_t masks[] = {0, 022, 077, 0777};

    for (size_t i = 0; i < 4; i++) {
        char name[64], inner[500];
        snprintf(name, sizeof name, "new%zu/deep/users.db", i);
        name_file(name);
        mode_t before = umask(masks[i]);
        open_users();
        users_backend_add(users, "alice", "h");
        umask(before);
        ck_assert_uint_eq(mode_of(path), 0600);
        snprintf(inner, sizeof inner, "%s-wal", path);
        ck_assert_uint_eq(mode_of(inner), 0600);
        snprintf(inner, sizeof inner, "%s-shm", path);
        ck_assert_uint_eq(mode_of(inner), 0600);
        snprintf(inner, sizeof inner, "%s/new%zu", folder.path, i);
        ck_assert_uint_eq(mode_of(inner), 0700);
        snprintf(inner, sizeof inner, "%s/new%zu/deep", folder.path, i);
        ck_assert_uint_eq(mode_of(inner), 0700);
        users_close(&users);
    }
}
END_TEST

START_TEST(relative_and_odd_paths)
{
    static const char *const names[] = {"users.db", "./users2.db",   "file:users3.db?mode=memory",
                                        ":4.db",    "with blank.db", "sub/../users5.db"};
    char before[400];

    ck_assert_ptr_nonnull(getcwd(before, sizeof before));
    ck_assert_int_eq(chdir(folder.path), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(url, sizeof url, "sqlite:%s", names[i]);
        open_users();
        users_close(&users);
        ck_assert_msg(access(names[i], F_OK) == 0, "%s", names[i]);
    }
    ck_assert_int_eq(chdir(before), 0);
}
END_TEST

START_TEST(locations_that_are_refused)
{
    static const char *const bad[] = {"sqlite:", "sqlite::memory:", "sqlite:a\nb"};

    for (size_t i = 0; i < 3; i++) {
        snprintf(url, sizeof url, "%s", bad[i]);
        refuse_to_open(ERR_BAD_INPUT, "users.database: ");
    }
    ck_assert_int_eq(users_open(STR("sqlite:a\0b"), &users, &error), ERR_BAD_INPUT);
}
END_TEST

START_TEST(a_folder)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    refuse_to_open(ERR_UPSTREAM_DOWN, "it is a folder");
}
END_TEST

START_TEST(a_file_where_a_folder_should_be)
{
    write_file("x", 1);
    name_file("users.db/users.db");
    refuse_to_open(ERR_UPSTREAM_DOWN, "Not a directory");
}
END_TEST

START_TEST(no_regular_file)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    refuse_to_open(ERR_UPSTREAM_DOWN, "not a regular file");
    name_file("loop");
    ck_assert_int_eq(symlink(path, path), 0);
    refuse_to_open(ERR_UPSTREAM_DOWN, "symbolic links");
}
END_TEST

START_TEST(a_name_too_long)
{
    static char long_url[6000] = "sqlite:/";

    memset(long_url + 8, 'x', sizeof long_url - 9);
    ck_assert_int_eq(users_open(str_from(long_url), &users, &error), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.caller, "too long"));
}
END_TEST

START_TEST(not_a_database)
{
    char text[5000];

    memset(text, 'x', sizeof text);
    write_file(text, sizeof text);
    refuse_to_open(ERR_UPSTREAM_DOWN, "not a SQLite database");
    /* And left as it was. */
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_size, sizeof text);
}
END_TEST

START_TEST(a_damaged_database)
{
    open_users();
    users_backend_add(users, "alice", "h");
    users_close(&users);
    /* All but the first page, whose head tells what the file is. */
    int fd = open(path, O_RDWR);
    char rubbish[4096];
    memset(rubbish, 0xa5, sizeof rubbish);
    off_t end = lseek(fd, 0, SEEK_END);
    ck_assert_int_gt(end, 8192);
    for (off_t at = 200; at < end; at += (off_t)sizeof rubbish)
        ck_assert_int_gt(pwrite(fd, rubbish, sizeof rubbish, at), 0);
    close(fd);
    refuse_to_open(ERR_UPSTREAM_DOWN, "damaged");
}
END_TEST

START_TEST(another_programs_database)
{
    exec_raw("CREATE TABLE django_session (id INTEGER)");
    refuse_to_open(ERR_UPSTREAM_DOWN, "belongs to another program");
    ck_assert_int_eq(integer_raw("SELECT count(*) FROM sqlite_schema"), 1);

    name_file("other.db");
    exec_raw("PRAGMA application_id = 12345");
    refuse_to_open(ERR_UPSTREAM_DOWN, "belongs to another program");
}
END_TEST

/* The tests may run as root, whom no mode stops: then nobody opens it. */
START_TEST(a_file_we_may_not_write)
{
    open_users();
    users_close(&users);
    ck_assert_int_eq(chmod(path, 0400), 0);
    ck_assert_int_eq(chmod(folder.path, 0555), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    refuse_to_open(ERR_UPSTREAM_DOWN, "cannot be read and written");
    name_file("new/users.db");
    refuse_to_open(ERR_UPSTREAM_DOWN, "Permission denied");
    ck_assert_int_eq(seteuid(getuid()), 0);
    ck_assert_int_eq(chmod(folder.path, 0755), 0);
}
END_TEST

START_TEST(the_file_vanishes_or_is_replaced)
{
    char aside[500];

    open_users();
    ck_assert_int_eq(users_ping(users, &error), ERR_OK);
    snprintf(aside, sizeof aside, "%s.aside", path);
    ck_assert_int_eq(rename(path, aside), 0);
    ck_assert_int_eq(users_ping(users, &error), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.caller, "not there any more"));
    write_file("", 0);
    ck_assert_int_eq(users_ping(users, &error), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.caller, "was replaced"));
    ck_assert_int_eq(rename(aside, path), 0);
    ck_assert_int_eq(users_ping(users, &error), ERR_OK);
}
END_TEST

/* --- schema --- */

START_TEST(the_schema_tells_its_version)
{
    open_users();
    users_close(&users);
    ck_assert_int_eq(integer_raw("PRAGMA user_version"), users_sqlite_version);
    ck_assert_int_eq(integer_raw("PRAGMA application_id"), USERS_SQLITE_APPLICATION_ID);
    ck_assert_int_eq(integer_raw("SELECT count(*) FROM migrations"), users_sqlite_version);
    ck_assert_int_eq(integer_raw("SELECT max(version) FROM migrations"), users_sqlite_version);
}
END_TEST

START_TEST(a_newer_schema)
{
    char sql[64];

    open_users();
    users_close(&users);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", users_sqlite_version + 1);
    exec_raw(sql);
    refuse_to_open(ERR_CONFLICT, "use a newer one");
    ck_assert_int_eq(integer_raw("PRAGMA user_version"), users_sqlite_version + 1);
}
END_TEST

/* --- trouble while it runs --- */

/* Another program that holds the file: readers go on, writers wait a while and then hear so. */
START_TEST(locked_by_another_program)
{
    struct user user;

    open_users();
    int64_t id = users_backend_add(users, "alice", "h");
    sqlite3 *raw = open_raw();
    ck_assert_int_eq(sqlite3_exec(raw, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    int64_t before = clock_mono_ns();
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_UPSTREAM_DOWN);
    int64_t waited = clock_mono_ns() - before;
    ck_assert_int_ge(waited, NS_PER_S);
    expect_within_ms((waited) / NS_PER_MS, 20 * 1000);
    ck_assert_str_eq(error.caller,
                     "The users database is out of reach: another program keeps it locked.");
    ck_assert_int_eq(sqlite3_exec(raw, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    ck_assert_int_eq(sqlite3_close(raw), SQLITE_OK);
}
END_TEST

/* A command in another container: the process has no number there. Where no such namespace can be made, nothing is
 * shown. */
static void expect_somebody_from_elsewhere(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
            _exit(0);
        pid_t inside = fork();
        if (inside == 0)
            _exit(users_other_process(str_from(url)) == USERS_PROCESS_ELSEWHERE ? 0 : 1);
        _exit(waitpid(inside, &status, 0) == inside && status == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* A server, say. It does nothing, and is seen all the same. */
START_TEST(another_process_has_it_open)
{
    int is_open[2], may_end[2], status;
    char byte;

    ck_assert_int_eq(users_other_process(str_from(url)), 0);
    open_users();
    users_close(&users);
    ck_assert_int_eq(users_other_process(str_from(url)), 0);
    ck_assert_int_eq(pipe(is_open), 0);
    ck_assert_int_eq(pipe(may_end), 0);
    pid_t child = fork();
    if (child == 0) {
        open_users();
        bool is_told = write(is_open[1], "", 1) == 1;
        close(may_end[1]);
        _exit(is_told && read(may_end[0], &byte, 1) == 0 ? 0 : 1);
    }
    ck_assert_int_eq(read(is_open[0], &byte, 1), 1);
    ck_assert_int_eq(users_other_process(str_from(url)), child);
    expect_somebody_from_elsewhere();
    close(may_end[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(users_other_process(str_from(url)), 0);
    ck_assert_int_eq(users_other_process(STR("postgresql://nobody@nowhere/x")), 0);
    close(may_end[0]);
    close(is_open[0]);
    close(is_open[1]);
}
END_TEST

/* A full disk, played by the limit on file sizes: refused, nothing changed, and usable once there is room. */
START_TEST(no_room_left)
{
    struct rlimit before, small;
    struct stat status;
    struct user user;

    open_users();
    int64_t id = users_backend_add(users, "alice", "h");
    char wal[500];
    snprintf(wal, sizeof wal, "%s-wal", path);
    ck_assert_int_eq(stat(wal, &status), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    small = before;
    small.rlim_cur = (rlim_t)status.st_size;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err err = users_set_active(users, id, false, &error);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(err, ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.caller, "The users database is out of reach: ") != NULL, "%s",
                  error.caller);
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    ck_assert(user.is_active);
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    ck_assert(!user.is_active);
}
END_TEST

/* They are in another folder, which is on another disk, say. */
START_TEST(no_room_for_rows_that_are_staged)
{
    enum { LINE = 4096, LINES = 4000 };
    struct rlimit before, small;
    struct users_import *import;
    char line[LINE];
    enum err err = ERR_OK;

    open_users();
    ck_assert_int_eq(users_import_begin(users, false, &import, &error), ERR_OK);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    small = before;
    small.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; err == ERR_OK && i < LINES; i++) {
        snprintf(line, sizeof line, "{\"account_id\":%d,\"name\":\"%0*d\"}\n", i + 1, LINE - 100,
                 i);
        err = users_import_rows(import, USERS_GROUPS, str_from(line), &error);
    }
    ck_assert_int_eq(users_import_end(&import, err, NULL), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_msg(strstr(error.caller, "SQLITE_TMPDIR") != NULL, "%s", error.caller);
    ck_assert_ptr_null(strstr(error.detail, path));
    users_backend_add(users, "alice", "h");
}
END_TEST

/* Words of SQLite and of ours never reach a caller. */
START_TEST(no_sql_for_the_caller)
{
    struct user user;

    open_users();
    exec_raw("ALTER TABLE accounts RENAME TO elsewhere");
    ck_assert_int_eq(users_find_by_id(users, arena, 1, &user, &error), ERR_INTERNAL);
    ck_assert_ptr_null(strstr(error.caller, "SELECT"));
    ck_assert_ptr_null(strstr(error.caller, "accounts"));
    ck_assert_ptr_nonnull(strstr(error.detail, "accounts"));
}
END_TEST

START_TEST(old_hashes_leave_the_file)
{
    open_users();
    int64_t id = users_backend_add(users, "alice", "the-hash-that-is-to-go-away");
    ck_assert_int_eq(users_set_password(users, id, STR("new"), &error), ERR_OK);
    users_close(&users);
    FILE *file = fopen(path, "r");
    static char bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    ck_assert_uint_gt(size, 8192);
    ck_assert_ptr_null(memmem(bytes, size, "the-hash-that-is-to-go-away", 27));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/sqlite/sqlite");
    TCase *tcase = tcase_create("users_sqlite");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, private_whatever_the_umask);
    tcase_add_test(tcase, relative_and_odd_paths);
    tcase_add_test(tcase, locations_that_are_refused);
    tcase_add_test(tcase, a_folder);
    tcase_add_test(tcase, a_file_where_a_folder_should_be);
    tcase_add_test(tcase, no_regular_file);
    tcase_add_test(tcase, a_name_too_long);
    tcase_add_test(tcase, not_a_database);
    tcase_add_test(tcase, a_damaged_database);
    tcase_add_test(tcase, another_programs_database);
    tcase_add_test(tcase, a_file_we_may_not_write);
    tcase_add_test(tcase, the_file_vanishes_or_is_replaced);
    tcase_add_test(tcase, the_schema_tells_its_version);
    tcase_add_test(tcase, a_newer_schema);
    tcase_add_test(tcase, locked_by_another_program);
    tcase_add_test(tcase, another_process_has_it_open);
    tcase_add_test(tcase, no_room_left);
    tcase_add_test(tcase, no_room_for_rows_that_are_staged);
    tcase_add_test(tcase, no_sql_for_the_caller);
    tcase_add_test(tcase, old_hashes_leave_the_file);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
