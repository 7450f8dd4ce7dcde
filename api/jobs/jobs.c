/* Finding, ending and listing jobs. */
#include "jobs/jobs_private.h"

#include "caches/targets.h"
#include "cachewarden/audit.h"
#include "cachewarden/caches.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/redis_error.h"
#include "control/installation.h"
#include "entries/service.h"
#include "jobs/glob.h"
#include "jobs/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { GIVE_UP_MS = 60000 };

#define TARGET_CACHE   STR("cache:")
#define TARGET_ENTRIES STR("entries:")

/* ---- life ---- */

enum err jobs_open(struct app *app, const struct app_options *options, struct jobs **jobs_out,
                   struct error *error)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);

    *jobs_out = jobs;
    if (!jobs)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the jobs");
    jobs->app = app;
    jobs->give_up_ms = options->jobs_give_up_ms > 0 ? options->jobs_give_up_ms : GIVE_UP_MS;
    atomic_init(&jobs->duty_percent, options->jobs_duty_percent);
    return ERR_OK;
}

enum err jobs_watch(struct jobs *jobs, struct error *error)
{
    return jobs_runner_start(jobs, STR_NONE, &jobs->runner, error);
}

void jobs_close(struct jobs **jobs)
{
    if (!*jobs)
        return;
    jobs_runner_stop(&(*jobs)->runner);
    free(*jobs);
    *jobs = NULL;
}

enum err jobs_run(struct app *app, struct str id, struct error *error)
{
    return jobs_runner_start(app->jobs, id, &app->jobs->runner, error);
}

void jobs_set_duty(struct app *app, int percent)
{
    atomic_store(&app->jobs->duty_percent, percent);
}

/* ---- targets ---- */

struct str job_target_of_cache(struct arena *arena, struct str name)
{
    return str_format(arena, "cache:%.*s", STR_ARG(name));
}

struct str job_target_of_entries(struct arena *arena, const struct namespace *space)
{
    struct str name = namespace_text(arena, space);

    return name.ptr ? str_format(arena, "entries:%.*s", STR_ARG(name)) : STR_NONE;
}

static bool find_cache(const struct app *app, struct str name, struct job_ground *ground_out)
{
    const struct target *cache = caches_find(app->caches, name);

    if (!cache || cache->kind != CACHE_PREFIX)
        return false;
    ground_out->redis = cache->redis;
    ground_out->literal = cache->prefix;
    return true;
}

static bool find_entries(const struct app *app, struct arena *arena, struct str name,
                         struct job_ground *ground_out)
{
    struct namespace space;

    if (!app->entries || !namespace_parse(name, &space))
        return false;
    struct key start = key_entries(&space);
    ground_out->redis = entries_redis(app->entries);
    ground_out->literal = str_dup(arena, key_str(&start));
    return true;
}

enum err job_ground_find(struct app *app, struct work work, struct str target, struct str pattern,
                         struct job_ground *ground_out)
{
    bool is_cache = str_starts(target, TARGET_CACHE);
    struct str name = str_sub(target, is_cache ? TARGET_CACHE.len : TARGET_ENTRIES.len, target.len);

    *ground_out = (struct job_ground){0};
    if (!(is_cache ? find_cache(app, name, ground_out)
                   : str_starts(target, TARGET_ENTRIES) &&
                         find_entries(app, work.arena, name, ground_out)))
        return error_set(work.error, ERR_NOT_FOUND, "There is nothing named %.*s for a job.",
                         STR_ARG(str_sub(target, 0, 100)));
    if (ground_out->literal.ptr)
        ground_out->match = glob_behind(work.arena, ground_out->literal, pattern);
    return ground_out->match.ptr
               ? ERR_OK
               : error_set_detail(work.error, ERR_NO_MEMORY, "no memory for a pattern");
}

/* ---- who ---- */

struct str job_starter(struct arena *arena, const struct principal *who)
{
    if (who->credential == CREDENTIAL_OPERATOR)
        return STR("operator");
    if (who->user_id > 0)
        return str_format(arena, "%s:%" PRId64 ":%.*s", who->is_stranger ? "stranger" : "user",
                          who->user_id, STR_ARG(who->is_stranger ? who->issuer : STR_NONE));
    return str_format(arena, "key:%.*s", STR_ARG(who->token_id));
}

bool job_is_of(const struct job *job, struct arena *arena, const struct principal *principal)
{
    struct str starter = job_starter(arena, principal);

    return starter.len > 0 && str_eq(starter, job->starter);
}

/* ---- find ---- */

enum err job_record_find(struct app *app, struct work work, struct str id,
                         struct job_record *record_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);

    if (!key_is_job_id(id))
        return error_set(work.error, ERR_NOT_FOUND, "There is no such job.");
    job_record_ask(pipeline, id);
    installation_ask(pipeline);
    enum err err = redis_run(app->control, pipeline, work);
    if (err == ERR_OK)
        err = installation_check(app, pipeline_value(pipeline, 1), work.error);
    if (err != ERR_OK)
        return err;
    return job_record_take(pipeline_value(pipeline, 0), id, record_out)
               ? ERR_OK
               : error_set(work.error, ERR_NOT_FOUND, "There is no such job.");
}

enum err jobs_find(struct app *app, struct work work, struct str id, struct job *job_out)
{
    struct job_record record;
    enum err err = job_record_find(app, work, id, &record);

    *job_out = err == ERR_OK ? record.job : (struct job){0};
    return err;
}

static enum err read_ids(struct app *app, struct work work, const struct value **ids_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    struct key recent = key_jobs_recent();

    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("ZREVRANGE"), key_str(&recent), STR("0"), STR("-1"));
    installation_ask(pipeline);
    enum err err = redis_run(app->control, pipeline, work);
    if (err == ERR_OK)
        err = installation_check(app, pipeline_value(pipeline, 1), work.error);
    *ids_out = pipeline_value(pipeline, 0);
    return err;
}

enum err jobs_list(struct app *app, struct work work, struct job **jobs_out, size_t *count_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    struct str ids[JOBS_LISTED];
    const struct value *listed;
    struct job_record record;
    size_t count = 0;
    enum err err = read_ids(app, work, &listed);

    *count_out = 0;
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < listed->count && count < JOBS_LISTED; i++) {
        if (listed->items[i].kind != VALUE_STRING || !key_is_job_id(listed->items[i].text))
            continue;
        ids[count++] = listed->items[i].text;
        job_record_ask(pipeline, ids[count - 1]);
    }
    *jobs_out = arena_calloc(work.arena, count + 1, sizeof **jobs_out);
    if (!*jobs_out)
        return error_set_detail(work.error, ERR_NO_MEMORY, "no memory for the list of jobs");
    err = count > 0 ? redis_run(app->control, pipeline, work) : ERR_OK;
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        if (job_record_take(pipeline_value(pipeline, i), ids[i], &record))
            (*jobs_out)[(*count_out)++] = record.job;
    }
    return err;
}

/* ---- end ---- */

struct str job_audit_target(struct str space, struct str pattern,
                            char buffer[JOB_AUDIT_TARGET_SIZE])
{
    snprintf(buffer, JOB_AUDIT_TARGET_SIZE, "%.*s pattern:%.*s", STR_ARG(space), STR_ARG(pattern));
    return str_from(buffer);
}

void job_audit_end(struct app *app, const struct job_record *record, const char *result)
{
    const struct principal who = {
        .kind = record->credential == CREDENTIAL_API_KEY ? PRINCIPAL_API_KEY : PRINCIPAL_USER,
        .credential = record->credential,
        .user_id = record->by_id,
        .name = record->job.by};
    const struct job *job = &record->job;
    bool is_cache = str_starts(job->target, TARGET_CACHE);
    struct str name =
        str_sub(job->target, is_cache ? TARGET_CACHE.len : TARGET_ENTRIES.len, job->target.len);
    char target[JOB_AUDIT_TARGET_SIZE];
    const struct audit_record entry = {
        .part = record->part,
        .principal = &who,
        .client_address = record->client_address,
        .request_id = record->request_id,
        .route = "job.end",
        .target = is_cache ? name : job_audit_target(name, job->pattern, target),
        .result = result,
        .count = job->removed,
        .is_flush = is_cache && strcmp(result, "ok") == 0,
    };

    if (!job->only_counts)
        audit_write(app, &entry);
}

static enum err take_off_list(struct app *app, struct work work, const struct job *job)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);
    struct str listed = job_listed_as(work.arena, job);

    if (!listed.ptr)
        return error_set_detail(work.error, ERR_NO_MEMORY, "no memory for a job");
    job_list_remove(pipeline, listed);
    return redis_run(app->control, pipeline, work);
}

/* Who stopped it while Redis had no room was told that it is cancelled, a moment before its last step had ended: so
 * it is. */
static void end_as_told(struct app *app, struct work work, struct job_record *record)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);

    record->job.state = JOB_FAILED;
    record->job.reason = STR(JOB_CANCELLED);
    job_record_end_anyway(pipeline, record->job.id, JOB_FAILED, record->job.finished_ms,
                          record->job.reason);
    if (redis_run(app->control, pipeline, work) != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "job.told_otherwise", LOG_STR("id", record->job.id));
}

/* What the pipeline of an end says; where the record itself was lost, what is known of it. */
static void take_end(const struct pipeline *pipeline, enum job_state state, const char *reason,
                     int64_t now_ms, struct job_record *record)
{
    struct job_record found;

    if (job_record_take(pipeline_value(pipeline, JOB_END_RECORD), record->job.id, &found)) {
        *record = found;
        return;
    }
    record->job.state = state;
    record->job.reason = str_from(reason);
    record->job.finished_ms = now_ms;
}

enum err job_end(struct app *app, struct work work, struct job_record *record, enum job_state state,
                 const char *reason, bool *was_running_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);
    int64_t now_ms = clock_wall_ms();

    *was_running_out = false;
    job_record_end(pipeline, record->job.id, state, now_ms, str_from(reason));
    enum err err = redis_run(app->control, pipeline, work);
    if (err != ERR_OK)
        return err;
    take_end(pipeline, state, reason, now_ms, record);
    if (pipeline_value(pipeline, 0)->integer != 1)
        return ERR_OK;
    *was_running_out = true;
    /* The end counts, whatever fails from here on; who is next on the target finds it over. */
    work.error = NULL;
    if (record->is_stopped && record->job.state == JOB_DONE)
        end_as_told(app, work, record);
    if (take_off_list(app, work, &record->job) != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "job.still_listed", LOG_STR("id", record->job.id));
    log_event(LOG_LEVEL_INFO, "job.ended", LOG_STR("id", record->job.id),
              LOG_STR("target", record->job.target),
              LOG_CSTR("state", job_state_name(record->job.state)),
              LOG_STR("reason", record->job.reason), LOG_INT("removed", record->job.removed));
    return ERR_OK;
}

/* For a Redis that has no room for an end: the runner writes it later. */
static enum err stop(struct app *app, struct work work, struct job_record *record,
                     bool *was_running_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);
    struct str id = record->job.id;

    error_clear(work.error);
    job_record_stop(pipeline, id);
    enum err err = redis_run(app->control, pipeline, work);
    if (err == ERR_OK && !job_record_take(pipeline_value(pipeline, 1), id, record))
        err = error_set(work.error, ERR_NOT_FOUND, "There is no such job.");
    *was_running_out =
        err == ERR_OK && pipeline_value(pipeline, 0)->integer == 1 && record->job.finished_ms == 0;
    return err;
}

/* What it tells is in the reply that says that the job is over: nothing has to go well after that. */
enum err jobs_cancel(struct app *app, struct work work, struct str id, struct job *job_out,
                     bool *was_running_out)
{
    struct job_record record;
    enum err err = job_record_find(app, work, id, &record);

    *was_running_out = false;
    if (err == ERR_OK && record.job.state == JOB_RUNNING) {
        err = job_end(app, work, &record, JOB_FAILED, JOB_CANCELLED, was_running_out);
        if (err != ERR_OK && work.error->redis == REDIS_ERROR_OUT_OF_MEMORY)
            err = stop(app, work, &record, was_running_out);
    }
    if (err != ERR_OK)
        return err;
    if (*was_running_out)
        atomic_fetch_add(&app->jobs->metrics.cancelled, 1);
    *job_out = record.job;
    return ERR_OK;
}
