#include "users/sqlite/sqlite_private.h"

#include "cachewarden/clock.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *reason_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another program keeps it locked";
    case SQLITE_READONLY:
        return "it is read-only";
    case SQLITE_CANTOPEN:
        return "it cannot be opened";
    case SQLITE_NOTADB:
        return "it is not a SQLite database";
    case SQLITE_CORRUPT:
        return "it is damaged";
    case SQLITE_FULL:
        return "the disk is full";
    case SQLITE_IOERR:
        return "reading or writing it failed";
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return "access is denied";
    default:
        return "it failed unexpectedly";
    }
}

static enum err err_of(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
        return ERR_CONFLICT;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return ERR_NOT_FOUND;
    }
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ERR_UPSTREAM_DOWN;
    default:
        return ERR_INTERNAL;
    }
}

/* Of which file it is: the two may be on different disks. */
static void say_where(const struct users_connection *connection, enum err err, const char *reason,
                      struct error *error)
{
    if (connection->is_staging)
        error_set(error, err,
                  "The rows of a backup cannot be kept in the folder for temporary files "
                  "(SQLITE_TMPDIR, or else TMPDIR, /var/tmp, /tmp): %s.",
                  reason);
    else
        error_set(error, err, "The users database is out of reach: %s.", reason);
}

enum err users_sqlite_fail(struct users_connection *connection, int code, struct error *error)
{
    enum err err = err_of(code);
    int kind = code & 0xff;

    if (kind != SQLITE_CONSTRAINT && kind != SQLITE_BUSY && kind != SQLITE_FULL)
        connection->is_broken = true;
    if (kind == SQLITE_CONSTRAINT)
        error_set_detail(error, err, "users database: a constraint");
    else
        say_where(connection, err, reason_of(code), error);
    if (error)
        snprintf(error->detail, sizeof error->detail, "users database: %s: %s (SQLite %d: %s)",
                 reason_of(code),
                 connection->is_staging ? "a temporary file of a restore" : connection->path, code,
                 sqlite3_errmsg(connection->handle));
    return err;
}

/*
 * Asked again while another process writes. SQLite's own handler waits longer from time to time, up
 * to a tenth of a second, and so loses for ever to a process that writes one thing after the other;
 * this one keeps looking.
 */
static int wait_for_others(void *arg, int times_asked)
{
    struct users_connection *connection = arg;
    int64_t now_ns = clock_mono_ns();

    if (times_asked == 0)
        connection->busy_until_ns = now_ns + connection->patience_ms * NS_PER_MS;
    if (now_ns >= connection->busy_until_ns)
        return 0;
    sqlite3_sleep(times_asked < 10 ? 1 : 3);
    return 1;
}

/*
 * What passes: another process creates, opens, recovers or closes the file, and its journals come
 * and go between a look at them and the use of them.
 */
static bool is_transient(int code)
{
    switch (code) {
    case SQLITE_IOERR_DELETE_NOENT: /* the journal to delete is gone already */
    case SQLITE_READONLY_RECOVERY:  /* who may not repair the log waits for who may */
    case SQLITE_READONLY_CANTINIT:
    case SQLITE_READONLY_ROLLBACK:
        return true;
    }
    switch (code & 0xff) {
    case SQLITE_CANTOPEN: /* a journal, or the shared memory, went between two calls */
    case SQLITE_PROTOCOL: /* many opened the log at the same moment */
        return true;
    default:
        return false;
    }
}

/* These last a moment, or for ever; the latter must not hold up a request. */
enum { TRANSIENT_TRIES_MAX = 100 };

struct tries {
    int64_t busy_until_ns;
    int count;
};

static struct tries tries_begin(const struct users_connection *connection)
{
    return (struct tries){clock_deadline_ns(connection->patience_ms), 0};
}

/*
 * Whether what failed with `code` is worth another try, after a nap. SQLite asks wait_for_others
 * about most locks, and reports the rest as busy. Within a transaction the answer is no: part of it
 * is done.
 */
static bool try_again(const struct users_connection *connection, int code, struct tries *tries)
{
    bool is_busy = (code & 0xff) == SQLITE_BUSY && clock_mono_ns() < tries->busy_until_ns;
    bool will_pass = is_transient(code) && ++tries->count < TRANSIENT_TRIES_MAX;

    if ((!is_busy && !will_pass) || users_sqlite_in_transaction(connection))
        return false;
    sqlite3_sleep(3);
    return true;
}

/* Outside a transaction the whole text is done again, and must bear that. */
static int execute(struct users_connection *connection, const char *sql)
{
    struct tries tries = tries_begin(connection);
    int code;

    do
        code = sqlite3_exec(connection->handle, sql, NULL, NULL, NULL);
    while (try_again(connection, code, &tries));
    return code;
}

int users_sqlite_step_first(struct users_connection *connection, sqlite3_stmt *statement)
{
    struct tries tries = tries_begin(connection);
    int code;

    while ((code = sqlite3_step(statement)) != SQLITE_ROW && try_again(connection, code, &tries))
        sqlite3_reset(statement);
    return code;
}

enum err users_sqlite_open(const char *path, enum users_mode mode, int patience_ms,
                           struct users_connection **connection_out, struct error *error)
{
    static const char settings[] =
        "PRAGMA foreign_keys = ON;"
        "PRAGMA synchronous = FULL;" /* an acknowledged account survives a power cut */
        "PRAGMA secure_delete = ON;" /* old password hashes leave the file */
        "PRAGMA trusted_schema = OFF;"
        "PRAGMA temp_store = MEMORY;" USERS_SQLITE_SMALL_CACHE ";"
        /* A log that grew in a large transaction does not stay so large. */
        "PRAGMA journal_size_limit = 16777216;";
    struct users_connection *connection = calloc(1, sizeof *connection);

    *connection_out = NULL;
    if (!connection)
        return ERR_NO_MEMORY;
    connection->path = path;
    connection->mode = mode;
    connection->patience_ms = patience_ms;
    /* No SQLITE_OPEN_CREATE: a file that vanished is an error, not a new and empty database. */
    int code = sqlite3_open_v2(path, &connection->handle,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(connection->handle, 1);
        sqlite3_busy_handler(connection->handle, wait_for_others, connection);
        sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        code = execute(connection, settings);
    }
    if (code == SQLITE_OK && mode == USERS_READ)
        code = execute(connection, "PRAGMA query_only = ON");
    if (code != SQLITE_OK) {
        enum err err = users_sqlite_fail(connection, code, error);
        users_sqlite_close(&connection);
        return err;
    }
    *connection_out = connection;
    return ERR_OK;
}

/* As SQLite wants a file in a URI: '%', '?' and '#' would end or change the name. */
static char *uri_of(const char *path)
{
    static const char is_logged[] = "?mode=ro", is_at_rest[] = "?mode=ro&immutable=1";
    struct stat log;
    struct strbuf uri;
    char *log_path = NULL;

    if (asprintf(&log_path, "%s-wal", path) < 0)
        return NULL;
    /* Without a log the file is whole, and "immutable" spares the making of one. */
    bool has_log = stat(log_path, &log) == 0 && log.st_size > 0;
    free(log_path);
    strbuf_init(&uri, NULL, 256);
    strbuf_add(&uri, STR("file:"));
    for (const char *c = path; *c; c++)
        if (strchr("%?#", *c))
            strbuf_addf(&uri, "%%%02X", (unsigned)*c);
        else
            strbuf_add_char(&uri, *c);
    strbuf_addf(&uri, "%s", has_log ? is_logged : is_at_rest);
    char *text = uri.failed ? NULL : strndup(uri.ptr, uri.len);
    strbuf_fini(&uri);
    return text;
}

enum err users_sqlite_open_to_look(const char *path, struct users_connection **connection_out,
                                   struct error *error)
{
    struct users_connection *connection = calloc(1, sizeof *connection);
    char *uri = uri_of(path);
    enum err err = ERR_NO_MEMORY;

    *connection_out = NULL;
    if (connection && uri) {
        connection->path = path;
        connection->patience_ms = USERS_SQLITE_BUSY_TIMEOUT_MS;
        int code =
            sqlite3_open_v2(uri, &connection->handle,
                            SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
        if (connection->handle)
            sqlite3_busy_handler(connection->handle, wait_for_others, connection);
        err = code == SQLITE_OK ? ERR_OK : users_sqlite_fail(connection, code, error);
    }
    free(uri);
    if (err)
        users_sqlite_close(&connection);
    *connection_out = connection;
    return err;
}

void users_sqlite_close(struct users_connection **connection)
{
    if (!*connection)
        return;
    for (size_t i = 0; i < USERS_STATEMENT_COUNT; i++)
        sqlite3_finalize((*connection)->statements[i]);
    sqlite3_close((*connection)->handle);
    free(*connection);
    *connection = NULL;
}

enum err users_sqlite_exec(struct users_connection *connection, const char *sql,
                           struct error *error)
{
    int code = execute(connection, sql);

    return code == SQLITE_OK ? ERR_OK : users_sqlite_fail(connection, code, error);
}

enum err users_sqlite_integer(struct users_connection *connection, const char *query,
                              int64_t *value_out, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(connection->handle, query, -1, &statement, NULL);

    *value_out = 0;
    if (code == SQLITE_OK &&
        (code = users_sqlite_step_first(connection, statement)) == SQLITE_ROW) {
        *value_out = sqlite3_column_int64(statement, 0);
        code = SQLITE_OK;
    }
    enum err err = code == SQLITE_OK ? ERR_OK : users_sqlite_fail(connection, code, error);
    sqlite3_finalize(statement);
    return err;
}

enum err users_sqlite_text(struct users_connection *connection, const char *query, char *text_out,
                           size_t size, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(connection->handle, query, -1, &statement, NULL);

    text_out[0] = '\0';
    if (code == SQLITE_OK &&
        (code = users_sqlite_step_first(connection, statement)) == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 0);
        snprintf(text_out, size, "%s", text ? (const char *)text : "");
        code = SQLITE_OK;
    }
    enum err err = code == SQLITE_OK ? ERR_OK : users_sqlite_fail(connection, code, error);
    sqlite3_finalize(statement);
    return err;
}

/* The switch needs the file for itself; SQLite does not always wait for that on its own. */
enum err users_sqlite_use_log(struct users_connection *connection, struct error *error)
{
    return users_sqlite_exec(connection, "PRAGMA journal_mode = WAL", error);
}

bool users_sqlite_in_transaction(const struct users_connection *connection)
{
    return sqlite3_get_autocommit(connection->handle) == 0;
}
