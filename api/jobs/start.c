/* Starting a job: one a target, and a few in all. */
#include "jobs/jobs_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/random.h"
#include "jobs/glob.h"
#include "redis_reply.h"

enum { ID_BYTES = 16, TRIES_MAX = 3 };

static enum err make_record(struct arena *arena, const struct job_order *order,
                            struct job_record *record_out, struct error *error)
{
    *record_out = (struct job_record){
        .job = {.id = random_hex(arena, ID_BYTES),
                .state = JOB_RUNNING,
                .started_ms = clock_wall_ms(),
                .only_counts = order->only_counts,
                .target = order->target,
                .pattern = order->pattern,
                .by = order->principal->name,
                .starter = job_starter(arena, order->principal)},
        .size = -1,
        .by_id = order->principal->user_id,
        .credential = order->principal->credential,
        .part = order->part,
        .client_address = order->client_address,
        .request_id = order->request_id,
    };
    return TEXTS_MADE(record_out->job.id, record_out->job.target, record_out->job.starter)
               ? ERR_OK
               : error_set_detail(error, ERR_NO_MEMORY, "no memory for a job");
}

/* What a new job leaves behind that may not run after all. */
static enum err take_back(struct app *app, struct arena *arena, struct str id, struct str listed,
                          int64_t deadline_ns)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    struct key key = key_job(id), jobs = key_jobs(), recent = key_jobs_recent();

    if (listed.len > 0)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HDEL"), key_str(&jobs), listed);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key_str(&key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZREM"), key_str(&recent), id);
    return redis_run(app->control, pipeline, (struct work){.deadline_ns = deadline_ns});
}

enum { REPLY_LISTED = 2, REPLY_COUNT, REPLY_HOLDER };

/* The record first, so that whoever sees the job on the list finds it. */
static struct pipeline *start_pipeline(struct arena *arena, const struct job_record *record,
                                       struct str listed)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    struct key jobs = key_jobs(), recent = key_jobs_recent();
    char started[STR_INT64_SIZE], seconds[STR_INT64_SIZE], last[STR_INT64_SIZE];

    job_record_add(pipeline, record);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSETNX"), key_str(&jobs), listed, record->job.id);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HLEN"), key_str(&jobs));
    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&jobs), listed);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZADD"), key_str(&recent),
                 ((struct str){started, str_put_int64(started, record->job.started_ms)}),
                 record->job.id);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZREMRANGEBYRANK"), key_str(&recent), STR("0"),
                 ((struct str){last, str_put_int64(last, -1 - JOBS_LISTED)}));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIRE"), key_str(&recent),
                 ((struct str){seconds, str_put_int64(seconds, JOB_KEPT_S)}));
    return pipeline;
}

/* Another job is on the list. Takes that off if it is over, which its runner did not live to do: then ERR_OK. */
static enum err look_at_holder(struct app *app, struct arena *arena, const struct value *reply,
                               struct str listed, int64_t deadline_ns, struct error *error)
{
    const struct value *holder = reply->count == 1 ? &reply->items[0] : NULL;
    struct key jobs = key_jobs();
    struct job other;

    if (!holder || holder->kind != VALUE_STRING)
        return ERR_OK; /* it has just ended */
    enum err err = key_is_job_id(holder->text)
                       ? jobs_find(app, arena, holder->text, deadline_ns, &other, error)
                       : ERR_NOT_FOUND;
    if (err == ERR_OK && other.state == JOB_RUNNING)
        return error_set(error, ERR_CONFLICT, "Job %.*s is at work on this already.",
                         STR_ARG(holder->text));
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HDEL"), key_str(&jobs), listed);
    return redis_run(app->control, pipeline,
                     (struct work){.deadline_ns = deadline_ns, .error = error});
}

/* *is_started_out false, and ERR_OK: to be tried again. */
static enum err try_start(struct app *app, struct arena *arena, const struct job_record *record,
                          int64_t deadline_ns, bool *is_started_out, struct error *error)
{
    struct str listed = job_listed_as(arena, &record->job);
    struct pipeline *pipeline = start_pipeline(arena, record, listed);

    *is_started_out = false;
    if (!listed.ptr)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a job");
    enum err err = redis_run(app->control, pipeline,
                             (struct work){.deadline_ns = deadline_ns, .error = error});
    if (err != ERR_OK)
        return err;
    bool is_listed = pipeline_value(pipeline, REPLY_LISTED)->integer == 1;
    bool is_one_too_many = pipeline_value(pipeline, REPLY_COUNT)->integer > JOBS_LIMIT;
    *is_started_out = is_listed && !is_one_too_many;
    if (*is_started_out)
        return ERR_OK;

    err = take_back(app, arena, record->job.id, is_listed ? listed : STR_NONE, deadline_ns);
    if (err != ERR_OK) /* it expires */
        log_event(LOG_LEVEL_DEBUG, "job.left_behind", LOG_STR("id", record->job.id));
    if (is_listed)
        return error_set(error, ERR_BUSY, "Too many jobs are at work. Try again later.");
    return look_at_holder(app, arena, pipeline_value(pipeline, REPLY_HOLDER), listed, deadline_ns,
                          error);
}

enum err jobs_start(struct app *app, struct arena *arena, const struct job_order *order,
                    int64_t deadline_ns, struct job *job_out, struct error *error)
{
    struct job_record record;
    struct job_ground ground;
    bool is_started = false;
    enum err err = order->pattern.len > 0 ? glob_check(order->pattern, error) : ERR_OK;

    if (err == ERR_OK)
        err = job_ground_find(app, arena, order->target, order->pattern, &ground, error);
    for (int i = 0; i < TRIES_MAX && err == ERR_OK && !is_started; i++) {
        err = make_record(arena, order, &record, error);
        if (err == ERR_OK)
            err = try_start(app, arena, &record, deadline_ns, &is_started, error);
    }
    if (err != ERR_OK)
        return err;
    if (!is_started)
        return error_set(error, ERR_CONFLICT, "Another job is at work on this already.");
    atomic_fetch_add(&app->jobs->counts.started, 1);
    log_event(LOG_LEVEL_INFO, "job.started", LOG_STR("id", record.job.id),
              LOG_STR("target", record.job.target), LOG_STR("by", record.job.by));
    *job_out = record.job;
    return ERR_OK;
}
