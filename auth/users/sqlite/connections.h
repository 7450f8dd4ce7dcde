/*
 * Who has which connection to a SQLite users database. Writers of this process take turns at one; readers take one from
 * a small stack. The lock guards who has which; it is never held while SQLite works.
 */
#ifndef AUTH_USERS_SQLITE_CONNECTIONS_H
#define AUTH_USERS_SQLITE_CONNECTIONS_H

#include "users/sqlite/file.h"
#include "users/sqlite/sqlite.h"

#include "cachewarden/lock.h"

struct users_db {
    /* set at open */
    char *path;
    struct users_file file;
    struct lock lock;
    struct lock_cond writer_came_free;
    /* guarded by lock */
    bool writer_is_taken;
    struct users_connection *writer; /* NULL until needed, while taken, and after it broke */
    struct users_connection *idle_readers;
    int idle_reader_count;
};

/* One of nobody's, to be closed by who has it. */
CW_MUST_CHECK enum err users_sqlite_new_connection(struct users_db *db, enum users_mode mode,
                                                   struct users_connection **connection_out,
                                                   struct error *error);
CW_MUST_CHECK enum err users_sqlite_take_reader(struct users_db *db,
                                                struct users_connection **connection_out,
                                                struct error *error);
/* Both give functions close what is broken, and set *connection to NULL. */
void users_sqlite_give_reader(struct users_connection **connection);
/* Waits for its turn a bounded time: ERR_UPSTREAM_DOWN. */
CW_MUST_CHECK enum err users_sqlite_take_writer(struct users_db *db,
                                                struct users_connection **connection_out,
                                                struct error *error);
void users_sqlite_give_writer(struct users_db *db, struct users_connection **connection);

#endif
