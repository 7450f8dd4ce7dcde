/* The life of backups. */
#include "backup/backups_private.h"

#include "backup/catalogue.h"

#include <stdio.h>
#include <stdlib.h>

enum { DUTY_PERCENT = 20 }; /* where nobody says: as jobs.duty_percent */

enum err backups_open(struct app *app, const struct app_options *options,
                      struct backups **backups_out, struct error *error)
{
    const struct secrets secrets = token_secrets(&options->tokens);
    struct backups *backups = calloc(1, sizeof *backups);

    *backups_out = backups;
    if (!backups)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for backups");
    backups->app = app;
    backups->users = options->users;
    backup_results_init(&backups->results);
    snprintf(backups->node, sizeof backups->node, "%.*s", STR_ARG(options->node_name));
    backups->retention_days = options->backup.retention_days;
    backups->includes_entries = options->backup.include_entries;
    backups->duty_percent =
        options->jobs_duty_percent > 0 ? options->jobs_duty_percent : DUTY_PERCENT;
    backups->directory = strndup(options->backup.directory.ptr ? options->backup.directory.ptr : "",
                                 options->backup.directory.len);
    enum err err = backups->directory
                       ? archive_key_new(&secrets, &backups->key, error)
                       : error_set_detail(error, ERR_NO_MEMORY, "no memory for backups");
    if (err == ERR_OK)
        err = archive_key_set_passphrase(backups->key, options->backup.passphrase, error);
    if (err == ERR_OK)
        err = catalogue_new(options->backup.directory, backups->key, &backups->catalogue, error);
    if (err == ERR_OK)
        err = backups_open_schedule(backups, &options->backup, error);
    if (err != ERR_OK)
        backups_close(backups_out);
    return err;
}

enum err backups_set_secrets(struct backups *backups, const struct secrets *secrets,
                             struct error *error)
{
    return backups ? archive_key_set_secrets(backups->key, secrets, error) : ERR_OK;
}

void backups_close(struct backups **backups)
{
    if (!*backups)
        return;
    backup_schedule_free(&(*backups)->schedule);
    catalogue_free(&(*backups)->catalogue);
    archive_key_free(&(*backups)->key);
    free((*backups)->directory);
    backup_results_fini(&(*backups)->results);
    free(*backups);
    *backups = NULL;
}
