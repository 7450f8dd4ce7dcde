/* An archive of what a users database and, where it is asked for, a Redis hold, in memory. */
#ifndef CACHEWARDEN_TESTS_RESTORE_CASE_H
#define CACHEWARDEN_TESTS_RESTORE_CASE_H

#include "archives.h"
#include "backup/control_data.h"
#include "backup/restore.h"
#include "cachewarden/users_copy.h"
#include "patience.h"

static inline void restore_case_control(struct app *app, struct backup_writer *writer,
                                        struct archive_counts *counts)
{
    const struct control_options from = {
        .control = app->control, .budget_ms = PATIENCE_MS, .duty_percent = 100};
    struct control_reader *reader;
    struct control_rows rows = {0};
    struct error error = {0};
    struct strbuf lines;

    strbuf_init(&lines, NULL, 4096);
    ck_assert_int_eq(control_reader_begin(&from, &reader), ERR_OK);
    while (!rows.is_done) {
        lines.len = 0;
        ck_assert_msg(control_reader_read(reader, 1024 * 1024, &lines, &rows, &error) == ERR_OK,
                      "%s", error.detail);
        ck_assert_int_eq(
            backup_writer_add(writer, ARCHIVE_CONTROL, strbuf_str(&lines), rows.rows, &error),
            ERR_OK);
        counts->control_keys += (int64_t)rows.keys;
    }
    control_reader_end(&reader);
    strbuf_fini(&lines);
}

static inline void restore_case_rows(struct users *users, struct backup_writer *writer,
                                     struct archive_counts *counts)
{
    struct users_snapshot *snapshot;
    struct error error = {0};
    struct strbuf lines;

    strbuf_init(&lines, NULL, 4096);
    ck_assert_msg(users_snapshot_begin(users, &snapshot, &error) == ERR_OK, "%s", error.detail);
    for (enum users_table table = 0; table < USERS_TABLE_COUNT; table++) {
        struct users_rows rows = {0};
        while (!rows.is_done) {
            lines.len = 0;
            ck_assert_int_eq(
                users_snapshot_read(snapshot, table, 1024 * 1024, &lines, &rows, &error), ERR_OK);
            ck_assert_int_eq(backup_writer_add(writer, (enum archive_kind)table, strbuf_str(&lines),
                                               rows.rows, &error),
                             ERR_OK);
            counts->users += table == USERS_ACCOUNTS ? (int64_t)rows.living : 0;
            counts->api_keys += table == USERS_API_KEYS ? (int64_t)rows.rows : 0;
        }
    }
    users_snapshot_end(&snapshot);
    strbuf_fini(&lines);
}

/* Its descriptor; close() ends it. app->control NULL: without control data. */
static inline int restore_case_archive(struct app *app, const struct archive_key *key)
{
    struct archive_about about = archives_about();
    struct archive_counts counts = {0};
    struct archive_file file;
    struct backup_writer *writer;
    struct error error = {0};
    struct arena *arena = arena_new(1024, 0);
    int fd = archives_file();

    ck_assert_int_eq(
        users_fact_get(app->users, arena, STR("install_id"), &about.install_id, &error), ERR_OK);
    ck_assert_int_eq(backup_writer_open(fd, key, &about, &writer, &error), ERR_OK);
    restore_case_rows(app->users, writer, &counts);
    if (app->control)
        restore_case_control(app, writer, &counts);
    ck_assert_int_eq(backup_writer_finish(writer, &counts, &file, &error), ERR_OK);
    backup_writer_free(&writer);
    arena_free(&arena);
    return fd;
}

#endif
