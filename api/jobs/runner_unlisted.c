/* Jobs that run and are on the list no more, as when somebody removed it: no runner would find them. */
#include "jobs/jobs_private.h"

#include "cachewarden/log.h"

static void end_one(struct jobs *jobs, struct arena *arena, struct str id, int64_t deadline_ns)
{
    struct job_record record;
    bool was_running = false;
    enum err err = job_record_find(jobs->app, arena, id, deadline_ns, &record, NULL);

    bool is_running = err == ERR_OK && record.job.state == JOB_RUNNING;
    /* Or it was cancelled while Redis had no room for its end. */
    if (err == ERR_OK && record.job.finished_ms == 0)
        err = job_end(jobs->app, arena, &record, JOB_FAILED,
                      is_running ? "the list of jobs in Redis has lost it" : JOB_CANCELLED,
                      deadline_ns, &was_running, NULL);
    if (err != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "job.unlisted", LOG_STR("id", id));
    if (!was_running || !is_running)
        return;
    atomic_fetch_add(&jobs->metrics.failed, 1);
    job_audit_end(jobs->app, &record, err_name(ERR_NOT_FOUND));
}

/* What is among the last ones has been on the list before. So the list is read after them; and a record is
 * read after the list, because who takes a job off has ended it first. */
void jobs_end_unlisted(struct jobs *jobs, struct arena *arena, int64_t deadline_ns)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    struct job *last;
    size_t count, index;

    job_list_ask(pipeline);
    if (jobs_list(jobs->app, arena, deadline_ns, &last, &count, NULL) != ERR_OK ||
        redis_run(jobs->app->control, pipeline, (struct work){.deadline_ns = deadline_ns}) !=
            ERR_OK)
        return;
    const struct value *list = pipeline_value(pipeline, 0);
    for (size_t i = 0; i < count; i++) {
        if (last[i].finished_ms == 0 && !job_list_place(list, last[i].id, &index))
            end_one(jobs, arena, last[i].id, deadline_ns);
    }
}
