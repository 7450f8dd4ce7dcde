/* Questions and answers on a connection: every wait has a deadline, every answer is read whole. */
#include "users/postgres/error.h"
#include "users/postgres/postgres_private.h"

#include "cachewarden/clock.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* --- errors --- */

/* PgBouncer answers the first transaction with that, and hangs up. */
static bool is_refused_transaction(const struct users_connection *connection)
{
    return strstr(PQerrorMessage(connection->conn), "statement pooling mode");
}

static const char *reason_of_state(const struct users_connection *connection)
{
    if (connection->state == USERS_POSTGRES_MUTE)
        return "it does not answer";
    return is_refused_transaction(connection)
               ? "its pooler allows no transactions; set pool_mode to transaction or session there"
               : "the connection was lost";
}

enum err users_postgres_complain(struct error *error, enum err err, const char *reason,
                                 const char *words)
{
    char line[160];

    if (!error)
        return err;
    users_postgres_one_line(line, sizeof line, words);
    if (err == ERR_CONFLICT || err == ERR_NOT_FOUND)
        return error_set_detail(error, err, "users database: %s (%s)", reason, line);
    error_set(error, err, "The users database is out of reach: %s.", reason);
    snprintf(error->detail, sizeof error->detail, "users database: %s (%s)", reason, line);
    return err;
}

enum err users_postgres_fail_silently(struct users_connection *connection, struct error *error)
{
    if (connection->state == USERS_POSTGRES_GOOD)
        connection->state = USERS_POSTGRES_LOST;
    return users_postgres_complain(error, ERR_UPSTREAM_DOWN, reason_of_state(connection),
                                   connection->state == USERS_POSTGRES_MUTE
                                       ? "no answer in time"
                                       : PQerrorMessage(connection->conn));
}

static enum err fail(struct users_connection *connection, const PGresult *result,
                     struct error *error)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

    if (!sqlstate)
        return users_postgres_fail_silently(connection, error);
    const struct users_postgres_meaning *meaning = users_postgres_meaning(sqlstate);
    enum err err = meaning->err;
    /* A read that would write is our mistake, not the server's state. */
    if (strcmp(sqlstate, "25006") == 0 && !users_mode_writes(connection->mode))
        err = ERR_INTERNAL;
    if (meaning->lasts && connection->state == USERS_POSTGRES_GOOD)
        connection->state = USERS_POSTGRES_SPENT;
    users_postgres_complain(error, err, meaning->reason,
                            PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    if (!error)
        return err;
    size_t used = strlen(error->detail);
    snprintf(error->detail + used, sizeof error->detail - used, " SQLSTATE %s", sqlstate);
    const char *conflict =
        users_postgres_conflict(PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
    if (err == ERR_CONFLICT && conflict)
        snprintf(error->caller, sizeof error->caller, "%s", conflict);
    return err;
}

/* --- one exchange --- */

static bool wait_for(struct users_connection *connection, short events, int64_t deadline_ns)
{
    struct pollfd socket = {.fd = PQsocket(connection->conn), .events = events};
    int ready;

    do
        ready = poll(&socket, 1, clock_left_ms(deadline_ns));
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

static bool receive(struct users_connection *connection, short events, int64_t deadline_ns)
{
    if (!wait_for(connection, events, deadline_ns))
        connection->state = USERS_POSTGRES_MUTE;
    else if (!PQconsumeInput(connection->conn))
        connection->state = USERS_POSTGRES_LOST;
    return connection->state == USERS_POSTGRES_GOOD;
}

static bool send_all(struct users_connection *connection, int64_t deadline_ns)
{
    int left;

    while ((left = PQflush(connection->conn)) > 0)
        if (!receive(connection, POLLIN | POLLOUT, deadline_ns))
            return false;
    if (left < 0)
        connection->state = USERS_POSTGRES_LOST;
    return left == 0;
}

static bool is_error(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

/*
 * Sends what was queued (`is_queued` tells whether that worked) and takes everything that is owed:
 * the last result, or the first one that is an error. NULL when there is none; connection->state tells
 * why. The caller clears it.
 */
static PGresult *exchange(struct users_connection *connection, int is_queued, int timeout_ms)
{
    int64_t deadline_ns = clock_deadline_ns(timeout_ms);
    PGresult *kept = NULL, *next;

    if (!is_queued || !send_all(connection, deadline_ns)) {
        if (connection->state == USERS_POSTGRES_GOOD)
            connection->state = USERS_POSTGRES_LOST;
        return NULL;
    }
    for (;;) {
        /* Of a connection that ended the last words may be here: why it was closed. */
        while (connection->state == USERS_POSTGRES_GOOD && PQisBusy(connection->conn))
            receive(connection, POLLIN, deadline_ns);
        if (connection->state == USERS_POSTGRES_MUTE) {
            PQclear(kept);
            return NULL;
        }
        if (!(next = PQgetResult(connection->conn)))
            break;
        if (kept && is_error(kept)) {
            PQclear(next);
        } else {
            PQclear(kept);
            kept = next;
        }
    }
    if (PQstatus(connection->conn) != CONNECTION_OK)
        connection->state = USERS_POSTGRES_LOST;
    return kept;
}

enum err users_postgres_ask(struct users_connection *connection, int is_queued, int timeout_ms,
                            PGresult **result_out, struct error *error)
{
    *result_out = exchange(connection, is_queued, timeout_ms);
    if (*result_out && !is_error(*result_out) && connection->state == USERS_POSTGRES_GOOD)
        return ERR_OK;
    enum err err = fail(connection, *result_out, error);
    PQclear(*result_out);
    *result_out = NULL;
    return err;
}

enum err users_postgres_exec(struct users_connection *connection, const char *sql, int timeout_ms,
                             struct error *error)
{
    PGresult *result;
    enum err err = users_postgres_ask(connection, PQsendQuery(connection->conn, sql), timeout_ms,
                                      &result, error);

    if (!err)
        PQclear(result);
    return err;
}

enum err users_postgres_begin(struct users_connection *connection, const char *how,
                              const char *more, int timeout_ms, struct error *error)
{
    char *sql;

    if (asprintf(&sql, "BEGIN %s;%s%s", how, connection->is_pooled ? connection->settings : "",
                 more) < 0)
        return error_set_detail(error, ERR_NO_MEMORY, "users database: no memory for a statement");
    enum err err = users_postgres_exec(connection, sql, timeout_ms, error);
    free(sql);
    return err;
}

/* Statements that are sent in one piece are one transaction. NULL: no memory. */
static char *in_transaction(const struct users_connection *connection, const char *query)
{
    char *sql;

    if (!connection->is_pooled || !users_postgres_is_idle(connection))
        return strdup(query);
    return asprintf(&sql, "SET TRANSACTION READ ONLY;%s%s", connection->settings, query) < 0 ? NULL
                                                                                             : sql;
}

enum err users_postgres_text(struct users_connection *connection, const char *query, int timeout_ms,
                             char *text_out, size_t size, struct error *error)
{
    PGresult *result;
    char *sql = in_transaction(connection, query);

    text_out[0] = '\0';
    if (!sql)
        return error_set_detail(error, ERR_NO_MEMORY, "users database: no memory for a statement");
    enum err err = users_postgres_ask(connection, PQsendQuery(connection->conn, sql), timeout_ms,
                                      &result, error);
    free(sql);
    if (err)
        return err;
    if (PQntuples(result) > 0 && PQnfields(result) > 0)
        snprintf(text_out, size, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return ERR_OK;
}

/* What has arrived unasked is read, a few times at most: reasons for closing, then the end. */
bool users_postgres_is_alive(struct users_connection *connection)
{
    if (connection->state != USERS_POSTGRES_GOOD || PQstatus(connection->conn) != CONNECTION_OK)
        return false;
    for (int i = 0; i < 4 && wait_for(connection, POLLIN, 0); i++)
        if (!PQconsumeInput(connection->conn)) {
            connection->state = USERS_POSTGRES_LOST;
            return false;
        }
    return PQstatus(connection->conn) == CONNECTION_OK;
}

bool users_postgres_is_idle(const struct users_connection *connection)
{
    return connection->conn && PQtransactionStatus(connection->conn) == PQTRANS_IDLE;
}

static enum err fail_uncertain(struct users_connection *connection, struct error *error)
{
    enum err err = users_postgres_complain(error, ERR_UNCERTAIN, reason_of_state(connection),
                                           PQerrorMessage(connection->conn));

    if (error)
        snprintf(
            error->caller, sizeof error->caller,
            "The users database did not confirm the change: it may or may not have been made.");
    return err;
}

enum err users_postgres_commit(struct users_connection *connection, struct error *error)
{
    /* Closed before it was asked: the server has undone it. */
    if (!users_postgres_is_alive(connection))
        return users_postgres_fail_silently(connection, error);
    PGresult *result =
        exchange(connection, PQsendQuery(connection->conn, "COMMIT"), connection->answer_ms);
    enum err err = ERR_OK;
    /* Even an error in front of the end tells nothing: a server that shuts down while it waits for
     * a standby has committed. */
    if (connection->state != USERS_POSTGRES_GOOD)
        err = fail_uncertain(connection, error);
    else if (!result || is_error(result))
        err = fail(connection, result, error);
    else if (strcmp(PQcmdStatus(result), "COMMIT") != 0)
        err = error_set_detail(error, ERR_INTERNAL,
                               "users database: a transaction that had failed was to be committed");
    PQclear(result);
    return err;
}
