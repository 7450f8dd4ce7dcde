/* The schema of a PostgreSQL users database, version by version. What is here has been on servers:
 * rows are added, never changed. */
#ifndef AUTH_USERS_POSTGRES_SCHEMA_H
#define AUTH_USERS_POSTGRES_SCHEMA_H

#include "users/postgres/postgres.h"

/* The script that makes version i + 1 out of version i. */
extern const char *const users_postgres_migrations[];
extern const int users_postgres_version;

/*
 * Finds the schema our tables are, or will be, in, and makes the connection keep to it;
 * *schema_out (freed with free()) is for users_postgres_use_schema of others. ERR_UPSTREAM_DOWN: there is none.
 */
CW_MUST_CHECK enum err users_postgres_choose_schema(struct users_connection *connection,
                                                    char **schema_out, struct error *error);

/* The version of our tables, 0: there are none. Only reads; errors as below. */
CW_MUST_CHECK enum err users_postgres_look_at_version(struct users_connection *connection,
                                                      int64_t *version_out, struct error *error);

/*
 * Makes our tables, or brings them up to this version, in one transaction; other nodes that do the
 * same are waited for. Needs nothing but the right to create in the schema, and not even that where
 * there is nothing to do. ERR_CONFLICT: they are newer than this program; ERR_UPSTREAM_DOWN also:
 * there are another program's tables by the names of ours.
 */
CW_MUST_CHECK enum err users_postgres_migrate(struct users_connection *connection,
                                              struct error *error);

#endif
