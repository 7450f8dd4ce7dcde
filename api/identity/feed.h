/*
 * Keeps this node's list of revocations (revocations.h) the same as what Redis holds: a thread that asks for news four times a second, with two commands in one round trip. At
 * the start, after an outage, and when the control data turns out to be another, it reads all there
 * is; and what this node knows and Redis does not is put back: a revocation is not undone by a
 * FLUSHALL or a failover as long as one node lives. Every round begins with a look
 * of the version guard, so that control data that was lost is repaired even while nobody asks for it,
 * switches are put back, and nothing is exchanged with the data of another users database.
 */
#ifndef API_IDENTITY_FEED_H
#define API_IDENTITY_FEED_H

#include "cachewarden/pool.h"
#include "cachewarden/revocations.h"
#include "cachewarden/users.h"
#include "control/version_guard.h"

struct feed;

/* All borrowed; they outlive the feed. */
struct feed_options {
    struct pool *control;
    struct version_guard *guard;
    struct revocations *revocations;
    struct users *users;
    int64_t budget_ms; /* for one round trip */
};

/* Asks nothing yet. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err feed_open(const struct feed_options *options, struct feed **feed_out,
                                 struct error *error);
/* Starts the thread; once. ERR_INTERNAL. */
CW_MUST_CHECK enum err feed_start(struct feed *feed, struct error *error);
void feed_close(struct feed **feed);

/* Waits until Redis has been asked for everything once, or deadline_ns has passed. Costs nothing from
 * then on. */
void feed_wait(struct feed *feed, int64_t deadline_ns);

#endif
