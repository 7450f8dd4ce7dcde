/* The statements of users/statements.def: prepared when a connection that is ours alone first needs them. */
#include "users/postgres/postgres_private.h"

#include <libpq-fe.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PARAMETERS_MAX = 16,
    STATEMENT_TEXT_SIZE = 4096,
    BINARY = 1, /* libpq's number for values as they are, not in words */
    /* pg_type's object ids of the types our tables have; they never change. */
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
};

/* Ids come from the sequence unless a statement insists. */
#define OWN_IDS " OVERRIDING SYSTEM VALUE"
/* Taken apart once; json would be, for each column. It is sent as text: in binary form jsonb has a version in front. */
#define JSON_ROWS       "jsonb_each(CAST(CAST(?1 AS text) AS jsonb))"
#define TEXT_OF(column) "value ->> '" column "'"

static const char *const statement_texts[USERS_STATEMENT_COUNT] = {
#define STATEMENT(id, text) [id] = text,
#include "users/statements.def"
#undef STATEMENT
};

/* The texts are SQLite's but for the mark of a parameter: ?1 there is $1 here. */
static bool translate(char *out, const char *text)
{
    size_t len = strlen(text);

    if (len >= STATEMENT_TEXT_SIZE)
        return false;
    for (size_t i = 0; i <= len; i++)
        out[i] = text[i] == '?' ? '$' : text[i];
    return true;
}

static enum err find_text(enum users_statement id, char text_out[STATEMENT_TEXT_SIZE],
                          struct error *error)
{
    if (translate(text_out, statement_texts[id]))
        return ERR_OK;
    return error_set_detail(error, ERR_INTERNAL, "users database: a statement is too long");
}

enum err users_postgres_prepare(struct users_connection *connection, enum users_statement id,
                                char name[USERS_POSTGRES_NAME_SIZE], struct error *error)
{
    char text[STATEMENT_TEXT_SIZE];
    PGresult *result;

    snprintf(name, USERS_POSTGRES_NAME_SIZE, "s%d", (int)id);
    if (connection->is_prepared[id])
        return ERR_OK;
    enum err err = find_text(id, text, error);
    if (!err)
        err = users_postgres_ask(connection, PQsendPrepare(connection->conn, name, text, 0, NULL),
                                 connection->answer_ms, &result, error);
    if (err)
        return err;
    PQclear(result);
    connection->is_prepared[id] = true;
    return ERR_OK;
}

/* --- parameters --- */

struct query_parameters {
    const char *values[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    char integers[PARAMETERS_MAX][24];
};

/* What PostgreSQL's text cannot be. SQLite's can. */
static bool is_no_text(const struct users_value *value)
{
    return value->kind == USERS_TEXT && value->bytes.len > 0 &&
           (str_find(value->bytes, '\0') >= 0 || !str_is_utf8(value->bytes));
}

/* The server knows the types, from where a parameter stands: an integer goes in words, so that it
 * may be any integer type. */
static bool fill(struct query_parameters *parameters, struct users_query query)
{
    for (size_t i = 0; i < query.count; i++) {
        const struct users_value *value = &query.parameters[i];
        switch (value->kind) {
        case USERS_NULL:
            parameters->values[i] = NULL;
            break;
        case USERS_INTEGER:
            snprintf(parameters->integers[i], sizeof parameters->integers[i], "%lld",
                     (long long)value->integer);
            parameters->values[i] = parameters->integers[i];
            parameters->formats[i] = 0;
            break;
        case USERS_TEXT:
        case USERS_BYTES:
            if (value->bytes.len > INT_MAX)
                return false;
            parameters->values[i] = value->bytes.ptr ? value->bytes.ptr : "";
            parameters->lengths[i] = (int)value->bytes.len;
            parameters->formats[i] = BINARY;
            break;
        }
    }
    return true;
}

/* --- results --- */

/* The network's byte order, sign first. */
static int64_t decode_integer(const char *bytes, int length)
{
    uint64_t value = length > 0 && (bytes[0] & 0x80) != 0 ? UINT64_MAX : 0;

    for (int i = 0; i < length; i++)
        value = value << 8 | (unsigned char)bytes[i];
    return (int64_t)value;
}

static bool copy_value(const PGresult *result, int row, int column, struct arena *arena,
                       struct users_value *value_out)
{
    const char *bytes = PQgetvalue(result, row, column);
    int length = PQgetlength(result, row, column);

    *value_out = (struct users_value){0};
    if (PQgetisnull(result, row, column))
        return true;
    switch (PQftype(result, column)) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        value_out->kind = USERS_INTEGER;
        value_out->integer = decode_integer(bytes, length);
        return true;
    case TYPE_BYTEA:
        value_out->kind = USERS_BYTES;
        break;
    default:
        value_out->kind = USERS_TEXT;
        break;
    }
    value_out->bytes = str_dup(arena, (struct str){bytes, (size_t)length});
    return value_out->bytes.ptr != NULL;
}

static enum err copy_rows(const PGresult *result, struct arena *arena,
                          struct users_result *result_out)
{
    int rows = PQntuples(result), columns = PQnfields(result);
    size_t cell = 0;

    result_out->column_count = (size_t)columns;
    if (rows == 0)
        return ERR_OK;
    if (!arena)
        return ERR_INTERNAL;
    result_out->values =
        arena_calloc(arena, (size_t)rows * (size_t)columns, sizeof *result_out->values);
    if (!result_out->values)
        return ERR_NO_MEMORY;
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            if (!copy_value(result, row, column, arena, &result_out->values[cell++]))
                return ERR_NO_MEMORY;
    result_out->row_count = (size_t)rows;
    return ERR_OK;
}

/* PostgreSQL counts the rows of a SELECT, too; those have not changed. */
static int64_t count_changed(PGresult *result)
{
    int64_t count = 0;

    if (strncmp(PQcmdStatus(result), "SELECT", 6) == 0 ||
        !str_to_int64(str_from(PQcmdTuples(result)), 0, INT64_MAX, &count))
        return 0;
    return count;
}

static enum err ask_unprepared(struct users_connection *connection, enum users_statement id,
                               const struct query_parameters *parameters, int count,
                               PGresult **result_out, struct error *error)
{
    char text[STATEMENT_TEXT_SIZE];
    enum err err = find_text(id, text, error);

    if (err)
        return err;
    return users_postgres_ask(connection,
                              PQsendQueryParams(connection->conn, text, count, NULL,
                                                parameters->values, parameters->lengths,
                                                parameters->formats, BINARY),
                              connection->answer_ms, result_out, error);
}

static enum err ask_prepared(struct users_connection *connection, enum users_statement id,
                             const struct query_parameters *parameters, int count,
                             PGresult **result_out, struct error *error)
{
    char name[USERS_POSTGRES_NAME_SIZE];
    enum err err = users_postgres_prepare(connection, id, name, error);

    if (err)
        return err;
    return users_postgres_ask(connection,
                              PQsendQueryPrepared(connection->conn, name, count, parameters->values,
                                                  parameters->lengths, parameters->formats, BINARY),
                              connection->answer_ms, result_out, error);
}

enum err users_postgres_run(struct users_connection *connection, struct users_query query,
                            struct arena *arena, struct users_result *result_out,
                            struct error *error)
{
    struct query_parameters parameters = {0};
    PGresult *result;

    *result_out = (struct users_result){0};
    if (query.count > PARAMETERS_MAX || !fill(&parameters, query))
        return error_set_detail(error, ERR_INTERNAL, "users database: too much for a statement");
    for (size_t i = 0; i < query.count; i++) {
        if (!is_no_text(&query.parameters[i]))
            continue;
        /* Nothing in the database is equal to it. */
        if (!users_mode_writes(connection->mode))
            return ERR_OK;
        return error_set(error, ERR_BAD_INPUT,
                         "The users database keeps UTF-8 text without NUL characters only.");
    }
    enum err err = (connection->is_pooled ? ask_unprepared : ask_prepared)(
        connection, query.statement, &parameters, (int)query.count, &result, error);
    if (err)
        return err;
    err = copy_rows(result, arena, result_out);
    result_out->changed = count_changed(result);
    PQclear(result);
    return err;
}
