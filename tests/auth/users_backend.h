/*
 * The users databases there are. Contract tests of users.h run on every one of them: users_backends
 * gets a row for each driver, and tests ask for nothing but an empty database. Those that ask for
 * it on PostgreSQL have users_backends_run around the suite: all tests of a program share a server.
 */
#ifndef CACHEWARDEN_TESTS_USERS_BACKEND_H
#define CACHEWARDEN_TESTS_USERS_BACKEND_H

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/users.h"
#include "patience.h"
#include "pooler.h"
#include "postgres_server.h"
#include "suite.h"
#include "temp_folder.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct users_backend {
    const char *name;   /* users_driver_name */
    void (*init)(void); /* an empty database, and its URL in users_backend_url */
    void (*fini)(void);
    void (*ruin)(void); /* from here on it cannot be read: ERR_UPSTREAM_DOWN */
};

static char users_backend_url[512];
static struct temp_folder users_backend_folder;

static inline void users_backend_sqlite_init(void)
{
    temp_folder_init(&users_backend_folder);
    snprintf(users_backend_url, sizeof users_backend_url, "sqlite:%s/users.db",
             users_backend_folder.path);
}

static inline void users_backend_sqlite_fini(void)
{
    temp_folder_fini(&users_backend_folder);
}

/* Everything into the file itself. It is done only when nobody was in the way, a writer that is about
 * to let go, say: then SQLite answers "busy", which is no error. */
static inline void users_backend_sqlite_empty_wal(sqlite3 *raw)
{
    sqlite3_stmt *checkpoint;
    bool is_busy = true;

    ck_assert_int_eq(
        sqlite3_prepare_v2(raw, "PRAGMA wal_checkpoint(TRUNCATE)", -1, &checkpoint, NULL),
        SQLITE_OK);
    while (is_busy) {
        ck_assert_int_eq(sqlite3_step(checkpoint), SQLITE_ROW);
        is_busy = sqlite3_column_int(checkpoint, 0) != 0;
        sqlite3_reset(checkpoint);
    }
    sqlite3_finalize(checkpoint);
}

/* Rubbish on every page but the first, seen by those who have it open too. */
static inline void users_backend_sqlite_ruin(void)
{
    static const char rubbish[65536] = "rubbish";
    const char *path = users_backend_url + strlen("sqlite:");
    sqlite3 *raw = NULL;
    struct stat status;

    ck_assert_int_eq(sqlite3_open(path, &raw), SQLITE_OK);
    users_backend_sqlite_empty_wal(raw);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_lt(status.st_size, sizeof rubbish);
    /* Not through a descriptor of our own: closing it would drop SQLite's locks. */
    pid_t child = fork();
    if (child == 0) {
        int fd = open(path, O_WRONLY);
        ssize_t size = pwrite(fd, rubbish, (size_t)status.st_size - 4096, 4096);
        _exit(size == status.st_size - 4096 ? 0 : 1);
    }
    int ended;
    ck_assert_int_eq(waitpid(child, &ended, 0), child);
    ck_assert_int_eq(ended, 0);
    /* A change to the first page makes the others read theirs again. */
    ck_assert_int_eq(sqlite3_exec(raw, "PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(raw);
}

static struct postgres_server *users_backend_server;

static inline void users_backend_postgres_init(void)
{
    postgres_server_empty(users_backend_server);
    postgres_server_url(users_backend_server, POSTGRES_DATABASE, users_backend_url);
}

/* Nobody keeps a connection open. The server hears a moment later that one was closed. */
static inline void users_backend_postgres_fini(void)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    while (postgres_server_ask_integer(users_backend_server, "postgres",
                                       "SELECT count(*) FROM pg_stat_activity"
                                       " WHERE datname = '" POSTGRES_DATABASE "'") > 0)
        ck_assert_msg(clock_mono_ns() < deadline_ns, "a connection is left open");
}

static inline void users_backend_postgres_ruin(void)
{
    postgres_server_do(users_backend_server, "postgres",
                       "BEGIN; ALTER DATABASE " POSTGRES_DATABASE
                       " ALLOW_CONNECTIONS false; COMMIT;"
                       "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE datname = '" POSTGRES_DATABASE "'");
}

/* The same through PgBouncer, which shares a few sessions among all transactions. */
static struct pooler *users_backend_pooler;

static inline void users_backend_pooled_init(void)
{
    postgres_server_empty(users_backend_server);
    users_backend_pooler = pooler_start(users_backend_server, "transaction", 6);
    pooler_url(users_backend_pooler, POSTGRES_DATABASE, users_backend_url);
}

static inline void users_backend_pooled_fini(void)
{
    pooler_stop(&users_backend_pooler);
    users_backend_postgres_fini();
}

static const struct users_backend users_backends[] = {
    {"sqlite", users_backend_sqlite_init, users_backend_sqlite_fini, users_backend_sqlite_ruin},
    {"postgresql", users_backend_postgres_init, users_backend_postgres_fini,
     users_backend_postgres_ruin},
    {"postgresql", users_backend_pooled_init, users_backend_pooled_fini,
     users_backend_postgres_ruin},
};

enum { USERS_BACKEND_COUNT = sizeof users_backends / sizeof *users_backends };

static inline int users_backends_run(Suite *suite)
{
    users_backend_server = postgres_server_start(NULL);
    int status = suite_run(suite);
    postgres_server_stop(&users_backend_server);
    return status;
}

/* One more opening of the database: another node, or a command line. */
static inline struct users *users_backend_open(void)
{
    struct users *users = NULL;
    struct error error;

    error_clear(&error);
    ck_assert_msg(users_open(str_from(users_backend_url), &users, &error) == ERR_OK, "%s",
                  error.caller);
    return users;
}

/*
 * Whether a look or a change has to be tried again: one of many at once is refused when its turn does not
 * come in time, which is right, and on a slow machine says nothing about what a test is about.
 */
static inline bool users_backend_must_retry(enum err err, const struct error *error,
                                            int64_t deadline_ns)
{
    bool is_crowded = strstr(error->caller, "too many changes at once") ||
                      strstr(error->caller, "too many requests at once") ||
                      strstr(error->caller, "another program keeps it locked");

    return err == ERR_UPSTREAM_DOWN && is_crowded && clock_mono_ns() < deadline_ns;
}

/* An active account called `name`, with an email of its own; its id. */
static inline int64_t users_backend_add(struct users *users, const char *name, const char *hash)
{
    char email[200];
    struct error error;
    int64_t id = 0;

    error_clear(&error);
    snprintf(email, sizeof email, "%s@example.org", name);
    struct user user = {.username = str_from(name),
                        .email = str_from(email),
                        .password_hash = str_from(hash),
                        .is_active = true};
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    enum err err;
    do
        err = users_add(users, &user, &id, &error);
    while (users_backend_must_retry(err, &error, deadline_ns));
    ck_assert_msg(err == ERR_OK, "%s: %s", name, error.caller);
    ck_assert_int_gt(id, 0);
    return id;
}

#endif
