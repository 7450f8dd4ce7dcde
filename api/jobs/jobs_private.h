/*
 * What the files of jobs/ share.
 *
 *   cw:jobs         list: the id of each running job, and its target
 *   cw:jobs:ID      hash: one job; a day longer than it is worked on, if it stays among the last ones
 *   cw:jobs:recent  sorted set: the last ids, by when they were started, and each that has not ended
 *   cw:jobs:runner  which node works on the jobs; it expires unless that node says that it is there
 *
 * A job has ended when its field `end` is there. HSETNX sets it, so a job ends once, whoever is quicker:
 * the runner that is done or who cancels. Who has ended it takes it off the list.
 *
 * Of the entries of one target the first is the job at work. Whoever starts a job adds an entry and then reads
 * the list, so of two that start at once both see the same one first. An entry holds its id: who takes it off
 * cannot hit the job that comes after.
 *
 * A full Redis takes no end. Who cancels removes the field `goes_on`, which needs no room; the runner stops,
 * and writes the end when there is room. Where it is done a moment later, the end is `cancelled` even so.
 *
 * Two runners at once (one was frozen, and does not know yet that another one took over; or Redis is too full
 * for the claim of either) harm nothing: what
 * they remove is to go, and a place that was saved is one that a scan has come to. At worst something is not
 * counted.
 */
#ifndef API_JOBS_PRIVATE_H
#define API_JOBS_PRIVATE_H

#include "cachewarden/app.h"
#include "cachewarden/arena.h"
#include "cachewarden/jobs.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/thread.h"
#include "jobs/record.h"
#include "keyspace.h"

enum {
    JOBS_LIMIT = 16,         /* running ones, on all nodes together */
    JOBS_LIMIT_OTHERS = 12,  /* of them, for who is neither admin nor operator */
    JOBS_KEPT = 100,         /* the last ones, and older ones that have not ended */
    JOBS_LISTED = 200,       /* of them, that jobs_list shows at most */
    JOB_KEPT_S = 86400,      /* how long a record outlives the last that was written to it */
    RUNNER_CLAIM_MS = 10000, /* how long a runner that says nothing is believed to be there */
};

#define JOB_CANCELLED "cancelled" /* the reason */

/* ---- where a job works ---- */

struct job_ground {
    struct redis *redis; /* asks_replication_id */
    struct str
        literal; /* what the names of its keys begin with; never empty, and never all of ours */
    struct str match; /* for SCAN */
};

/* Of a target, as this node is configured; in the arena. ERR_NOT_FOUND: it knows none. */
CW_MUST_CHECK enum err job_ground_find(struct app *app, struct work work, struct str target,
                                       struct str pattern, struct job_ground *ground_out);

/* ---- a job under way (step.c) ---- */

struct job_run {
    struct arena *arena; /* holds it */
    struct job_record record;
    struct job_ground ground;
    int64_t keys;       /* for the next SCAN */
    int64_t failing_ns; /* since when its Redis fails; 0: it does not */
    bool is_saved;      /* Redis knows all of it */
    bool is_waiting;    /* Redis is full, and it was said */
    bool is_cancelled;  /* who cancelled it has told so; only its end is to be written */
    bool is_moved; /* it is on another Redis than it was: to be saved before anything is removed */
    /* JOB_RUNNING: not over. Else its end, and for JOB_FAILED why, a text that lasts. */
    enum job_state state;
    const char *reason;
    enum err err; /* for the audit */
};

/*
 * Looks at some keys and removes those it is for. The run knows afterwards how far it is, and whether it is
 * over. ERR_OK; or why its Redis could not be asked, which may pass: to be tried again.
 */
CW_MUST_CHECK enum err job_step(struct app *app, struct work work, struct job_run *run);

/* ---- in jobs.c ---- */

/* Who it is, for job_is_of: an account, whoever it is elsewhere, or an API key for itself. */
struct str job_starter(struct arena *arena, const struct principal *who);
/* As jobs_find. */
CW_MUST_CHECK enum err job_record_find(struct app *app, struct work work, struct str id,
                                       struct job_record *record_out);

/* Sets the end of a job, and takes it off the list if that was not done before: *was_running_out. The record is that
 * of Redis then, in the arena of `work`: who ended it before, or stopped it, decides. */
CW_MUST_CHECK enum err job_end(struct app *app, struct work work, struct job_record *record,
                               enum job_state state, const char *reason, bool *was_running_out);
/* Records the end in the audit, with who had started it. */
void job_audit_end(struct app *app, const struct job_record *record, const char *result);

/* ---- the list (jobs_list.c) ---- */

/* Strings of a reply. */
struct job_entry {
    struct str text, id;
    struct str
        target; /* that of a job that counts is another one: they do not wait for each other */
};

/* The text of its entry. */
struct str job_listed_as(struct arena *arena, const struct job *job);
/* Adds one command, whose reply is the list. */
void job_list_ask(struct pipeline *pipeline);
/* Adds one command, which takes the entry with this text off the list, and no other. */
void job_list_remove(struct pipeline *pipeline, struct str text);

/* False: it is no entry of ours. Its text is there all the same, unless Redis gave none. */
bool job_entry_take(const struct value *list, size_t index, struct job_entry *entry_out);
/* Where on the list it is. False: it is not there. */
bool job_list_place(const struct value *list, struct str id, size_t *index_out);
/* Another job that has the target of this entry. False: it is the first one. */
bool job_list_holder(const struct value *list, size_t index, struct job_entry *holder_out);
/* How many targets there are before `end`. */
size_t job_list_count(const struct value *list, size_t end);

/* Ends as failed what still runs and is on the list no more, so that nobody would ever end it. */
void jobs_end_unlisted(struct jobs *jobs, struct work work);

/* ---- the runner ---- */

struct jobs_runner;

struct jobs_metrics {
    _Atomic uint64_t started, done, failed, cancelled, removed, scanned;
    _Atomic uint64_t unclaimed; /* claims that a full Redis refused */
    _Atomic uint64_t running;   /* of this node */
};

struct jobs {
    struct app *app;
    _Atomic int duty_percent;
    int64_t give_up_ms; /* how long the Redis of a target may be away */
    struct jobs_metrics metrics;
    struct jobs_runner *runner; /* NULL: this program runs none */
};

/* `only` an id: that job alone; empty: all. */
CW_MUST_CHECK enum err jobs_runner_start(struct jobs *jobs, struct str only,
                                         struct jobs_runner **runner_out, struct error *error);
/* Ends the step that is under way, saves where the jobs are, and lets another node go on. */
void jobs_runner_stop(struct jobs_runner **runner);

#endif
