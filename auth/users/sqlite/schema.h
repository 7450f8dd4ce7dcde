/* The schema of a SQLite users database, version by version. What is here has been on disks: rows
 * are added, never changed. */
#ifndef AUTH_USERS_SQLITE_SCHEMA_H
#define AUTH_USERS_SQLITE_SCHEMA_H

#include "users/sqlite/sqlite.h"

/* PRAGMA application_id: "CWus". Tells our files from other programs'. */
#define USERS_SQLITE_APPLICATION_ID 0x43577573

/* The script that makes version i + 1 out of version i. */
extern const char *const users_sqlite_migrations[];
extern const int users_sqlite_version;

/* The version of its schema, 0: it is new. ERR_UPSTREAM_DOWN: the file belongs to another program;
 * ERR_CONFLICT: its schema is newer than this program. */
CW_MUST_CHECK enum err users_sqlite_check_owner(struct users_connection *connection,
                                                int64_t *version_out, struct error *error);
/* Makes the schema, or brings it up to date; nothing is written into a file that is not ours. */
CW_MUST_CHECK enum err users_sqlite_migrate(struct users_connection *connection,
                                            struct error *error);

#endif
