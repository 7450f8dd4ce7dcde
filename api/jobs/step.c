/* One step of a job: a SCAN, and what is done with the keys it gave. */
#include "jobs/jobs_private.h"
#include "jobs/pace.h"

#include "cachewarden/clock.h"
#include "cachewarden/redis_error.h"
#include "control/installation.h"
#include "scan.h"

#include <inttypes.h>
#include <stdio.h>

static void fail(struct job_run *run, enum err err, const char *reason)
{
    run->state = JOB_FAILED;
    run->err = err;
    run->reason = reason;
}

/* What was counted there is not here; what was removed is gone. */
static void begin_anew(struct job_run *run, uint64_t replication_id)
{
    run->is_moved = true;
    run->record.replication_id = replication_id;
    run->record.cursor = 0;
    if (run->record.job.only_counts)
        run->record.job.found = 0;
}

/*
 * In *is_here_out: there is a portion. Otherwise the scan begins anew, because this is another Redis than
 * before; or the job has failed.
 */
static enum err scan(struct job_run *run, struct work work, struct scan_portion *portion_out,
                     bool *is_here_out)
{
    char cursor[24];
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);

    *is_here_out = false;
    snprintf(cursor, sizeof cursor, "%" PRIu64, run->record.cursor);
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("SCAN"), str_from(cursor), STR("MATCH"),
                 run->ground.match, STR("COUNT"), STR_INT64(run->keys));
    if (run->record.size < 0)
        PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("DBSIZE"));
    enum err err = redis_run(run->ground.redis, pipeline, work);
    if (err != ERR_OK)
        return err;

    if (pipeline_replication_id(pipeline) != run->record.replication_id) {
        begin_anew(run, pipeline_replication_id(pipeline));
        return ERR_OK;
    }
    if (run->record.size < 0)
        run->record.size = pipeline_value(pipeline, 1)->integer;
    *is_here_out = run->record.size >= 0 &&
                   scan_portion_read(pipeline_value(pipeline, 0), run->ground.literal, portion_out);
    if (!*is_here_out)
        fail(run, ERR_UPSTREAM_REFUSED, "redis gave an answer that is none");
    return ERR_OK;
}

/* From the Redis that was scanned and no other. A command a key: they need not lie together. */
static enum err remove_keys(struct app *app, struct work work, struct job_run *run,
                            const struct scan_portion *portion)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE_FREE);
    enum err err = app_admit(app, work);

    if (err != ERR_OK)
        return err;
    pipeline_require(pipeline, run->record.replication_id);
    for (size_t i = 0; i < portion->count; i++)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), portion->keys[i].text);
    err = redis_run(run->ground.redis, pipeline, work);
    if (err != ERR_OK)
        return err;

    for (size_t i = 0; i < portion->count; i++) {
        int64_t removed = pipeline_value(pipeline, i)->integer;
        if (removed != 0 && removed != 1)
            fail(run, ERR_UPSTREAM_REFUSED, "redis gave an answer that is none");
        else
            run->record.job.removed += removed;
    }
    return ERR_OK;
}

/* The share of the database that was looked at; never less than before, and than what was found. */
static void note_place(struct job_run *run, uint64_t cursor)
{
    struct job *job = &run->record.job;
    int64_t progress = cursor == 0 ? PACE_WHOLE : pace_progress(cursor);

    run->record.cursor = cursor;
    if (progress > job->progress)
        job->progress = progress;
    int64_t scanned = (int64_t)((double)run->record.size * (double)job->progress / PACE_WHOLE);
    if (scanned < job->found)
        scanned = job->found;
    if (scanned > job->scanned)
        job->scanned = scanned;
    if (cursor == 0)
        run->state = JOB_DONE;
}

/* What passes by itself: Redis is away, starts, or is full. Not what it refuses. */
static bool may_pass(enum err err, const struct error *error)
{
    return err != ERR_NO_MEMORY && err != ERR_INTERNAL && err != ERR_BAD_INPUT &&
           error->redis != REDIS_ERROR_REFUSED &&
           (err != ERR_UPSTREAM_REFUSED || error->redis != REDIS_ERROR_NONE);
}

static enum err note_failure(struct job_run *run, enum err err, const struct error *error)
{
    if (may_pass(err, error))
        return err;
    fail(run, err,
         error->redis != REDIS_ERROR_NONE ? redis_error_text(error->redis)
         : err == ERR_UPSTREAM_REFUSED    ? "redis holds control data of others"
                                          : err_name(err));
    return ERR_OK;
}

enum err job_step(struct app *app, struct work work, struct job_run *run)
{
    struct scan_portion portion;
    bool is_here;
    int64_t began_ns = clock_mono_ns();
    enum err err = scan(run, work, &portion, &is_here);

    if (err != ERR_OK)
        return note_failure(run, err, work.error);
    if (!is_here)
        return ERR_OK;
    if (portion.count > 0 && !run->record.job.only_counts) {
        err = remove_keys(app, work, run, &portion);
        if (err != ERR_OK)
            return note_failure(run, err, work.error);
    }
    if (run->state != JOB_RUNNING)
        return ERR_OK;
    run->record.job.found += (int64_t)portion.count;
    run->keys = pace_next_keys(run->keys, clock_mono_ns() - began_ns);
    note_place(run, portion.cursor);
    return ERR_OK;
}
