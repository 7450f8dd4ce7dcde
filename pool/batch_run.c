/*
 * How a batch is run: what its leader does, and what its followers do (see batch.h).
 *
 * The order at the end of a round trip matters (bench_pool measures it). First the connection goes to
 * the next batch, and its leader is woken. Then one wake is for all followers of this batch. Neither
 * happens under the lock.
 */
#include "batch.h"

#include "cachewarden/redis_error.h"
#include "futex.h"
#include "histogram.h"
#include "pipeline_private.h"

#include <sched.h>
#include <stdlib.h>

/* A follower outwaits the end of the round trip by so much: its leader is about to report. */
#define FOLLOWER_GRACE_NS (50 * NS_PER_MS)

enum lead_end {
    LEAD_DONE, /* the outcome is there, for everybody */
    LEAD_LATE  /* this leader is out of time; the batch is not */
};

/* The outcome is written and may be read from here on. Nobody joins any more. */
static void finish(struct batch *batch)
{
    bool has_followers = batch->count > 1;
    atomic_store_explicit(&batch->word, BATCH_DONE, memory_order_release);
    if (has_followers)
        futex_wake_all(&batch->word);
}

/* Ends a batch without a round trip. Its connection, if any, has been given back. */
static void finish_unsent(struct pool *pool, struct batch *batch, const struct error *error)
{
    lock_acquire(&pool->lock);
    if (batch->phase == BATCH_GATHERING)
        pool_unqueue_locked(pool, batch);
    batch->phase = BATCH_ENDED;
    pool->under_way -= batch->present;
    lock_release(&pool->lock);
    batch->failed = error->code;
    batch->error = *error;
    finish(batch);
}

/* False when the leader's time to acquire a connection ended first. */
static bool await_grant(struct pool *pool, struct batch *batch, const struct pool_request *request)
{
    int64_t hedge_ns = clock_mono_ns() + batch->hedge_ns;
    while (!atomic_load_explicit(&batch->grant, memory_order_acquire)) {
        if (futex_wait(&batch->grant, 0,
                       hedge_ns < request->acquire_deadline_ns ? hedge_ns
                                                               : request->acquire_deadline_ns))
            continue;
        int64_t now_ns = clock_mono_ns();
        if (now_ns >= request->acquire_deadline_ns)
            return false;
        hedge_ns = now_ns + batch->hedge_ns;
        struct pool_wakes wakes = {0};
        lock_acquire(&pool->lock);
        if (!batch->is_granted)
            pool_hedge_locked(pool, now_ns, &wakes);
        lock_release(&pool->lock);
        pool_wake(pool, &wakes);
    }
    return true;
}

/* To connect may take as long as a name server likes: from here on followers use timers of their own. */
static enum err connect_batch(struct pool *pool, struct batch *batch,
                              const struct pool_request *request, bool *down_out,
                              struct error *error)
{
    atomic_store_explicit(&batch->word, BATCH_STALLED, memory_order_release);
    futex_wake_all(&batch->word);
    return pool_connect(pool, request->deadline_ns, DIAL_GROWTH, &batch->conn, down_out, error);
}

/* The permission is used up (pool_connect failed): back to waiting. */
static void revoke_grant(struct pool *pool, struct batch *batch)
{
    struct pool_wakes wakes = {0};
    lock_acquire(&pool->lock);
    batch->is_granted = false;
    batch->conn = NULL;
    atomic_store_explicit(&batch->grant, 0, memory_order_relaxed);
    pool_serve_locked(pool, clock_mono_ns(), &wakes);
    lock_release(&pool->lock);
    pool_wake(pool, &wakes);
}

/* Gets the batch its connection, made if need be. *end_out tells what else can happen. */
static bool wait_for_connection(struct pool *pool, struct batch *batch,
                                const struct pool_request *request, enum lead_end *end_out)
{
    for (;;) {
        *end_out = LEAD_LATE;
        if (!await_grant(pool, batch, request))
            return false;
        struct error error;
        bool is_down = true;
        if (batch->fail_cause)
            (void)redis_error_set(&error, ERR_UPSTREAM_DOWN, batch->fail_cause,
                                  "no connection could be made");
        else if (batch->conn &&
                 pool_check_idle(pool, &batch->conn, PIPELINE_WRITE)) /* one of them may be */
            return true;
        else if (!connect_batch(pool, batch, request, &is_down, &error))
            return true;
        if (is_down) {
            finish_unsent(pool, batch, &error);
            *end_out = LEAD_DONE;
            return false;
        }
        revoke_grant(pool, batch);
    }
}

static void seal(struct pool *pool, struct batch *batch, const struct pool_request *request,
                 int64_t now_ns)
{
    int64_t wait_ns = now_ns - request->start_ns;
    size_t bound = histogram_time_bound(wait_ns);
    lock_acquire(&pool->lock);
    histogram_add_time(&pool->stats.waits, bound, wait_ns);
    pool_unqueue_locked(pool, batch);
    batch_seal_locked(batch);
    batch->reply_by_ns = now_ns + pool->command_timeout_ns;
    lock_release(&pool->lock);
}

static enum err begin(struct batch *batch, int64_t now_ns)
{
    size_t needed = batch->commands + 1;
    if (batch->values_size < needed) {
        free(batch->values);
        batch->values = malloc(needed * sizeof *batch->values);
        batch->values_size = batch->values ? needed : 0;
        if (!batch->values)
            return ERR_NO_MEMORY;
    }
    batch->round_trip = (struct round_trip){.out = &batch->out,
                                            .values = batch->values,
                                            .owed = batch->commands,
                                            .arena = batch->arena,
                                            .writes = batch->writes,
                                            .began_ns = now_ns};
    return conn_begin(batch->conn, &batch->round_trip);
}

/* Reads on until all is there, the batch's time is up, or this leader's. */
static enum lead_end read_replies(struct pool *pool, struct batch *batch,
                                  const struct pool_request *request)
{
    struct conn *conn = batch->conn;
    int64_t until_ns =
        batch->reply_by_ns < request->deadline_ns ? batch->reply_by_ns : request->deadline_ns;
    if (conn_continue(conn, &batch->round_trip, until_ns) == ROUND_TRIP_WAITING) {
        if (until_ns < batch->reply_by_ns)
            return LEAD_LATE;
        conn_abort(conn, &batch->round_trip);
    }
    pool_release(pool, conn, &batch->round_trip, batch);
    finish(batch);
    return LEAD_DONE;
}

/* From wherever the batch is: a follower that takes over finds it gathering or sent. */
static enum lead_end lead(struct pool *pool, struct batch *batch,
                          const struct pool_request *request)
{
    lock_acquire(&pool->lock);
    bool is_sent = batch->phase == BATCH_SENT;
    lock_release(&pool->lock);
    if (is_sent)
        return read_replies(pool, batch, request);
    enum lead_end end;
    if (!wait_for_connection(pool, batch, request, &end))
        return end;
    if (pool->tuning.yields)
        sched_yield();
    int64_t now_ns = clock_mono_ns();
    seal(pool, batch, request, now_ns);
    bool is_empty = batch->commands == 0; /* nobody may go where it leads */
    if (is_empty || begin(batch, now_ns)) {
        struct error error;
        if (is_empty)
            (void)pipeline_wrong_redis(&error);
        else
            (void)redis_error_set(&error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                                  "batch: out of memory");
        pool_release_unused(pool, batch->conn);
        finish_unsent(pool, batch, &error);
        return LEAD_DONE;
    }
    return read_replies(pool, batch, request);
}

/* The last member has left and nobody leads: what the batch held goes back. */
static struct conn *abandon_locked(struct pool *pool, struct batch *batch, int64_t now_ns)
{
    struct conn *to_close = NULL;
    if (batch->phase == BATCH_GATHERING) {
        pool_unqueue_locked(pool, batch);
        if (batch->is_granted && !batch->fail_cause)
            to_close = pool_unuse_locked(pool, now_ns, batch->conn);
    } else if (batch->phase == BATCH_SENT) {
        conn_abort(batch->conn, &batch->round_trip);
        to_close = batch->conn;
        pool_discard_locked(pool, &batch->round_trip);
    }
    batch->phase = BATCH_ENDED;
    return to_close;
}

/*
 * Leaves a batch that is not over. False when it is over after all (or just about to be): nothing
 * has been done then. *was_sent_out: its commands were, or may have been, sent.
 */
static bool leave(struct pool *pool, struct batch *batch, size_t slot, bool is_leader,
                  bool *was_sent_out)
{
    struct pool_wakes wakes = {0};
    struct conn *to_close = NULL;
    bool is_leaderless = false;
    int64_t now_ns = clock_mono_ns();
    lock_acquire(&pool->lock);
    if (batch->phase == BATCH_ENDED) {
        lock_release(&pool->lock);
        return false;
    }
    *was_sent_out = batch->phase == BATCH_SENT;
    pool->stats.waits_timed_out += !*was_sent_out;
    batch->members[slot].has_left = true;
    batch->present--;
    pool->under_way--;
    if (batch->present == 0)
        to_close = abandon_locked(pool, batch, now_ns);
    else if (is_leader)
        is_leaderless = true;
    pool_serve_locked(pool, now_ns, &wakes);
    lock_release(&pool->lock);
    if (is_leaderless) {
        atomic_store_explicit(&batch->word, BATCH_LEADERLESS, memory_order_release);
        futex_wake_all(&batch->word);
    }
    pool_wake(pool, &wakes);
    if (to_close)
        conn_close(&to_close);
    batch_unref(pool, batch);
    return true;
}

/* Takes the member's own replies, or its own view of the failure, out of a batch that is over. */
static enum err collect(struct pool *pool, struct batch *batch, size_t slot,
                        const struct pool_request *request, bool *may_retry_out,
                        struct error *error)
{
    enum err err = batch->failed;
    const struct round_trip *round_trip = &batch->round_trip;
    const struct batch_member *member = &batch->members[slot];
    request->pipeline->received = err ? 0 : round_trip->received;
    if (err)
        *error = batch->error;
    else if (member->is_wrong_redis)
        err = pipeline_wrong_redis(error);
    else if (round_trip->failure)
        err = pipeline_failed(request, round_trip, member->from, may_retry_out, error);
    else
        err = pipeline_take(request->pipeline, round_trip, &batch->values[member->first_reply],
                            error);
    batch_unref(pool, batch);
    return err;
}

enum err batch_lead(struct pool *pool, struct batch *batch, size_t slot,
                    const struct pool_request *request, bool *may_retry_out, struct error *error)
{
    bool was_sent;
    if (lead(pool, batch, request) == LEAD_LATE && leave(pool, batch, slot, true, &was_sent))
        return pipeline_late(request, was_sent, error);
    return collect(pool, batch, slot, request, may_retry_out, error);
}

/* How long a follower sleeps before it looks again. While the batch gathers: until its own time to
 * acquire ends. Once it was sent: a little longer than the round trip may last. */
static int64_t follower_limit(struct pool *pool, const struct batch *batch,
                              const struct pool_request *request)
{
    lock_acquire(&pool->lock);
    int64_t limit_ns = batch->phase == BATCH_GATHERING ? request->acquire_deadline_ns
                                                       : batch->reply_by_ns + FOLLOWER_GRACE_NS;
    lock_release(&pool->lock);
    return limit_ns < request->deadline_ns ? limit_ns : request->deadline_ns;
}

/*
 * A follower needs no timer of its own if its leader is sure to act in time. The leader came earlier,
 * so its time to acquire ends earlier, and the round trip has a time limit. A follower whose deadline
 * is shorter than both together must look itself.
 */
static bool may_trust_leader(const struct pool *pool, const struct pool_request *request)
{
    return request->acquire_deadline_ns + pool->command_timeout_ns <= request->deadline_ns;
}

enum err batch_follow(struct pool *pool, struct batch *batch, size_t slot,
                      const struct pool_request *request, bool *may_retry_out, struct error *error)
{
    int64_t limit_ns = request->acquire_deadline_ns;
    bool trusts_leader = may_trust_leader(pool, request);
    for (;;) {
        int word = atomic_load_explicit(&batch->word, memory_order_acquire);
        if (word == BATCH_DONE)
            return collect(pool, batch, slot, request, may_retry_out, error);
        if (word == BATCH_LEADERLESS) {
            if (atomic_compare_exchange_strong_explicit(&batch->word, &word, BATCH_STALLED,
                                                        memory_order_acq_rel, memory_order_relaxed))
                return batch_lead(pool, batch, slot, request, may_retry_out, error);
            continue;
        }
        bool is_sure = word == BATCH_PENDING && trusts_leader;
        if (futex_wait(&batch->word, word, is_sure ? FUTEX_NO_DEADLINE : limit_ns))
            continue;
        limit_ns = follower_limit(pool, batch, request);
        if (clock_mono_ns() < limit_ns)
            continue;
        bool was_sent;
        if (leave(pool, batch, slot, false, &was_sent))
            return pipeline_late(request, was_sent, error);
        trusts_leader = true; /* it has ended, and the word is about to say so */
        limit_ns = FUTEX_NO_DEADLINE;
    }
}

enum err batch_wait_alone(struct pool *pool, struct batch *batch, size_t slot,
                          const struct pool_request *request, struct conn **conn_out,
                          struct error *error)
{
    enum lead_end end;
    if (wait_for_connection(pool, batch, request, &end)) {
        int64_t wait_ns = clock_mono_ns() - request->start_ns;
        lock_acquire(&pool->lock);
        histogram_add_time(&pool->stats.waits, histogram_time_bound(wait_ns), wait_ns);
        pool_unqueue_locked(pool, batch);
        batch->phase = BATCH_ENDED;
        lock_release(&pool->lock);
        *conn_out = batch->conn;
        batch_unref(pool, batch);
        return ERR_OK;
    }
    bool was_sent, may_retry = false;
    if (end == LEAD_LATE && leave(pool, batch, slot, true, &was_sent))
        return pipeline_late(request, was_sent, error);
    return collect(pool, batch, slot, request, &may_retry, error);
}
