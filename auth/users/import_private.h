/* What the files that put a copy of all rows in place share: users_copy.h says what comes of it. */
#ifndef AUTH_USERS_IMPORT_PRIVATE_H
#define AUTH_USERS_IMPORT_PRIVATE_H

#include "users/copy_rows.h"
#include "users/users_private.h"

#include "cachewarden/users_copy.h"

enum { IMPORT_PAGE_ROWS = 500 };

struct users_import {
    struct users *users;
    struct users_connection *connection;
    struct arena *page; /* of the rows until they are written */
    struct strbuf json; /* these rows, for the statement */
    size_t page_rows;
    enum users_table table; /* whose rows came last */
    size_t row;             /* how many of it came */
    int64_t last_id;
    int64_t last_voided_s; /* that either side knows of */
    bool is_first;
    bool only_counts;
    bool has_incarnations; /* rows of accounts do; see users_move.h */
    struct users_import_counts counts;
};

CW_MUST_CHECK enum err import_run(struct users_import *import, struct users_query query,
                                  struct users_result *result_out, struct error *error);
/* The same for a statement whose rows nobody reads. */
CW_MUST_CHECK enum err import_change(struct users_import *import, struct users_query query,
                                     struct error *error);
/* What is wrong with a row, or with rows beside each other, as ERR_BAD_INPUT that says where; other errors as they
 * are. `row` 0: nobody knows which. */
CW_MUST_CHECK enum err import_say_where(enum users_table table, size_t row, enum err err,
                                        struct error *error);

/* A row of the table that is read; it waits until its page is full. */
CW_MUST_CHECK enum err import_add_row(struct users_import *import, struct str line,
                                      struct error *error);
/* Before it is read: accounts come with their incarnations. */
void snapshot_takes_incarnations(struct users_snapshot *snapshot);

/* The page, full or not. */
CW_MUST_CHECK enum err import_flush(struct users_import *import, struct error *error);

#endif
