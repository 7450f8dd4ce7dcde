/* Making a backup: the users database from one snapshot, then entries, if they are wanted, then the control data, a
 * member at a time. */
#include "backup/backups_private.h"
#include "backup/catalogue.h"
#include "backup/control_data.h"
#include "backup/entries_read.h"
#include "backup/writer.h"
#include "cachewarden/backup.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/users_copy.h"

#include <assert.h>
#include <stdio.h>

static_assert((int)ARCHIVE_ACCOUNTS == USERS_ACCOUNTS && (int)ARCHIVE_FACTS == USERS_FACTS &&
                  (int)ARCHIVE_ENTRIES == USERS_TABLE_COUNT,
              "a table of users_copy.h has its kind of members");

/* So there is room for what a backup is made for. */
enum { MEMBERS_BEFORE_ENTRIES_END = ARCHIVE_MEMBERS_MAX - 1000 };

struct making {
    struct backups *backups;
    const struct backup_watch *watch;
    struct arena *arena;
    struct backup_writer *writer;
    struct strbuf lines; /* of the member that is made; its memory is used for all of them */
    struct archive_counts counts;
    struct entries_source source; /* of entries, where they are wanted */
    size_t members;
    int64_t done, total; /* of the rows of this kind; total 0: nobody knows */
    struct error *error;
};

/* One member is done: `rows` more. */
static enum err put_member(struct making *making, enum archive_kind kind, size_t rows)
{
    const struct backup_watch *watch = making->watch;

    if (making->lines.failed)
        return error_set_detail(making->error, ERR_NO_MEMORY, "no memory for a member of a backup");
    enum err err =
        backup_writer_add(making->writer, kind, strbuf_str(&making->lines), rows, making->error);
    making->members += making->lines.len > 0;
    making->lines.len = 0;
    making->done += (int64_t)rows;
    if (watch->progress)
        watch->progress(watch->with, kind == ARCHIVE_CONTROL ? "control" : archive_kind_name(kind),
                        making->done, making->total);
    if (err == ERR_OK && backup_is_unwanted(watch))
        return error_set(making->error, ERR_BUSY, "The backup was given up: it is stopping.");
    return err;
}

/* ---- the users database ---- */

static enum err put_table(struct making *making, struct users_snapshot *snapshot,
                          enum users_table table)
{
    struct users_rows rows;

    making->done = 0;
    do {
        enum err err = users_snapshot_read(snapshot, table, ARCHIVE_MEMBER_SIZE_MAX, &making->lines,
                                           &rows, making->error);
        if (err == ERR_OK)
            err = put_member(making, (enum archive_kind)table, rows.rows);
        if (err != ERR_OK)
            return err;
        if (table == USERS_ACCOUNTS)
            making->counts.users += (int64_t)rows.living;
        if (table == USERS_API_KEYS)
            making->counts.api_keys += (int64_t)rows.rows;
    } while (!rows.is_done);
    making->total = 0;
    return ERR_OK;
}

static enum err put_users(struct making *making)
{
    struct users *users = making->backups->users;
    struct users_snapshot *snapshot;
    /* For the bar: an account has had each of the numbers up to the highest, or none. */
    enum err err = users_highest_id(users, making->arena, &making->total, making->error);

    if (err == ERR_OK)
        err = users_snapshot_begin(users, &snapshot, making->error);
    if (err != ERR_OK)
        return err;
    for (int table = 0; table < USERS_TABLE_COUNT && err == ERR_OK; table++)
        err = put_table(making, snapshot, (enum users_table)table);
    users_snapshot_end(&snapshot);
    return err;
}

/* ---- entries ---- */

/* A cache that is larger than an archive may be has to be filled again in part. */
static bool is_full(const struct making *making)
{
    if (making->members < MEMBERS_BEFORE_ENTRIES_END)
        return false;
    log_event(LOG_LEVEL_WARN, "backup.entries_cut", LOG_INT("entries", making->counts.entries),
              LOG_CSTR("reason", "an archive holds no more"));
    return true;
}

static enum err put_entry_rows(struct making *making, struct entries_reader *reader)
{
    struct entries_rows rows;

    making->done = 0;
    do {
        enum err err = entries_reader_read(reader, ARCHIVE_MEMBER_SIZE_MAX, &making->lines, &rows,
                                           making->error);
        if (err == ERR_OK)
            err = put_member(making, ARCHIVE_ENTRIES, rows.rows);
        if (err != ERR_OK)
            return err;
        making->counts.entries += (int64_t)rows.entries;
    } while (!rows.is_done && !is_full(making));
    return ERR_OK;
}

/* ---- control data ---- */

static enum err put_rows(struct making *making, struct control_reader *reader)
{
    struct control_rows rows;

    making->done = 0;
    do {
        enum err err = control_reader_read(reader, ARCHIVE_MEMBER_SIZE_MAX, &making->lines, &rows,
                                           making->error);
        if (err == ERR_OK)
            err = put_member(making, ARCHIVE_CONTROL, rows.rows);
        if (err != ERR_OK)
            return err;
        making->counts.control_keys += (int64_t)rows.keys;
    } while (!rows.is_done);
    return ERR_OK;
}

static enum err put_control_data(struct making *making)
{
    const struct app *app = making->backups->app;
    const struct control_options options = {
        .control = app->control,
        .budget_ms = app->budget_ms,
        .duty_percent = making->backups->duty_percent,
        .is_stopping = making->watch->is_stopping,
    };
    struct control_reader *reader;
    enum err err = control_reader_begin(&options, &reader);

    if (err != ERR_OK)
        return error_set_detail(making->error, err, "no memory to read control data");
    err = put_rows(making, reader);
    control_reader_end(&reader);
    return err;
}

/* ---- both ---- */

/* The entries first: clears that the control data has are all of those that an entry was judged by, or more. */
static enum err put_redis(struct making *making)
{
    const struct entries_options options = {
        .app = making->backups->app,
        .duty_percent = making->backups->duty_percent,
        .is_stopping = making->watch->is_stopping,
    };
    struct entries_reader *reader;

    if (making->source.dataset.len == 0)
        return put_control_data(making);
    enum err err = entries_reader_begin(&options, &making->source, &reader);
    if (err != ERR_OK)
        return error_set_detail(making->error, err, "no memory to read entries");
    err = put_entry_rows(making, reader);
    if (err == ERR_OK)
        err = put_control_data(making);
    if (err == ERR_OK)
        err = entries_reader_confirm(reader, making->error);
    entries_reader_end(&reader);
    return err;
}

/* ---- the whole ---- */

/* Asked first: without Redis there will be no backup, and nobody has to wait to learn that. */
static enum err ask_redis_version(struct making *making, struct str *version_out)
{
    const struct app *app = making->backups->app;
    struct pipeline *pipeline = pipeline_new(making->arena, PIPELINE_READ);

    PIPELINE_ADD(pipeline, EXPECT_STRING, STR("INFO"), STR("server"));
    enum err err =
        redis_run(app->control, pipeline,
                  (struct work){making->arena, clock_deadline_ns(app->budget_ms), making->error});
    if (err == ERR_OK)
        *version_out = redis_info_field(pipeline_value(pipeline, 0)->text, "redis_version");
    return err;
}

static enum err ask_source(struct making *making)
{
    struct app *app = making->backups->app;

    return entries_source_read(
        app, (struct work){making->arena, clock_deadline_ns(app->budget_ms), making->error},
        &making->source);
}

static enum err tell_about(struct making *making, const char *id, int64_t now_s,
                           struct archive_about *about)
{
    struct users *users = making->backups->users;

    *about = (struct archive_about){
        .id = str_from(id),
        .created_at_s = now_s,
        .program = STR(CW_VERSION),
        .users_driver = str_from(users_driver_name(users)),
        .schema = users_schema_version(users),
    };
    enum err err = ask_redis_version(making, &about->redis_version);
    if (err == ERR_OK && making->backups->includes_entries)
        err = ask_source(making);
    about->dataset = making->source.dataset;
    about->store = making->source.store;
    if (err != ERR_OK)
        return err;
    return users_fact_get(users, making->arena, STR("install_id"), &about->install_id,
                          making->error);
}

static enum err write_file(struct making *making, int fd, const struct archive_about *about)
{
    struct archive_file file;
    enum err err =
        backup_writer_open(fd, making->backups->key, about, &making->writer, making->error);

    if (err == ERR_OK)
        err = put_users(making);
    if (err == ERR_OK)
        err = put_redis(making);
    if (err == ERR_OK)
        err = backup_writer_finish(making->writer, &making->counts, &file, making->error);
    backup_writer_free(&making->writer);
    return err;
}

static enum err make(struct making *making, struct backup *backup_out)
{
    char id[ARCHIVE_ID_SIZE];
    int64_t now_s = clock_wall_s();
    struct catalogue *catalogue = making->backups->catalogue;
    struct catalogue_draft draft;
    struct archive_about about;

    archive_id_make(id, now_s);
    enum err err = catalogue_begin(catalogue, id, &draft, making->error);
    if (err != ERR_OK)
        return err;
    err = tell_about(making, id, now_s, &about);
    if (err == ERR_OK)
        err = write_file(making, draft.fd, &about);
    if (err == ERR_OK)
        return catalogue_keep(catalogue, &draft, making->watch, backup_out, making->error);
    catalogue_drop(&draft);
    return err;
}

bool backup_has_failed(enum err err, const struct backup_watch *watch)
{
    return err != ERR_OK && err != ERR_CONFLICT && !backup_is_unwanted(watch);
}

/* For the log, and for whoever asks what became of the last one. */
static void note_end(struct backups *backups, const struct backup_watch *watch, enum err err,
                     const struct backup *backup, int64_t duration_ms, const struct error *error)
{
    struct backup_result result = {
        .at_s = clock_wall_s(), .duration_ms = duration_ms, .is_good = err == ERR_OK};

    if (err == ERR_CONFLICT) /* another one is made, which tells its own end */
        log_event(LOG_LEVEL_INFO, "backup.conflict", LOG_CSTR("reason", error->caller));
    if (err != ERR_OK && !backup_has_failed(err, watch))
        return;
    snprintf(result.node, sizeof result.node, "%s", backups->node);
    if (err == ERR_OK) {
        snprintf(result.id, sizeof result.id, "%s", backup->id);
        result.size_bytes = backup->size;
        log_event(LOG_LEVEL_INFO, "backup.made", LOG_CSTR("id", backup->id),
                  LOG_INT("bytes", backup->size), LOG_INT("users", backup->users),
                  LOG_INT("ms", duration_ms));
    } else {
        snprintf(result.reason, sizeof result.reason, "%.127s",
                 error->caller[0] ? error->caller : err_name(err));
        log_event(LOG_LEVEL_ERROR, "backup.failed", LOG_CSTR("reason", result.reason),
                  LOG_CSTR("detail", error->detail), LOG_INT("ms", duration_ms));
    }
    backup_results_note(&backups->results, backups->users, &result);
}

enum err backup_create(struct app *app, const struct backup_watch *watch, struct backup *backup_out,
                       struct error *error)
{
    int64_t begun_ns = clock_mono_ns();
    struct making making = {
        .backups = app->backups,
        .watch = watch,
        .arena = arena_new(16384, 0),
        .error = error,
    };
    enum err err = ERR_NO_MEMORY;

    strbuf_init(&making.lines, NULL, ARCHIVE_MEMBER_SIZE_MAX);
    if (making.arena)
        err = make(&making, backup_out);
    else
        (void)error_set_detail(error, err, "no memory for a backup");
    if (err == ERR_OK)
        atomic_fetch_add(&app->backups->entries[BACKUPS_ENTRIES_BACKED_UP], making.counts.entries);
    strbuf_fini(&making.lines);
    arena_free(&making.arena);
    note_end(app->backups, watch, err, backup_out, (clock_mono_ns() - begun_ns) / NS_PER_MS, error);
    return err;
}
