/* `backup`: makes, lists and checks backups. They need no server, and disturb none. */
#include "cli/backup.h"
#include "cli/progress.h"

#include "cachewarden/backup.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <stdio.h>

/* ---- output ---- */

static void print_size(char out[32], int64_t bytes)
{
    if (bytes < 10 * 1024)
        snprintf(out, 32, "%lld B", (long long)bytes);
    else if (bytes < 10 * 1024 * 1024)
        snprintf(out, 32, "%lld KiB", (long long)(bytes / 1024));
    else
        snprintf(out, 32, "%lld MiB", (long long)(bytes / 1024 / 1024));
}

static void print_backups(struct strbuf *out, const struct backup *backups, size_t count)
{
    static const char *const heads[] = {"ID", "CREATED", "SIZE", "USERS", "API KEYS"};
    static const size_t widths[] = {27, 21, 11, 10, 10, 14};
    char text[CLOCK_RFC3339_SIZE];
    bool has_entries = false;

    for (size_t i = 0; i < count; i++)
        has_entries = has_entries || backups[i].has_entries;
    for (size_t i = 0; i < 5; i++)
        cli_pad(out, str_from(heads[i]), widths[i]);
    if (has_entries)
        cli_pad(out, STR("CONTROL KEYS"), widths[5]);
    strbuf_addf(out, has_entries ? "ENTRIES\n" : "CONTROL KEYS\n");
    for (size_t i = 0; i < count; i++) {
        const struct backup *backup = &backups[i];
        cli_pad(out, str_from(backup->id), widths[0]);
        cli_pad(out, str_sub(clock_rfc3339(backup->created_at_s * 1000, text), 0, 19), widths[1]);
        print_size(text, backup->size);
        cli_pad(out, str_from(text), widths[2]);
        cli_pad(out, STR_INT64(backup->users), widths[3]);
        cli_pad(out, STR_INT64(backup->api_keys), widths[4]);
        if (backup->has_entries) {
            cli_pad(out, STR_INT64(backup->control_keys), widths[5]);
            strbuf_addf(out, "%lld\n", (long long)backup->entries);
        } else {
            strbuf_addf(out, "%lld\n", (long long)backup->control_keys);
        }
    }
}

static int show_many(const struct cli *cli, const char *name, const struct backup *backups,
                     size_t count)
{
    struct json_writer json;
    struct strbuf text;

    strbuf_init(&text, NULL, 4096);
    if (!cli_flag(cli, "json")) {
        print_backups(&text, backups, count);
        return cli_print(&text);
    }
    json_writer_init(&json, &text);
    json_open_object(&json);
    json_name(&json, name);
    json_open_array(&json);
    for (size_t i = 0; i < count; i++)
        backup_write(&json, &backups[i]);
    json_close_array(&json);
    json_close_object(&json);
    strbuf_add_char(&text, '\n');
    return cli_print(&text);
}

static int show_one(const struct cli *cli, const char *what, const struct backup *backup)
{
    struct json_writer json;
    struct strbuf text;
    char size[32];

    strbuf_init(&text, NULL, 512);
    if (cli_flag(cli, "json")) {
        json_writer_init(&json, &text);
        backup_write(&json, backup);
        strbuf_add_char(&text, '\n');
    } else {
        print_size(size, backup->size);
        strbuf_addf(&text, "Backup %s %s: %s, %lld users, %lld API keys, %lld control keys.\n",
                    backup->id, what, size, (long long)backup->users, (long long)backup->api_keys,
                    (long long)backup->control_keys);
        if (backup->has_entries)
            strbuf_addf(&text, "With %lld entries.\n", (long long)backup->entries);
    }
    return cli_print(&text);
}

static void record(struct cli_services *services, const char *route, const char *id, enum err err,
                   int64_t count)
{
    struct str target = id ? str_format(services->arena, "backup:%.64s", id) : STR("backups");

    (void)cli_audit(services, route, target, err, count, false);
}

/* ---- commands ---- */

static int run_create(struct cli *cli)
{
    struct cli_services services;
    struct cli_progress progress;
    struct error error = {0};
    struct backup backup;

    if (!cli_open_to_change(cli, &services))
        return CLI_FAILED;
    struct backup_watch watch =
        cli_progress_begin(&progress, cli_flag(cli, "json") ? NULL : stderr);
    enum err err = backup_create(services.app, &watch, &backup, &error);
    cli_progress_end(&progress);
    if (err != ERR_CONFLICT)
        record(&services, "backups.create", err == ERR_OK ? backup.id : NULL, err, -1);
    int status = err == ERR_OK ? show_one(cli, "is made", &backup) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

static int run_list(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    struct backup *backups;
    size_t count;

    if (!cli_open(cli, &services))
        return CLI_FAILED;
    /* Which files are left out, and why: else a list without them looks as if there were none. */
    if (!log_enabled(LOG_LEVEL_WARN))
        log_configure(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    enum err err = backup_list(services.app, NULL, cli_work(&services, &error), &backups, &count);
    int status =
        err == ERR_OK ? show_many(cli, "backups", backups, count) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

static int run_verify(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    struct backup backup;

    if (!cli_open(cli, &services))
        return CLI_FAILED;
    enum err err = backup_verify(services.app, NULL, cli_work(&services, &error),
                                 str_from(cli_argument(cli, 0)), &backup);
    int status = err == ERR_OK ? show_one(cli, "is whole", &backup) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

static int tell_deleted(const struct cli *cli, const char *id)
{
    struct json_writer json;
    struct strbuf text;

    if (!cli_flag(cli, "json"))
        return CLI_OK;
    strbuf_init(&text, NULL, 64);
    json_writer_init(&json, &text);
    json_open_object(&json);
    json_add_string(&json, "deleted", str_from(id));
    json_close_object(&json);
    strbuf_add_char(&text, '\n');
    return cli_print(&text);
}

static int run_delete(struct cli *cli)
{
    const char *id = cli_argument(cli, 0);
    struct cli_services services;
    struct error error = {0};

    if (!cli_open_to_change(cli, &services))
        return CLI_FAILED;
    enum err err = backup_delete(services.app, cli_work(&services, &error), str_from(id));
    if (err != ERR_NOT_FOUND)
        record(&services, "backups.delete", id, err, -1);
    int status = err == ERR_OK ? tell_deleted(cli, id) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

static int show_cleaned(const struct cli *cli, const struct backup_cleaned *cleaned)
{
    struct json_writer json;
    struct strbuf text;

    if (!cli_flag(cli, "json")) {
        /* On the other stream, since the list of what was removed may be read by a program. */
        for (size_t i = 0; i < cleaned->broken_count; i++)
            fprintf(stderr, "%s is not whole, and %s: %s\n", cleaned->broken[i].id,
                    cleaned->broken[i].is_removed ? "was removed" : "stays",
                    cleaned->broken[i].reason);
        return cleaned->count > 0 ? show_many(cli, "removed", cleaned->removed, cleaned->count)
                                  : CLI_OK;
    }
    strbuf_init(&text, NULL, 512);
    json_writer_init(&json, &text);
    backup_cleaned_write(&json, cleaned);
    strbuf_add_char(&text, '\n');
    return cli_print(&text);
}

static int run_cleanup(struct cli *cli)
{
    struct cli_services services;
    struct cli_progress progress;
    struct error error = {0};
    struct backup_cleaned cleaned;

    if (!cli_open_to_change(cli, &services))
        return CLI_FAILED;
    struct backup_watch watch = cli_progress_begin(&progress, NULL);
    enum err err = backup_cleanup(services.app, &watch, cli_work(&services, &error), &cleaned);
    cli_progress_end(&progress);
    if (err != ERR_OK || cleaned.files > 0)
        record(&services, "backups.cleanup", NULL, err, (int64_t)cleaned.files);
    int status = err == ERR_OK ? show_cleaned(cli, &cleaned) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

/* ---- the table ---- */

static const struct cli_option json_only[] = {CLI_JSON, CLI_OPTIONS_END};

const struct cli_command cli_backup = {
    .name = "backup",
    .arguments = "create | list | verify | restore | delete | cleanup",
    .summary = "makes and looks after backups of accounts and control data",
    .subcommands =
        (const struct cli_command[]){
            {.name = "create",
             .arguments = "[--json]",
             .summary = "makes a backup, and reads all of it back before it has its name",
             .options = json_only,
             .run = run_create},
            {.name = "list",
             .arguments = "[--json]",
             .summary = "lists the backups that are whole, newest first",
             .options = json_only,
             .run = run_list},
            {.name = "verify",
             .arguments = "ID [--json]",
             .summary = "reads all of a backup, and says what is wrong with it",
             .options = json_only,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_verify},
            {.name = "restore",
             .arguments = "ID-or-PATH [--dry-run] [--yes] [--foreign] [--without-redis] [--json]",
             .summary =
                 "puts a backup in the place of what is here: accounts and API keys; what was "
                 "revoked stays so",
             .options = cli_backup_restore_options,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = cli_backup_restore},
            {.name = "delete",
             .arguments = "ID [--json]",
             .summary = "removes a backup, whole or not",
             .options = json_only,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_delete},
            {.name = "cleanup",
             .arguments = "[--json]",
             .summary = "removes those older than backup.retention_days, but never the newest that "
                        "is whole; says which are not whole",
             .options = json_only,
             .run = run_cleanup},
            {.name = NULL},
        },
};
