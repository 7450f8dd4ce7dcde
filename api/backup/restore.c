#include "backup/restore.h"

#include "backup/reader.h"
#include "backup/restore_entries.h"
#include "backup/restore_facts.h"
#include "cachewarden/clock.h"
#include "control/version_guard.h"

#include <stdio.h>
#include <string.h>

enum {
    ARENA_FIRST = 64 * 1024,
    DUTY_PERCENT = 50, /* of Redis's time */
    /* A term that another node has begun is left to it for a while first. */
    TERM_BUDGETS = 8,
};

/* One run over the rows of an archive. */
struct restoring {
    const struct restore_order *order;
    struct restore_result *result;
    struct backup_reader *reader;
    struct users_import *import;
    struct arena *arena; /* of one member */
    struct restored_facts facts;
    struct control_marks marks;
    struct restore_entries entries;
    struct restore_entries_check entries_check;
    char install[33];    /* that was backed up */
    int64_t done, total; /* rows */
};

/* What is wrong with a row is wrong with the archive; it is ours and whole, so it is not the caller's mistake. */
static enum err blame_archive(enum err err, struct error *error)
{
    char why[sizeof error->caller];

    if (err != ERR_BAD_INPUT)
        return err;
    snprintf(why, sizeof why, "%s", error ? error->caller : "");
    return error_set(error, ERR_UNPROCESSABLE, "The rows of this backup cannot be used: %.120s.",
                     why);
}

/* Once it is decided, nothing gives it up. */
static enum err ask_whether_wanted(const struct restoring *run, struct error *error)
{
    return backup_is_unwanted(run->order->watch)
               ? error_set(error, ERR_BUSY,
                           "The restore was given up, and nothing has changed: it is stopping.")
               : ERR_OK;
}

/* ---- the first time: is it whole? ---- */

static enum err verify(struct restoring *run, const struct backup_watch *watch, struct error *error)
{
    enum err err =
        backup_reader_open_watched(run->order->fd, run->order->key, watch, &run->reader, error);

    if (!err)
        err = backup_reader_drain(run->reader, error);
    if (!err) {
        const struct archive_manifest *manifest = backup_reader_manifest(run->reader);
        snprintf(run->result->id, sizeof run->result->id, "%.*s", STR_ARG(manifest->about.id));
        snprintf(run->install, sizeof run->install, "%.*s", STR_ARG(manifest->about.install_id));
        restore_entries_note(&manifest->about, &run->entries);
        run->result->created_at_s = manifest->about.created_at_s;
        for (int kind = 0; kind < ARCHIVE_KINDS; kind++)
            run->total += manifest->rows[kind];
    }
    backup_reader_free(&run->reader);
    return err;
}

/* ---- the second time: rows ---- */

static int64_t count_lines(struct str lines)
{
    int64_t count = 0;

    for (size_t i = 0; i < lines.len; i++)
        count += lines.ptr[i] == '\n';
    return count;
}

/* They are put into Redis when it is too late to undo anything; so each is looked at now. */
static enum err check_control(struct restoring *run, struct str lines, struct error *error)
{
    struct control_row row;
    struct str line;
    enum err err = ERR_OK;

    while (!err && str_take_line(&lines, &line)) {
        err = control_row_read(run->arena, line, &row, error);
        if (!err && row.kind == CONTROL_MARKS)
            run->marks = row.marks;
    }
    return err;
}

static enum err take_member(struct restoring *run, enum archive_kind kind, struct str lines,
                            struct error *error)
{
    const struct backup_watch *watch = run->order->watch;
    enum err err;

    arena_reset(run->arena);
    if (kind == ARCHIVE_CONTROL)
        err = check_control(run, lines, error);
    else if (kind == ARCHIVE_ENTRIES)
        err = restore_entries_check(&run->entries_check, run->arena, lines, error);
    else if (kind == ARCHIVE_FACTS)
        err = restore_facts_take(run->arena, lines, &run->facts, error);
    else
        err = users_import_rows(run->import, (enum users_table)kind, lines, error);
    run->done += count_lines(lines);
    if (!err && watch && watch->progress)
        watch->progress(watch->with, "rows", run->done, run->total);
    return blame_archive(err, error);
}

/* *is_over_out: there are no more members, and the archive was whole to its end. */
static enum err take_next(struct restoring *run, bool *is_over_out, struct error *error)
{
    enum archive_kind kind;
    struct str lines;
    enum err err = backup_reader_next(run->reader, &kind, &lines, is_over_out, error);

    if (!err && !*is_over_out)
        err = take_member(run, kind, lines, error);
    return err ? err : ask_whether_wanted(run, error);
}

static enum err take_members(struct restoring *run, struct error *error)
{
    bool is_over = false;
    enum err err = backup_reader_open(run->order->fd, run->order->key, &run->reader, error);

    while (!err && !is_over)
        err = take_next(run, &is_over, error);
    backup_reader_free(&run->reader);
    return err;
}

/* ---- in the place of what is here ---- */

/* Its numbers would become other people's. */
static enum err check_install(struct restoring *run, struct error *error)
{
    struct str here;

    if (users_import_is_first(run->import) || run->order->takes_foreign)
        return ERR_OK;
    enum err err = users_import_fact_get(run->import, run->arena, STR("install_id"), &here, error);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_INTERNAL : err;
    return str_eq(here, str_from(run->install))
               ? ERR_OK
               : error_set(
                     error, ERR_UNPROCESSABLE,
                     "This is a backup of another installation, and there are accounts here; say "
                     "that it may be foreign if it is to take their place all the same.");
}

static enum err replace(struct restoring *run, struct error *error)
{
    arena_reset(run->arena);
    enum err err = check_install(run, error);
    if (!err)
        err = users_import_finish(run->import, &run->result->users, error);
    if (!err)
        err = users_import_raise(run->import, run->marks.highest_id, run->marks.voided_s, error);
    if (!err)
        err = restore_facts_put(run->import, run->arena, &run->marks, &run->facts, error);
    return blame_archive(err, error);
}

static enum err import(struct restoring *run, struct error *error)
{
    enum err err = take_members(run, error);

    if (!err)
        err = blame_archive(entries_lines_end(&run->entries_check.lines, error), error);
    if (!err)
        err = blame_archive(users_import_hold(run->import, error), error);
    if (!err)
        err = replace(run, error);
    return err ? err : ask_whether_wanted(run, error);
}

enum err restore_users(const struct restore_order *order, struct restore_result *result_out,
                       struct error *error)
{
    struct restoring run = {.order = order,
                            .result = result_out,
                            .facts.may_become = order->may_become,
                            .arena = arena_new(ARENA_FIRST, 0)};
    enum err err = run.arena ? ERR_OK : ERR_NO_MEMORY;

    *result_out = (struct restore_result){.id = ""};
    if (!err)
        err = verify(&run, order->watch, error);
    if (err == ERR_BUSY)
        err = ask_whether_wanted(&run, error);
    if (!err)
        err = users_import_begin(order->app->users, order->only_tries, &run.import, error);
    if (!err)
        err = users_import_end(&run.import, import(&run, error), error);
    result_out->term = run.facts.term;
    restore_entries_tell(order, &run.entries, &run.entries_check, &result_out->entries);
    result_out->has_become = !err && !order->only_tries && run.facts.has_become;
    arena_free(&run.arena);
    return err;
}

/* ---- the third time: control data ---- */

struct restore_to_redis {
    struct control_options options;
    struct control_counts *counts;
};

static enum err put_control_lines(void *with, struct str lines, struct error *error)
{
    struct restore_to_redis *to = with;

    return control_put(&to->options, lines, to->counts, error);
}

static enum err put_control(const struct restore_order *order, struct control_counts *counts,
                            struct error *error)
{
    struct restore_to_redis to = {.options = {.control = order->app->control,
                                              .budget_ms = order->app->budget_ms,
                                              .duty_percent = DUTY_PERCENT},
                                  .counts = counts};

    return backup_reader_each(order->fd, order->key, ARCHIVE_CONTROL, put_control_lines, &to,
                              error);
}

/* The file may be another one by now. */
static enum err expect_same(const struct restore_order *order, const char *id,
                            struct restore_entries *entries_out, struct error *error)
{
    struct restore_result found = {.id = ""};
    struct restoring run = {.order = order, .result = &found};
    enum err err = verify(&run, NULL, error);

    *entries_out = run.entries;
    return err || strcmp(found.id, id) == 0
               ? err
               : error_set(error, ERR_CONFLICT, "The file has become another backup meanwhile.");
}

/* Revocations first: with the new term every node reads all of them again. */
enum err restore_redis(const struct restore_order *order, struct restore_result *result,
                       struct error *error)
{
    struct app *app = order->app;
    struct restore_entries entries;

    version_guard_doubt(app->guard, result->term);
    enum err err = expect_same(order, result->id, &entries, error);
    if (err)
        return err;
    err = put_control(order, &result->control, error);
    if (!err)
        err = version_guard_reconcile(
            app->guard, VERSION_GUARD_REPAIRS,
            (struct work){.deadline_ns = clock_deadline_ns(TERM_BUDGETS * app->budget_ms),
                          .error = error});
    if (!err && result->entries.state == BACKUP_ENTRIES_UNTOUCHED)
        restore_entries(order, result->id, &entries, &result->entries);
    return err;
}
