/* A copy of all rows in memory, made and put back as users_copy.h has it. */
#ifndef TESTS_AUTH_USERS_COPY_CASE_H
#define TESTS_AUTH_USERS_COPY_CASE_H

#include "users_case.h"

#include "cachewarden/users_copy.h"

struct copy {
    struct strbuf lines[USERS_TABLE_COUNT];
    size_t rows[USERS_TABLE_COUNT], living[USERS_TABLE_COUNT];
};

static void copy_read(struct users_snapshot *snapshot, size_t limit, struct copy *copy)
{
    for (enum users_table table = 0; table < USERS_TABLE_COUNT; table++) {
        struct users_rows rows = {0};
        strbuf_init(&copy->lines[table], NULL, 1024);
        copy->rows[table] = copy->living[table] = 0;
        while (!rows.is_done) {
            size_t before = copy->lines[table].len;
            ck_assert_msg(users_snapshot_read(snapshot, table, limit, &copy->lines[table], &rows,
                                              &error) == ERR_OK,
                          "%s", error.detail);
            ck_assert_uint_le(copy->lines[table].len - before, limit);
            copy->rows[table] += rows.rows;
            copy->living[table] += rows.living;
        }
    }
}

static void copy_take(struct copy *copy)
{
    struct users_snapshot *snapshot;

    ck_assert_int_eq(users_snapshot_begin(users, &snapshot, &error), ERR_OK);
    copy_read(snapshot, 1024 * 1024, copy);
    users_snapshot_end(&snapshot);
    ck_assert_ptr_null(snapshot);
}

static void copy_free(struct copy *copy)
{
    for (size_t table = 0; table < USERS_TABLE_COUNT; table++)
        strbuf_fini(&copy->lines[table]);
}

static enum err copy_put(const struct copy *copy, bool is_kept, struct users_import_counts *counts)
{
    struct users_import *import;
    enum err err = users_import_begin(users, !is_kept, &import, &error);

    if (err)
        return err;
    for (enum users_table table = 0; !err && table < USERS_FACTS; table++)
        err = users_import_rows(import, table, strbuf_str(&copy->lines[table]), &error);
    if (!err)
        err = users_import_hold(import, &error);
    if (!err)
        err = users_import_finish(import, counts, &error);
    err = users_import_end(&import, err, &error);
    ck_assert_ptr_null(import);
    return err;
}

static struct users_import_counts copy_put_back(const struct copy *copy)
{
    struct users_import_counts counts = {0};

    ck_assert_msg(copy_put(copy, true, &counts) == ERR_OK, "%s / %s", error.caller, error.detail);
    return counts;
}

#endif
