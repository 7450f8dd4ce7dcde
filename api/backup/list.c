/* What there is of backups. */
#include "backup/backups_private.h"
#include "backup/catalogue.h"
#include "cachewarden/backup.h"
#include "cachewarden/clock.h"

void backup_write(struct json_writer *json, const struct backup *backup)
{
    char created_at[CLOCK_RFC3339_SIZE];

    json_open_object(json);
    json_add_string(json, "id", str_from(backup->id));
    json_add_string(json, "created_at", clock_rfc3339(backup->created_at_s * 1000, created_at));
    json_add_integer(json, "size", backup->size);
    json_add_string(json, "sha256", str_from(backup->sha256));
    json_add_integer(json, "users", backup->users);
    json_add_integer(json, "api_keys", backup->api_keys);
    json_add_integer(json, "control_keys", backup->control_keys);
    if (backup->has_entries)
        json_add_integer(json, "entries", backup->entries);
    json_close_object(json);
}

enum err backup_list(struct app *app, const struct backup_watch *watch, struct work work,
                     struct backup **backups_out, size_t *count_out)
{
    struct catalogue_listing listing;
    enum err err = catalogue_list(app->backups->catalogue, watch, work, &listing);

    *backups_out = listing.backups;
    *count_out = listing.count;
    return err;
}

enum err backup_find(struct app *app, struct work work, struct str id, struct backup *backup_out)
{
    return catalogue_find(app->backups->catalogue, id, backup_out, work.error);
}

enum err backup_verify(struct app *app, const struct backup_watch *watch, struct work work,
                       struct str id, struct backup *backup_out)
{
    return catalogue_verify(app->backups->catalogue, id, watch, backup_out, work.error);
}

enum err backup_delete(struct app *app, struct work work, struct str id)
{
    return catalogue_remove(app->backups->catalogue, id, work.error);
}
