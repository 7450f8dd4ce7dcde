/* What the files of the PostgreSQL driver that talk to libpq share. */
#ifndef AUTH_USERS_POSTGRES_POSTGRES_PRIVATE_H
#define AUTH_USERS_POSTGRES_POSTGRES_PRIVATE_H

#include "users/postgres/postgres.h"

struct pg_result; /* libpq's PGresult */

/* A connection to the first server of the URL that can be had. NULL: `why` has what was said, in one line. */
enum { USERS_POSTGRES_WHY_SIZE = 512 };
struct pg_conn *users_postgres_dial(const char *url, char why[USERS_POSTGRES_WHY_SIZE]);

/*
 * Sends what was queued (`is_queued` is what PQsend… returned) and reads all that is owed. ERR_OK:
 * *result_out is the last result, to be cleared by the caller. Else it is NULL, and connection->state
 * tells what became of the connection.
 */
CW_MUST_CHECK enum err users_postgres_ask(struct users_connection *connection, int is_queued,
                                          int timeout_ms, struct pg_result **result_out,
                                          struct error *error);

/* Returns `err`. The caller learns the kind of trouble, `reason`; PostgreSQL's words go to the log. */
enum err users_postgres_complain(struct error *error, enum err err, const char *reason,
                                 const char *words);
/* ERR_UPSTREAM_DOWN, for where the server said nothing: what became of the connection tells. */
enum err users_postgres_fail_silently(struct users_connection *connection, struct error *error);

/* Makes sure that the server knows the statement, and by which name. */
#define USERS_POSTGRES_NAME_SIZE 16
CW_MUST_CHECK enum err users_postgres_prepare(struct users_connection *connection,
                                              enum users_statement statement,
                                              char name[USERS_POSTGRES_NAME_SIZE],
                                              struct error *error);

#endif
