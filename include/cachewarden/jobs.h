/*
 * Jobs: what takes longer than a request may. A job looks at all keys of a Redis database, a few at a time,
 * and removes or counts those whose names begin with something.
 *
 * What a job is and how far it is stands in Redis, so every node can tell. One node at a time works on all of
 * them, in turn (the runner); when it stops, another one goes on where it was.
 */
#ifndef CACHEWARDEN_JOBS_H
#define CACHEWARDEN_JOBS_H

#include "cachewarden/app.h"
#include "cachewarden/audit.h"
#include "cachewarden/json.h"
#include "cachewarden/namespace.h"
#include "cachewarden/work.h"

enum job_state { JOB_RUNNING, JOB_DONE, JOB_FAILED };
const char *job_state_name(enum job_state state); /* "running", "done", "failed" */

/* What is told of a job. Strings live in the arena of the call that asked. */
struct job {
    struct str id;
    enum job_state state;
    struct str reason;               /* JOB_FAILED: "cancelled", "redis unavailable", … */
    int64_t scanned;                 /* keys looked at, by what share of the database that was */
    int64_t found;                   /* of these, keys it is for */
    int64_t removed;                 /* those that were there and are gone */
    int64_t progress;                /* in millionths */
    int64_t started_ms, finished_ms; /* wall clock; finished 0: not yet */
    bool only_counts;
    struct str target;  /* "cache:sessions", "entries:app:shop" */
    struct str pattern; /* of what is behind the target's own prefix; empty: everything */
    struct str by;      /* the name of who started it */
    struct str starter; /* who that is, for job_is_of */
};

/* What is to be done, and who wants it. Borrowed. */
struct job_order {
    struct str target;
    struct str pattern; /* checked by jobs_start */
    bool only_counts;
    const struct principal *principal;
    struct str client_address, request_id;
    enum audit_part part; /* where its end is recorded */
};

/* "cache:NAME": the named cache, which has a prefix; "entries:app:shop": the entries of a namespace, whose
 * labels the pattern is of. In the arena; {NULL,0} when memory is out. */
struct str job_target_of_cache(struct arena *arena, struct str name);
struct str job_target_of_entries(struct arena *arena, const struct namespace *space);
/* What the audit says of such a clear: "app:shop pattern:products:*", in the buffer; cut at its size. */
#define JOB_AUDIT_TARGET_SIZE 256
struct str job_audit_target(struct str space, struct str pattern,
                            char buffer[JOB_AUDIT_TARGET_SIZE]);

/*
 * Starts a job: it is known to every node when this returns. ERR_BAD_INPUT: the pattern. ERR_NOT_FOUND: there
 * is no such target. ERR_CONFLICT: one is at work on the target already; the text names it. ERR_BUSY: there
 * are too many. Errors of redis_run and of the gate.
 */
CW_MUST_CHECK enum err jobs_start(struct app *app, struct work work, const struct job_order *order,
                                  struct job *job_out);

/* ERR_NOT_FOUND: there is none, or it ended more than a day, or a hundred jobs, ago. */
CW_MUST_CHECK enum err jobs_find(struct app *app, struct work work, struct str id,
                                 struct job *job_out);

/*
 * Ends a job as failed, "cancelled"; one that has ended stays as it is. *was_running_out: it was this call
 * that ended it. The runner notices within the time of a few steps. ERR_NOT_FOUND as jobs_find.
 */
CW_MUST_CHECK enum err jobs_cancel(struct app *app, struct work work, struct str id,
                                   struct job *job_out, bool *was_running_out);

/* The jobs of the last day, newest first, a hundred at most. */
CW_MUST_CHECK enum err jobs_list(struct app *app, struct work work, struct job **jobs_out,
                                 size_t *count_out);

/* Whether the principal is who started it. */
bool job_is_of(const struct job *job, struct arena *arena, const struct principal *principal);

/* {"id":…,"state":…, …}: the body of the routes. */
void job_write(struct json_writer *json, const struct job *job);
/* The same with the target, the pattern and who started it behind, for operators. */
void job_write_whole(struct json_writer *json, const struct job *job);

/*
 * For a command beside servers, or without any: this program takes part as a runner, but only works on this
 * one job. Until app_close.
 */
CW_MUST_CHECK enum err jobs_run(struct app *app, struct str id, struct error *error);

/* From now on jobs take this share of the time, 1 to 100 percent. */
void jobs_set_duty(struct app *app, int percent);

#endif
