/* The schema of a SQLite users database, version by version. What is here has been on disks: rows
 * are added, never changed. */
#ifndef AUTH_USERS_SQLITE_SCHEMA_H
#define AUTH_USERS_SQLITE_SCHEMA_H

/* PRAGMA application_id: "CWus". Tells our files from other programs'. */
#define USERS_SQLITE_APPLICATION_ID 0x43577573

/* The script that makes version i + 1 out of version i. */
extern const char *const users_sqlite_migrations[];
extern const int users_sqlite_version;

#endif
