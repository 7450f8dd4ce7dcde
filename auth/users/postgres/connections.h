/*
 * Who has which connection to a PostgreSQL users database. A few serve all threads; caches in front
 * spare most reads. The lock guards the bookkeeping; it is never held while a connection is made,
 * used or closed.
 *
 * After a failure to connect, and after a server fell silent, new connections are tried by one
 * thread at a time and once a second; the others hear at once why.
 */
#ifndef AUTH_USERS_POSTGRES_CONNECTIONS_H
#define AUTH_USERS_POSTGRES_CONNECTIONS_H

#include "users/postgres/postgres.h"

#include "cachewarden/lock.h"

#define USERS_POSTGRES_INSTALL_ID_SIZE 64
#define USERS_POSTGRES_INSTALL_ID      "SELECT value FROM facts WHERE name = 'install_id'"

struct users_db {
    /* set at open */
    char *schema; /* of our tables, as SQL wants it */
    char install_id[USERS_POSTGRES_INSTALL_ID_SIZE];
    struct lock lock;
    struct lock_cond changed;
    /* guarded by lock */
    char *url;
    uint64_t login;      /* which one of it: the first is 0 */
    uint64_t good_login; /* connections of an earlier one are not kept */
    struct users_connection *idle;
    int connection_count; /* idle, at work, and being connected */
    int working_count;    /* taken and connected */
    bool is_failing;
    bool is_trying; /* while failing: somebody connects */
    int64_t try_again_ns;
    char why_failing[256];
};

/*
 * An idle connection that is still there, or a new one. Waits a bounded time for one to come free.
 * ERR_UPSTREAM_DOWN, ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err users_postgres_take(struct users_db *db, enum users_mode mode,
                                           struct users_connection **connection_out,
                                           struct error *error);
/* Back among the idle ones when it is good, else closed. Sets *connection to NULL. */
void users_postgres_give(struct users_connection **connection);
/* Makes a connection that was taken anew; it is to be given back whatever comes of it. */
CW_MUST_CHECK enum err users_postgres_reconnect(struct users_connection *connection,
                                                struct error *error);
/* Whether a connection leads to the database that was opened; ERR_UPSTREAM_DOWN. */
CW_MUST_CHECK enum err users_postgres_check_identity(struct users_connection *connection,
                                                     struct error *error);
/* users_renew_login, with a URL that is taken over. */
void users_postgres_renew_login(struct users_db *db, char *url, bool *changed_out);
/* For the end, when every connection has been given back. */
void users_postgres_close_idle(struct users_db *db);

#endif
