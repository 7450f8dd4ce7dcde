/*
 * Keeps this node's list of revocations (revocations.h) the same as what Redis holds: a thread that asks
 * for news four times a second, in one round trip (revocation_reader.h). What this node knows and Redis does
 * not is put back: a revocation is not undone by a FLUSHALL or a failover as long as one node lives. The
 * thread asks Redis alone, so that nothing else can hold up what others have revoked.
 */
#ifndef API_IDENTITY_REVOCATION_SYNC_H
#define API_IDENTITY_REVOCATION_SYNC_H

#include "cachewarden/redis.h"
#include "cachewarden/revocations.h"
#include "control/version_guard.h"

struct revocation_sync;

/* All borrowed; they outlive it. */
struct revocation_sync_options {
    struct redis *control;
    struct version_guard *guard;
    struct revocations *revocations;
    int64_t budget_ms; /* for one round trip */
};

/* Asks nothing yet. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err revocation_sync_open(const struct revocation_sync_options *options,
                                            struct revocation_sync **sync_out, struct error *error);
/*
 * Starts the thread; once. From here on the list says that it is not known (revocations_are_known) until
 * Redis was asked for everything, or does not answer. ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err revocation_sync_start(struct revocation_sync *sync, struct error *error);
void revocation_sync_close(struct revocation_sync **sync);

/* Waits until the list is known, or deadline_ns has passed. An atomic word once it is. */
void revocation_sync_wait(struct revocation_sync *sync, int64_t deadline_ns);

#endif
