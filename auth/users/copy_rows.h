/* Rows of a copy (users_copy.h): which columns a table has there, and what they look like in JSON. Pure functions. */
#ifndef AUTH_USERS_COPY_ROWS_H
#define AUTH_USERS_COPY_ROWS_H

#include "users/driver.h"

#include "cachewarden/users_copy.h"

enum { COPY_COLUMNS_MAX = 11 };

enum copy_kind {
    COPY_ID, /* of an account: from 1 up */
    COPY_ID_OR_NONE,
    COPY_NUMBER, /* from 0 up */
    COPY_FLAG,   /* 0 or 1 */
    COPY_TEXT,
    COPY_TEXT_OR_NONE,
    COPY_DIGEST, /* 32 bytes, in hex */
};

struct copy_column {
    const char *name;
    enum copy_kind kind;
};

struct copy_table {
    const char *name;
    struct copy_column columns[COPY_COLUMNS_MAX];
    size_t column_count;
};

/* In the order of the statements that read and write them. */
extern const struct copy_table copy_tables[USERS_TABLE_COUNT];
/* Accounts with their incarnations, for a move: a backup has none, for who reads it must not make tokens good again. */
extern const struct copy_table copy_moved_accounts;

/* Adds the row at `values` as a line. */
void copy_row_write(const struct copy_table *table, const struct users_value *values,
                    struct strbuf *lines);
/*
 * A line without its end, strictly: these columns and no others, each in its form. Texts lie in the arena.
 * ERR_BAD_INPUT: the text names the column.
 */
CW_MUST_CHECK enum err copy_row_read(const struct copy_table *table, struct arena *arena,
                                     struct str line, struct users_value *values_out,
                                     struct error *error);

#endif
