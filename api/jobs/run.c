/* Working on one job: steps, how far it is, its end. */
#include "jobs/runner.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/redis_error.h"
#include "jobs/pace.h"

enum {
    SLICE_MS = 100
}; /* what a job has before the next; how much work is done twice after a kill */

enum { REPLY_HOLDER, REPLY_RECORD };

/* Redis has lost it. What was written since is all there is of it. */
static void forget(struct jobs_runner *runner, size_t index)
{
    struct job_run *run = runner->runs[index];
    struct pipeline *pipeline = pipeline_new(runner->arena, PIPELINE_WRITE);
    struct key key = key_job(run->record.job.id);

    log_event(LOG_LEVEL_WARN, "job.lost", LOG_STR("id", run->record.job.id),
              LOG_STR("target", run->record.job.target));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key_str(&key));
    if (redis_run(runner->jobs->app->control, pipeline, runner_work(runner, NULL)) != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "job.left_behind", LOG_STR("id", run->record.job.id));
    runner_drop(runner, index);
}

void run_note_cancelled(struct job_run *run)
{
    run->state = JOB_FAILED;
    run->reason = JOB_CANCELLED;
    run->is_cancelled = true;
}

/* What Redis says of the job and of us. False: it is not ours any more. */
static bool learn(struct jobs_runner *runner, size_t index, const struct pipeline *pipeline)
{
    struct job_run *run = runner->runs[index];
    const struct value *holder = pipeline_value(pipeline, REPLY_HOLDER);
    struct job_record found;

    if (!job_record_take(pipeline_value(pipeline, REPLY_RECORD), run->record.job.id, &found)) {
        forget(runner, index);
        return false;
    }
    if (!runner_is_holder(runner, holder) && !(holder->kind == VALUE_NIL && runner->is_unwritten)) {
        runner_lose_claim(runner);
        return false;
    }
    /* Cancelled, with what was removed since the last save still to be told; or ended by us, and we have not heard. */
    if (found.job.finished_ms > 0 && run->is_saved) {
        runner_drop(runner, index);
        return false;
    }
    if (found.job.state != JOB_RUNNING)
        run_note_cancelled(run);
    return true;
}

/* A step may have taken long. Another runner that took over meanwhile has brought the job further: what we know of it
 * is not written over that. */
static bool is_still_ours(struct jobs_runner *runner, size_t index)
{
    struct pipeline *pipeline = pipeline_new(runner->arena, PIPELINE_READ);
    struct key claimed = key_jobs_runner();

    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&claimed));
    job_record_ask(pipeline, runner->runs[index]->record.job.id);
    return redis_run(runner->jobs->app->control, pipeline, runner_work(runner, NULL)) == ERR_OK &&
           learn(runner, index, pipeline);
}

bool runner_save(struct jobs_runner *runner, size_t index)
{
    struct job_run *run = runner->runs[index];
    struct pipeline *pipeline = pipeline_new(runner->arena, PIPELINE_WRITE);
    struct key claimed = key_jobs_runner();
    struct error error = {0};
    int64_t now_ns = clock_mono_ns();

    if (!is_still_ours(runner, index))
        return false;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key_str(&claimed),
                 STR_INT64(RUNNER_CLAIM_MS));
    job_record_save(pipeline, &run->record);
    enum err err = redis_run(runner->jobs->app->control, pipeline, runner_work(runner, &error));
    bool is_full = error.redis == REDIS_ERROR_OUT_OF_MEMORY; /* what is removed makes room */
    if (err != ERR_OK && !is_full)
        return false;

    runner->saved_ns = runner->claimed_ns = now_ns;
    if (is_full && !run->is_waiting)
        log_event(LOG_LEVEL_WARN, "job.waits_for_room", LOG_STR("id", run->record.job.id),
                  LOG_STR("target", run->record.job.target), LOG_CSTR("error", error.detail));
    run->is_waiting = is_full;
    run->is_saved = !is_full;
    run->is_moved = run->is_moved && is_full;
    return !is_full;
}

void runner_let_go(struct jobs_runner *runner, size_t index)
{
    size_t count = runner->count;

    if (runner->has_claim && !runner->runs[index]->is_saved)
        (void)runner_save(runner, index);
    if (runner->count == count)
        runner_drop(runner, index);
}

static void count_end(struct jobs *jobs, const struct job_run *run)
{
    atomic_fetch_add(run->state == JOB_DONE ? &jobs->metrics.done : &jobs->metrics.failed, 1);
}

/* False: to be tried again. */
static bool finish(struct jobs_runner *runner, size_t index)
{
    struct job_run *run = runner->runs[index];
    size_t count = runner->count;
    bool was_running;

    if (!runner_save(runner, index) || runner->count != count)
        return runner->count != count;
    if (job_end(runner->jobs->app, runner_work(runner, NULL), &run->record, run->state,
                run->reason ? run->reason : "", &was_running) != ERR_OK)
        return false;
    if (was_running && !run->is_cancelled && !run->record.is_stopped) {
        count_end(runner->jobs, run);
        job_audit_end(runner->jobs->app, &run->record, err_name(run->err));
    }
    runner_drop(runner, index);
    return true;
}

/* Its Redis does not answer. While ours does not either, nobody could be told, and it is not held against
 * the job. */
static void note_failing(struct jobs_runner *runner, size_t index, enum err err,
                         const struct error *error)
{
    struct job_run *run = runner->runs[index];
    size_t count = runner->count;
    int64_t now_ns = clock_mono_ns();

    if (run->failing_ns == 0) {
        run->failing_ns = now_ns;
        log_event(LOG_LEVEL_WARN, "job.waits", LOG_STR("id", run->record.job.id),
                  LOG_STR("target", run->record.job.target), LOG_CSTR("error", error->detail));
    }
    if (!runner_save(runner, index)) {
        if (runner->count == count)
            run->failing_ns = now_ns;
        return;
    }
    if (runner->count != count || now_ns - run->failing_ns < runner->jobs->give_up_ms * NS_PER_MS)
        return;
    run->state = JOB_FAILED;
    run->err = err;
    run->reason = error->redis != REDIS_ERROR_NONE ? redis_error_text(error->redis) : err_name(err);
}

static void count_step(struct jobs *jobs, const struct job_run *run, const struct job *before)
{
    atomic_fetch_add(&jobs->metrics.scanned, (uint64_t)(run->record.job.scanned - before->scanned));
    atomic_fetch_add(&jobs->metrics.removed, (uint64_t)(run->record.job.removed - before->removed));
}

/* How long to rest. */
int64_t runner_take_turn(struct jobs_runner *runner)
{
    size_t index = runner->turn % runner->count;
    struct job_run *run = runner->runs[index];
    const struct job before = run->record.job;
    struct error error = {0};
    int64_t began_ns = clock_mono_ns();
    enum err err = ERR_OK;

    if (run->state == JOB_RUNNING) {
        err = job_step(runner->jobs->app, runner_work(runner, &error), run);
        run->is_saved = false;
        count_step(runner->jobs, run, &before);
    }
    int64_t now_ns = clock_mono_ns();
    /* It was waited for, and no work. */
    if (err != ERR_OK) {
        note_failing(runner, index, err, &error);
        runner->turn++;
        return RUNNER_RETRY_MS;
    }
    runner->worked_ns += now_ns - began_ns;
    runner->worked_until_ns = now_ns;
    run->failing_ns = 0;
    if (run->state != JOB_RUNNING) {
        runner->turn++;
        return finish(runner, index) ? 0 : RUNNER_RETRY_MS;
    }
    if (!run->is_moved && now_ns - runner->saved_ns < SLICE_MS * NS_PER_MS)
        return 0;
    runner->turn++;
    return runner_save(runner, index) || runner->has_claim ? 0 : RUNNER_RETRY_MS;
}
