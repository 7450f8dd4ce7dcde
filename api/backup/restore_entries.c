#include "backup/restore_entries.h"

#include "backup/entries_put.h"
#include "backup/reader.h"
#include "cachewarden/clock.h"
#include "cachewarden/entries.h"
#include "cachewarden/log.h"
#include "cachewarden/users.h"

#include <stdio.h>

enum { ARENA_FIRST = 4096, DUTY_PERCENT = 50 /* of Redis's time */ };

void restore_entries_note(const struct archive_about *about, struct restore_entries *entries)
{
    *entries = (struct restore_entries){.are_there = about->dataset.len > 0};
    snprintf(entries->install, sizeof entries->install, "%.*s", STR_ARG(about->install_id));
    snprintf(entries->dataset, sizeof entries->dataset, "%.*s", STR_ARG(about->dataset));
    snprintf(entries->store, sizeof entries->store, "%.*s", STR_ARG(about->store));
}

/* ---- before anything is changed ---- */

static enum err check_row(struct restore_entries_check *check, const struct entries_row *row,
                          struct error *error)
{
    bool is_whole;
    enum err err = entries_lines_take(&check->lines, row, &is_whole, error);

    if (err || row->kind == ENTRIES_MORE)
        return err;
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
    if (!order->includes_entries)
        return;
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
                  LOG_INT("taken", counts->taken), LOG_INT("refused", counts->refused),
                  LOG_INT("earlier", counts->earlier));
}

/* Accounts of another installation have other people's numbers; nothing here tells what became of its Redis since. */
static enum err is_of_here(struct app *app, const struct restore_entries *entries,
                           struct arena *arena, bool *is_of_here_out, struct error *error)
{
    struct str install;
    enum err err = users_fact_get(app->users, arena, STR("install_id"), &install, error);

    *is_of_here_out = !err && str_eq(install, str_from(entries->install));
    return err;
}

/* KEPT, or how many were put back before. What another backup has brought may have been deleted since. */
static enum err decide(struct app *app, const char *id, const struct restore_entries *entries,
                       struct arena *arena, struct backup_entries_counts *counts,
                       struct error *error)
{
    struct entries_memory memory = {.is_there = false};
    bool is_ours;
    enum err err = is_of_here(app, entries, arena, &is_ours, error);

    if (!err)
        err = entries_source_remembers(
            app, (struct work){arena, clock_deadline_ns(app->budget_ms), error},
            str_from(entries->dataset), str_from(entries->store), &memory);
    *counts = (struct backup_entries_counts){.earlier = memory.back.count};
    bool is_other = memory.back.backup.len > 0 && !str_eq(memory.back.backup, str_from(id));
    counts->state =
        !is_ours || memory.is_there || is_other ? BACKUP_ENTRIES_KEPT : BACKUP_ENTRIES_RESTORED;
    return err;
}

struct entries_putting {
    const struct restore_order *order;
    struct entries_putter *putter;
};

static enum err put_lines(void *with, struct str lines, struct error *error)
{
    const struct entries_putting *putting = with;
    enum err err = entries_putter_put(putting->putter, lines, error);

    return !err && backup_is_unwanted(putting->order->watch)
               ? error_set_detail(error, ERR_BUSY, "the program is to end")
               : err;
}

static void tell(const struct entries_counts *put, struct backup_entries_counts *counts)
{
    *counts = (struct backup_entries_counts){.state = counts->state,
                                             .restored = put->put,
                                             .expired = put->expired,
                                             .cleared = put->cleared,
                                             .taken = put->taken,
                                             .refused = put->refused,
                                             .earlier = put->earlier};
}

static enum err put_all(const struct restore_order *order, const struct entries_origin *from,
                        struct backup_entries_counts *counts, struct error *error)
{
    const struct entries_options options = {.app = order->app, .duty_percent = DUTY_PERCENT};
    struct entries_putting putting = {.order = order};

    entries_find_room(order->app,
                      (struct work){.deadline_ns = clock_deadline_ns(order->app->budget_ms)});
    enum err err = entries_putter_begin(&options, from, &putting.putter);
    if (err)
        return err;
    err = backup_reader_each(order->fd, order->key, ARCHIVE_ENTRIES, put_lines, &putting, error);
    if (!err)
        err = entries_putter_finish(putting.putter, error);
    tell(entries_putter_counts(putting.putter), counts);
    entries_putter_end(&putting.putter);
    return err;
}

void restore_entries(const struct restore_order *order, const char *id,
                     const struct restore_entries *entries, struct backup_entries_counts *counts)
{
    struct arena *arena = arena_new(ARENA_FIRST, 0);
    struct error error = {0};
    enum err err = arena ? ERR_OK : ERR_NO_MEMORY;

    *counts = (struct backup_entries_counts){.state = BACKUP_ENTRIES_FAILED};
    if (!err)
        err = decide(order->app, id, entries, arena, counts, &error);
    const struct entries_origin from = {
        .dataset = str_from(entries->dataset), .backup = str_from(id), .earlier = counts->earlier};
    counts->earlier = 0;
    if (!err && counts->state == BACKUP_ENTRIES_RESTORED)
        err = put_all(order, &from, counts, &error);
    if (err)
        counts->state = BACKUP_ENTRIES_FAILED;
    note(counts, &error);
    arena_free(&arena);
}
