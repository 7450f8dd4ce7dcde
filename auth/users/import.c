/* A copy of all rows takes the place of those that are here: see users_copy.h. statements.def has the rules. */
#include "users/copy_rows.h"
#include "users/users_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/json.h"
#include "cachewarden/users_copy.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PAGE_ROWS = 500,
    PAGE_BYTES = 64 * 1024,
};

struct users_import {
    struct users *users;
    struct users_connection *connection;
    struct arena *page; /* of the rows until they are written */
    struct strbuf json; /* these rows, for the statement */
    size_t page_rows;
    enum users_table table; /* whose rows came last */
    size_t row;             /* how many of it came */
    int64_t last_id, accounts_before, accounts_kept, keys_before, keys_kept;
    int64_t last_voided_s; /* that either side knows of */
    bool is_first;
    bool only_counts; /* in a snapshot, which changes nothing */
    struct users_import_counts counts;
};

/* ---- statements ---- */

static enum err run(struct users_import *import, struct users_query query,
                    struct users_result *result_out, struct error *error)
{
    return import->users->driver->run(import->connection, query, import->page, result_out, error);
}

/* How many rows it changed is told where somebody counts them. */
static enum err change(struct users_import *import, struct users_query query, int64_t *changed_out,
                       struct error *error)
{
    struct users_result result = {0};
    enum err err = run(import, query, &result, error);

    if (changed_out)
        *changed_out = err ? 0 : result.changed;
    return err;
}

static enum err ask_number(struct users_import *import, struct users_query query,
                           int64_t *number_out, struct error *error)
{
    struct users_result result = {0};
    enum err err = run(import, query, &result, error);

    *number_out = err ? 0 : users_integer(&result, 0, 0);
    return err;
}

static enum err look(struct users_import *import, struct error *error)
{
    int64_t highest = 0;
    enum err err = ask_number(import, USERS_PLAIN(ACCOUNT_HIGHEST), &highest, error);

    import->is_first = highest == 0;
    if (!err)
        err = ask_number(import, USERS_PLAIN(ACCOUNT_LAST_VOIDED), &import->last_voided_s, error);
    if (!err)
        err =
            ask_number(import, USERS_PLAIN(IMPORT_COUNT_ACCOUNTS), &import->accounts_before, error);
    if (!err)
        err = ask_number(import, USERS_PLAIN(IMPORT_COUNT_KEYS), &import->keys_before, error);
    return err;
}

static enum err clear(struct users_import *import, struct error *error)
{
    static const enum users_statement first[] = {IMPORT_MARK_ACCOUNTS, IMPORT_MARK_KEYS,
                                                 IMPORT_CLEAR_GROUPS, IMPORT_CLEAR_SUBJECTS,
                                                 IMPORT_CLEAR_SWITCHES};
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < sizeof first / sizeof *first; i++)
        err = change(import, USERS_PLAIN(first[i]), NULL, error);
    return err;
}

enum err users_import_begin(struct users *users, bool only_counts, struct users_import **import_out,
                            struct error *error)
{
    struct users_import *import = calloc(1, sizeof *import);
    enum err err = ERR_NO_MEMORY;

    *import_out = import;
    if (!import)
        return err;
    import->users = users;
    import->only_counts = only_counts;
    strbuf_init(&import->json, NULL, PAGE_BYTES);
    import->page = arena_new(PAGE_BYTES, 0);
    if (import->page)
        err = users_begin(users, only_counts ? USERS_SNAPSHOT : USERS_REPLACE, &import->connection,
                          error);
    if (!err)
        err = look(import, error);
    if (!err && !only_counts)
        err = clear(import, error);
    return err ? users_import_end(import_out, err, error) : ERR_OK;
}

bool users_import_is_first(const struct users_import *import)
{
    return import->is_first;
}

/* ---- a page of rows: {"0":{...},"1":{...}} ---- */

static enum err compare_accounts(struct users_import *import, struct error *error)
{
    struct users_result result = {0};
    enum err err =
        run(import, USERS_QUERY(IMPORT_COMPARE_ACCOUNTS, USERS_STR(strbuf_str(&import->json))),
            &result, error);

    if (err)
        return err;
    import->accounts_kept += users_integer(&result, 0, 0);
    import->counts.passwords += users_integer(&result, 0, 1);
    return ERR_OK;
}

static enum err write_page(struct users_import *import, struct error *error)
{
    static const enum users_statement statements[USERS_TABLE_COUNT] = {
        [USERS_ACCOUNTS] = IMPORT_ACCOUNTS,
        [USERS_GROUPS] = IMPORT_GROUPS,
        [USERS_SUBJECTS] = IMPORT_SUBJECTS,
        [USERS_SWITCHES] = IMPORT_SWITCHES,
    };
    /* Dates of tokens are whole seconds: to end those of this very second the next one is named. */
    struct users_value parameters[] = {USERS_STR(STR_NONE), USERS_INT(clock_wall_s() + 1)};
    bool is_accounts = import->table == USERS_ACCOUNTS;
    enum err err = ERR_OK;

    if (import->page_rows == 0)
        return ERR_OK;
    strbuf_add_char(&import->json, '}');
    if (import->json.failed)
        return ERR_NO_MEMORY;
    parameters[0].bytes = strbuf_str(&import->json);
    if (is_accounts)
        err = compare_accounts(import, error);
    if (!err && !import->only_counts)
        err =
            change(import,
                   (struct users_query){statements[import->table], parameters, is_accounts ? 2 : 1},
                   NULL, error);
    import->page_rows = 0;
    import->json.len = 0;
    arena_reset(import->page);
    return err;
}

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

enum { COLUMN_ID, COLUMN_USERNAME, COLUMN_EMAIL, COLUMN_DELETED = 7, COLUMN_NOT_BEFORE };

/* What a row of an account has besides its columns in the copy. */
static enum err add_account_values(struct users_import *import, struct json_writer *json,
                                   const struct users_value *row)
{
    static const char *const names[] = {"username_key", "email_key"};
    struct str incarnation = users_new_incarnation(import->page);

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
static enum err write_key(struct users_import *import, const struct users_value *row,
                          struct error *error)
{
    const struct copy_table *table = &copy_tables[USERS_API_KEYS];

    if (str_starts(row[1].bytes, STR(" ")))
        return error_set(error, ERR_BAD_INPUT, "\"name\" begins with a blank");
    import->counts.keys++;
    int64_t kept = 0;
    enum err err = ask_number(import, USERS_QUERY(IMPORT_COMPARE_KEY, row[0]), &kept, error);
    import->keys_kept += kept;
    if (!err && !import->only_counts)
        err =
            change(import, (struct users_query){IMPORT_KEY, row, table->column_count}, NULL, error);
    arena_reset(import->page);
    return err;
}

static enum err add_row(struct users_import *import, struct str line, struct error *error)
{
    struct users_value row[COPY_COLUMNS_MAX];
    enum err err = copy_row_read(&copy_tables[import->table], import->page, line, row, error);

    if (!err && import->table == USERS_API_KEYS)
        return write_key(import, row, error);
    if (!err && import->table == USERS_ACCOUNTS)
        err = check_account(import, row, error);
    if (!err)
        err = add_to_page(import, row);
    if (!err && import->page_rows == PAGE_ROWS)
        err = write_page(import, error);
    return err;
}

/* Where, and in words of the copy: what the database says of a row is that it does not fit. */
static enum err say_where(const struct users_import *import, enum err err, struct error *error)
{
    char why[sizeof error->caller] = "it does not fit the other rows";

    if (err != ERR_BAD_INPUT && err != ERR_CONFLICT && err != ERR_NOT_FOUND)
        return err;
    if (err == ERR_BAD_INPUT && error)
        snprintf(why, sizeof why, "%s", error->caller);
    return error_set(error, ERR_BAD_INPUT, "%s, row %zu or up to %d before: %.100s",
                     users_table_name(import->table), import->row, PAGE_ROWS, why);
}

static enum err change_table(struct users_import *import, enum users_table table,
                             struct error *error)
{
    if (table == USERS_FACTS || table < import->table)
        return error_set_detail(error, ERR_INTERNAL, "rows of %s do not come now",
                                users_table_name(table));
    enum err err = table == import->table ? ERR_OK : write_page(import, error);
    if (!err && table != import->table) {
        import->table = table;
        import->row = 0;
    }
    return err;
}

enum err users_import_rows(struct users_import *import, enum users_table table, struct str lines,
                           struct error *error)
{
    struct str line;
    enum err err = change_table(import, table, error);

    if (!err && lines.len > 0 && lines.ptr[lines.len - 1] != '\n')
        err = error_set(error, ERR_BAD_INPUT, "the last line has no end");
    while (!err && str_take_line(&lines, &line)) {
        import->row++;
        err = add_row(import, line, error);
    }
    return say_where(import, err, error);
}

/* ---- facts ---- */

enum err users_copy_read_fact(struct arena *arena, struct str line, struct str *name_out,
                              struct str *value_out, struct error *error)
{
    struct users_value row[COPY_COLUMNS_MAX] = {{.kind = USERS_NULL}};
    enum err err = copy_row_read(&copy_tables[USERS_FACTS], arena, line, row, error);

    *name_out = row[0].bytes;
    *value_out = row[1].bytes;
    return err;
}

enum err users_import_fact_get(struct users_import *import, struct arena *arena, struct str name,
                               struct str *value_out, struct error *error)
{
    struct users_result result = {0};
    enum err err = ERR_OK;

    /* What is read is to be true until the end, and the table is not locked. */
    *value_out = STR_NONE;
    if (!import->only_counts)
        err = change(import, USERS_QUERY(FACT_HOLD, USERS_STR(name)), NULL, error);
    if (!err)
        err = import->users->driver->run(import->connection, USERS_QUERY(FACT_GET, USERS_STR(name)),
                                         arena, &result, error);
    if (!err && result.row_count > 0)
        *value_out = users_bytes(&result, 0, 0);
    return !err && result.row_count == 0 ? ERR_NOT_FOUND : err;
}

enum err users_import_fact_set(struct users_import *import, struct str name, struct str value,
                               struct error *error)
{
    return import->only_counts
               ? ERR_OK
               : change(import, USERS_QUERY(FACT_SET, USERS_STR(name), USERS_STR(value)), NULL,
                        error);
}

/* ---- the end ---- */

static enum err complete(struct users_import *import, struct error *error)
{
    enum err err =
        change(import, USERS_QUERY(IMPORT_DELETE_ACCOUNTS, USERS_INT(clock_wall_s())), NULL, error);

    if (!err)
        err = change(import, USERS_PLAIN(IMPORT_REMOVE_KEYS), NULL, error);
    if (!err)
        err = change(import, USERS_PLAIN(IMPORT_KEEP_KEYS), NULL, error);
    if (!err && import->last_id > 0)
        err = import->users->driver->skip_ids(import->connection, import->last_id, error);
    return err;
}

enum err users_import_finish(struct users_import *import, struct users_import_counts *counts_out,
                             struct error *error)
{
    enum err err = say_where(import, write_page(import, error), error);

    if (!err && !import->only_counts)
        err = complete(import, error);
    import->counts.added = import->counts.accounts - import->accounts_kept;
    import->counts.removed = import->accounts_before - import->accounts_kept;
    import->counts.keys_removed = import->keys_before - import->keys_kept;
    *counts_out = import->counts;
    return err;
}

/* A date far ahead is a clock's mistake, and counts as now. */
static enum err void_up_to(struct users_import *import, int64_t voided_s, struct error *error)
{
    int64_t now_s = clock_wall_s();
    bool is_near = voided_s > now_s + 1 && voided_s <= now_s + USERS_VOID_AHEAD_S;

    if (voided_s <= import->last_voided_s)
        return ERR_OK;
    return change(import,
                  USERS_QUERY(ACCOUNT_VOID_ALL_TOKENS, USERS_INT(is_near ? voided_s : now_s + 1)),
                  NULL, error);
}

enum err users_import_raise(struct users_import *import, int64_t highest_id, int64_t voided_s,
                            struct error *error)
{
    enum err err = ERR_OK;

    if (import->only_counts)
        return ERR_OK;
    if (highest_id > import->last_id)
        err = import->users->driver->skip_ids(import->connection, highest_id, error);
    return !err && voided_s > 0 ? void_up_to(import, voided_s, error) : err;
}

enum err users_import_end(struct users_import **import, enum err outcome, struct error *error)
{
    struct users_import *ending = *import;

    if (ending->connection)
        outcome = users_end(ending->users, &ending->connection, outcome, error);
    strbuf_fini(&ending->json);
    arena_free(&ending->page);
    free(ending);
    *import = NULL;
    return outcome;
}
