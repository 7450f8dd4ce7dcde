/*
 * What stands behind users.h: a database that runs a fixed list of statements with bound
 * parameters. The operations on accounts and keys are written once (users.c, keys.c); a
 * driver knows connections, transactions, its schema, and how its errors map to enum err.
 *
 * A connection is borrowed from begin to end. Those that read run side by side; one that writes is
 * a transaction, and while it lasts no other one changes a row it has changed (ACCOUNT_HOLD counts).
 * Connections belong to one thread.
 */
#ifndef AUTH_USERS_DRIVER_H
#define AUTH_USERS_DRIVER_H

#include "cachewarden/users.h"

/* The statements, users/statements.def; parameters are ?1, ?2 … */
enum users_statement {
#define STATEMENT(id, text) id,
#include "users/statements.def"
#undef STATEMENT
    USERS_STATEMENT_COUNT
};

enum users_mode {
    USERS_READ,
    USERS_WRITE,
    /* A transaction that only reads: all of it is of the moment it began, and nobody waits for it. */
    USERS_SNAPSHOT,
    /* Replaces all there is, in two halves. Rows are written to tables of this connection's own first (the copy_…
     * of statements.def), and nobody waits; `replace` begins the transaction in which readers go on, and other
     * writers wait, or give up. A statement may take minutes. */
    USERS_REPLACE,
    /* The same, but it is only looked what would be: nobody waits, and the end undoes it. */
    USERS_TRIAL,
};

static inline bool users_mode_writes(enum users_mode mode)
{
    return mode == USERS_WRITE || mode == USERS_REPLACE || mode == USERS_TRIAL;
}

enum users_value_kind { USERS_NULL = 0, USERS_INTEGER, USERS_TEXT, USERS_BYTES };

struct users_value {
    enum users_value_kind kind;
    int64_t integer;
    struct str bytes; /* of USERS_TEXT and USERS_BYTES */
};

/* A statement and what its parameters are to be. */
struct users_query {
    enum users_statement statement;
    const struct users_value *parameters;
    size_t count; /* of parameters */
};

struct users_result {
    struct users_value *values; /* row after row; NULL without rows */
    size_t row_count;
    size_t column_count;
    int64_t changed; /* rows that were inserted, updated or deleted */
};

/* What the caller hears of a unique constraint. */
#define USERS_USERNAME_TAKEN "A user with that username already exists."
#define USERS_EMAIL_TAKEN    "A user with that email already exists."
#define USERS_KEY_NAME_TAKEN "An API key with that name already exists."
#define USERS_KEY_ID_TAKEN   "An API key with that id already exists."

struct users_db;
struct users_connection;

struct users_driver {
    const char *name;          /* "sqlite" */
    const char *prefix;        /* "sqlite:": what a URL of this driver begins with */
    const int *schema_version; /* that this program makes of a database when it opens it */

    /* Form only: ERR_BAD_INPUT. `location` is what follows the prefix. */
    enum err (*check_location)(struct str location, struct error *error);
    /* Makes and migrates the schema of a location that was found good; errors as users_open. */
    enum err (*open)(struct str location, struct users_db **db_out, struct error *error);
    void (*close)(struct users_db **db);
    /* users_renew_login; NULL: nobody signs in there. */
    enum err (*renew_login)(struct users_db *db, struct str location, bool *changed_out,
                            struct error *error);
    /* users_look: opens it for this one question, and writes nothing. */
    enum err (*look)(struct str location, struct users_sight *sight_out, struct error *error);

    /* users_other_process; NULL: nobody can tell. */
    pid_t (*other_process)(struct str location);

    /* Whether the database is there and still the one that was opened. */
    enum err (*check)(struct users_db *db, struct error *error);

    /* Waits for its turn and for other processes a bounded time: ERR_UPSTREAM_DOWN. */
    enum err (*begin)(struct users_db *db, enum users_mode mode,
                      struct users_connection **connection_out, struct error *error);
    /* All rows are copied into the arena, which may be NULL for a statement without rows.
     * ERR_CONFLICT: a unique constraint; the caller's text is empty where the driver cannot tell
     * which. ERR_UPSTREAM_DOWN: nothing has changed, and nothing will by this connection. After any
     * error a writing connection can only be ended. */
    enum err (*run)(struct users_connection *connection, struct users_query query,
                    struct arena *arena, struct users_result *result_out, struct error *error);
    /* The second half of USERS_REPLACE and USERS_TRIAL. Waits its turn as begin does. */
    enum err (*replace)(struct users_connection *connection, struct error *error);
    /* In a writing connection: no account gets an id up to `last` from here on. */
    enum err (*skip_ids)(struct users_connection *connection, int64_t last, struct error *error);
    /* Gives the connection back. A writing connection is committed when `outcome` is ERR_OK, else
     * undone, and the answer is `outcome` or what the commit said; ERR_UNCERTAIN: nothing came. */
    enum err (*end)(struct users_connection **connection, enum err outcome, struct error *error);
};

extern const struct users_driver users_sqlite_driver;
/* One driver; its URLs have two names. */
extern const struct users_driver users_postgresql_driver, users_postgres_driver;

#endif
