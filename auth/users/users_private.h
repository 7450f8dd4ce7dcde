/* Shared by the files that make up users.h's front: one statement, or a few in a transaction. */
#ifndef AUTH_USERS_USERS_PRIVATE_H
#define AUTH_USERS_USERS_PRIVATE_H

#include "users/driver.h"

#include <stdatomic.h>

struct users {
    const struct users_driver *driver;
    struct users_db *db;
    _Atomic int64_t away_since_ns; /* 0: it answered when it was asked last */
};

/* The driver's, and what they tell of the database is noted. */
CW_MUST_CHECK enum err users_begin(struct users *users, enum users_mode mode,
                                   struct users_connection **connection_out, struct error *error);
CW_MUST_CHECK enum err users_end(struct users *users, struct users_connection **connection,
                                 enum err outcome, struct error *error);

#define USERS_INT(value)  ((struct users_value){USERS_INTEGER, (int64_t)(value), STR_NONE})
#define USERS_STR(value)  ((struct users_value){USERS_TEXT, 0, (value)})
#define USERS_BLOB(value) ((struct users_value){USERS_BYTES, 0, (value)})
#define USERS_NONE        ((struct users_value){USERS_NULL, 0, STR_NONE})

/* USERS_QUERY(FACT_SET, USERS_STR(name), USERS_STR(value)); USERS_PLAIN for one without parameters. */
#define USERS_QUERY(statement, ...)                                               \
    ((struct users_query){(statement), (const struct users_value[]){__VA_ARGS__}, \
                          sizeof((const struct users_value[]){__VA_ARGS__}) /     \
                              sizeof(struct users_value)})
#define USERS_PLAIN(statement) ((struct users_query){(statement), NULL, 0})

/* One statement in a connection of its own. `arena` and `result_out` may be NULL. */
CW_MUST_CHECK enum err users_run(struct users *users, enum users_mode mode,
                                 struct users_query query, struct arena *arena,
                                 struct users_result *result_out, struct error *error);
/* One writing statement that has to hit a row: ERR_NOT_FOUND when it did not. */
CW_MUST_CHECK enum err users_change(struct users *users, struct users_query query,
                                    struct error *error);

/* For a new account, and for one that shall lose its tokens. In the arena; {NULL,0} when memory is out. */
struct str users_new_incarnation(struct arena *arena);

/* Names and emails are compared in lower case. In the arena; {NULL,0} when memory is out. */
struct str users_folded(struct arena *arena, struct str text);

/* The accounts of a finder's result, in the arena. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err users_read_accounts(struct arena *arena, const struct users_result *result,
                                           struct user **accounts_out, size_t *count_out);

/* A result's cell; the kinds other than the one asked for give 0 or the empty string. */
int64_t users_integer(const struct users_result *result, size_t row, size_t column);
struct str users_bytes(const struct users_result *result, size_t row, size_t column);

#endif
