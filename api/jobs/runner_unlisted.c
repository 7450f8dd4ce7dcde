/* Jobs that run and are on the list no more, as when somebody removed it: no runner would find them. */
#include "jobs/jobs_private.h"

#include "cachewarden/log.h"

static void end_one(struct jobs *jobs, struct work work, struct str id)
{
    struct job_record record;
    bool was_running = false;
    enum err err = job_record_find(jobs->app, work, id, &record);

    bool is_running = err == ERR_OK && record.job.state == JOB_RUNNING;
    /* Or it was cancelled while Redis had no room for its end. */
    if (err == ERR_OK && record.job.finished_ms == 0)
        err = job_end(jobs->app, work, &record, JOB_FAILED,
                      is_running ? "the list of jobs in Redis has lost it" : JOB_CANCELLED,
                      &was_running);
    if (err != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "job.unlisted", LOG_STR("id", id));
    if (!was_running || !is_running)
        return;
    atomic_fetch_add(&jobs->metrics.failed, 1);
    job_audit_end(jobs->app, &record, err_name(ERR_NOT_FOUND));
}

/* What is among the last ones has been on the list before. So the list is read after them; and a record is
 * read after the list, because who takes a job off has ended it first. */
void jobs_end_unlisted(struct jobs *jobs, struct work work)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    struct job *last;
    size_t count, index;

    job_list_ask(pipeline);
    if (jobs_list(jobs->app, work, &last, &count) != ERR_OK ||
        redis_run(jobs->app->control, pipeline, work) != ERR_OK)
        return;
    const struct value *list = pipeline_value(pipeline, 0);
    for (size_t i = 0; i < count; i++) {
        if (last[i].finished_ms == 0 && !job_list_place(list, last[i].id, &index))
            end_one(jobs, work, last[i].id);
    }
}
