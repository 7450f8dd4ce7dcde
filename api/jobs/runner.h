/*
 * The runner: a thread that works on all jobs in turn, on one node at a time. runner.c finds out which node
 * that is and which jobs there are; run.c works on one of them. All of it belongs to the thread, and to
 * jobs_runner_stop after it.
 */
#ifndef API_JOBS_RUNNER_H
#define API_JOBS_RUNNER_H

#include "jobs/jobs_private.h"

enum {
    RUNNER_RETRY_MS = 250, /* while Redis is away */
    RUNNER_TOKEN_SIZE = 33
};

struct jobs_runner {
    struct jobs *jobs;
    struct periodic *thread;
    char only[RUNNER_TOKEN_SIZE];  /* the job to run; "": all */
    char token[RUNNER_TOKEN_SIZE]; /* this program, in cw:jobs:runner */
    struct arena *arena;           /* for one round */
    bool has_claim;
    bool is_unwritten;  /* the claim: Redis had no room for it */
    int64_t claimed_ns; /* before Redis was asked, when it said that the claim is ours */
    int64_t looked_ns;
    int64_t end_unlisted_ns; /* when to do so next */
    int64_t saved_ns;
    int64_t worked_ns, worked_until_ns; /* work that was not rested for, and when it ended */
    struct job_run *runs[JOBS_LIMIT];
    size_t count, turn;
};

/* For one round trip; the memory is there until the next round. `error` may be NULL. */
struct work runner_work(const struct jobs_runner *runner, struct error *error);

/* Whether cw:jobs:runner, as Redis gave it, is ours. */
bool runner_is_holder(const struct jobs_runner *runner, const struct value *holder);
void runner_drop(struct jobs_runner *runner, size_t index);
/* Another one is the runner; what is at hand is its. */
void runner_lose_claim(struct jobs_runner *runner);

/* Says in Redis how far a job is, and that we are here; and learns whether it is still to be done. False: not
 * saved. The run may be gone either way. */
bool runner_save(struct jobs_runner *runner, size_t index);
/* It was cancelled while Redis was full: what is left is to write its end. */
void run_note_cancelled(struct job_run *run);
/* Drops what is no longer on the list. What was done all the same is still told. */
void runner_let_go(struct jobs_runner *runner, size_t index);
/* A step of the job whose turn it is; there is one. How long not to try again, in ms. */
int64_t runner_take_turn(struct jobs_runner *runner);

#endif
