/* Backups that are too old go. */
#include "backup/backups_private.h"
#include "backup/catalogue.h"
#include "cachewarden/backup.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"

enum { DAY_S = 24 * 60 * 60 };

struct cleaning {
    struct catalogue *catalogue;
    const struct backup_watch *watch;
    int64_t before_s;
    struct backup *removed; /* of the list itself, moved to its front */
    size_t count;
    struct error *error;
};

static enum err remove_one(struct cleaning *cleaning, const struct backup *backup)
{
    enum err err = catalogue_remove(cleaning->catalogue, str_from(backup->id), cleaning->error);

    if (err == ERR_NOT_FOUND) /* somebody else was faster */
        return ERR_OK;
    if (err == ERR_OK) {
        log_event(LOG_LEVEL_INFO, "backup.removed", LOG_CSTR("id", backup->id));
        cleaning->removed[cleaning->count++] = *backup;
    }
    return err;
}

/* From the newest down; those behind the first that is whole now may go. */
static enum err clean(struct cleaning *cleaning, const struct backup *backups, size_t count)
{
    bool has_kept = false;

    for (size_t i = 0; i < count; i++) {
        struct backup now;
        struct error reason;
        enum err err = ERR_OK;
        if (backup_is_unwanted(cleaning->watch))
            return error_set(cleaning->error, ERR_BUSY,
                             "The cleanup was given up: it is stopping.");
        if (!has_kept)
            has_kept = catalogue_verify(cleaning->catalogue, str_from(backups[i].id), &now,
                                        &reason) == ERR_OK;
        else if (backups[i].created_at_s < cleaning->before_s)
            err = remove_one(cleaning, &backups[i]);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

enum err backup_cleanup(struct app *app, const struct backup_watch *watch, struct work work,
                        struct backup **removed_out, size_t *count_out)
{
    struct backup *backups;
    size_t count;
    enum err err = backup_list(app, work, &backups, &count);
    struct cleaning cleaning = {
        .catalogue = app->backups->catalogue,
        .watch = watch,
        .before_s = clock_wall_s() - app->backups->retention_days * DAY_S,
        .removed = backups,
        .error = work.error,
    };

    if (err == ERR_OK)
        err = clean(&cleaning, backups, count);
    *removed_out = cleaning.removed;
    *count_out = cleaning.count;
    return err;
}
