/* What sqlite.c and run.c share. */
#ifndef AUTH_USERS_SQLITE_SQLITE_PRIVATE_H
#define AUTH_USERS_SQLITE_SQLITE_PRIVATE_H

#include "users/sqlite/sqlite.h"

/* The caller learns the kind of trouble; SQLite's own words, which may hold SQL, go to the log. */
enum err users_sqlite_fail(struct users_connection *connection, int code, struct error *error);
/* The first step, which takes the locks and opens the journals. */
int users_sqlite_step_first(struct users_connection *connection, struct sqlite3_stmt *statement);

#endif
