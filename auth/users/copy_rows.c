#include "users/copy_rows.h"

#include "cachewarden/json.h"

enum {
    DIGEST_SIZE = 32,
    /* Two of them, all escaped (six bytes for one), and the rest of a row fit into a line. */
    TEXT_MAX = 4096,
};

#define ACCOUNT_COLUMNS                                                                      \
    {"id", COPY_ID}, {"username", COPY_TEXT_OR_NONE}, {"email", COPY_TEXT_OR_NONE},          \
        {"password_hash", COPY_TEXT}, {"is_superuser", COPY_FLAG}, {"is_active", COPY_FLAG}, \
        {"created_at_s", COPY_NUMBER}, {"deleted_at_s", COPY_NUMBER},                        \
        {"tokens_not_before_s", COPY_NUMBER},                                                \
    {                                                                                        \
        "tokens_kept_family", COPY_TEXT                                                      \
    }

const struct copy_table copy_moved_accounts = {
    "accounts", {ACCOUNT_COLUMNS, {"incarnation", COPY_TEXT}}, 11};

const struct copy_table copy_tables[USERS_TABLE_COUNT] = {
    [USERS_ACCOUNTS] = {"accounts", {ACCOUNT_COLUMNS}, 10},
    [USERS_GROUPS] = {"groups", {{"account_id", COPY_ID}, {"name", COPY_TEXT}}, 2},
    [USERS_SUBJECTS] = {"subjects",
                        {{"issuer", COPY_TEXT}, {"subject", COPY_TEXT}, {"account_id", COPY_ID}},
                        3},
    [USERS_API_KEYS] = {"api_keys",
                        {{"id", COPY_TEXT},
                         {"name", COPY_TEXT},
                         {"secret_digest", COPY_DIGEST},
                         {"scopes", COPY_NUMBER},
                         {"space", COPY_TEXT},
                         {"owner_id", COPY_ID_OR_NONE},
                         {"created_at_s", COPY_NUMBER},
                         {"expires_at_s", COPY_NUMBER},
                         {"revoked_at_s", COPY_NUMBER},
                         {"last_used_at_s", COPY_NUMBER}},
                        10},
    [USERS_SWITCHES] = {"switches", {{"user_id", COPY_ID}}, 1},
    [USERS_FACTS] = {"facts", {{"name", COPY_TEXT}, {"value", COPY_TEXT}}, 2},
};
#undef ACCOUNT_COLUMNS

const char *users_table_name(enum users_table table)
{
    return copy_tables[table].name;
}

/* ---- out ---- */

static void write_digest(struct strbuf *lines, struct str digest)
{
    static const char digits[] = "0123456789abcdef";

    strbuf_add_char(lines, '"');
    for (size_t i = 0; i < digest.len; i++) {
        strbuf_add_char(lines, digits[(unsigned char)digest.ptr[i] >> 4]);
        strbuf_add_char(lines, digits[(unsigned char)digest.ptr[i] & 15]);
    }
    strbuf_add_char(lines, '"');
}

static void write_value(struct json_writer *json, enum copy_kind kind,
                        const struct users_value *value)
{
    if (value->kind == USERS_NULL)
        json_write_null(json);
    else if (value->kind == USERS_INTEGER)
        json_write_integer(json, value->integer);
    else if (kind != COPY_DIGEST)
        json_write_string(json, value->bytes);
    else
        write_digest(json->out, value->bytes);
}

void copy_row_write(const struct copy_table *table, const struct users_value *values,
                    struct strbuf *lines)
{
    struct json_writer json;

    json_writer_init(&json, lines);
    json_open_object(&json);
    for (size_t i = 0; i < table->column_count; i++) {
        json_name(&json, table->columns[i].name);
        write_value(&json, table->columns[i].kind, &values[i]);
        json.need_comma = true;
    }
    json_close_object(&json);
    strbuf_add_char(lines, '\n');
}

/* ---- in ---- */

static bool read_integer(const struct json *value, int64_t least, int64_t most,
                         struct users_value *value_out)
{
    value_out->kind = USERS_INTEGER;
    value_out->integer = json_integer(value);
    return json_kind(value) == JSON_INTEGER && value_out->integer >= least &&
           value_out->integer <= most;
}

static bool read_text(const struct json *value, struct users_value *value_out)
{
    value_out->kind = USERS_TEXT;
    value_out->bytes = json_string(value);
    return json_kind(value) == JSON_STRING && value_out->bytes.len <= TEXT_MAX;
}

static bool read_digest(struct arena *arena, const struct json *value,
                        struct users_value *value_out)
{
    value_out->kind = USERS_BYTES;
    return json_kind(value) == JSON_STRING && json_string(value).len == 2 * DIGEST_SIZE &&
           hex_decode(arena, json_string(value), &value_out->bytes);
}

static bool read_value(struct arena *arena, enum copy_kind kind, const struct json *value,
                       struct users_value *value_out)
{
    bool is_none = value && json_kind(value) == JSON_NULL;

    *value_out = (struct users_value){.kind = USERS_NULL};
    switch (kind) {
    case COPY_ID:
        return read_integer(value, 1, INT64_MAX - 1, value_out);
    case COPY_ID_OR_NONE:
        return is_none || read_integer(value, 1, INT64_MAX - 1, value_out);
    case COPY_NUMBER:
        return read_integer(value, 0, INT64_MAX - 1, value_out);
    case COPY_FLAG:
        return read_integer(value, 0, 1, value_out);
    case COPY_TEXT:
        return read_text(value, value_out);
    case COPY_TEXT_OR_NONE:
        return is_none || read_text(value, value_out);
    case COPY_DIGEST:
        return read_digest(arena, value, value_out);
    }
    return false;
}

enum err copy_row_read(const struct copy_table *table, struct arena *arena, struct str line,
                       struct users_value *values_out, struct error *error)
{
    const struct json *row;
    enum err err = json_parse(arena, line, &row, NULL);

    if (err == ERR_NO_MEMORY)
        return err;
    if (err || json_kind(row) != JSON_OBJECT || json_count(row) != table->column_count)
        return error_set(error, ERR_BAD_INPUT, "not an object with the %zu columns of %s",
                         table->column_count, table->name);
    for (size_t i = 0; i < table->column_count; i++) {
        const struct copy_column *column = &table->columns[i];
        if (!read_value(arena, column->kind, json_get(row, column->name), &values_out[i]))
            return error_set(error, ERR_BAD_INPUT, "\"%s\" is missing, or not what it may be",
                             column->name);
    }
    return ERR_OK;
}
