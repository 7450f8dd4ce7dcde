/* Making a connection, and what every connection is told first. */
#include "users/postgres/postgres_private.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

enum { VERSION_MIN = 130000 /* gen_random_uuid */ };

enum err users_postgres_new(struct users_connection **connection_out)
{
    *connection_out = calloc(1, sizeof **connection_out);
    if (!*connection_out)
        return ERR_NO_MEMORY;
    users_postgres_set_mode(*connection_out, USERS_READ);
    return ERR_OK;
}

void users_postgres_set_mode(struct users_connection *connection, enum users_mode mode)
{
    connection->mode = mode;
    connection->answer_ms = mode == USERS_REPLACE || mode == USERS_TRIAL
                                ? USERS_POSTGRES_REPLACE_ANSWER_MS
                                : USERS_POSTGRES_ANSWER_MS;
}

void users_postgres_free(struct users_connection **connection)
{
    if (!*connection)
        return;
    users_postgres_disconnect(*connection);
    free(*connection);
    *connection = NULL;
}

void users_postgres_disconnect(struct users_connection *connection)
{
    PQfinish(connection->conn);
    connection->conn = NULL;
    free(connection->settings);
    connection->settings = NULL;
}

/* libpq writes notices to standard error otherwise. */
static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

static enum err check_server(struct users_connection *connection, struct error *error)
{
    const char *encoding = PQparameterStatus(connection->conn, "server_encoding");
    int version = PQserverVersion(connection->conn);

    connection->state = USERS_POSTGRES_SPENT;
    if (version < VERSION_MIN)
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "users database: PostgreSQL %d is needed, this server is %d.%d",
                         VERSION_MIN / 10000, version / 10000, version % 10000);
    /* SQL_ASCII keeps bytes as they are. */
    if (encoding && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0)
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "users database: its encoding is %s, make one with ENCODING 'UTF8'",
                         encoding);
    connection->state = USERS_POSTGRES_GOOD;
    return ERR_OK;
}

/* The number of the server's process: a pooler gives its clients numbers of its own, because a client's session is not
 * one of the server's. */
static enum err find_pooler(struct users_connection *connection, struct error *error)
{
    char text[32];
    int64_t pid;

    enum err err = users_postgres_text(connection, "SELECT pg_backend_pid()",
                                       USERS_POSTGRES_ANSWER_MS, text, sizeof text, error);
    connection->is_pooled = !err && (!str_to_int64(str_from(text), 1, INT32_MAX, &pid) ||
                                     pid != PQbackendPID(connection->conn));
    return err;
}

/* Of a node that stopped in the middle of a transaction the server frees itself. */
#define LIMITS(scope)                                                                          \
    "SET " scope "statement_timeout = %d; SET " scope "idle_in_transaction_session_timeout = " \
    "10000;"

/* What others have left behind in a session that is lent to us is not for us, either. */
static enum err keep_settings(struct users_connection *connection, const char *search_path,
                              struct error *error)
{
    char *settings;

    if (asprintf(&settings,
                 LIMITS("LOCAL ") "SET LOCAL lock_timeout = 0; SET LOCAL search_path = %s;",
                 USERS_POSTGRES_STATEMENT_MS, search_path) < 0)
        return error_set_detail(error, ERR_NO_MEMORY, "users database: no memory for settings");
    free(connection->settings);
    connection->settings = settings;
    return ERR_OK;
}

/* Writers say READ WRITE. */
static enum err set_session(struct users_connection *connection, struct error *error)
{
    char settings[256];

    snprintf(settings, sizeof settings, LIMITS("") "SET default_transaction_read_only = on",
             USERS_POSTGRES_STATEMENT_MS);
    return users_postgres_exec(connection, settings, USERS_POSTGRES_ANSWER_MS, error);
}

enum err users_postgres_connect(struct users_connection *connection, const char *url,
                                struct error *error)
{
    char why[USERS_POSTGRES_WHY_SIZE];

    connection->state = USERS_POSTGRES_GOOD;
    connection->is_pooled = false;
    memset(connection->is_prepared, 0, sizeof connection->is_prepared);
    connection->conn = users_postgres_dial(url, why);
    if (!connection->conn) {
        connection->state = USERS_POSTGRES_LOST;
        return users_postgres_complain(error, ERR_UPSTREAM_DOWN, "it cannot be connected to", why);
    }
    PQsetNoticeProcessor(connection->conn, ignore_notice, NULL);
    if (PQsetnonblocking(connection->conn, 1) != 0)
        return users_postgres_fail_silently(connection, error);
    enum err err = check_server(connection, error);
    if (!err)
        err = find_pooler(connection, error);
    if (err)
        return err;
    return connection->is_pooled ? keep_settings(connection, "DEFAULT", error)
                                 : set_session(connection, error);
}

enum err users_postgres_use_schema(struct users_connection *connection, const char *schema,
                                   struct error *error)
{
    char set[192];

    if (connection->is_pooled)
        return keep_settings(connection, schema, error);
    snprintf(set, sizeof set, "SET search_path = %s", schema);
    return users_postgres_exec(connection, set, USERS_POSTGRES_ANSWER_MS, error);
}

enum err users_postgres_quote(struct users_connection *connection, const char *name,
                              char **quoted_out, struct error *error)
{
    char *quoted = PQescapeIdentifier(connection->conn, name, strlen(name));

    *quoted_out = quoted ? strdup(quoted) : NULL;
    if (quoted)
        PQfreemem(quoted);
    if (*quoted_out)
        return ERR_OK;
    return error_set_detail(error, ERR_NO_MEMORY, "users database: no memory for a name");
}
