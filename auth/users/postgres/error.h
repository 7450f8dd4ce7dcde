/* What PostgreSQL's errors mean to us. Pure functions of a SQLSTATE. */
#ifndef AUTH_USERS_POSTGRES_ERROR_H
#define AUTH_USERS_POSTGRES_ERROR_H

#include "cachewarden/error.h"

struct users_postgres_meaning {
    const char *sqlstate; /* five characters, or the first ones of a class */
    enum err err;
    bool lasts; /* the connection will not do better next time */
    const char *reason;
};

/* Never NULL; a state that is not in the table, or NULL, is ERR_INTERNAL. */
const struct users_postgres_meaning *users_postgres_meaning(const char *sqlstate);

/* The words for a caller when a unique constraint of ours was violated, or NULL. */
const char *users_postgres_conflict(const char *constraint);

/* Copies one of PostgreSQL's or libpq's messages, which have several lines, into one. */
void users_postgres_one_line(char *out, size_t size, const char *message);

#endif
