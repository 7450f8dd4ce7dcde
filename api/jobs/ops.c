/* The routes of jobs. Who starts one answers with jobs_answer_started. */
#include "ops.h"

#include "audit/calls.h"
#include "cachewarden/call.h"
#include "cachewarden/jobs.h"
#include "jobs/service.h"

static bool is_admin(const struct principal *principal)
{
    return principal->is_admin;
}

/* The starter's and admins'; ERR_FORBIDDEN. */
static enum err find_own(struct call *call, struct job *job_out)
{
    struct str id = call_param(call, "id")->text;
    enum err err = jobs_find(call->app, call_work(call), id, job_out);

    if (err != ERR_OK || is_admin(&call->principal) ||
        job_is_of(job_out, call->arena, &call->principal))
        return err;
    return error_set_detail(&call->error, ERR_FORBIDDEN, "the job is somebody else's");
}

static enum err answer(struct call *call, const struct job *job)
{
    job_write(&call->reply.json, job);
    return call_finish(call);
}

enum err jobs_answer_started(struct call *call, const struct job *job)
{
    call->reply.outcome = OUTCOME_ACCEPTED;
    call->reply.location = str_format(call->arena, "/api/v1/jobs/%.*s", STR_ARG(job->id));
    if (!call->reply.location.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a location");
    return answer(call, job);
}

enum err op_jobs_show(struct call *call)
{
    struct job job;
    enum err err = find_own(call, &job);

    return err == ERR_OK ? answer(call, &job) : err;
}

enum err op_jobs_cancel(struct call *call)
{
    struct job job;
    bool was_running;
    enum err err = find_own(call, &job);

    if (err != ERR_OK)
        return err;
    err = jobs_cancel(call->app, call_work(call), job.id, &job, &was_running);
    if (err != ERR_OK || was_running)
        audit_clear(call, job.target, err, job.removed);
    return err == ERR_OK ? answer(call, &job) : err;
}
