/* All rows of one moment, out of the database: see users_copy.h. */
#include "users/copy_rows.h"
#include "users/import_private.h"
#include "users/users_private.h"

#include "cachewarden/users_copy.h"

#include <stdlib.h>

enum {
    PAGE_ROWS = 500,
    /* What a page's rows are kept in until they are lines; given back after each. */
    PAGE_BYTES = 64 * 1024,
    KEY_COLUMNS_MAX = 2,
};

/* How a table is read by its key. */
static const struct {
    enum users_statement statement;
    size_t key_columns; /* the first ones of a row */
    enum users_value_kind first, second;
} readers[USERS_TABLE_COUNT] = {
    [USERS_ACCOUNTS] = {COPY_ACCOUNTS, 1, USERS_INTEGER, USERS_NULL},
    [USERS_GROUPS] = {COPY_GROUPS, 2, USERS_INTEGER, USERS_TEXT},
    [USERS_SUBJECTS] = {COPY_SUBJECTS, 2, USERS_TEXT, USERS_TEXT},
    [USERS_API_KEYS] = {KEY_PAGE, 1, USERS_TEXT, USERS_NULL},
    [USERS_SWITCHES] = {COPY_SWITCHES, 1, USERS_INTEGER, USERS_NULL},
    [USERS_FACTS] = {COPY_FACTS, 1, USERS_TEXT, USERS_NULL},
};

/* How far a table was read: the key of the row that came last. */
struct copy_place {
    struct users_value key[KEY_COLUMNS_MAX];
    struct strbuf texts[KEY_COLUMNS_MAX];
};

struct users_snapshot {
    struct users *users;
    struct users_connection *connection;
    struct arena *page;
    struct strbuf line;
    struct copy_place places[USERS_TABLE_COUNT];
    bool has_incarnations;
};

void snapshot_takes_incarnations(struct users_snapshot *snapshot)
{
    snapshot->has_incarnations = true;
}

static bool is_moved(const struct users_snapshot *snapshot, enum users_table table)
{
    return snapshot->has_incarnations && table == USERS_ACCOUNTS;
}

int users_schema_version(const struct users *users)
{
    return *users->driver->schema_version;
}

/* Behind no row: ids are from 1 up, and no text of a key is empty. */
static void begin_table(struct copy_place *place, enum users_table table)
{
    enum users_value_kind kinds[KEY_COLUMNS_MAX] = {readers[table].first, readers[table].second};

    for (size_t i = 0; i < KEY_COLUMNS_MAX; i++) {
        strbuf_init(&place->texts[i], NULL, 0);
        place->key[i] = (struct users_value){.kind = kinds[i]};
    }
}

/* The page goes, and the key of its last row stays. */
static void move_on(struct copy_place *place, size_t key_columns, const struct users_value *row)
{
    for (size_t i = 0; i < key_columns; i++) {
        place->key[i] = row[i];
        if (row[i].kind == USERS_INTEGER)
            continue;
        place->texts[i].len = 0;
        strbuf_add(&place->texts[i], row[i].bytes);
        place->key[i].bytes = strbuf_str(&place->texts[i]);
    }
}

static bool has_moved_on(const struct copy_place *place)
{
    return !place->texts[0].failed && !place->texts[1].failed;
}

enum err users_snapshot_begin(struct users *users, struct users_snapshot **snapshot_out,
                              struct error *error)
{
    struct users_snapshot *snapshot = calloc(1, sizeof *snapshot);

    *snapshot_out = snapshot;
    if (!snapshot)
        return ERR_NO_MEMORY;
    snapshot->users = users;
    strbuf_init(&snapshot->line, NULL, 1024);
    for (enum users_table table = 0; table < USERS_TABLE_COUNT; table++)
        begin_table(&snapshot->places[table], table);
    snapshot->page = arena_new(PAGE_BYTES, 0);
    enum err err = snapshot->page ? users_begin(users, USERS_SNAPSHOT, &snapshot->connection, error)
                                  : ERR_NO_MEMORY;
    if (err)
        users_snapshot_end(snapshot_out);
    return err;
}

static enum err read_page(struct users_snapshot *snapshot, enum users_table table,
                          struct users_result *page_out, struct error *error)
{
    const struct copy_place *place = &snapshot->places[table];
    size_t count = readers[table].key_columns;
    struct users_value parameters[KEY_COLUMNS_MAX + 1];

    for (size_t i = 0; i < count; i++)
        parameters[i] = place->key[i];
    parameters[count] = USERS_INT(PAGE_ROWS);
    arena_reset(snapshot->page);
    enum users_statement statement =
        is_moved(snapshot, table) ? COPY_MOVED_ACCOUNTS : readers[table].statement;
    return snapshot->users->driver->run(snapshot->connection,
                                        (struct users_query){statement, parameters, count + 1},
                                        snapshot->page, page_out, error);
}

static bool is_living(enum users_table table, const struct users_value *row)
{
    enum { COLUMN_DELETED = 7 };

    return table != USERS_ACCOUNTS || row[COLUMN_DELETED].integer == 0;
}

/* *is_full_out: the next row does not fit. It is read again then. */
static enum err add_rows(struct users_snapshot *snapshot, enum users_table table, size_t limit,
                         const struct users_result *page, struct strbuf *lines,
                         struct users_rows *rows, bool *is_full_out, struct error *error)
{
    const struct users_value *last = NULL;

    *is_full_out = false;
    for (size_t i = 0; i < page->row_count && !*is_full_out; i++) {
        const struct users_value *row = &page->values[i * page->column_count];
        snapshot->line.len = 0;
        copy_row_write(is_moved(snapshot, table) ? &copy_moved_accounts : &copy_tables[table], row,
                       &snapshot->line);
        if (snapshot->line.len > USERS_COPY_LINE_MAX)
            return error_set_detail(error, ERR_INTERNAL, "users database: a row of %s is too long",
                                    users_table_name(table));
        if (lines->len + snapshot->line.len > limit) {
            *is_full_out = true;
            continue;
        }
        strbuf_add(lines, strbuf_str(&snapshot->line));
        rows->rows++;
        rows->living += is_living(table, row);
        last = row;
    }
    if (last)
        move_on(&snapshot->places[table], readers[table].key_columns, last);
    return lines->failed || snapshot->line.failed || !has_moved_on(&snapshot->places[table])
               ? ERR_NO_MEMORY
               : ERR_OK;
}

enum err users_snapshot_read(struct users_snapshot *snapshot, enum users_table table, size_t limit,
                             struct strbuf *lines, struct users_rows *rows_out, struct error *error)
{
    size_t end = lines->len + limit;
    bool is_full = false;
    enum err err = ERR_OK;

    *rows_out = (struct users_rows){0};
    while (!err && !is_full && !rows_out->is_done) {
        struct users_result page = {0};
        err = read_page(snapshot, table, &page, error);
        if (!err)
            err = add_rows(snapshot, table, end, &page, lines, rows_out, &is_full, error);
        rows_out->is_done = !err && !is_full && page.row_count < PAGE_ROWS;
    }
    return err;
}

void users_snapshot_end(struct users_snapshot **snapshot)
{
    struct users_snapshot *ending = *snapshot;

    if (!ending)
        return;
    /* Nothing was changed, so how it ends says nothing. */
    if (ending->connection && users_end(ending->users, &ending->connection, ERR_OK, NULL) != ERR_OK)
        ending->connection = NULL;
    for (size_t table = 0; table < USERS_TABLE_COUNT; table++)
        for (size_t i = 0; i < KEY_COLUMNS_MAX; i++)
            strbuf_fini(&ending->places[table].texts[i]);
    strbuf_fini(&ending->line);
    arena_free(&ending->page);
    free(ending);
    *snapshot = NULL;
}
