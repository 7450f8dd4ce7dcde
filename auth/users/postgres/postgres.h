/*
 * One connection to a PostgreSQL users database. Who may use which connection when, and what is
 * tried again, is users/postgres/driver.c's business.
 *
 * Every wait has a deadline of its own: a server that does not answer, be it dead, paused or cut
 * off, is given up on after USERS_POSTGRES_ANSWER_MS. The server ends a statement of its own
 * accord earlier (USERS_POSTGRES_STATEMENT_MS), so as a rule the reason comes from there.
 */
#ifndef AUTH_USERS_POSTGRES_POSTGRES_H
#define AUTH_USERS_POSTGRES_POSTGRES_H

#include "users/driver.h"

enum {
    USERS_POSTGRES_STATEMENT_MS = 2000,
    USERS_POSTGRES_ANSWER_MS = 2500,
    /* The same of a statement that touches all rows there are. */
    USERS_POSTGRES_REPLACE_STATEMENT_MS = 600000,
    USERS_POSTGRES_REPLACE_ANSWER_MS = 610000,
    /* For each host of the URL, with the look-up of its name; twice that for all of them. */
    USERS_POSTGRES_CONNECT_MS = 3000,
};

struct pg_conn;

enum users_postgres_state {
    USERS_POSTGRES_GOOD,
    USERS_POSTGRES_SPENT, /* answered with an error that may last: to be closed, not kept */
    USERS_POSTGRES_LOST,  /* closed by the other side */
    USERS_POSTGRES_MUTE,  /* no answer in time */
};

struct users_connection {
    struct users_db *db;                /* the driver's */
    struct users_connection *next_idle; /* the driver's */
    bool has_served;                    /* the driver's: was idle before it was taken */
    uint64_t login;                     /* the driver's: which user and password it was made with */
    enum users_mode mode;
    int answer_ms; /* how long a statement is waited for */
    enum users_postgres_state state;
    struct pg_conn *conn; /* NULL: not connected */
    /*
     * Somebody between us and the server (PgBouncer) lends its sessions to whoever has a transaction.
     * So nothing may outlast one: no setting, no statement that was prepared.
     */
    bool is_pooled;
    char *settings; /* then: SQL that each transaction begins with */
    bool is_prepared[USERS_STATEMENT_COUNT];
};

/*
 * Errors of all functions: ERR_UPSTREAM_DOWN, ERR_NO_MEMORY, ERR_INTERNAL; caller's text without
 * SQL, detail with PostgreSQL's own words. After an error connection->state tells what became of the
 * connection.
 */

/* A connection that is not made yet. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err users_postgres_new(struct users_connection **connection_out);
/* What it is used for next, and so how long its statements may take. */
void users_postgres_set_mode(struct users_connection *connection, enum users_mode mode);
/* Disconnects it, too. */
void users_postgres_free(struct users_connection **connection);

/*
 * Makes a connection that is not made yet, or was lost, with `url` as users/postgres/url.h wants
 * it, and finds out whether it is pooled. Out of a transaction the connection cannot write, whatever the database's
 * defaults.
 */
CW_MUST_CHECK enum err users_postgres_connect(struct users_connection *connection, const char *url,
                                              struct error *error);
void users_postgres_disconnect(struct users_connection *connection);
/* Looks without asking: false when the other side has closed. */
bool users_postgres_is_alive(struct users_connection *connection);
/* No transaction is open and no answer is owed: others may use it. */
bool users_postgres_is_idle(const struct users_connection *connection);

/* From here on our tables are those of this schema, an identifier as SQL wants it. */
CW_MUST_CHECK enum err users_postgres_use_schema(struct users_connection *connection,
                                                 const char *schema, struct error *error);

/* Begins a transaction: `how` is what follows BEGIN, `more` SQL that is run at once with it, or "". */
CW_MUST_CHECK enum err users_postgres_begin(struct users_connection *connection, const char *how,
                                            const char *more, int timeout_ms, struct error *error);
/* SQL without parameters and rows of interest, in a transaction unless nothing is pooled. The server's own
 * limit has to be raised where timeout_ms is longer. */
CW_MUST_CHECK enum err users_postgres_exec(struct users_connection *connection, const char *sql,
                                           int timeout_ms, struct error *error);
/* The first column of the first row, NUL-terminated and cut to fit; empty without a row, or for
 * NULL. In a transaction or out of one. */
CW_MUST_CHECK enum err users_postgres_text(struct users_connection *connection, const char *query,
                                           int timeout_ms, char *text_out, size_t size,
                                           struct error *error);
/* `name` as SQL wants an identifier, quoted; freed with free(). */
CW_MUST_CHECK enum err users_postgres_quote(struct users_connection *connection, const char *name,
                                            char **quoted_out, struct error *error);

/* Ends a transaction. ERR_UNCERTAIN: it was sent and no answer came. After any other error nothing
 * has changed. */
CW_MUST_CHECK enum err users_postgres_commit(struct users_connection *connection,
                                             struct error *error);

/* struct users_driver's `run`. Also ERR_CONFLICT (unique constraint; the caller's text names the
 * field), ERR_NOT_FOUND (a row referred to is not there), ERR_BAD_INPUT (a text to be written is
 * not UTF-8 or holds NUL). */
CW_MUST_CHECK enum err users_postgres_run(struct users_connection *connection,
                                          struct users_query query, struct arena *arena,
                                          struct users_result *result_out, struct error *error);

#endif
