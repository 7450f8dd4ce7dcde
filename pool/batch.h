/*
 * Pipelines of several threads that share one write. The first member leads: it waits for the
 * connection, writes what has gathered, reads the replies into memory of the batch, and passes the
 * connection on. Then it wakes the others, the followers, who sleep on one word; each copies its own
 * replies out. A member may leave at any time: its bytes were copied when it joined, and no other
 * thread touches its arena. If the leader leaves early, a follower takes its place.
 *
 * Locks: functions ending in _locked need the pool's lock; the others take it.
 */
#ifndef POOL_BATCH_H
#define POOL_BATCH_H

#include "pool_private.h"

#include <stdatomic.h>

/* A larger pipeline is not copied into a batch, for that happens under the lock. It waits in a private
 * batch, and is written from where it is. So does one that brings back much (large.h). */
#define BATCH_MEMBER_BYTES_MAX 8192
#define BATCH_BYTES_MAX        65536

enum batch_word { BATCH_PENDING, BATCH_STALLED, BATCH_LEADERLESS, BATCH_DONE };

enum batch_phase {
    BATCH_GATHERING, /* in the queue; joined while there is room */
    BATCH_SENT,      /* out of the queue, on its connection */
    BATCH_ENDED
};

struct batch_member {
    size_t from, size;           /* its bytes in .out */
    size_t first_reply, replies; /* its replies in .values */
    uint64_t required;           /* the replication id it may be sent to; 0: any */
    bool writes;
    bool has_left;
    bool is_wrong_redis; /* the connection leads to another Redis: it was not sent */
};

struct batch {
    /* PENDING: followers sleep; the leader acts in time. STALLED: the leader may take longer than that.
     * LEADERLESS: it has left; the member that turns this to STALLED leads. DONE: the outcome below is
     * final and may be read. */
    atomic_int word;
    atomic_int grant;       /* the leader sleeps while it is 0 */
    atomic_uint references; /* one a member that has not left or collected */

    /* Guarded by the pool's lock. */
    struct batch *next; /* in the queue, or in the list of spares */
    enum batch_phase phase;
    bool is_private;             /* one big pipeline that only waits here, and then is sent alone */
    bool is_granted;             /* it has a connection or may make one */
    enum redis_error fail_cause; /* the breaker opened while it waited; NONE: it has not */
    int64_t hedge_ns;            /* of the pool, as it was made */
    struct conn *conn; /* granted; NULL: make one. The leader's alone once it is granted */
    size_t count, present, commands;
    bool writes; /* one of those that were sent does */
    struct batch_member *members;
    struct strbuf out;
    int64_t reply_by_ns; /* set when it is sent */

    /* The leader's while SENT; nobody's to change once DONE. */
    struct round_trip round_trip;
    struct value *values;
    size_t values_size;
    struct arena *arena;
    enum err failed; /* other than ERR_OK: it never got as far as a round trip */
    struct error error;
};

/* A fresh or recycled one with nobody in it; NULL when memory is out. */
struct batch *batch_new_locked(struct pool *pool);
bool batch_has_room_locked(const struct pool *pool, const struct batch *batch,
                           const struct pool_request *request);
bool batch_is_private_request(const struct pool *pool, const struct pool_request *request);
/* False when memory is out; the batch is as before. */
CW_MUST_CHECK bool batch_join_locked(struct batch *batch, const struct pool_request *request,
                                     size_t *slot_out);
void batch_free(struct batch **batch);

/* Lets its leader go on, with batch->conn as it is. */
void batch_grant_locked(struct batch *batch);
/* No member joins after this. What left, or may not go where the connection leads, is not sent. */
void batch_seal_locked(struct batch *batch);
/* A member is through with it; the last one returns it to the pool's spares. */
void batch_unref(struct pool *pool, struct batch *batch);

/* Runs the request to its end. *may_retry_out: nothing has happened, it may be run again. */
CW_MUST_CHECK enum err batch_lead(struct pool *pool, struct batch *batch, size_t slot,
                                  const struct pool_request *request, bool *may_retry_out,
                                  struct error *error);
/* For a private batch: waits for the connection and hands it out; the batch is gone then. */
CW_MUST_CHECK enum err batch_wait_alone(struct pool *pool, struct batch *batch, size_t slot,
                                        const struct pool_request *request, struct conn **conn_out,
                                        struct error *error);
CW_MUST_CHECK enum err batch_follow(struct pool *pool, struct batch *batch, size_t slot,
                                    const struct pool_request *request, bool *may_retry_out,
                                    struct error *error);

#endif
