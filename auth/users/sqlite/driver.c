/*
 * The users database in a SQLite file. The server and the command line open the same file at the
 * same time, and so do several threads: write-ahead logging lets readers go on while one writes.
 *
 * Other processes are waited for by SQLite; what goes on in this one is connections.c's.
 */
#include "users/sqlite/connections.h"
#include "users/sqlite/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- transactions --- */

/* Ends what is open, whatever became of it. SQLite undoes some failed transactions by itself. */
static void leave_transaction(struct users_connection *connection)
{
    if (users_sqlite_in_transaction(connection) &&
        users_sqlite_exec(connection, "ROLLBACK", NULL) != ERR_OK)
        connection->is_broken = true;
}

/* The snapshot is taken by the first read, not by BEGIN. */
static enum err begin_snapshot(struct users_db *db, struct users_connection **connection_out,
                               struct error *error)
{
    enum err err = users_sqlite_take_reader(db, connection_out, error);

    if (err)
        return err;
    (*connection_out)->mode = USERS_SNAPSHOT;
    err = users_sqlite_exec(*connection_out, "BEGIN; SELECT name FROM facts LIMIT 1", error);
    if (!err)
        return ERR_OK;
    leave_transaction(*connection_out);
    (*connection_out)->mode = USERS_READ;
    users_sqlite_give_reader(connection_out);
    return err;
}

/* IMMEDIATE: a transaction that reads first and writes later fails at once when another process wrote in between. */
static enum err begin_writing(struct users_db *db, struct users_connection **connection_out,
                              struct error *error)
{
    enum err err = users_sqlite_take_writer(db, connection_out, error);

    if (err)
        return err;
    err = users_sqlite_exec(*connection_out, "BEGIN IMMEDIATE", error);
    (*connection_out)->mode = USERS_WRITE;
    if (err)
        users_sqlite_give_writer(db, connection_out);
    return err;
}

/* A connection of its own, with a file of its own beside: nobody has to wait for who fills that. */
static enum err begin_staging(struct users_db *db, enum users_mode mode,
                              struct users_connection **connection_out, struct error *error)
{
    enum err err = users_sqlite_new_connection(db, USERS_WRITE, connection_out, error);

    if (err)
        return err;
    (*connection_out)->is_staging = true;
    err = users_sqlite_stage(*connection_out, error);
    if (err) {
        users_sqlite_close(connection_out);
        return err;
    }
    (*connection_out)->mode = mode;
    (*connection_out)->patience_ms = USERS_SQLITE_OPEN_TIMEOUT_MS;
    return ERR_OK;
}

/* What replaces all rows touches pages all over the indexes, so that it has more of them at hand. */
static enum err sqlite_replace(struct users_connection *connection, struct error *error)
{
    bool is_trial = connection->mode == USERS_TRIAL;
    enum err err = users_sqlite_exec(connection, "COMMIT", error);

    connection->is_staging = err != ERR_OK;
    if (!err)
        err = users_sqlite_exec(connection, USERS_SQLITE_LARGE_CACHE, error);
    return err ? err
               : users_sqlite_exec(
                     connection,
                     is_trial ? "BEGIN; SELECT name FROM facts LIMIT 1" : "BEGIN IMMEDIATE", error);
}

static enum err sqlite_begin(struct users_db *db, enum users_mode mode,
                             struct users_connection **connection_out, struct error *error)
{
    switch (mode) {
    case USERS_READ:
        return users_sqlite_take_reader(db, connection_out, error);
    case USERS_SNAPSHOT:
        return begin_snapshot(db, connection_out, error);
    case USERS_REPLACE:
    case USERS_TRIAL:
        return begin_staging(db, mode, connection_out, error);
    case USERS_WRITE:
        break;
    }
    return begin_writing(db, connection_out, error);
}

static enum err sqlite_end(struct users_connection **connection, enum err outcome,
                           struct error *error)
{
    struct users_db *db = (*connection)->db;
    enum users_mode mode = (*connection)->mode;

    if (!outcome && (mode == USERS_WRITE || mode == USERS_REPLACE))
        outcome = users_sqlite_exec(*connection, "COMMIT", error);
    leave_transaction(*connection);
    if (mode == USERS_WRITE) {
        users_sqlite_give_writer(db, connection);
    } else if (mode == USERS_REPLACE || mode == USERS_TRIAL) {
        users_sqlite_close(connection);
    } else {
        (*connection)->mode = USERS_READ;
        users_sqlite_give_reader(connection);
    }
    return outcome;
}

/* --- open, close, check --- */

static void sqlite_close(struct users_db **db)
{
    if (!*db)
        return;
    while ((*db)->idle_readers) {
        struct users_connection *connection = (*db)->idle_readers;
        (*db)->idle_readers = connection->next_idle;
        users_sqlite_close(&connection);
    }
    /* The writer last: who closes a file last moves the log into it, and readers cannot write. */
    users_sqlite_close(&(*db)->writer);
    lock_cond_fini(&(*db)->writer_came_free);
    lock_fini(&(*db)->lock);
    free((*db)->path);
    free(*db);
    *db = NULL;
}

static enum err sqlite_check_location(struct str location, struct error *error)
{
    if (location.len == 0)
        return error_set(error, ERR_BAD_INPUT,
                         "users.database: the path is missing, write sqlite:PATH");
    if (str_has_control(location))
        return error_set(error, ERR_BAD_INPUT, "users.database: the path has control characters");
    /* Forms of other programs; taken for a path they make a database in a folder that nobody expects. */
    if (str_starts(location, STR("//")))
        return error_set(error, ERR_BAD_INPUT,
                         "users.database: no // stands before a path of SQLite, write sqlite:PATH, "
                         "such as sqlite:/var/lib/cachewarden/users.db");
    if (strchr("\"'", location.ptr[0]))
        return error_set(error, ERR_BAD_INPUT,
                         "users.database: the path stands in quotes; take them out");
    if (str_eq(location, STR(":memory:")))
        return error_set(
            error, ERR_BAD_INPUT,
            "users.database: a database in memory cannot be shared, write sqlite:PATH");
    return ERR_OK;
}

/* "./" in front of a relative path: SQLite gives "file:x" a meaning of its own. */
static enum err make_db(struct str location, struct users_db **db_out)
{
    struct users_db *db = calloc(1, sizeof *db);

    *db_out = NULL;
    if (!db)
        return ERR_NO_MEMORY;
    lock_init(&db->lock, LOCK_RANK_USERS, "users database");
    lock_cond_init(&db->writer_came_free);
    *db_out = db;
    if (asprintf(&db->path, "%s%.*s", location.ptr[0] == '/' ? "" : "./", STR_ARG(location)) >= 0)
        return ERR_OK;
    db->path = NULL;
    sqlite_close(db_out);
    return ERR_NO_MEMORY;
}

static enum err open_file(struct users_db *db, struct error *error)
{
    enum err err = users_file_prepare(db->path, error);

    if (!err)
        err = users_file_identify(db->path, &db->file, error);
    if (!err)
        err = users_sqlite_open(db->path, USERS_WRITE, USERS_SQLITE_OPEN_TIMEOUT_MS, &db->writer,
                                error);
    if (err)
        return err;
    db->writer->db = db;
    err = users_sqlite_migrate(db->writer, error);
    db->writer->patience_ms = USERS_SQLITE_BUSY_TIMEOUT_MS;
    return err;
}

static enum err sqlite_open(struct str location, struct users_db **db_out, struct error *error)
{
    struct error why;

    *db_out = NULL;
    enum err err = make_db(location, db_out);
    if (err)
        return err;
    error_clear(&why);
    err = open_file(*db_out, &why);
    if (err) {
        sqlite_close(db_out);
        /* The reader of this one is an operator: with the file's name and SQLite's words. */
        return error_set(error, err, "%s", why.detail);
    }
    return ERR_OK;
}

static enum err sqlite_look(struct str location, struct users_sight *sight_out, struct error *error)
{
    struct users_db *db;
    struct error why;

    sight_out->known = users_sqlite_version;
    enum err err = make_db(location, &db);
    if (err)
        return err;
    error_clear(&why);
    err = users_file_check(db->path, &why);
    if (!err && access(db->path, F_OK) != 0)
        err = error_set(&why, ERR_NOT_FOUND, "users database: there is none yet: %s", db->path);
    else if (!err)
        err = users_sqlite_look(db->path, sight_out, &why);
    sqlite_close(&db);
    return err ? error_set(error, err, "%s", why.detail) : ERR_OK;
}

static pid_t sqlite_other_process(struct str location)
{
    struct users_db *db;
    pid_t pid = 0;

    if (make_db(location, &db) == ERR_OK) {
        pid = users_file_other_process(db->path);
        sqlite_close(&db);
    }
    return pid;
}

static enum err sqlite_check(struct users_db *db, struct error *error)
{
    struct users_file now;
    struct users_result result;
    struct users_connection *connection = NULL;

    enum err err = users_file_identify(db->path, &now, error);
    if (err)
        return err;
    if (now.inode != db->file.inode || now.device != db->file.device)
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "users database: the file was replaced, restart the program: %s",
                         db->path);
    struct arena *arena = arena_new(512, 0);
    if (!arena)
        return ERR_NO_MEMORY;
    err = sqlite_begin(db, USERS_READ, &connection, error);
    if (!err) {
        err = users_sqlite_run(connection, (struct users_query){.statement = USERS_PING}, arena,
                               &result, error);
        err = sqlite_end(&connection, err, error);
    }
    arena_free(&arena);
    return err;
}

/* The table of AUTOINCREMENT, which has no row before the first account. */
static enum err sqlite_skip_ids(struct users_connection *connection, int64_t last,
                                struct error *error)
{
    char sql[320];

    snprintf(sql, sizeof sql,
             "UPDATE sqlite_sequence SET seq = %lld WHERE name = 'accounts' AND seq < %lld;"
             "INSERT INTO sqlite_sequence (name, seq) SELECT 'accounts', %lld"
             " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'accounts')",
             (long long)last, (long long)last, (long long)last);
    return users_sqlite_exec(connection, sql, error);
}

const struct users_driver users_sqlite_driver = {
    .name = "sqlite",
    .prefix = "sqlite:",
    .schema_version = &users_sqlite_version,
    .check_location = sqlite_check_location,
    .open = sqlite_open,
    .close = sqlite_close,
    .look = sqlite_look,
    .other_process = sqlite_other_process,
    .check = sqlite_check,
    .begin = sqlite_begin,
    .run = users_sqlite_run,
    .replace = sqlite_replace,
    .skip_ids = sqlite_skip_ids,
    .end = sqlite_end,
};
