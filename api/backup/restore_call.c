/* Putting backups back, as others ask for it: cachewarden/backup_restore.h. */
#include "backup/backups_private.h"
#include "backup/catalogue.h"
#include "backup/restore.h"
#include "cachewarden/backup_restore.h"
#include "cachewarden/clock.h"
#include "cachewarden/control.h"
#include "cachewarden/log.h"
#include "control/version_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_BUDGETS = 4 }; /* of a round trip, for one reconciling */

/* What is held while a backup is put back. */
struct restore_files {
    int folder; /* so that nobody makes a backup meanwhile; -1: there is none */
    int file;
};

/* ---- the file, and the folder ---- */

static enum err hold_folder(const struct backups *backups, struct restore_files *held,
                            struct error *error)
{
    held->folder = open(backups->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (held->folder < 0 || flock(held->folder, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno == EWOULDBLOCK)
        return error_set(error, ERR_CONFLICT, "A backup is being made or put back at this moment.");
    return error_set(error, ERR_UPSTREAM_DOWN, "The folder of backups cannot be locked: %s.",
                     strerrordesc_np(errno));
}

static enum err open_path(const char *path, int *fd_out, struct error *error)
{
    struct stat status;

    *fd_out = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd_out < 0)
        return error_set(error, ERR_NOT_FOUND, "There is no backup to read at %.100s: %s.", path,
                         strerrordesc_np(errno));
    if (fstat(*fd_out, &status) == 0 && S_ISREG(status.st_mode))
        return ERR_OK;
    return error_set(error, ERR_UNPROCESSABLE, "%.100s is no regular file.", path);
}

static void let_go(struct restore_files *held)
{
    if (held->file >= 0)
        close(held->file);
    if (held->folder >= 0)
        close(held->folder);
}

/* `is_alone`: nobody makes a backup meanwhile. */
static enum err hold(const struct backups *backups, const struct backup_restore_order *order,
                     bool is_alone, struct restore_files *held, struct error *error)
{
    *held = (struct restore_files){-1, -1};
    enum err err = is_alone ? hold_folder(backups, held, error) : ERR_OK;
    if (err == ERR_OK)
        err = order->path ? open_path(order->path, &held->file, error)
                          : catalogue_open(backups->catalogue, order->id, &held->file, error);
    if (err != ERR_OK)
        let_go(held);
    return err;
}

/* ---- rows, then Redis ---- */

static struct restore_order order_of(struct app *app, const struct backup_restore_order *order,
                                     const struct restore_files *held)
{
    return (struct restore_order){.app = app,
                                  .fd = held->file,
                                  .key = app->backups->key,
                                  .only_tries = order->only_tries,
                                  .takes_foreign = order->takes_foreign,
                                  .includes_entries = app->backups->includes_entries,
                                  .watch = order->watch};
}

/* Whether Redis is there, with control data that is ours. What it is told is told when it is too late to undo. */
static enum err look_at_redis(struct app *app, const struct backup_restore_order *order,
                              struct error *error)
{
    struct work work = {.deadline_ns = clock_deadline_ns(LOOK_BUDGETS * app->budget_ms),
                        .error = error};
    enum err err = version_guard_reconcile(app->guard, VERSION_GUARD_REPAIRS, work);

    if (err == ERR_OK || !order->may_miss_redis || app_is_foreign(app, error))
        return err;
    error_clear(error);
    return ERR_OK;
}

/* Whether there has ever been an account, and which installation it is. */
static enum err look_at_users(struct app *app, bool *is_used_out, char install_out[33],
                              struct error *error)
{
    struct arena *arena = arena_new(1024, 0);
    struct str install = STR_NONE;
    int64_t id = 0;
    enum err err = arena ? users_highest_id(app->users, arena, &id, error) : ERR_NO_MEMORY;

    if (err == ERR_OK)
        err = users_fact_get(app->users, arena, STR("install_id"), &install, error);
    *is_used_out = id > 0;
    snprintf(install_out, 33, "%.*s", STR_ARG(install));
    arena_free(&arena);
    return err;
}

/* A server that was started here before the restore has begun the control data of a Redis that was empty. */
static enum err take_over(struct app *app, const struct backup_restored *restored,
                          struct error *error)
{
    struct arena *arena = arena_new(1024, 0);
    struct work work = {arena, clock_deadline_ns(app->budget_ms), error};
    struct str install;
    enum err err = arena ? control_installation(app->control, work, &install) : ERR_NO_MEMORY;

    if (err == ERR_OK && str_eq(install, str_from(restored->before)))
        app_adopt(app);
    arena_free(&arena);
    return err;
}

static void describe(const struct restore_result *result, bool only_tried,
                     struct backup_restored *out)
{
    *out = (struct backup_restored){
        .created_at_s = result->created_at_s,
        .users = result->users.accounts,
        .added = result->users.added,
        .removed = result->users.removed,
        .passwords = result->users.passwords,
        .api_keys = result->users.keys,
        .api_keys_removed = result->users.keys_removed,
        .entries = result->entries,
        .only_tried = only_tried,
        .has_become = result->has_become,
        .term = result->term,
    };
    snprintf(out->id, sizeof out->id, "%s", result->id);
}

static enum err restore(struct app *app, const struct backup_restore_order *order,
                        const struct restore_files *held, char install_out[33],
                        struct restore_result *result, struct error *error)
{
    bool is_used;
    struct restore_order rows = order_of(app, order, held);
    enum err err = look_at_users(app, &is_used, install_out, error);

    is_used = is_used || !order->may_become;
    rows.may_become = !is_used;
    if (err == ERR_OK && is_used && !order->only_tries)
        err = look_at_redis(app, order, error);
    return err == ERR_OK ? restore_users(&rows, result, error) : err;
}

/* Who is called at night finds it in the log, too. */
static void note_end(enum err err, const struct restore_result *result, const struct error *error)
{
    if (err == ERR_OK)
        log_event(LOG_LEVEL_INFO, "backup.restored", LOG_CSTR("id", result->id),
                  LOG_INT("users", result->users.accounts), LOG_INT("added", result->users.added),
                  LOG_INT("removed", result->users.removed),
                  LOG_INT("passwords", result->users.passwords));
    else if (err != ERR_NOT_FOUND && err != ERR_CONFLICT)
        log_event(LOG_LEVEL_WARN, "backup.not_restored", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("reason", error->caller), LOG_CSTR("detail", error->detail));
}

enum err backup_restore_users(struct app *app, const struct backup_restore_order *order,
                              struct backup_restored *restored_out, struct error *error)
{
    struct restore_result result = {.id = ""};
    struct restore_files held;
    char install[33] = "";
    enum err err = hold(app->backups, order, !order->only_tries, &held, error);

    if (err == ERR_OK) {
        err = restore(app, order, &held, install, &result, error);
        let_go(&held);
    }
    if (!order->only_tries)
        note_end(err, &result, error);
    describe(&result, order->only_tries, restored_out);
    snprintf(restored_out->before, sizeof restored_out->before, "%s", install);
    return err;
}

static void count_entries(struct backups *backups, const struct backup_entries_counts *counts)
{
    const int64_t more[BACKUPS_ENTRIES] = {
        [BACKUPS_ENTRIES_RESTORED] = counts->restored, [BACKUPS_ENTRIES_EXPIRED] = counts->expired,
        [BACKUPS_ENTRIES_CLEARED] = counts->cleared,   [BACKUPS_ENTRIES_TAKEN] = counts->taken,
        [BACKUPS_ENTRIES_REFUSED] = counts->refused,
    };

    for (int i = 0; i < BACKUPS_ENTRIES; i++)
        atomic_fetch_add(&backups->entries[i], more[i]);
}

enum err backup_restore_redis(struct app *app, const struct backup_restore_order *order,
                              struct backup_restored *restored, struct error *error)
{
    struct restore_result result = {.term = restored->term, .entries = restored->entries};
    struct restore_files held;
    enum err err = hold(app->backups, order, false, &held, error);

    if (err != ERR_OK)
        return err;
    const struct restore_order control = order_of(app, order, &held);
    snprintf(result.id, sizeof result.id, "%s", restored->id);
    if (restored->has_become)
        err = take_over(app, restored, error);
    if (err == ERR_OK)
        err = restore_redis(&control, &result, error);
    let_go(&held);
    restored->revocations = result.control.revocations;
    restored->clears = result.control.clears;
    restored->entries = result.entries;
    restored->has_told_redis = err == ERR_OK;
    if (err == ERR_OK)
        count_entries(app->backups, &result.entries);
    return err;
}

const char *backup_entries_name(enum backup_entries state)
{
    static const char *const names[] = {
        [BACKUP_ENTRIES_NONE] = "none",         [BACKUP_ENTRIES_UNTOUCHED] = "untouched",
        [BACKUP_ENTRIES_OFF] = "off",           [BACKUP_ENTRIES_KEPT] = "kept",
        [BACKUP_ENTRIES_RESTORED] = "restored", [BACKUP_ENTRIES_FAILED] = "failed",
    };

    return names[state];
}

static void write_entries(struct json_writer *json, const struct backup_entries_counts *entries)
{
    json_name(json, "entries");
    json_open_object(json);
    json_add_string(json, "state", str_from(backup_entries_name(entries->state)));
    json_add_integer(json, "restored", entries->restored);
    json_add_integer(json, "expired", entries->expired);
    json_add_integer(json, "cleared", entries->cleared);
    json_add_integer(json, "taken", entries->taken);
    json_add_integer(json, "refused", entries->refused);
    json_add_integer(json, "earlier", entries->earlier);
    json_close_object(json);
}

void backup_restored_write(struct json_writer *json, const struct backup_restored *restored)
{
    char text[CLOCK_RFC3339_SIZE];

    json_open_object(json);
    json_add_string(json, "id", str_from(restored->id));
    json_add_string(json, "created_at", clock_rfc3339(restored->created_at_s * 1000, text));
    json_add_bool(json, "dry_run", restored->only_tried);
    json_add_integer(json, "users", restored->users);
    json_add_integer(json, "users_added", restored->added);
    json_add_integer(json, "users_removed", restored->removed);
    json_add_integer(json, "passwords_changed", restored->passwords);
    json_add_integer(json, "api_keys", restored->api_keys);
    json_add_integer(json, "api_keys_removed", restored->api_keys_removed);
    json_add_integer(json, "revocations", restored->revocations);
    json_add_integer(json, "clears_raised", restored->clears);
    json_add_string(json, "redis",
                    restored->only_tried       ? STR("untouched")
                    : restored->has_told_redis ? STR("restored")
                                               : STR("unavailable"));
    if (restored->entries.state != BACKUP_ENTRIES_NONE)
        write_entries(json, &restored->entries);
    json_close_object(json);
}
