/* Starting a job: one a target, and a few in all. */
#include "jobs/jobs_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/random.h"
#include "jobs/glob.h"
#include "redis_reply.h"

enum { ID_BYTES = 16 };

static enum err make_record(struct work work, const struct job_order *order,
                            struct job_record *record_out)
{
    *record_out = (struct job_record){
        .job = {.id = random_hex(work.arena, ID_BYTES),
                .state = JOB_RUNNING,
                .started_ms = clock_wall_ms(),
                .only_counts = order->only_counts,
                .target = order->target,
                .pattern = order->pattern,
                .by = order->principal->name,
                .starter = job_starter(work.arena, order->principal)},
        .size = -1,
        .by_id = order->principal->user_id,
        .credential = order->principal->credential,
        .part = order->part,
        .client_address = order->client_address,
        .request_id = order->request_id,
    };
    return TEXTS_MADE(record_out->job.id, record_out->job.target, record_out->job.starter)
               ? ERR_OK
               : error_set_detail(work.error, ERR_NO_MEMORY, "no memory for a job");
}

/* What a new job leaves behind that may not run after all. The entry last: what is not on the list has no
 * record that seems to run. */
static void take_back(struct app *app, struct work work, struct str id, struct str listed)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);
    struct key key = key_job(id), recent = key_jobs_recent();

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key_str(&key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZREM"), key_str(&recent), id);
    job_list_remove(pipeline, listed);
    work.error = NULL; /* it has the reason already */
    if (redis_run(app->control, pipeline, work) != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "job.left_behind", LOG_STR("id", id)); /* it expires */
}

enum { REPLY_LIST = 3, REPLY_OLD = 5 };

/* The record first, so that whoever sees the job on the list finds it. */
static struct pipeline *start_pipeline(struct arena *arena, const struct job_record *record,
                                       struct str listed)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    struct key jobs = key_jobs(), recent = key_jobs_recent();

    job_record_add(pipeline, record);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("RPUSH"), key_str(&jobs), listed);
    job_list_ask(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZADD"), key_str(&recent),
                 STR_INT64(record->job.started_ms), record->job.id);
    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("ZREVRANGE"), key_str(&recent), STR_INT64(JOBS_KEPT),
                 STR("-1"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIRE"), key_str(&recent), STR_INT64(JOB_KEPT_S));
    return pipeline;
}

/* Adds the reading of a record for each id that is one. */
static void ask_for(struct pipeline *pipeline, const struct value *ids)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (key_is_job_id(ids->items[i].text))
            job_record_ask(pipeline, ids->items[i].text);
    }
}

/* Adds the removal of each but of what has still to end. */
static void add_removals(struct pipeline *pipeline, const struct value *ids,
                         const struct pipeline *records)
{
    struct key recent = key_jobs_recent();
    struct job_record record;
    size_t next = 0;

    for (size_t i = 0; i < ids->count; i++) {
        struct str id = ids->items[i].text;
        bool is_id = key_is_job_id(id);
        if (is_id && job_record_take(pipeline_value(records, next++), id, &record) &&
            record.job.finished_ms == 0)
            continue;
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZREM"), key_str(&recent), id);
        if (!is_id)
            continue;
        struct key key = key_job(id);
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key_str(&key));
    }
}

/* So that nobody fills Redis by starting jobs: what is not among the last ones goes with its record, once it has
 * ended. What fails here is tried again at the next start. */
static void remove_old(struct app *app, struct work work, const struct value *old)
{
    struct pipeline *records = pipeline_new(work.arena, PIPELINE_READ);
    struct pipeline *removals = pipeline_new(work.arena, PIPELINE_WRITE);

    work.error = NULL; /* the job was started all the same */
    ask_for(records, old);
    if (pipeline_count(records) > 0 && redis_run(app->control, records, work) != ERR_OK)
        return;
    add_removals(removals, old, records);
    if (pipeline_count(removals) > 0 && redis_run(app->control, removals, work) != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "job.old_ones_left", LOG_INT("count", (int64_t)old->count));
}

/* Another job has the target. Takes that off the list if it is over, which its runner did not live to do:
 * then ERR_OK, and the list as it is now. */
static enum err look_at_holder(struct app *app, struct work work, const struct job_entry *holder,
                               const struct value **list_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);
    struct job other;
    enum err err = jobs_find(app, work, holder->id, &other);

    if (err == ERR_OK && other.state == JOB_RUNNING)
        return error_set(work.error, ERR_CONFLICT, "Job %.*s is at work on this already.",
                         STR_ARG(holder->id));
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    job_list_remove(pipeline, holder->text);
    job_list_ask(pipeline);
    err = redis_run(app->control, pipeline, work);
    *list_out = pipeline_value(pipeline, 1);
    return err;
}

/* However many jobs others have, those who look after it all can start one. */
static size_t limit_of(const struct principal *principal)
{
    return principal->is_admin || principal->credential == CREDENTIAL_OPERATOR ? JOBS_LIMIT
                                                                               : JOBS_LIMIT_OTHERS;
}

/* Whether a job on this list may run. One that is not on it any more was at work, and has ended. */
static enum err be_first(struct app *app, struct work work, struct str id, size_t limit,
                         const struct value *list)
{
    struct job_entry holder;
    enum err err = ERR_OK;
    size_t index;

    while (err == ERR_OK && job_list_place(list, id, &index)) {
        if (job_list_holder(list, index, &holder))
            err = look_at_holder(app, work, &holder, &list);
        else if (job_list_count(list, index) >= limit)
            return error_set(work.error, ERR_BUSY, "Too many jobs are at work. Try again later.");
        else
            return ERR_OK;
    }
    return err;
}

static enum err try_start(struct app *app, struct work work, const struct job_record *record,
                          size_t limit)
{
    struct str listed = job_listed_as(work.arena, &record->job);
    struct pipeline *pipeline = start_pipeline(work.arena, record, listed);

    if (!listed.ptr)
        return error_set_detail(work.error, ERR_NO_MEMORY, "no memory for a job");
    enum err err = redis_run(app->control, pipeline, work);
    if (err != ERR_OK && err != ERR_UPSTREAM_REFUSED)
        return err;
    if (err == ERR_OK)
        err = be_first(app, work, record->job.id, limit, pipeline_value(pipeline, REPLY_LIST));
    /* Redis may be full since the record was written. */
    if (err != ERR_OK)
        take_back(app, work, record->job.id, listed);
    else
        remove_old(app, work, pipeline_value(pipeline, REPLY_OLD));
    return err;
}

enum err jobs_start(struct app *app, struct work work, const struct job_order *order,
                    struct job *job_out)
{
    struct job_record record;
    struct job_ground ground;
    enum err err = order->pattern.len > 0 ? glob_check(order->pattern, work.error) : ERR_OK;

    if (err == ERR_OK)
        err = job_ground_find(app, work, order->target, order->pattern, &ground);
    if (err == ERR_OK)
        err = make_record(work, order, &record);
    if (err == ERR_OK)
        err = try_start(app, work, &record, limit_of(order->principal));
    if (err != ERR_OK)
        return err;
    atomic_fetch_add(&app->jobs->metrics.started, 1);
    log_event(LOG_LEVEL_INFO, "job.started", LOG_STR("id", record.job.id),
              LOG_STR("target", record.job.target), LOG_STR("by", record.job.by));
    *job_out = record.job;
    return ERR_OK;
}
