/* Watching a job until it ends: a bar on a terminal, now and then a line elsewhere. */
#include "cli/job.h"

#include "cachewarden/clock.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_MS = 100,
    PATIENCE_MS = 60000, /* with a Redis that does not say how far the job is */
    BAR_WIDTH = 30,
    LINE_EVERY = 10, /* percent */
};

/* ---- interrupted ---- */

static volatile sig_atomic_t is_interrupted;

static void note_interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = 1;
}

static const int interrupts[] = {SIGINT, SIGTERM, SIGHUP};
enum { INTERRUPTS = sizeof interrupts / sizeof *interrupts };

static void catch_interrupts(struct sigaction before_out[INTERRUPTS])
{
    const struct sigaction action = {.sa_handler = note_interrupt};

    is_interrupted = 0;
    for (size_t i = 0; i < INTERRUPTS; i++)
        sigaction(interrupts[i], &action, &before_out[i]);
}

static void restore_interrupts(const struct sigaction before[INTERRUPTS])
{
    for (size_t i = 0; i < INTERRUPTS; i++)
        sigaction(interrupts[i], &before[i], NULL);
}

/* ---- progress ---- */

struct progress {
    FILE *out; /* NULL: say nothing */
    bool is_terminal;
    int said; /* percent, of the last line; -1: none yet */
};

static void show(struct progress *progress, const struct job *job)
{
    static const char full[] = "##############################",
                      empty[] = "..............................";
    int percent = (int)(job->progress / 10000), done = percent * BAR_WIDTH / 100;
    long long count = (long long)(job->only_counts ? job->found : job->removed);
    const char *what = job->only_counts ? "found" : "removed";

    if (!progress->out)
        return;
    if (progress->is_terminal)
        fprintf(progress->out, "\r[%.*s%.*s] %3d %%  %lld %s ", done, full, BAR_WIDTH - done, empty,
                percent, count, what);
    else if (progress->said < 0 || percent >= progress->said + LINE_EVERY)
        fprintf(progress->out, "%d %%, %lld %s\n", percent, count, what);
    else
        return;
    progress->said = percent;
    fflush(progress->out);
}

static void end_bar(const struct progress *progress)
{
    if (progress->out && progress->is_terminal && progress->said >= 0)
        fputc('\n', progress->out);
}

/* ---- following ---- */

static enum err look(struct cli_services *services, struct arena *arena, struct str id,
                     struct job *job_out, struct error *error)
{
    bool was_running;
    struct work work = cli_work(services, error);

    arena_reset(arena);
    work.arena = arena;
    return is_interrupted ? jobs_cancel(services->app, work, id, job_out, &was_running)
                          : jobs_find(services->app, work, id, job_out);
}

/* Its end is not asked for twice: the second answer might not come. */
static struct job keep(struct arena *arena, const struct job *job)
{
    struct job kept = *job;
    struct str *const texts[] = {&kept.id,      &kept.reason, &kept.target,
                                 &kept.pattern, &kept.by,     &kept.starter};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = str_dup(arena, *texts[i]);
    return kept;
}

static enum err watch(struct cli_services *services, struct arena *arena, struct str id,
                      struct progress *progress, struct job *job_out, struct error *error)
{
    const struct timespec moment = {.tv_nsec = LOOK_MS * NS_PER_MS};
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    struct job job;

    for (;;) {
        enum err err = look(services, arena, id, &job, error);
        if (err == ERR_NOT_FOUND)
            return error_set(error, err, "the job is gone: Redis lost its data");
        if (err != ERR_OK && clock_mono_ns() > deadline_ns)
            return err;
        if (err == ERR_OK) {
            deadline_ns = clock_deadline_ns(PATIENCE_MS);
            show(progress, &job);
            if (job.state != JOB_RUNNING) {
                *job_out = keep(services->arena, &job);
                return ERR_OK;
            }
        }
        nanosleep(&moment, NULL); /* a signal ends it */
    }
}

enum err cli_job_follow(struct cli_services *services, struct str id, FILE *out,
                        struct job *job_out, struct error *error)
{
    struct progress progress = {out, out && isatty(fileno(out)), -1};
    struct sigaction before[INTERRUPTS];
    struct arena *arena = arena_new(4096, 0);

    if (!arena)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory to follow a job");
    catch_interrupts(before);
    enum err err = jobs_run(services->app, id, error);
    if (err == ERR_OK)
        err = watch(services, arena, id, &progress, job_out, error);
    end_bar(&progress);
    restore_interrupts(before);
    arena_free(&arena);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        struct error why = *error;
        (void)error_set(error, err, "what became of the job %.*s is not known: %s", STR_ARG(id),
                        why.caller[0] ? why.caller : err_name(err));
        error->redis = why.redis;
    }
    return err;
}
