/* Rows of a copy, a page of them in one statement, into the tables where they wait. */
#include "users/import_private.h"

#include "cachewarden/json.h"

static void add_value(struct json_writer *json, const char *name, const struct users_value *value)
{
    json_name(json, name);
    if (value->kind == USERS_NULL)
        json_write_null(json);
    else if (value->kind == USERS_INTEGER)
        json_write_integer(json, value->integer);
    else
        json_write_string(json, value->bytes);
}

enum {
    COLUMN_ID,
    COLUMN_USERNAME,
    COLUMN_EMAIL,
    COLUMN_DELETED = 7,
    COLUMN_NOT_BEFORE,
    COLUMN_INCARNATION = 10
};

/* What a row of an account has besides its columns in the copy. */
static enum err add_account_values(struct users_import *import, struct json_writer *json,
                                   const struct users_value *row)
{
    static const char *const names[] = {"username_key", "email_key"};
    struct str incarnation = import->has_incarnations ? row[COLUMN_INCARNATION].bytes
                                                      : users_new_incarnation(import->page);

    for (size_t i = 0; i < 2; i++) {
        struct users_value key = row[COLUMN_USERNAME + i];
        if (key.kind == USERS_TEXT)
            key.bytes = users_folded(import->page, key.bytes);
        if (key.kind == USERS_TEXT && !key.bytes.ptr)
            return ERR_NO_MEMORY;
        add_value(json, names[i], &key);
    }
    json_add_string(json, "incarnation", incarnation);
    return incarnation.ptr ? ERR_OK : ERR_NO_MEMORY;
}

/* The form of its rows. */
static const struct copy_table *form_of(const struct users_import *import)
{
    return import->has_incarnations && import->table == USERS_ACCOUNTS
               ? &copy_moved_accounts
               : &copy_tables[import->table];
}

static enum err add_to_page(struct users_import *import, const struct users_value *row)
{
    const struct copy_table *table = &copy_tables[import->table];
    struct json_writer json;
    enum err err = ERR_OK;

    strbuf_add_char(&import->json, import->page_rows == 0 ? '{' : ',');
    strbuf_addf(&import->json, "\"%zu\":", import->page_rows);
    json_writer_init(&json, &import->json);
    json_open_object(&json);
    for (size_t i = 0; i < table->column_count; i++)
        add_value(&json, table->columns[i].name, &row[i]);
    if (import->table == USERS_ACCOUNTS)
        err = add_account_values(import, &json, row);
    json_close_object(&json);
    import->page_rows++;
    return import->json.failed ? ERR_NO_MEMORY : err;
}

enum err import_flush(struct users_import *import, struct error *error)
{
    static const enum users_statement statements[USERS_TABLE_COUNT] = {
        [USERS_ACCOUNTS] = IMPORT_STAGE_ACCOUNTS,
        [USERS_GROUPS] = IMPORT_STAGE_GROUPS,
        [USERS_SUBJECTS] = IMPORT_STAGE_SUBJECTS,
        [USERS_SWITCHES] = IMPORT_STAGE_SWITCHES,
    };

    if (import->page_rows == 0)
        return ERR_OK;
    strbuf_add_char(&import->json, '}');
    if (import->json.failed)
        return ERR_NO_MEMORY;
    enum err err = import_change(
        import, USERS_QUERY(statements[import->table], USERS_STR(strbuf_str(&import->json))),
        error);
    import->page_rows = 0;
    import->json.len = 0;
    arena_reset(import->page);
    return err;
}

/* ---- a row ---- */

static enum err check_account(struct users_import *import, const struct users_value *row,
                              struct error *error)
{
    bool is_deleted = row[COLUMN_DELETED].integer != 0;

    if (row[COLUMN_ID].integer <= import->last_id)
        return error_set(error, ERR_BAD_INPUT, "\"id\" does not rise");
    if ((row[COLUMN_USERNAME].kind == USERS_NULL) != is_deleted ||
        (row[COLUMN_EMAIL].kind == USERS_NULL) != is_deleted)
        return error_set(error, ERR_BAD_INPUT, "only what is deleted has no name");
    import->last_id = row[COLUMN_ID].integer;
    if (row[COLUMN_NOT_BEFORE].integer > import->last_voided_s)
        import->last_voided_s = row[COLUMN_NOT_BEFORE].integer;
    import->counts.accounts += !is_deleted;
    return ERR_OK;
}

/* Keys are few, and their digests no text: one at a time. */
static enum err add_key(struct users_import *import, const struct users_value *row,
                        struct error *error)
{
    if (str_starts(row[1].bytes, STR(" ")))
        return error_set(error, ERR_BAD_INPUT, "\"name\" begins with a blank");
    import->counts.keys++;
    enum err err = import_change(
        import,
        (struct users_query){IMPORT_STAGE_KEY, row, copy_tables[USERS_API_KEYS].column_count},
        error);
    arena_reset(import->page);
    return err;
}

enum err import_add_row(struct users_import *import, struct str line, struct error *error)
{
    struct users_value row[COPY_COLUMNS_MAX];
    enum err err = copy_row_read(form_of(import), import->page, line, row, error);

    if (!err && import->table == USERS_API_KEYS)
        return add_key(import, row, error);
    if (!err && import->table == USERS_ACCOUNTS)
        err = check_account(import, row, error);
    if (!err)
        err = add_to_page(import, row);
    return !err && import->page_rows == IMPORT_PAGE_ROWS ? import_flush(import, error) : err;
}
