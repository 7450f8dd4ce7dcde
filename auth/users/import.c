/* The first half of putting a copy in the place of what is here: its rows are staged, a page at a time (the second:
 * import_replace.c). See users_copy.h. */
#include "users/import_private.h"

#include "cachewarden/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE_BYTES = 64 * 1024 };

enum err import_run(struct users_import *import, struct users_query query,
                    struct users_result *result_out, struct error *error)
{
    return import->users->driver->run(import->connection, query, import->page, result_out, error);
}

enum err import_change(struct users_import *import, struct users_query query, struct error *error)
{
    struct users_result result = {0};

    return import_run(import, query, &result, error);
}

/* In words of the copy: what the database says of a row is that it does not fit. */
enum err import_say_where(enum users_table table, size_t row, enum err err, struct error *error)
{
    char why[sizeof error->caller] = "it does not fit the other rows";

    if (err != ERR_BAD_INPUT && err != ERR_CONFLICT && err != ERR_NOT_FOUND)
        return err;
    if (row == 0)
        return error_set(error, ERR_BAD_INPUT, "%s: a row does not fit the others",
                         users_table_name(table));
    if (err == ERR_BAD_INPUT && error)
        snprintf(why, sizeof why, "%s", error->caller);
    return error_set(error, ERR_BAD_INPUT, "%s, row %zu or up to %d before: %.100s",
                     users_table_name(table), row, IMPORT_PAGE_ROWS, why);
}

/* ---- life ---- */

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
        err = users_begin(users, only_counts ? USERS_TRIAL : USERS_REPLACE, &import->connection,
                          error);
    return err ? users_import_end(import_out, err, error) : ERR_OK;
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

/* ---- rows ---- */

static enum err change_table(struct users_import *import, enum users_table table,
                             struct error *error)
{
    if (table == USERS_FACTS || table < import->table)
        return error_set_detail(error, ERR_INTERNAL, "rows of %s do not come now",
                                users_table_name(table));
    enum err err = table == import->table ? ERR_OK : import_flush(import, error);
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

    if (err)
        return import_say_where(import->table, import->row, err, error);
    if (lines.len > 0 && lines.ptr[lines.len - 1] != '\n')
        err = error_set(error, ERR_BAD_INPUT, "the last line has no end");
    while (!err && str_take_line(&lines, &line)) {
        import->row++;
        err = import_add_row(import, line, error);
    }
    return import_say_where(table, import->row > 0 ? import->row : 1, err, error);
}

enum err users_copy_read_fact(struct arena *arena, struct str line, struct str *name_out,
                              struct str *value_out, struct error *error)
{
    struct users_value row[COPY_COLUMNS_MAX] = {{.kind = USERS_NULL}};
    enum err err = copy_row_read(&copy_tables[USERS_FACTS], arena, line, row, error);

    *name_out = row[0].bytes;
    *value_out = row[1].bytes;
    return err;
}
