/*
 * Keeps this node's list of revocations (revocations.h) the same as what Redis holds: a thread that asks
 * for news four times a second, in one round trip (revocation_reader.h). What this node knows and Redis does
 * not is put back: a revocation is not undone by a FLUSHALL or a failover as long as one node lives. The
 * thread asks Redis alone, so that nothing else can hold up what others have revoked.
 */
#ifndef API_IDENTITY_FEED_H
#define API_IDENTITY_FEED_H

#include "cachewarden/redis.h"
#include "cachewarden/revocations.h"
#include "control/version_guard.h"

struct feed;

/* All borrowed; they outlive the feed. */
struct feed_options {
    struct redis *control;
    struct version_guard *guard;
    struct revocations *revocations;
    int64_t budget_ms; /* for one round trip */
};

/* Asks nothing yet. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err feed_open(const struct feed_options *options, struct feed **feed_out,
                                 struct error *error);
/*
 * Starts the thread; once. From here on the list says that it is not known (revocations_are_known) until
 * Redis was asked for everything, or does not answer. ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err feed_start(struct feed *feed, struct error *error);
void feed_close(struct feed **feed);

/* Waits until the list is known, or deadline_ns has passed. An atomic word once it is. */
void feed_wait(struct feed *feed, int64_t deadline_ns);

#endif
