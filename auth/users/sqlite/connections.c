#include "users/sqlite/connections.h"

#include "cachewarden/clock.h"

/* The caches in front spare most reads; more connections than this would only hold memory. */
enum { IDLE_READERS_MAX = 8 };

enum err users_sqlite_new_connection(struct users_db *db, enum users_mode mode,
                                     struct users_connection **connection_out, struct error *error)
{
    enum err err =
        users_sqlite_open(db->path, mode, USERS_SQLITE_BUSY_TIMEOUT_MS, connection_out, error);

    if (!err)
        (*connection_out)->db = db;
    return err;
}

enum err users_sqlite_take_reader(struct users_db *db, struct users_connection **connection_out,
                                  struct error *error)
{
    lock_acquire(&db->lock);
    struct users_connection *connection = db->idle_readers;
    if (connection) {
        db->idle_readers = connection->next_idle;
        db->idle_reader_count--;
    }
    lock_release(&db->lock);
    *connection_out = connection;
    return connection ? ERR_OK : users_sqlite_new_connection(db, USERS_READ, connection_out, error);
}

void users_sqlite_give_reader(struct users_connection **connection)
{
    struct users_db *db = (*connection)->db;

    if (!(*connection)->is_broken) {
        lock_acquire(&db->lock);
        if (db->idle_reader_count < IDLE_READERS_MAX) {
            (*connection)->next_idle = db->idle_readers;
            db->idle_readers = *connection;
            db->idle_reader_count++;
            *connection = NULL;
        }
        lock_release(&db->lock);
    }
    users_sqlite_close(connection);
}

void users_sqlite_give_writer(struct users_db *db, struct users_connection **connection)
{
    if (*connection && (*connection)->is_broken)
        users_sqlite_close(connection);
    if (*connection)
        (*connection)->mode = USERS_WRITE;
    lock_acquire(&db->lock);
    db->writer = *connection;
    db->writer_is_taken = false;
    lock_cond_signal(&db->writer_came_free);
    lock_release(&db->lock);
    *connection = NULL;
}

enum err users_sqlite_take_writer(struct users_db *db, struct users_connection **connection_out,
                                  struct error *error)
{
    int64_t deadline_ns = clock_deadline_ns(USERS_SQLITE_BUSY_TIMEOUT_MS);
    bool in_time = true;

    *connection_out = NULL;
    lock_acquire(&db->lock);
    while (db->writer_is_taken && in_time)
        in_time = lock_cond_wait(&db->writer_came_free, &db->lock, deadline_ns);
    bool is_ours = !db->writer_is_taken;
    if (is_ours) {
        db->writer_is_taken = true;
        *connection_out = db->writer;
        db->writer = NULL;
    }
    lock_release(&db->lock);
    if (!is_ours)
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "The users database is out of reach: too many changes at once.");
    if (*connection_out)
        return ERR_OK;
    enum err err = users_sqlite_new_connection(db, USERS_WRITE, connection_out, error);
    if (err)
        users_sqlite_give_writer(db, connection_out);
    return err;
}
