/*
 * One connection to a SQLite users database; sqlite.c and run.c are the home of sqlite3.h. Who may
 * use which connection when is users/sqlite/driver.c's business.
 */
#ifndef AUTH_USERS_SQLITE_SQLITE_H
#define AUTH_USERS_SQLITE_SQLITE_H

#include "users/driver.h"

/* How long another process is waited for: by a request, and at the start of the program, when
 * several may be making the file. */
#define USERS_SQLITE_BUSY_TIMEOUT_MS 2000
#define USERS_SQLITE_OPEN_TIMEOUT_MS 10000

/* Pages a connection holds in memory, in KiB: of a few requests, and of one that replaces all rows. */
#define USERS_SQLITE_SMALL_CACHE "PRAGMA cache_size = -1024"
#define USERS_SQLITE_LARGE_CACHE "PRAGMA cache_size = -16384"

struct sqlite3;
struct sqlite3_stmt;

struct users_connection {
    struct users_db *db;                /* the driver's */
    struct users_connection *next_idle; /* the driver's */
    enum users_mode mode;
    bool is_broken;        /* saw an error that may last: to be closed, not kept */
    bool is_staging;       /* writes to the file beside alone (stage.c) */
    int patience_ms;       /* how long a statement waits for other processes */
    int64_t busy_until_ns; /* how long the statement that runs waits for others */
    const char *path;
    struct sqlite3 *handle;
    struct sqlite3_stmt *statements[USERS_STATEMENT_COUNT]; /* prepared when first used */
};

/*
 * Errors of all functions: ERR_UPSTREAM_DOWN, ERR_NO_MEMORY, ERR_INTERNAL; caller's text without
 * SQL, detail with SQLite's own words and the path.
 */

/* Opens an existing file, `path` is borrowed. A USERS_READ connection cannot write. */
CW_MUST_CHECK enum err users_sqlite_open(const char *path, enum users_mode mode, int patience_ms,
                                         struct users_connection **connection_out,
                                         struct error *error);
/*
 * Opens an existing file so that nothing comes of it: not even the journal files that reading makes
 * where no other process has them open. For a short look, `path` is borrowed.
 */
CW_MUST_CHECK enum err users_sqlite_open_to_look(const char *path,
                                                 struct users_connection **connection_out,
                                                 struct error *error);
void users_sqlite_close(struct users_connection **connection);

/*
 * Statements without parameters and rows of interest: transactions, settings, schema. Outside a
 * transaction all of it may be done more than once, until others are out of the way.
 */
CW_MUST_CHECK enum err users_sqlite_exec(struct users_connection *connection, const char *sql,
                                         struct error *error);
/* The one integer of a PRAGMA or a query. */
CW_MUST_CHECK enum err users_sqlite_integer(struct users_connection *connection, const char *query,
                                            int64_t *value_out, struct error *error);
/* Its one text, cut at size; empty: it has no row. */
CW_MUST_CHECK enum err users_sqlite_text(struct users_connection *connection, const char *query,
                                         char *text_out, size_t size, struct error *error);
/* Makes the tables copy_… of statements.def in a file that only this connection has, and begins a transaction that
 * fills them. */
CW_MUST_CHECK enum err users_sqlite_stage(struct users_connection *connection, struct error *error);
/* users_look, of a file that is there; sight->known is set. */
CW_MUST_CHECK enum err users_sqlite_look(const char *path, struct users_sight *sight,
                                         struct error *error);
/* Switches the file to write-ahead logging, once and for ever. */
CW_MUST_CHECK enum err users_sqlite_use_log(struct users_connection *connection,
                                            struct error *error);
bool users_sqlite_in_transaction(const struct users_connection *connection);

/* struct users_driver's `run`. Also ERR_CONFLICT (unique constraint), ERR_NOT_FOUND (a row referred
 * to is not there). */
CW_MUST_CHECK enum err users_sqlite_run(struct users_connection *connection,
                                        struct users_query query, struct arena *arena,
                                        struct users_result *result_out, struct error *error);

#endif
