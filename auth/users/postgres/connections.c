#include "users/postgres/connections.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CONNECTIONS_MAX = 8,
    TURN_TIMEOUT_MS = 2000,
    TRY_INTERVAL_MS = 1000,
};

/* --- failing, and coming back --- */

static struct users_connection *take_all_idle_locked(struct users_db *db) CW_NEEDS_LOCK(&db->lock)
{
    struct users_connection *connections = db->idle;

    for (struct users_connection *connection = connections; connection;
         connection = connection->next_idle)
        db->connection_count--;
    db->idle = NULL;
    return connections;
}

static void free_all(struct users_connection *connections)
{
    while (connections) {
        struct users_connection *next = connections->next_idle;
        users_postgres_free(&connections);
        connections = next;
    }
}

/* `drop_idle`: they lead to the same silence. Those that were idle when only a new connection
 * failed (too many of them, say) are still good. */
static void note_failure(struct users_db *db, const char *why, bool drop_idle)
{
    /* Who opens it hears of a failure anyway. */
    bool is_open = db->install_id[0] != '\0';
    lock_acquire(&db->lock);
    bool is_news = is_open && !db->is_failing;
    struct users_connection *dropped = drop_idle ? take_all_idle_locked(db) : NULL;
    db->is_failing = true;
    db->is_trying = false;
    db->try_again_ns = clock_deadline_ns(TRY_INTERVAL_MS);
    snprintf(db->why_failing, sizeof db->why_failing, "%s", why);
    lock_cond_broadcast(&db->changed);
    lock_release(&db->lock);
    free_all(dropped);
    if (is_news)
        log_event(LOG_LEVEL_WARN, "users.down", LOG_CSTR("detail", why));
}

static void note_connection(struct users_db *db)
{
    lock_acquire(&db->lock);
    bool is_news = db->is_failing;
    db->is_failing = false;
    db->is_trying = false;
    db->working_count++;
    lock_cond_broadcast(&db->changed);
    lock_release(&db->lock);
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
enum err users_postgres_check_identity(struct users_connection *connection, struct error *error)
{
    char found[USERS_POSTGRES_INSTALL_ID_SIZE];

    enum err err = users_postgres_text(connection, USERS_POSTGRES_INSTALL_ID,
                                       USERS_POSTGRES_ANSWER_MS, found, sizeof found, error);
    /* ERR_INTERNAL: not even the table is there. */
    if ((err && err != ERR_INTERNAL) || (!err && strcmp(found, connection->db->install_id) == 0))
        return err;
    connection->state = USERS_POSTGRES_SPENT;
    return error_set(error, ERR_UPSTREAM_DOWN,
                     "users database: it was replaced by another one, restart the program");
}

static void forget_url(char *url)
{
    if (url)
        secret_wipe(url, strlen(url));
    free(url);
}

/* NULL: no memory. */
static char *copy_url(struct users_db *db, uint64_t *login_out)
{
    lock_acquire(&db->lock);
    char *url = strdup(db->url);
    *login_out = db->login;
    lock_release(&db->lock);
    return url;
}

/* While the database is being opened there is nothing yet to lead a connection by. */
static enum err prepare_connection(struct users_connection *connection, struct error *error)
{
    struct users_db *db = connection->db;
    char *url = copy_url(db, &connection->login);

    if (!url)
        return error_set_detail(error, ERR_NO_MEMORY, "users database: no memory for its URL");
    enum err err = users_postgres_connect(connection, url, error);
    forget_url(url);
    if (!err && db->schema)
        err = users_postgres_use_schema(connection, db->schema, error);
    if (!err && db->install_id[0] != '\0')
        err = users_postgres_check_identity(connection, error);
    return err;
}

/* may_connect_locked has allowed it. The connection has its place among connection_count; on success it
 * is at work. */
static enum err make_connection(struct users_connection *connection, struct error *error)
{
    struct error why;

    error_clear(&why);
    connection->has_served = false;
    enum err err = prepare_connection(connection, &why);
    if (!err) {
        note_connection(connection->db);
        return ERR_OK;
    }
    users_postgres_disconnect(connection);
    note_failure(connection->db, why.detail, false);
    if (error)
        *error = why;
    return err;
}

/* Frees a connection that is not counted as working (any more), and its place. */
static void drop_connection(struct users_connection **connection)
{
    struct users_db *db = (*connection)->db;

    users_postgres_free(connection);
    lock_acquire(&db->lock);
    db->connection_count--;
    /* All of them: while failing, those who waited for this one are to hear that it is gone. */
    lock_cond_broadcast(&db->changed);
    lock_release(&db->lock);
}

static enum err open_connection(struct users_db *db, struct users_connection **connection_out,
                                struct error *error)
{
    enum err err = users_postgres_new(connection_out);

    if (err) {
        lock_acquire(&db->lock);
        db->connection_count--;
        db->is_trying = false;
        lock_release(&db->lock);
        return err;
    }
    (*connection_out)->db = db;
    err = make_connection(*connection_out, error);
    if (err)
        drop_connection(connection_out);
    return err;
}

/* An idle connection, or a place for a new one (ERR_OK with NULL). */
static enum err take_place(struct users_db *db, int64_t deadline_ns,
                           struct users_connection **connection_out, struct error *error)
{
    bool in_time = true, is_ours = false;
    enum err err = ERR_OK;

    *connection_out = NULL;
    lock_acquire(&db->lock);
    while (!err && !is_ours) {
        if (db->idle) {
            *connection_out = db->idle;
            db->idle = db->idle->next_idle;
            db->working_count++;
            is_ours = true;
        } else if (db->connection_count < CONNECTIONS_MAX && may_connect_locked(db)) {
            db->connection_count++;
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
    lock_release(&db->lock);
    return err;
}

enum err users_postgres_reconnect(struct users_connection *connection, struct error *error)
{
    struct users_db *db = connection->db;
    enum err err = ERR_OK;

    users_postgres_disconnect(connection);
    lock_acquire(&db->lock);
    db->working_count--;
    if (!may_connect_locked(db))
        err = refuse_locked(db, error);
    lock_release(&db->lock);
    if (!err)
        err = make_connection(connection, error);
    if (!err)
        return ERR_OK;
    /* Its end gives the place back. */
    lock_acquire(&db->lock);
    db->working_count++;
    lock_release(&db->lock);
    return err;
}

void users_postgres_give(struct users_connection **connection)
{
    struct users_db *db = (*connection)->db;
    bool is_good =
        (*connection)->state == USERS_POSTGRES_GOOD && users_postgres_is_idle(*connection);

    if ((*connection)->state == USERS_POSTGRES_MUTE)
        note_failure(db, "users database: it does not answer", true);
    if (!is_good)
        users_postgres_disconnect(*connection);
    lock_acquire(&db->lock);
    db->working_count--;
    is_good = is_good && (*connection)->login >= db->good_login;
    if (is_good) {
        (*connection)->has_served = true;
        (*connection)->next_idle = db->idle;
        db->idle = *connection;
        *connection = NULL;
        lock_cond_signal(&db->changed);
    }
    lock_release(&db->lock);
    if (*connection)
        drop_connection(connection);
}

static enum err take_once(struct users_db *db, int64_t deadline_ns,
                          struct users_connection **connection_out, struct error *error)
{
    enum err err = take_place(db, deadline_ns, connection_out, error);

    if (err)
        return err;
    if (!*connection_out)
        return open_connection(db, connection_out, error);
    if (users_postgres_is_alive(*connection_out))
        return ERR_OK;
    /* The others that were idle are looked at when it is their turn. */
    err = users_postgres_reconnect(*connection_out, error);
    if (err)
        users_postgres_give(connection_out);
    return err;
}

static bool others_work(struct users_db *db)
{
    lock_acquire(&db->lock);
    bool yes = db->working_count > 0 || db->idle != NULL;
    lock_release(&db->lock);
    return yes;
}

/* A server that has connections left for others, but not for one more of ours, is no reason to
 * refuse: one of those we have will come free. */
enum err users_postgres_take(struct users_db *db, enum users_mode mode,
                             struct users_connection **connection_out, struct error *error)
{
    int64_t deadline_ns = clock_deadline_ns(TURN_TIMEOUT_MS);
    enum err err;

    do
        err = take_once(db, deadline_ns, connection_out, error);
    while (err == ERR_UPSTREAM_DOWN && clock_mono_ns() < deadline_ns && others_work(db));
    if (!err)
        users_postgres_set_mode(*connection_out, mode);
    return err;
}

/* ---- another user and password ---- */

/* A connection beside the others, which only shows that one can be made. */
static enum err try_login(struct users_db *db, uint64_t *login_out, struct error *error)
{
    struct users_connection *connection;

    enum err err = users_postgres_new(&connection);
    if (err)
        return err;
    connection->db = db;
    err = prepare_connection(connection, error);
    *login_out = connection->login;
    users_postgres_free(&connection);
    return err;
}

static void replace_older(struct users_db *db, uint64_t login)
{
    lock_acquire(&db->lock);
    /* One could be made just now, so nobody has to wait for the next try. */
    bool is_news = db->is_failing;
    db->is_failing = false;
    db->good_login = login;
    struct users_connection *connections = take_all_idle_locked(db);
    lock_cond_broadcast(&db->changed);
    lock_release(&db->lock);
    free_all(connections);
    if (is_news)
        log_event(LOG_LEVEL_INFO, "users.up", LOG_CSTR("driver", "postgresql"));
}

void users_postgres_renew_login(struct users_db *db, char *url, bool *changed_out)
{
    struct error why;
    uint64_t login;

    lock_acquire(&db->lock);
    *changed_out = strcmp(db->url, url) != 0;
    char *old = *changed_out ? db->url : url;
    if (*changed_out) {
        db->url = url;
        db->login++;
    }
    lock_release(&db->lock);
    forget_url(old);
    if (!*changed_out)
        return;
    error_clear(&why);
    if (try_login(db, &login, &why) == ERR_OK)
        replace_older(db, login);
    else
        log_event(LOG_LEVEL_ERROR, "users.login_fails", LOG_CSTR("detail", why.detail),
                  LOG_CSTR("effect", "connections of before are used on"));
}

void users_postgres_close_idle(struct users_db *db)
{
    lock_acquire(&db->lock);
    struct users_connection *connections = take_all_idle_locked(db);
    lock_release(&db->lock);
    free_all(connections);
}
