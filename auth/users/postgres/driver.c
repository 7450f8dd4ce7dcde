/*
 * The users database on a PostgreSQL server, which other nodes use too.
 *
 * A connection that was idle may have been closed meanwhile: by a restart, a failover, a firewall.
 * It is looked at before it is used, and what the look misses is tried once more on a new one: a
 * read, or the BEGIN of a change. Nothing else is ever sent twice.
 */
#include "users/postgres/connections.h"
#include "users/postgres/schema.h"
#include "users/postgres/url.h"

#include "cachewarden/log.h"

#include <stdio.h>
#include <stdlib.h>

/* What fails because an idle connection had gone after all is worth another attempt. */
static bool is_worth_another(const struct users_connection *connection)
{
    return connection->has_served &&
           (connection->state == USERS_POSTGRES_LOST || connection->state == USERS_POSTGRES_SPENT);
}

/*
 * Where rows of a copy wait until they take the place of those that are here. Made and dropped in one transaction,
 * nobody else ever sees them. They are no temporary tables: not everybody may make those.
 */
#define STAGE                                                                                   \
    "SET LOCAL idle_in_transaction_session_timeout = 60000;"                                    \
    "CREATE UNLOGGED TABLE copy_accounts (LIKE accounts INCLUDING DEFAULTS, PRIMARY KEY (id));" \
    "CREATE UNLOGGED TABLE copy_groups (LIKE account_groups, PRIMARY KEY (account_id, name));"  \
    "CREATE UNLOGGED TABLE copy_subjects (LIKE subjects, PRIMARY KEY (issuer, subject));"       \
    "CREATE UNLOGGED TABLE copy_keys (LIKE api_keys, PRIMARY KEY (id));"                        \
    "CREATE UNLOGGED TABLE copy_switches (LIKE switches, PRIMARY KEY (user_id))"
#define UNSTAGE "DROP TABLE copy_accounts, copy_groups, copy_subjects, copy_keys, copy_switches"

/*
 * A snapshot is taken by the first statement that reads, not by BEGIN. What goes on for minutes may be idle for longer
 * in between: somebody writes or reads a file there.
 */
static const struct {
    const char *how, *more;
} begin_of[] = {
    /* Only where it is pooled. */
    [USERS_READ] = {"ISOLATION LEVEL READ COMMITTED READ ONLY", ""},
    [USERS_WRITE] = {"ISOLATION LEVEL READ COMMITTED READ WRITE", ""},
    [USERS_SNAPSHOT] = {"ISOLATION LEVEL REPEATABLE READ READ ONLY",
                        "SET LOCAL idle_in_transaction_session_timeout = 60000;"
                        "SELECT name FROM facts LIMIT 1"},
    [USERS_REPLACE] = {"ISOLATION LEVEL READ COMMITTED READ WRITE", STAGE},
    [USERS_TRIAL] = {"ISOLATION LEVEL REPEATABLE READ READ WRITE", STAGE},
};

static enum err begin_on(struct users_connection *connection, struct error *error)
{
    enum users_mode mode = connection->mode;

    if (mode == USERS_READ && !connection->is_pooled)
        return ERR_OK;
    return users_postgres_begin(connection, begin_of[mode].how, begin_of[mode].more,
                                USERS_POSTGRES_ANSWER_MS, error);
}

static enum err begin_anew(struct users_connection *connection, struct error *error)
{
    enum err err = users_postgres_reconnect(connection, error);

    return err ? err : begin_on(connection, error);
}

static enum err postgres_begin(struct users_db *db, enum users_mode mode,
                               struct users_connection **connection_out, struct error *error)
{
    enum err err = users_postgres_take(db, mode, connection_out, error);

    if (err)
        return err;
    err = begin_on(*connection_out, error);
    if (err && is_worth_another(*connection_out))
        err = begin_anew(*connection_out, error);
    if (err)
        users_postgres_give(connection_out);
    return err;
}

static enum err postgres_run(struct users_connection *connection, struct users_query query,
                             struct arena *arena, struct users_result *result_out,
                             struct error *error)
{
    enum err err = users_postgres_run(connection, query, arena, result_out, error);

    if (err != ERR_UPSTREAM_DOWN || connection->mode != USERS_READ || !is_worth_another(connection))
        return err;
    err = begin_anew(connection, error);
    return err ? err : users_postgres_run(connection, query, arena, result_out, error);
}

/*
 * Whoever replaces all rows locks the tables that it replaces, in the order in which others touch them, and does not
 * wait for long: facts, which is changed row by row, goes on. Nobody has counted the rows that came before.
 */
static enum err postgres_replace(struct users_connection *connection, struct error *error)
{
    static const char lock[] = "LOCK TABLE accounts, account_groups, subjects, api_keys, switches"
                               " IN SHARE ROW EXCLUSIVE MODE";
    static const char patience[] =
        "SET LOCAL statement_timeout = 600000;"
        "ANALYZE copy_accounts, copy_groups, copy_subjects, copy_keys, copy_switches";
    _Static_assert(USERS_POSTGRES_REPLACE_STATEMENT_MS == 600000, "as in the statement");
    enum err err = connection->mode == USERS_REPLACE
                       ? users_postgres_exec(connection, lock, USERS_POSTGRES_ANSWER_MS, error)
                       : ERR_OK;

    return err ? err : users_postgres_exec(connection, patience, connection->answer_ms, error);
}

static enum err postgres_end(struct users_connection **connection, enum err outcome,
                             struct error *error)
{
    enum users_mode mode = (*connection)->mode;

    if (!outcome && mode == USERS_REPLACE)
        outcome = users_postgres_exec(*connection, UNSTAGE, USERS_POSTGRES_ANSWER_MS, error);
    if (!outcome && (mode == USERS_WRITE || mode == USERS_REPLACE))
        outcome = users_postgres_commit(*connection, error);
    if ((*connection)->state == USERS_POSTGRES_GOOD && !users_postgres_is_idle(*connection) &&
        users_postgres_exec(*connection, "ROLLBACK", USERS_POSTGRES_ANSWER_MS, NULL) != ERR_OK &&
        (*connection)->state == USERS_POSTGRES_GOOD)
        (*connection)->state = USERS_POSTGRES_SPENT;
    users_postgres_give(connection);
    return outcome;
}

/* Nobody inserts meanwhile: the sequence must not be set back by what was read of it a moment ago. */
static enum err postgres_skip_ids(struct users_connection *connection, int64_t last,
                                  struct error *error)
{
    char sql[384];

    snprintf(sql, sizeof sql,
             "LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE;"
             "SELECT setval(s, %lld)"
             " FROM (SELECT pg_get_serial_sequence('accounts', 'id')::regclass AS s) AS q"
             " WHERE coalesce(pg_sequence_last_value(s), 0) < %lld",
             (long long)last, (long long)last);
    return users_postgres_exec(connection, sql, USERS_POSTGRES_ANSWER_MS, error);
}

/* --- open, close, check --- */

static void postgres_close(struct users_db **db)
{
    if (!*db)
        return;
    users_postgres_close_idle(*db);
    lock_cond_fini(&(*db)->changed);
    lock_fini(&(*db)->lock);
    if ((*db)->url)
        secret_wipe((*db)->url, strlen((*db)->url));
    free((*db)->url);
    free((*db)->schema);
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

static enum err read_install_id(struct users_db *db, struct users_connection *connection,
                                struct error *error)
{
    enum err err =
        users_postgres_text(connection, USERS_POSTGRES_INSTALL_ID, USERS_POSTGRES_ANSWER_MS,
                            db->install_id, sizeof db->install_id, error);

    if (!err && db->install_id[0] == '\0')
        return error_set(error, ERR_UPSTREAM_DOWN, "users database: it has no install_id");
    return err;
}

static enum err open_first(struct users_db *db, struct error *error)
{
    struct users_connection *connection;

    enum err err = users_postgres_take(db, USERS_WRITE, &connection, error);
    if (err)
        return err;
    err = users_postgres_choose_schema(connection, &db->schema, error);
    if (!err)
        err = users_postgres_migrate(connection, error);
    if (!err)
        err = read_install_id(db, connection, error);
    bool is_pooled = connection->is_pooled;
    users_postgres_give(&connection);
    if (!err && is_pooled)
        log_event(LOG_LEVEL_INFO, "users.pooler",
                  LOG_CSTR("detail", "sessions are shared: settings go with each transaction"));
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

/* 0: it is not there. */
static enum err look_at_fact(struct users_connection *connection, const char *name,
                             int64_t *value_out, struct error *error)
{
    char query[128], text[32];

    snprintf(query, sizeof query,
             "SELECT coalesce((SELECT value FROM facts WHERE name = '%s'), '0')", name);
    enum err err =
        users_postgres_text(connection, query, USERS_POSTGRES_ANSWER_MS, text, sizeof text, error);
    if (err || !str_to_int64(str_from(text), 0, INT64_MAX, value_out))
        *value_out = 0;
    return err;
}

/* Empty: it is not there. */
static enum err look_at_text(struct users_connection *connection, const char *name, char *text_out,
                             size_t size, struct error *error)
{
    char query[128];

    snprintf(query, sizeof query,
             "SELECT coalesce((SELECT value FROM facts WHERE name = '%s'), '')", name);
    return users_postgres_text(connection, query, USERS_POSTGRES_ANSWER_MS, text_out, size, error);
}

static enum err look_at_facts(struct users_connection *connection, struct users_sight *sight,
                              struct error *error)
{
    enum err err = look_at_fact(connection, USERS_FACT_STRANGER, &sight->stranger, error);

    if (!err)
        err = look_at_fact(connection, USERS_FACT_STRANGER_SEEN, &sight->stranger_seen_s, error);
    if (!err)
        err = look_at_fact(connection, USERS_FACT_BACKUP_SINCE, &sight->backup_since_s, error);
    if (!err)
        err = look_at_text(connection, USERS_FACT_BACKUP_LAST, sight->backup_last,
                           sizeof sight->backup_last, error);
    if (!err)
        err = look_at_text(connection, USERS_FACT_BACKUP_GOOD, sight->backup_good,
                           sizeof sight->backup_good, error);
    if (!err)
        err = look_at_text(connection, "install_id", sight->install, sizeof sight->install, error);
    return err;
}

static enum err look_over(const char *url, struct users_sight *sight, struct error *error)
{
    int64_t version = 0;
    struct users_connection *connection;
    char *schema = NULL;

    enum err err = users_postgres_new(&connection);
    if (err)
        return err;
    err = users_postgres_connect(connection, url, error);
    if (!err)
        err = users_postgres_choose_schema(connection, &schema, error);
    if (!err)
        err = users_postgres_look_at_version(connection, &version, error);
    sight->version = (int)version;
    if (!err && sight->version == sight->known)
        err = look_at_facts(connection, sight, error);
    free(schema);
    users_postgres_free(&connection);
    return err;
}

static enum err postgres_look(struct str location, struct users_sight *sight_out,
                              struct error *error)
{
    struct users_db *db;
    struct error why;

    sight_out->known = users_postgres_version;
    enum err err = make_db(location, &db);
    if (err)
        return err;
    error_clear(&why);
    err = look_over(db->url, sight_out, &why);
    postgres_close(&db);
    return err ? error_set(error, err, "%s", why.detail) : ERR_OK;
}

static enum err postgres_renew_login(struct users_db *db, struct str location, bool *changed_out,
                                     struct error *error)
{
    char *url;

    if (asprintf(&url, "postgresql://%.*s", STR_ARG(location)) < 0)
        return error_set_detail(error, ERR_NO_MEMORY, "users database: no memory for its URL");
    users_postgres_renew_login(db, url, changed_out);
    return ERR_OK;
}

static enum err postgres_check(struct users_db *db, struct error *error)
{
    struct users_connection *connection;

    enum err err = users_postgres_take(db, USERS_READ, &connection, error);
    if (err)
        return err;
    err = users_postgres_check_identity(connection, error);
    if (err && is_worth_another(connection))
        err = users_postgres_reconnect(connection, error);
    users_postgres_give(&connection);
    return err;
}

#define DRIVER(url_prefix)                                                                         \
    {                                                                                              \
        .name = "postgresql", .prefix = (url_prefix), .schema_version = &users_postgres_version,   \
        .check_location = postgres_check_location, .open = postgres_open, .close = postgres_close, \
        .look = postgres_look, .check = postgres_check, .begin = postgres_begin,                   \
        .run = postgres_run, .replace = postgres_replace, .skip_ids = postgres_skip_ids,           \
        .end = postgres_end, .renew_login = postgres_renew_login,                                  \
    }

const struct users_driver users_postgresql_driver = DRIVER("postgresql://");
const struct users_driver users_postgres_driver = DRIVER("postgres://");
