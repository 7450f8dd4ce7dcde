/*
 * The users database on a PostgreSQL server, which other nodes use too. A few connections serve all
 * threads; caches in front spare most reads. The lock guards who has which connection; it is never
 * held while one is made, used or closed.
 *
 * A connection that was idle may have been closed meanwhile: by a restart, a failover, a firewall.
 * It is looked at before it is used, and what the look misses is tried once more on a new one: a
 * read, or the BEGIN of a change. Nothing else is ever sent twice.
 *
 * After a failure to connect, and after a server fell silent, new connections are tried by one
 * thread at a time and once a second; the others hear at once why.
 */
#include "users_postgres.h"
#include "users_postgres_schema.h"
#include "users_postgres_url.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SESSIONS_MAX = 8,
    TURN_TIMEOUT_MS = 2000,
    TRY_INTERVAL_MS = 1000,
    INSTALL_ID_SIZE = 64,
};

struct users_db {
    /* set at open */
    char *url;
    char *schema_settings; /* SQL that leads a connection to our tables */
    char install_id[INSTALL_ID_SIZE];
    struct lock lock;
    struct lock_cond changed;
    /* guarded by lock */
    struct users_session *idle;
    int session_count; /* idle, at work, and being connected */
    int working_count; /* taken and connected */
    bool is_failing;
    bool is_trying; /* while failing: somebody connects */
    int64_t try_again_ns;
    char why_failing[256];
};

/* --- failing, and coming back --- */

static struct users_session *take_all_idle_locked(struct users_db *db) CW_NEEDS_LOCK(&db->lock)
{
    struct users_session *sessions = db->idle;

    for (struct users_session *session = sessions; session; session = session->next_idle)
        db->session_count--;
    db->idle = NULL;
    return sessions;
}

static void free_all(struct users_session *sessions)
{
    while (sessions) {
        struct users_session *next = sessions->next_idle;
        users_postgres_free(&sessions);
        sessions = next;
    }
}

/* `drop_idle`: they lead to the same silence. Those that were idle when only a new connection
 * failed (too many of them, say) are still good. */
static void note_failure(struct users_db *db, const char *why, bool drop_idle)
{
    lock_take(&db->lock);
    bool is_news = !db->is_failing;
    struct users_session *dropped = drop_idle ? take_all_idle_locked(db) : NULL;
    db->is_failing = true;
    db->is_trying = false;
    db->try_again_ns = clock_deadline_ns(TRY_INTERVAL_MS);
    snprintf(db->why_failing, sizeof db->why_failing, "%s", why);
    lock_cond_broadcast(&db->changed);
    lock_give(&db->lock);
    free_all(dropped);
    if (is_news)
        log_event(LOG_LEVEL_WARN, "users.down", LOG_CSTR("detail", why));
}

static void note_connection(struct users_db *db)
{
    lock_take(&db->lock);
    bool is_news = db->is_failing;
    db->is_failing = false;
    db->is_trying = false;
    db->working_count++;
    lock_cond_broadcast(&db->changed);
    lock_give(&db->lock);
    if (is_news)
        log_event(LOG_LEVEL_INFO, "users.up", LOG_CSTR("driver", "postgresql"));
}

static enum err refuse_locked(struct users_db *db, struct error *error) CW_NEEDS_LOCK(&db->lock)
{
    error_set(error, ERR_UPSTREAM_DOWN,
              "The users database is out of reach: it cannot be connected to.");
    if (error)
        snprintf(error->detail, sizeof error->detail, "%s", db->why_failing);
    return ERR_UPSTREAM_DOWN;
}

static bool may_connect_locked(struct users_db *db) CW_NEEDS_LOCK(&db->lock)
{
    if (!db->is_failing)
        return true;
    if (db->is_trying || clock_mono_ns() < db->try_again_ns)
        return false;
    db->is_trying = true;
    return true;
}

/* --- connections --- */

/* A server that was set up anew, or a URL that leads elsewhere by now, must not pass for the
 * database that was opened: its ids mean other people. */
static enum err check_install_id(struct users_session *session, struct error *error)
{
    char found[INSTALL_ID_SIZE];

    enum err err = users_postgres_text(session, "SELECT value FROM facts WHERE name = 'install_id'",
                                       USERS_POSTGRES_ANSWER_MS, found, sizeof found, error);
    if (err || strcmp(found, session->db->install_id) == 0)
        return err;
    session->state = USERS_POSTGRES_SPENT;
    return error_set(error, ERR_UPSTREAM_DOWN,
                     "users database: it was replaced by another one, restart the program");
}

/* While the database is being opened there is nothing yet to lead a connection by. */
static enum err prepare_session(struct users_session *session, struct error *error)
{
    struct users_db *db = session->db;

    enum err err = users_postgres_connect(session, db->url, error);
    if (!err && db->schema_settings)
        err = users_postgres_exec(session, db->schema_settings, USERS_POSTGRES_ANSWER_MS, error);
    if (!err && db->install_id[0] != '\0')
        err = check_install_id(session, error);
    return err;
}

/* may_connect_locked has allowed it. The session has its place among session_count; on success it
 * is at work. */
static enum err connect_session(struct users_session *session, struct error *error)
{
    struct error why;

    error_clear(&why);
    session->has_served = false;
    enum err err = prepare_session(session, &why);
    if (!err) {
        note_connection(session->db);
        return ERR_OK;
    }
    users_postgres_disconnect(session);
    note_failure(session->db, why.detail, false);
    if (error)
        *error = why;
    return err;
}

/* Frees a session that is not counted as working (any more), and its place. */
static void drop_session(struct users_session **session)
{
    struct users_db *db = (*session)->db;

    users_postgres_free(session);
    lock_take(&db->lock);
    db->session_count--;
    lock_cond_signal(&db->changed);
    lock_give(&db->lock);
}

static enum err open_session(struct users_db *db, struct users_session **session_out,
                             struct error *error)
{
    enum err err = users_postgres_new(session_out);

    if (err) {
        lock_take(&db->lock);
        db->session_count--;
        db->is_trying = false;
        lock_give(&db->lock);
        return err;
    }
    (*session_out)->db = db;
    err = connect_session(*session_out, error);
    if (err)
        drop_session(session_out);
    return err;
}

/* An idle session, or a place for a new one (ERR_OK with NULL). */
static enum err take_place(struct users_db *db, struct users_session **session_out,
                           struct error *error)
{
    int64_t deadline_ns = clock_deadline_ns(TURN_TIMEOUT_MS);
    bool in_time = true, is_ours = false;
    enum err err = ERR_OK;

    *session_out = NULL;
    lock_take(&db->lock);
    while (!err && !is_ours) {
        if (db->idle) {
            *session_out = db->idle;
            db->idle = db->idle->next_idle;
            db->working_count++;
            is_ours = true;
        } else if (db->session_count < SESSIONS_MAX && may_connect_locked(db)) {
            db->session_count++;
            is_ours = true;
        } else if (db->is_failing && db->working_count == 0) {
            err = refuse_locked(db, error);
        } else if (!in_time) {
            err = error_set(error, ERR_UPSTREAM_DOWN,
                            "The users database is out of reach: too many requests at once.");
        } else {
            in_time = lock_cond_wait(&db->changed, &db->lock, deadline_ns);
        }
    }
    lock_give(&db->lock);
    return err;
}

/* A session at work whose connection has gone, on a new one; still at work when ERR_OK. */
static enum err reconnect(struct users_session *session, struct error *error)
{
    struct users_db *db = session->db;
    enum err err = ERR_OK;

    users_postgres_disconnect(session);
    lock_take(&db->lock);
    db->working_count--;
    if (!may_connect_locked(db))
        err = refuse_locked(db, error);
    lock_give(&db->lock);
    if (!err)
        err = connect_session(session, error);
    if (!err)
        return ERR_OK;
    /* Its end gives the place back. */
    lock_take(&db->lock);
    db->working_count++;
    lock_give(&db->lock);
    return err;
}

static void give_session(struct users_session **session)
{
    struct users_db *db = (*session)->db;
    bool is_good = (*session)->state == USERS_POSTGRES_GOOD && users_postgres_is_idle(*session);

    if ((*session)->state == USERS_POSTGRES_MUTE)
        note_failure(db, "users database: it does not answer", true);
    if (!is_good)
        users_postgres_disconnect(*session);
    lock_take(&db->lock);
    db->working_count--;
    if (is_good) {
        (*session)->has_served = true;
        (*session)->next_idle = db->idle;
        db->idle = *session;
        *session = NULL;
        lock_cond_signal(&db->changed);
    }
    lock_give(&db->lock);
    if (*session)
        drop_session(session);
}

static enum err take_session(struct users_db *db, enum users_mode mode,
                             struct users_session **session_out, struct error *error)
{
    enum err err = take_place(db, session_out, error);

    if (!err && *session_out && !users_postgres_is_alive(*session_out)) {
        /* The others that were idle are looked at when it is their turn. */
        err = reconnect(*session_out, error);
        if (err)
            give_session(session_out);
    } else if (!err && !*session_out) {
        err = open_session(db, session_out, error);
    }
    if (!err)
        (*session_out)->mode = mode;
    return err;
}

/* --- sessions --- */

/* What fails because an idle connection had gone after all is worth another attempt. */
static bool is_worth_another(const struct users_session *session)
{
    return session->has_served &&
           (session->state == USERS_POSTGRES_LOST || session->state == USERS_POSTGRES_SPENT);
}

static enum err postgres_begin(struct users_db *db, enum users_mode mode,
                               struct users_session **session_out, struct error *error)
{
    static const char begin[] = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    enum err err = take_session(db, mode, session_out, error);

    if (err || mode == USERS_READ)
        return err;
    err = users_postgres_exec(*session_out, begin, USERS_POSTGRES_ANSWER_MS, error);
    if (err && is_worth_another(*session_out)) {
        err = reconnect(*session_out, error);
        if (!err)
            err = users_postgres_exec(*session_out, begin, USERS_POSTGRES_ANSWER_MS, error);
    }
    if (err)
        give_session(session_out);
    return err;
}

static enum err postgres_run(struct users_session *session, enum users_statement statement,
                             const struct users_value *parameters, size_t parameter_count,
                             struct arena *arena, struct users_result *result_out,
                             struct error *error)
{
    enum err err = users_postgres_run(session, statement, parameters, parameter_count, arena,
                                      result_out, error);

    if (err != ERR_UPSTREAM_DOWN || session->mode == USERS_WRITE || !is_worth_another(session))
        return err;
    err = reconnect(session, error);
    return err ? err
               : users_postgres_run(session, statement, parameters, parameter_count, arena,
                                    result_out, error);
}

static enum err postgres_end(struct users_session **session, enum err outcome, struct error *error)
{
    if ((*session)->mode == USERS_WRITE && !outcome)
        outcome = users_postgres_commit(*session, error);
    if ((*session)->state == USERS_POSTGRES_GOOD && !users_postgres_is_idle(*session) &&
        users_postgres_exec(*session, "ROLLBACK", USERS_POSTGRES_ANSWER_MS, NULL) != ERR_OK &&
        (*session)->state == USERS_POSTGRES_GOOD)
        (*session)->state = USERS_POSTGRES_SPENT;
    give_session(session);
    return outcome;
}

/* --- open, close, check --- */

static void postgres_close(struct users_db **db)
{
    if (!*db)
        return;
    free_all((*db)->idle);
    lock_cond_fini(&(*db)->changed);
    lock_fini(&(*db)->lock);
    if ((*db)->url)
        secret_wipe((*db)->url, strlen((*db)->url));
    free((*db)->url);
    free((*db)->schema_settings);
    free(*db);
    *db = NULL;
}

static enum err postgres_check_location(struct str location, struct error *error)
{
    return users_postgres_url_check(location, error);
}

static enum err make_db(struct str location, struct users_db **db_out)
{
    struct users_db *db = calloc(1, sizeof *db);

    *db_out = db;
    if (!db)
        return ERR_NO_MEMORY;
    lock_init(&db->lock, LOCK_RANK_USERS, "users database");
    lock_cond_init(&db->changed);
    if (asprintf(&db->url, "postgresql://%.*s", STR_ARG(location)) >= 0)
        return ERR_OK;
    db->url = NULL;
    postgres_close(db_out);
    return ERR_NO_MEMORY;
}

static enum err read_install_id(struct users_db *db, struct users_session *session,
                                struct error *error)
{
    enum err err =
        users_postgres_text(session, "SELECT value FROM facts WHERE name = 'install_id'",
                            USERS_POSTGRES_ANSWER_MS, db->install_id, sizeof db->install_id, error);

    if (!err && db->install_id[0] == '\0')
        return error_set(error, ERR_UPSTREAM_DOWN, "users database: it has no install_id");
    return err;
}

static enum err open_first(struct users_db *db, struct error *error)
{
    struct users_session *session;

    enum err err = take_session(db, USERS_WRITE, &session, error);
    if (err)
        return err;
    err = users_postgres_choose_schema(session, &db->schema_settings, error);
    if (!err)
        err = users_postgres_migrate(session, error);
    if (!err)
        err = read_install_id(db, session, error);
    give_session(&session);
    return err;
}

static enum err postgres_open(struct str location, struct users_db **db_out, struct error *error)
{
    struct error why;

    enum err err = make_db(location, db_out);
    if (err)
        return err;
    error_clear(&why);
    err = open_first(*db_out, &why);
    if (err) {
        postgres_close(db_out);
        /* The reader of this one is an operator: with PostgreSQL's words. */
        return error_set(error, err, "%s", why.detail);
    }
    return ERR_OK;
}

static enum err postgres_check(struct users_db *db, struct error *error)
{
    struct users_session *session;

    enum err err = take_session(db, USERS_READ, &session, error);
    if (err)
        return err;
    err = check_install_id(session, error);
    if (err && is_worth_another(session))
        err = reconnect(session, error);
    give_session(&session);
    return err;
}

#define DRIVER(url_prefix)                                                                       \
    {                                                                                            \
        .name = "postgresql", .prefix = (url_prefix), .check_location = postgres_check_location, \
        .open = postgres_open, .close = postgres_close, .check = postgres_check,                 \
        .begin = postgres_begin, .run = postgres_run, .end = postgres_end,                       \
    }

const struct users_driver users_postgresql_driver = DRIVER("postgresql://");
const struct users_driver users_postgres_driver = DRIVER("postgres://");
