/* The statements of users/statements.def: prepared when a connection first needs them. */
#include "users/sqlite/sqlite_private.h"

#include <sqlite3.h>

/* Any id may be given. */
#define OWN_IDS         ""
#define JSON_ROWS       "json_each(?1)"
#define TEXT_OF(column) "json_extract(value, '$." column "')"

static const char *const statement_texts[USERS_STATEMENT_COUNT] = {
#define STATEMENT(id, text) [id] = text,
#include "users/statements.def"
#undef STATEMENT
};

static int prepare(struct users_connection *connection, enum users_statement statement)
{
    if (connection->statements[statement])
        return SQLITE_OK;
    return sqlite3_prepare_v3(connection->handle, statement_texts[statement], -1,
                              SQLITE_PREPARE_PERSISTENT, &connection->statements[statement], NULL);
}

/* SQLite takes a NULL pointer for SQL's NULL, and sizes are int there. */
static int bind(sqlite3_stmt *statement, int index, const struct users_value *value)
{
    const char *bytes = value->bytes.ptr ? value->bytes.ptr : "";

    switch (value->kind) {
    case USERS_NULL:
        return sqlite3_bind_null(statement, index);
    case USERS_INTEGER:
        return sqlite3_bind_int64(statement, index, value->integer);
    case USERS_TEXT:
        return sqlite3_bind_text64(statement, index, bytes, value->bytes.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case USERS_BYTES:
        return sqlite3_bind_blob64(statement, index, bytes, value->bytes.len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static enum err copy_value(sqlite3_stmt *statement, int column, struct arena *arena,
                           struct users_value *value_out)
{
    *value_out = (struct users_value){0};
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        return ERR_OK;
    case SQLITE_INTEGER:
        value_out->kind = USERS_INTEGER;
        value_out->integer = sqlite3_column_int64(statement, column);
        return ERR_OK;
    case SQLITE_BLOB:
        value_out->kind = USERS_BYTES;
        break;
    default:
        value_out->kind = USERS_TEXT;
        break;
    }
    /* The pointer first, then the size: the order SQLite asks for. */
    const char *bytes = sqlite3_column_blob(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    value_out->bytes = str_dup(arena, (struct str){bytes, size});
    return value_out->bytes.ptr ? ERR_OK : ERR_NO_MEMORY;
}

static enum err add_row(sqlite3_stmt *statement, struct arena *arena, size_t *capacity,
                        struct users_result *result)
{
    size_t used = result->row_count * result->column_count;

    if (!arena)
        return ERR_INTERNAL;
    if (used + result->column_count > *capacity) {
        /* One row is the usual result; a list doubles. */
        size_t wanted = used == 0 ? result->column_count : 2 * used;
        struct users_value *values =
            arena_grow(arena, result->values, used * sizeof *values, wanted * sizeof *values);
        if (!values)
            return ERR_NO_MEMORY;
        *capacity = wanted;
        result->values = values;
    }
    for (size_t i = 0; i < result->column_count; i++) {
        enum err err = copy_value(statement, (int)i, arena, &result->values[used + i]);
        if (err)
            return err;
    }
    result->row_count++;
    return ERR_OK;
}

enum err users_sqlite_run(struct users_connection *connection, struct users_query query,
                          struct arena *arena, struct users_result *result, struct error *error)
{
    size_t capacity = 0;
    enum err err = ERR_OK;

    *result = (struct users_result){0};
    int code = prepare(connection, query.statement);
    if (code != SQLITE_OK)
        return users_sqlite_fail(connection, code, error);
    sqlite3_stmt *statement = connection->statements[query.statement];
    for (size_t i = 0; code == SQLITE_OK && i < query.count; i++)
        code = bind(statement, (int)i + 1, &query.parameters[i]);
    if (code == SQLITE_OK) {
        result->column_count = (size_t)sqlite3_column_count(statement);
        code = users_sqlite_step_first(connection, statement);
        while (!err && code == SQLITE_ROW) {
            err = add_row(statement, arena, &capacity, result);
            if (!err)
                code = sqlite3_step(statement);
        }
    }
    if (!err && code != SQLITE_DONE)
        err = users_sqlite_fail(connection, code, error);
    if (!sqlite3_stmt_readonly(statement))
        result->changed = sqlite3_changes(connection->handle);
    /* Ends the read snapshot and forgets the caller's strings. */
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return err;
}
