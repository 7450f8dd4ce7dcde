/* Backups that are too old go. */
#include "backup/backups_private.h"
#include "backup/catalogue.h"
#include "cachewarden/backup.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <stdio.h>

enum { DAY_S = 24 * 60 * 60 };

struct cleaning {
    struct catalogue *catalogue;
    const struct backup_watch *watch;
    int64_t before_s;
    char kept_id[BACKUP_ID_SIZE]; /* of the newest that is whole now; empty: none is, so far */
    struct backup_cleaned *cleaned;
    struct error *error;
};

static enum err ask_whether_wanted(const struct cleaning *cleaning)
{
    return backup_is_unwanted(cleaning->watch)
               ? error_set(cleaning->error, ERR_BUSY, "The cleanup was given up: it is stopping.")
               : ERR_OK;
}

static enum err remove_one(struct cleaning *cleaning, const char *id, bool *is_removed_out)
{
    enum err err = catalogue_remove(cleaning->catalogue, str_from(id), cleaning->error);

    *is_removed_out = err == ERR_OK;
    if (err == ERR_NOT_FOUND) /* somebody else was faster */
        return ERR_OK;
    if (err == ERR_OK) {
        log_event(LOG_LEVEL_INFO, "backup.removed", LOG_CSTR("id", id));
        cleaning->cleaned->files++;
    }
    return err;
}

/* One that was not read to its end counts as none; who asks next whether it is wanted ends. */
static bool is_whole_now(const struct cleaning *cleaning, const char *id)
{
    struct backup now;

    return catalogue_verify(cleaning->catalogue, str_from(id), cleaning->watch, &now, NULL) ==
           ERR_OK;
}

static bool may_go(const struct cleaning *cleaning, const char *id)
{
    int64_t created_at_s;

    return archive_id_read(str_from(id), &created_at_s) && created_at_s < cleaning->before_s;
}

/* From the newest down. Those that go are moved to the front of the list. */
static enum err clean_whole(struct cleaning *cleaning, struct backup *backups, size_t count)
{
    struct backup_cleaned *cleaned = cleaning->cleaned;
    bool is_removed;

    cleaned->removed = backups;
    for (size_t i = 0; i < count; i++) {
        enum err err = ask_whether_wanted(cleaning);
        if (err != ERR_OK)
            return err;
        if (!cleaning->kept_id[0]) {
            if (is_whole_now(cleaning, backups[i].id))
                snprintf(cleaning->kept_id, sizeof cleaning->kept_id, "%s", backups[i].id);
            continue;
        }
        if (!may_go(cleaning, backups[i].id))
            continue;
        err = remove_one(cleaning, backups[i].id, &is_removed);
        if (err != ERR_OK)
            return err;
        if (is_removed)
            cleaned->removed[cleaned->count++] = backups[i];
    }
    return ERR_OK;
}

/* What was made with another secret may be all there is: so only behind one that is whole. */
static enum err clean_broken(struct cleaning *cleaning)
{
    struct backup_cleaned *cleaned = cleaning->cleaned;

    for (size_t i = 0; i < cleaned->broken_count; i++) {
        struct backup_broken *broken = &cleaned->broken[i];
        enum err err = ask_whether_wanted(cleaning);
        if (err == ERR_OK && cleaning->kept_id[0] && strcmp(broken->id, cleaning->kept_id) < 0 &&
            may_go(cleaning, broken->id))
            err = remove_one(cleaning, broken->id, &broken->is_removed);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

enum err backup_cleanup(struct app *app, const struct backup_watch *watch, struct work work,
                        struct backup_cleaned *cleaned_out)
{
    struct cleaning cleaning = {
        .catalogue = app->backups->catalogue,
        .watch = watch,
        .before_s = clock_wall_s() - app->backups->retention_days * DAY_S,
        .cleaned = cleaned_out,
        .error = work.error,
    };
    struct catalogue_listing listing;
    enum err err = catalogue_list(cleaning.catalogue, watch, work, &listing);

    *cleaned_out =
        (struct backup_cleaned){.broken = listing.broken, .broken_count = listing.broken_count};
    if (err == ERR_OK)
        err = catalogue_remove_drafts(cleaning.catalogue, work.error);
    if (err == ERR_OK)
        err = clean_whole(&cleaning, listing.backups, listing.count);
    if (err == ERR_OK)
        err = ask_whether_wanted(&cleaning);
    return err == ERR_OK ? clean_broken(&cleaning) : err;
}

void backup_cleaned_write(struct json_writer *json, const struct backup_cleaned *cleaned)
{
    json_open_object(json);
    json_name(json, "removed");
    json_open_array(json);
    for (size_t i = 0; i < cleaned->count; i++)
        backup_write(json, &cleaned->removed[i]);
    json_close_array(json);
    json_name(json, "not_whole");
    json_open_array(json);
    for (size_t i = 0; i < cleaned->broken_count; i++) {
        const struct backup_broken *broken = &cleaned->broken[i];
        json_open_object(json);
        json_add_string(json, "id", str_from(broken->id));
        json_add_string(json, "reason", str_from(broken->reason));
        json_add_bool(json, "removed", broken->is_removed);
        json_close_object(json);
    }
    json_close_array(json);
    json_close_object(json);
}
