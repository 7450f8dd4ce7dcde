#include "backup/restore_entries.h"

#include "backup/entries_put.h"
#include "backup/reader.h"
#include "cachewarden/clock.h"
#include "cachewarden/entries.h"
#include "cachewarden/log.h"
#include "control/dataset.h"

#include <stdio.h>

enum { ARENA_FIRST = 4096, DUTY_PERCENT = 50 /* of Redis's time */ };

void restore_entries_note(const struct archive_about *about, struct restore_entries *entries)
{
    *entries = (struct restore_entries){.are_there = about->dataset.len > 0};
    snprintf(entries->dataset, sizeof entries->dataset, "%.*s", STR_ARG(about->dataset));
    snprintf(entries->store, sizeof entries->store, "%.*s", STR_ARG(about->store));
}

/* ---- before anything is changed ---- */

static enum err check_row(struct restore_entries_check *check, const struct entries_row *row,
                          struct error *error)
{
    if ((check->left > 0) != (row->kind == ENTRIES_MORE))
        return error_set(error, ERR_BAD_INPUT, "a line of entries does not belong there");
    if (row->kind == ENTRIES_TEXT)
        check->left = row->size;
    if (row->kind != ENTRIES_COUNTER) {
        if ((int64_t)row->bytes.len > check->left)
            return error_set(error, ERR_BAD_INPUT, "an entry goes on behind its end");
        check->left -= (int64_t)row->bytes.len;
    }
    if (row->kind == ENTRIES_MORE)
        return ERR_OK;
    if (row->expires_ms > clock_wall_ms())
        check->alive++;
    else
        check->expired++;
    return ERR_OK;
}

enum err restore_entries_check(struct restore_entries_check *check, struct arena *arena,
                               struct str lines, struct error *error)
{
    struct entries_row row;
    struct str line;
    enum err err = ERR_OK;

    while (!err && str_take_line(&lines, &line)) {
        arena_reset(arena);
        err = entries_row_read(arena, line, &row, error);
        if (!err)
            err = check_row(check, &row, error);
    }
    return err;
}

void restore_entries_tell(const struct restore_order *order, const struct restore_entries *entries,
                          const struct restore_entries_check *check,
                          struct backup_entries_counts *counts)
{
    *counts = (struct backup_entries_counts){.state = BACKUP_ENTRIES_NONE};
    if (!entries->are_there)
        return;
    counts->state = order->includes_entries ? BACKUP_ENTRIES_UNTOUCHED : BACKUP_ENTRIES_OFF;
    counts->restored = check->alive;
    counts->expired = check->expired;
}

/* ---- last ---- */

/* What was decided, and how it went wrong, is nowhere else to be read. */
static void note(const struct backup_entries_counts *counts, const struct error *error)
{
    if (counts->state == BACKUP_ENTRIES_FAILED)
        log_event(LOG_LEVEL_ERROR, "backup.entries_failed", LOG_INT("restored", counts->restored),
                  LOG_CSTR("reason", error->caller), LOG_CSTR("detail", error->detail));
    else if (counts->state == BACKUP_ENTRIES_RESTORED)
        log_event(LOG_LEVEL_INFO, "backup.entries_restored", LOG_INT("restored", counts->restored),
                  LOG_INT("expired", counts->expired), LOG_INT("cleared", counts->cleared),
                  LOG_INT("taken", counts->taken), LOG_INT("refused", counts->refused));
}

void restore_entries_decide(const struct restore_order *order, struct restore_entries *entries,
                            struct backup_entries_counts *counts)
{
    struct app *app = order->app;
    struct arena *arena = NULL;
    struct error error = {0};
    bool is_there = false;

    *counts = (struct backup_entries_counts){.state = BACKUP_ENTRIES_NONE};
    if (!entries->are_there)
        return;
    counts->state = BACKUP_ENTRIES_OFF;
    if (!order->includes_entries)
        return;
    arena = arena_new(ARENA_FIRST, 0);
    enum err err = arena ? entries_source_is_there(
                               app, (struct work){arena, clock_deadline_ns(app->budget_ms), &error},
                               str_from(entries->dataset), str_from(entries->store), &is_there)
                         : ERR_NO_MEMORY;
    arena_free(&arena);
    entries->may_come = err == ERR_OK && !is_there;
    counts->state = err        ? BACKUP_ENTRIES_FAILED
                    : is_there ? BACKUP_ENTRIES_KEPT
                               : BACKUP_ENTRIES_RESTORED;
    if (err)
        note(counts, &error);
}

static enum err put_members(const struct restore_order *order, struct entries_putter *putter,
                            struct error *error)
{
    struct backup_reader *reader = NULL;
    enum archive_kind kind;
    struct str lines;
    bool is_over = false;
    enum err err = backup_reader_open(order->fd, order->key, &reader, error);

    while (!err && !is_over) {
        err = backup_reader_next(reader, &kind, &lines, &is_over, error);
        if (!err && !is_over && kind == ARCHIVE_ENTRIES)
            err = entries_putter_put(putter, lines, error);
        if (!err && backup_is_unwanted(order->watch))
            err = error_set_detail(error, ERR_BUSY, "the program is to end");
    }
    backup_reader_free(&reader);
    return err ? err : entries_putter_finish(putter, error);
}

/* From here on labels are deleted, replaced and expire here, and no number tells of that: a later restore brings none
 * back, unless Redis is lost again. */
static enum err note_made_good(struct app *app, struct error *error)
{
    struct arena *arena = arena_new(ARENA_FIRST, 0);
    enum err err = ERR_NO_MEMORY;

    if (arena) {
        struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
        dataset_write_cleared(pipeline);
        err = redis_run(app->control, pipeline,
                        (struct work){arena, clock_deadline_ns(app->budget_ms), error});
    }
    arena_free(&arena);
    return err;
}

void restore_entries_put(const struct restore_order *order, const struct restore_entries *entries,
                         struct backup_entries_counts *counts)
{
    const struct entries_options options = {.app = order->app, .duty_percent = DUTY_PERCENT};
    struct error error = {0};
    struct entries_putter *putter;

    entries_find_room(order->app,
                      (struct work){.deadline_ns = clock_deadline_ns(order->app->budget_ms)});
    enum err err = entries_putter_begin(&options, str_from(entries->dataset), &putter);

    if (!err)
        err = put_members(order, putter, &error);
    if (!err)
        err = note_made_good(order->app, &error);
    if (putter) {
        const struct entries_counts *put = entries_putter_counts(putter);
        counts->restored = put->put;
        counts->expired = put->expired;
        counts->cleared = put->cleared;
        counts->taken = put->taken;
        counts->refused = put->refused;
    }
    entries_putter_end(&putter);
    counts->state = err ? BACKUP_ENTRIES_FAILED : BACKUP_ENTRIES_RESTORED;
    note(counts, &error);
}
