/*
 * How the members of a batch travel: the leader's way and the followers' (see batch.h).
 *
 * The order at the end of an exchange is the heart of it (measured, see bench_pool): first the
 * connection goes to the next batch and its leader is woken, then this batch's followers are, all
 * by one wake, and none of it happens under the lock.
 */
#include "batch.h"

#include "cause.h"
#include "futex.h"
#include "tell.h"

#include <sched.h>
#include <stdlib.h>

/* A follower outwaits the end of the exchange by so much: its leader is about to report. */
#define FOLLOWER_GRACE_NS (50 * NS_PER_MS)

enum lead_end {
    LEAD_OVER, /* the outcome is there, for everybody */
    LEAD_LATE  /* this leader is out of time; the batch is not */
};

/* The outcome is written and may be read from here on. Nobody joins any more. */
static void finish(struct batch *batch)
{
    bool has_followers = batch->count > 1;
    atomic_store_explicit(&batch->word, BATCH_OVER, memory_order_release);
    if (has_followers)
        futex_wake_all(&batch->word);
}

/* Ends a batch without an exchange. Its connection, if any, has been given back. */
static void finish_unsent(struct pool *pool, struct batch *batch, const struct error *error)
{
    lock_take(&pool->lock);
    if (batch->phase == BATCH_GATHERING)
        pool_unqueue_locked(pool, batch);
    batch->phase = BATCH_ENDED;
    pool->under_way -= batch->present;
    lock_give(&pool->lock);
    batch->failed = error->code;
    batch->error = *error;
    finish(batch);
}

/* False when the leader's patience ended first. */
static bool await_grant(struct pool *pool, struct batch *batch, const struct trip *trip)
{
    int64_t hedge_ns = clock_mono_ns() + pool->tuning.hedge_ns;
    while (!atomic_load_explicit(&batch->grant, memory_order_acquire)) {
        if (futex_wait(&batch->grant, 0,
                       hedge_ns < trip->patience_ns ? hedge_ns : trip->patience_ns))
            continue;
        int64_t now_ns = clock_mono_ns();
        if (now_ns >= trip->patience_ns)
            return false;
        hedge_ns = now_ns + pool->tuning.hedge_ns;
        lock_take(&pool->lock);
        if (!batch->is_granted && pool_acquire_conn_locked(pool, now_ns, &batch->conn))
            batch_grant_locked(batch);
        lock_give(&pool->lock);
    }
    return true;
}

/* To dial may take as long as a name server likes: from here on followers mind their own clocks. */
static enum err dial(struct pool *pool, struct batch *batch, const struct trip *trip,
                     bool *is_hopeless_out, struct error *error)
{
    atomic_store_explicit(&batch->word, BATCH_STALLED, memory_order_release);
    futex_wake_all(&batch->word);
    return pool_dial(pool, trip->deadline_ns, false, &batch->conn, is_hopeless_out, error);
}

/* The permission is used up (pool_dial failed): back to waiting. */
static void ungrant(struct pool *pool, struct batch *batch)
{
    struct pool_wakes wakes = {0};
    lock_take(&pool->lock);
    batch->is_granted = false;
    batch->conn = NULL;
    atomic_store_explicit(&batch->grant, 0, memory_order_relaxed);
    pool_serve_locked(pool, clock_mono_ns(), &wakes);
    lock_give(&pool->lock);
    pool_wake(pool, &wakes);
}

/* Gets the batch its connection, made if need be. *end_out tells what else can happen. */
static bool board(struct pool *pool, struct batch *batch, const struct trip *trip,
                  enum lead_end *end_out)
{
    for (;;) {
        *end_out = LEAD_LATE;
        if (!await_grant(pool, batch, trip))
            return false;
        struct error error;
        bool is_hopeless = true;
        if (batch->doom)
            (void)cause_set(&error, ERR_UPSTREAM_DOWN, batch->doom, "no connection could be made");
        else if (batch->conn &&
                 pool_check_idle(pool, &batch->conn, PIPELINE_WRITE)) /* one of them may be */
            return true;
        else if (!dial(pool, batch, trip, &is_hopeless, &error))
            return true;
        if (is_hopeless) {
            finish_unsent(pool, batch, &error);
            *end_out = LEAD_OVER;
            return false;
        }
        ungrant(pool, batch);
    }
}

static void depart(struct pool *pool, struct batch *batch, const struct trip *trip, int64_t now_ns)
{
    int64_t wait_ns = now_ns - trip->start_ns;
    size_t bound = tell_time_bound(wait_ns);
    lock_take(&pool->lock);
    tell_time(&pool->stats.waits, bound, wait_ns);
    pool_unqueue_locked(pool, batch);
    batch_close_locked(batch);
    batch->reply_by_ns = now_ns + pool->command_timeout_ns;
    lock_give(&pool->lock);
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
    batch->exchange = (struct exchange){.out = &batch->out,
                                        .values = batch->values,
                                        .owed = batch->commands,
                                        .arena = batch->arena,
                                        .began_ns = now_ns};
    return conn_begin(batch->conn, &batch->exchange);
}

/* Reads on until all is there, the batch's time is up, or this leader's. */
static enum lead_end ride(struct pool *pool, struct batch *batch, const struct trip *trip)
{
    struct conn *conn = batch->conn;
    int64_t until_ns =
        batch->reply_by_ns < trip->deadline_ns ? batch->reply_by_ns : trip->deadline_ns;
    if (conn_continue(conn, &batch->exchange, until_ns) == EXCHANGE_WAITING) {
        if (until_ns < batch->reply_by_ns)
            return LEAD_LATE;
        conn_abort(conn, &batch->exchange);
    }
    pool_release(pool, conn, &batch->exchange, batch);
    finish(batch);
    return LEAD_OVER;
}

/* From wherever the batch is: a follower that takes over finds it gathering or sent. */
static enum lead_end lead(struct pool *pool, struct batch *batch, const struct trip *trip)
{
    lock_take(&pool->lock);
    bool is_sent = batch->phase == BATCH_SENT;
    lock_give(&pool->lock);
    if (is_sent)
        return ride(pool, batch, trip);
    enum lead_end end;
    if (!board(pool, batch, trip, &end))
        return end;
    if (pool->tuning.yields)
        sched_yield();
    int64_t now_ns = clock_mono_ns();
    depart(pool, batch, trip, now_ns);
    bool is_empty = batch->commands == 0; /* nobody may go where it leads */
    if (is_empty || begin(batch, now_ns)) {
        struct error error;
        if (is_empty)
            (void)pipeline_misled(&error);
        else
            (void)cause_set(&error, ERR_NO_MEMORY, CAUSE_UNAVAILABLE, "batch: out of memory");
        pool_release_unused(pool, batch->conn);
        finish_unsent(pool, batch, &error);
        return LEAD_OVER;
    }
    return ride(pool, batch, trip);
}

/* The last member has left and nobody leads: what the batch held goes back. */
static struct conn *abandon_locked(struct pool *pool, struct batch *batch, int64_t now_ns)
{
    struct conn *to_close = NULL;
    if (batch->phase == BATCH_GATHERING) {
        pool_unqueue_locked(pool, batch);
        if (batch->is_granted && !batch->doom)
            pool_release_conn_locked(pool, now_ns, batch->conn);
    } else if (batch->phase == BATCH_SENT) {
        conn_abort(batch->conn, &batch->exchange);
        to_close = batch->conn;
        pool_discard_locked(pool, &batch->exchange);
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
    bool is_vacant = false;
    int64_t now_ns = clock_mono_ns();
    lock_take(&pool->lock);
    if (batch->phase == BATCH_ENDED) {
        lock_give(&pool->lock);
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
        is_vacant = true;
    pool_serve_locked(pool, now_ns, &wakes);
    lock_give(&pool->lock);
    if (is_vacant) {
        atomic_store_explicit(&batch->word, BATCH_VACANT, memory_order_release);
        futex_wake_all(&batch->word);
    }
    pool_wake(pool, &wakes);
    if (to_close)
        conn_close(&to_close);
    batch_let_go(pool, batch);
    return true;
}

static enum err give_up(const struct trip *trip, bool was_sent, struct error *error)
{
    if (was_sent && trip->effect == PIPELINE_WRITE)
        return cause_set(error, ERR_UNCERTAIN, CAUSE_UNCERTAIN, "no answer to a write in time");
    if (was_sent || trip->patience_ns == trip->deadline_ns)
        return cause_set(error, ERR_TIMEOUT, CAUSE_TIMEOUT, "the deadline passed %s",
                         was_sent ? "before the answer came" : "while waiting for a connection");
    return cause_set(error, ERR_BUSY, CAUSE_BUSY, "no connection came free in time");
}

/* Takes the member's own replies, or its own view of the failure, out of a batch that is over. */
static enum err collect(struct pool *pool, struct batch *batch, size_t slot,
                        const struct trip *trip, bool *may_retry_out, struct error *error)
{
    enum err err = batch->failed;
    const struct exchange *exchange = &batch->exchange;
    const struct batch_member *member = &batch->members[slot];
    if (err)
        *error = batch->error;
    else if (member->is_misled)
        err = pipeline_misled(error);
    else if (exchange->failure)
        err = pipeline_failed(trip, exchange, member->from, may_retry_out, error);
    else
        err = pipeline_take(trip->pipeline, exchange, &batch->values[member->first_reply], error);
    batch_let_go(pool, batch);
    return err;
}

enum err batch_lead(struct pool *pool, struct batch *batch, size_t slot, const struct trip *trip,
                    bool *may_retry_out, struct error *error)
{
    bool was_sent;
    if (lead(pool, batch, trip) == LEAD_LATE && leave(pool, batch, slot, true, &was_sent))
        return give_up(trip, was_sent, error);
    return collect(pool, batch, slot, trip, may_retry_out, error);
}

/* Until when a follower sleeps before it looks around: its patience while the batch gathers, a
 * little longer than the exchange may last once it was sent. */
static int64_t follower_limit(struct pool *pool, const struct batch *batch, const struct trip *trip)
{
    lock_take(&pool->lock);
    int64_t limit_ns = batch->phase == BATCH_GATHERING ? trip->patience_ns
                                                       : batch->reply_by_ns + FOLLOWER_GRACE_NS;
    lock_give(&pool->lock);
    return limit_ns < trip->deadline_ns ? limit_ns : trip->deadline_ns;
}

/*
 * A follower needs no timer of its own as long as its leader is sure to act in time: the leader
 * came earlier, so its patience ends earlier, and then the exchange has its own time limit. A
 * deadline that is shorter than both together is the follower's own affair.
 */
static bool may_trust_leader(const struct pool *pool, const struct trip *trip)
{
    return trip->patience_ns + pool->command_timeout_ns <= trip->deadline_ns;
}

enum err batch_follow(struct pool *pool, struct batch *batch, size_t slot, const struct trip *trip,
                      bool *may_retry_out, struct error *error)
{
    int64_t limit_ns = trip->patience_ns;
    bool trusts_leader = may_trust_leader(pool, trip);
    for (;;) {
        int word = atomic_load_explicit(&batch->word, memory_order_acquire);
        if (word == BATCH_OVER)
            return collect(pool, batch, slot, trip, may_retry_out, error);
        if (word == BATCH_VACANT) {
            if (atomic_compare_exchange_strong_explicit(&batch->word, &word, BATCH_STALLED,
                                                        memory_order_acq_rel, memory_order_relaxed))
                return batch_lead(pool, batch, slot, trip, may_retry_out, error);
            continue;
        }
        bool is_sure = word == BATCH_SHUT && trusts_leader;
        if (futex_wait(&batch->word, word, is_sure ? FUTEX_NO_DEADLINE : limit_ns))
            continue;
        limit_ns = follower_limit(pool, batch, trip);
        if (clock_mono_ns() < limit_ns)
            continue;
        bool was_sent;
        if (leave(pool, batch, slot, false, &was_sent))
            return give_up(trip, was_sent, error);
        trusts_leader = true; /* it has ended, and the word is about to say so */
        limit_ns = FUTEX_NO_DEADLINE;
    }
}

enum err batch_wait_alone(struct pool *pool, struct batch *batch, size_t slot,
                          const struct trip *trip, struct conn **conn_out, struct error *error)
{
    enum lead_end end;
    if (board(pool, batch, trip, &end)) {
        int64_t wait_ns = clock_mono_ns() - trip->start_ns;
        lock_take(&pool->lock);
        tell_time(&pool->stats.waits, tell_time_bound(wait_ns), wait_ns);
        pool_unqueue_locked(pool, batch);
        batch->phase = BATCH_ENDED;
        lock_give(&pool->lock);
        *conn_out = batch->conn;
        batch_let_go(pool, batch);
        return ERR_OK;
    }
    bool was_sent, may_retry = false;
    if (end == LEAD_LATE && leave(pool, batch, slot, true, &was_sent))
        return give_up(trip, was_sent, error);
    return collect(pool, batch, slot, trip, &may_retry, error);
}
