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
    connection->answer_ms =
        mode == USERS_REPLACE ? USERS_POSTGRES_REPLACE_ANSWER_MS : USERS_POSTGRES_ANSWER_MS;
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
}

/* libpq writes notices to standard error otherwise. */
static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

/*
 * What stands before "dbname" is a default, and what the URL says beats it; what stands behind it
 * beats the URL. Several hosts are tried in their order.
 */
static PGconn *dial(const char *url)
{
    char connect_timeout[16];
    snprintf(connect_timeout, sizeof connect_timeout, "%d", USERS_POSTGRES_CONNECT_S);
    const char *const options[][2] = {
        {"connect_timeout", connect_timeout},
        /* A connection that nobody uses is not forgotten by firewalls, and one to a host that has
           gone is noticed. */
        {"keepalives_idle", "30"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "10000"},
        /* A standby lags behind: a deactivated account would go on there. */
        {"target_session_attrs", "read-write"},
        /* It would look for a Kerberos ticket first. */
        {"gssencmode", "disable"},
        {"fallback_application_name", "cachewarden"},
        {"dbname", url},
        {"client_encoding", "UTF8"},
    };
    enum { COUNT = sizeof options / sizeof *options };
    const char *names[COUNT + 1] = {0}, *values[COUNT + 1] = {0};

    for (size_t i = 0; i < COUNT; i++) {
        names[i] = options[i][0];
        values[i] = options[i][1];
    }
    return PQconnectdbParams(names, values, 1);
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

enum err users_postgres_connect(struct users_connection *connection, const char *url,
                                struct error *error)
{
    char settings[256];

    connection->state = USERS_POSTGRES_GOOD;
    memset(connection->is_prepared, 0, sizeof connection->is_prepared);
    connection->conn = dial(url);
    if (PQstatus(connection->conn) != CONNECTION_OK) {
        connection->state = USERS_POSTGRES_LOST;
        if (!connection->conn)
            return ERR_NO_MEMORY;
        return users_postgres_complain(error, ERR_UPSTREAM_DOWN, "it cannot be connected to",
                                       PQerrorMessage(connection->conn));
    }
    PQsetNoticeProcessor(connection->conn, ignore_notice, NULL);
    if (PQsetnonblocking(connection->conn, 1) != 0)
        return users_postgres_fail_silently(connection, error);
    enum err err = check_server(connection, error);
    if (err)
        return err;
    /* Of a node that stopped in the middle of a transaction the server frees itself. Writers say
     * READ WRITE. */
    snprintf(settings, sizeof settings,
             "SET statement_timeout = %d; SET idle_in_transaction_session_timeout = 10000;"
             "SET default_transaction_read_only = on",
             USERS_POSTGRES_STATEMENT_MS);
    return users_postgres_exec(connection, settings, USERS_POSTGRES_ANSWER_MS, error);
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
