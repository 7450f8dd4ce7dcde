/* Which node works on the jobs, and which jobs there are. */
#include "jobs/runner.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/random.h"
#include "cachewarden/redis_error.h"
#include "control/installation.h"
#include "jobs/pace.h"

#include <stdlib.h>

enum {
    LOOK_MS = 250,       /* how long a new job may wait, and one that ended may go unnoticed */
    UNLISTED_MS = 30000, /* how long one that the list has lost may seem to run */
};

struct work runner_work(const struct jobs_runner *runner, struct error *error)
{
    return (struct work){runner->arena, clock_deadline_ns(runner->jobs->app->budget_ms), error};
}

/* ---- the runs ---- */

void runner_drop(struct jobs_runner *runner, size_t index)
{
    struct arena *arena = runner->runs[index]->arena;

    arena_free(&arena);
    runner->runs[index] = runner->runs[--runner->count];
    atomic_store(&runner->jobs->metrics.running, runner->count);
}

static void drop_all(struct jobs_runner *runner)
{
    while (runner->count > 0)
        runner_drop(runner, runner->count - 1);
}

void runner_lose_claim(struct jobs_runner *runner)
{
    runner->has_claim = runner->is_unwritten = false;
    drop_all(runner);
}

/* A job that is on the list and needs not be: its record is lost, or it ended and nobody took it off. Who
 * ended it just now is given the time to do so. */
static void clean_up(struct jobs_runner *runner, struct str text, int64_t finished_ms)
{
    struct pipeline *pipeline = pipeline_new(runner->arena, PIPELINE_WRITE);

    if (clock_wall_ms() - finished_ms < RUNNER_CLAIM_MS)
        return;
    job_list_remove(pipeline, text);
    if (redis_run(runner->jobs->app->control, pipeline, runner_work(runner, NULL)) != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "job.still_listed", LOG_STR("entry", text));
}

/* NULL: no memory, or Redis is away; to be tried at the next look. */
static struct job_run *load(struct jobs_runner *runner, const struct job_entry *entry)
{
    struct app *app = runner->jobs->app;
    struct arena *arena = arena_new(2048, 0);
    struct job_run *run = arena ? arena_calloc(arena, 1, sizeof *run) : NULL;
    struct str own_id = run ? str_dup(arena, entry->id) : STR_NONE;
    struct error error = {0};
    struct work work = runner_work(runner, &error);
    enum err err = ERR_NO_MEMORY;

    work.arena = arena; /* what is read lives as long as the run */
    if (own_id.ptr)
        err = job_record_find(app, work, own_id, &run->record);
    bool has_ended = err == ERR_OK && run->record.job.finished_ms > 0;
    if (err == ERR_NOT_FOUND || has_ended)
        clean_up(runner, entry->text, has_ended ? run->record.job.finished_ms : 0);
    if (err != ERR_OK || has_ended) {
        arena_free(&arena);
        return NULL;
    }
    run->arena = arena;
    run->keys = PACE_KEYS_START;
    run->is_saved = true;
    if (run->record.job.state != JOB_RUNNING) {
        run_note_cancelled(run);
        return run;
    }
    run->err =
        job_ground_find(app, work, run->record.job.target, run->record.job.pattern, &run->ground);
    if (run->err != ERR_OK) {
        run->state = JOB_FAILED;
        run->reason = "the node that works on jobs has no such cache in its configuration";
    }
    return run;
}

static bool has_run(const struct jobs_runner *runner, struct str id)
{
    for (size_t i = 0; i < runner->count; i++) {
        if (str_eq(runner->runs[i]->record.job.id, id))
            return true;
    }
    return false;
}

static bool is_listed(const struct value *list, struct str id)
{
    size_t index;

    return job_list_place(list, id, &index);
}

static void agree_with(struct jobs_runner *runner, const struct value *list)
{
    struct str only = str_from(runner->only);

    for (size_t i = runner->count; i-- > 0 && runner->has_claim;) {
        if (!is_listed(list, runner->runs[i]->record.job.id))
            runner_let_go(runner, i);
    }
    for (size_t i = 0; i < list->count && runner->count < JOBS_LIMIT; i++) {
        struct job_entry entry, holder;
        if (!job_entry_take(list, i, &entry)) {
            clean_up(runner, entry.text, 0);
            continue;
        }
        if ((only.len > 0 && !str_eq(only, entry.id)) || has_run(runner, entry.id) ||
            job_list_holder(list, i, &holder))
            continue;
        struct job_run *run = load(runner, &entry);
        if (run)
            runner->runs[runner->count++] = run;
    }
    atomic_store(&runner->jobs->metrics.running, runner->count);
}

/* ---- the claim ---- */

bool runner_is_holder(const struct jobs_runner *runner, const struct value *holder)
{
    return holder->kind == VALUE_STRING && str_eq(holder->text, str_from(runner->token));
}

/* Redis is full, and a job is what makes room: it is worked on without a claim until one can be written. Two
 * runners at once harm nothing. */
static void go_on_unwritten(struct jobs_runner *runner, int64_t now_ns)
{
    if (!runner->is_unwritten)
        log_event(LOG_LEVEL_WARN, "jobs.unclaimed",
                  LOG_CSTR("error", redis_error_text(REDIS_ERROR_OUT_OF_MEMORY)));
    atomic_fetch_add(&runner->jobs->metrics.unclaimed, 1);
    runner->has_claim = runner->is_unwritten = true;
    runner->claimed_ns = now_ns;
}

/* Ours for another while, if it is ours, or nobody's. */
static void claim(struct jobs_runner *runner, const struct value *holder, int64_t now_ns)
{
    bool is_ours = runner_is_holder(runner, holder);
    struct pipeline *pipeline = pipeline_new(runner->arena, PIPELINE_WRITE);
    struct key key = key_jobs_runner();
    char digits[STR_INT64_SIZE];
    struct str ms = str_of_int64(digits, RUNNER_CLAIM_MS);
    struct error error = {0};

    if (!is_ours) {
        /* Whoever had it meanwhile may have brought the jobs further. */
        if (holder->kind != VALUE_NIL || !runner->is_unwritten)
            runner_lose_claim(runner);
        if (holder->kind != VALUE_NIL)
            return;
        PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(&key), str_from(runner->token),
                     STR("NX"), STR("PX"), ms);
    } else {
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key_str(&key), ms);
        /* It may have ended since the look, and be another's: then it is that one's for a while longer. */
        PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&key));
    }
    if (redis_run(runner->jobs->app->control, pipeline, runner_work(runner, &error)) != ERR_OK) {
        if (error.redis == REDIS_ERROR_OUT_OF_MEMORY)
            go_on_unwritten(runner, now_ns);
        return;
    }
    if (is_ours ? runner_is_holder(runner, pipeline_value(pipeline, 1))
                : pipeline_value(pipeline, 0)->kind == VALUE_STATUS) {
        runner->has_claim = true;
        runner->is_unwritten = false;
        runner->claimed_ns = now_ns;
    } else {
        runner_lose_claim(runner);
    }
}

static void give_up_claim(struct jobs_runner *runner)
{
    struct pipeline *pipeline = pipeline_new(runner->arena, PIPELINE_WRITE);
    struct key key = key_jobs_runner();

    runner_lose_claim(runner);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key_str(&key));
    if (redis_run(runner->jobs->app->control, pipeline, runner_work(runner, NULL)) != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "job.claim_left", LOG_INT("ms", RUNNER_CLAIM_MS));
}

/* Who stood still for long may still take itself for the runner. */
static bool holds_claim(struct jobs_runner *runner)
{
    struct pipeline *pipeline = pipeline_new(runner->arena, PIPELINE_READ);
    struct key key = key_jobs_runner();

    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&key));
    return redis_run(runner->jobs->app->control, pipeline, runner_work(runner, NULL)) == ERR_OK &&
           runner_is_holder(runner, pipeline_value(pipeline, 0));
}

static bool claim_is_fresh(const struct jobs_runner *runner, int64_t now_ns)
{
    return runner->has_claim && now_ns - runner->claimed_ns < RUNNER_CLAIM_MS * NS_PER_MS / 2;
}

/* What every node asks all day, so it is the least one can ask. */
static bool has_any(struct jobs_runner *runner)
{
    struct pipeline *pipeline = pipeline_new(runner->arena, PIPELINE_READ);
    struct key jobs = key_jobs();

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("LLEN"), key_str(&jobs));
    return redis_run(runner->jobs->app->control, pipeline, runner_work(runner, NULL)) == ERR_OK &&
           pipeline_value(pipeline, 0)->integer > 0;
}

/* Which jobs there are, and who works on them. Afterwards the claim is fresh if there is work for us. */
static void look(struct jobs_runner *runner, int64_t now_ns)
{
    struct app *app = runner->jobs->app;
    struct pipeline *pipeline = pipeline_new(runner->arena, PIPELINE_READ);
    struct key claimed = key_jobs_runner();

    runner->looked_ns = now_ns;
    if (!runner->has_claim && !has_any(runner))
        return;
    job_list_ask(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&claimed));
    installation_ask(pipeline);
    if (redis_run(app->control, pipeline, runner_work(runner, NULL)) != ERR_OK ||
        installation_check(app, pipeline_value(pipeline, 2), NULL) != ERR_OK)
        return;
    const struct value *list = pipeline_value(pipeline, 0), *holder = pipeline_value(pipeline, 1);
    bool has_work = runner->only[0] ? is_listed(list, str_from(runner->only)) : list->count > 0;
    if (has_work) {
        claim(runner, holder, now_ns);
        if (runner->has_claim)
            agree_with(runner, list);
        return;
    }
    while (runner->count > 0)
        runner_let_go(runner, runner->count - 1);
    if (runner_is_holder(runner, holder))
        give_up_claim(runner);
    else
        runner_lose_claim(runner);
}

/* ---- rest ---- */

/* What is left of the rest that work has earned, in ms. What is less than one of them is rested later. */
static int64_t rest_left_ms(struct jobs_runner *runner)
{
    int64_t owed_ns = pace_rest_ns(runner->worked_ns, atomic_load(&runner->jobs->duty_percent));
    int64_t rest_ns = owed_ns / NS_PER_MS * NS_PER_MS;
    int64_t left_ns = runner->worked_until_ns + rest_ns - clock_mono_ns();

    if (rest_ns > 0 && left_ns > 0)
        return (left_ns + NS_PER_MS - 1) / NS_PER_MS;
    runner->worked_ns = owed_ns > 0 ? runner->worked_ns * (owed_ns - rest_ns) / owed_ns : 0;
    return 0;
}

/* ---- life ---- */

/* A long rest is taken in pieces, between which the runner looks: others would take it for dead. */
static int64_t do_round(void *arg)
{
    struct jobs_runner *runner = arg;
    int64_t now_ns = clock_mono_ns();

    arena_reset(runner->arena);
    if (now_ns >= runner->end_unlisted_ns) {
        jobs_end_unlisted(runner->jobs, runner_work(runner, NULL));
        runner->end_unlisted_ns = now_ns + UNLISTED_MS * NS_PER_MS;
    }
    if (!claim_is_fresh(runner, now_ns) || now_ns - runner->looked_ns >= LOOK_MS * NS_PER_MS)
        look(runner, now_ns);
    if (!claim_is_fresh(runner, now_ns) || runner->count == 0)
        return LOOK_MS;
    int64_t rest_ms = rest_left_ms(runner);
    if (rest_ms == 0) {
        int64_t retry_ms = runner_take_turn(runner);
        rest_ms = rest_left_ms(runner);
        rest_ms = rest_ms > retry_ms ? rest_ms : retry_ms;
    }
    return rest_ms < LOOK_MS ? rest_ms : LOOK_MS;
}

static void set_token(struct jobs_runner *runner)
{
    uint64_t number[2];

    random_bytes(number, sizeof number);
    str_put_hex64(runner->token, number[0]);
    str_put_hex64(runner->token + STR_HEX64_SIZE - 1, number[1]);
}

enum err jobs_runner_start(struct jobs *jobs, struct str only, struct jobs_runner **runner_out,
                           struct error *error)
{
    struct jobs_runner *runner = calloc(1, sizeof *runner);

    *runner_out = NULL;
    if (!runner)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the runner of jobs");
    runner->jobs = jobs;
    memcpy(runner->only, only.len > 0 ? only.ptr : "", only.len < RUNNER_TOKEN_SIZE ? only.len : 0);
    set_token(runner);
    runner->arena = arena_new(64 * 1024, 0);
    enum err err = runner->arena
                       ? periodic_start("cw-jobs", do_round, runner, &runner->thread, error)
                       : error_set_detail(error, ERR_NO_MEMORY, "no memory for jobs");
    if (err == ERR_OK)
        *runner_out = runner;
    else
        jobs_runner_stop(&runner);
    return err;
}

void jobs_runner_stop(struct jobs_runner **runner)
{
    struct jobs_runner *stopped = *runner;

    if (!stopped)
        return;
    periodic_stop(&stopped->thread);
    for (size_t i = stopped->count; stopped->has_claim && i-- > 0;) {
        if (!stopped->runs[i]->is_saved && stopped->runs[i]->state == JOB_RUNNING)
            (void)runner_save(stopped, i);
    }
    if (stopped->has_claim && !stopped->is_unwritten && holds_claim(stopped))
        give_up_claim(stopped);
    drop_all(stopped);
    arena_free(&stopped->arena);
    free(stopped);
    *runner = NULL;
}
