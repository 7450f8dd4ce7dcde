/* What the schedule does: a backup, then the removal of those that are too old; with records of both. */
#include "backup/backups_private.h"

#include "cachewarden/backup.h"
#include "cachewarden/clock.h"
#include "cachewarden/zone.h"

#include <stdio.h>

/* ---- the work ---- */

static void record(struct backups *backups, const char *route, struct str target, enum err err,
                   int64_t count)
{
    static const struct principal schedule = {.name = {"schedule", 8}};
    const struct audit_record made = {
        .part = AUDIT_CHANGES,
        .principal = &schedule,
        .route = route,
        .target = target,
        .result = err == ERR_OK ? "ok" : err_name(err),
        .count = count,
    };

    audit_write(backups->app, &made);
}

static enum err make(void *arg, const _Atomic bool *is_stopping, struct error *error)
{
    struct backups *backups = arg;
    const struct backup_watch watch = {.is_stopping = is_stopping};
    struct backup backup;
    char target[64] = "backups";
    enum err err = backup_create(backups->app, &watch, &backup, error);

    if (err == ERR_OK)
        snprintf(target, sizeof target, "backup:%s", backup.id);
    record(backups, "backups.create", str_from(target), err, -1);
    return err;
}

static enum err clean_up(void *arg, const _Atomic bool *is_stopping, size_t *removed_out,
                         struct error *error)
{
    struct backups *backups = arg;
    const struct backup_watch watch = {.is_stopping = is_stopping};
    struct arena *arena = arena_new(16 * 1024, 0);
    struct backup_cleaned cleaned;

    *removed_out = 0;
    if (!arena)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory to remove old backups");
    enum err err = backup_cleanup(backups->app, &watch,
                                  (struct work){.arena = arena, .error = error}, &cleaned);
    *removed_out = cleaned.files;
    if (err != ERR_OK || *removed_out > 0)
        record(backups, "backups.cleanup", STR("backups"), err, (int64_t)*removed_out);
    arena_free(&arena);
    return err;
}

static void note_begin(void *arg)
{
    struct backups *backups = arg;

    backup_results_begin(&backups->results, backups->users, clock_wall_s());
}

static void learn(void *arg, struct arena *arena)
{
    struct backups *backups = arg;

    (void)!backup_results_load(&backups->results, backups->users, arena, NULL);
}

/* ---- life ---- */

enum err backups_open_schedule(struct backups *backups, const struct backup_options *options,
                               struct error *error)
{
    char words[512];

    if (options->schedule.len == 0)
        return ERR_OK;
    snprintf(backups->schedule_text, sizeof backups->schedule_text, "%.*s",
             STR_ARG(options->schedule));
    snprintf(words, sizeof words, "%s %.*s", backups->schedule_text, STR_ARG(options->timezone));
    enum err err = cron_parse(options->schedule, &backups->cron, error);
    if (err != ERR_OK)
        return err;
    const struct backup_schedule_options schedule = {
        .users = backups->users,
        .work = {make, clean_up, note_begin, learn, backups},
        .cron = backups->cron,
        .offset = zone_offset_s,
        .words = str_from(words),
    };
    return backup_schedule_new(&schedule, &backups->schedule, error);
}

enum err backups_watch(struct backups *backups, struct error *error)
{
    return backups->schedule ? backup_schedule_start(backups->schedule, error) : ERR_OK;
}
