/* A pipeline acquires a connection or a place in a batch; batches are queued and served. */
#include "batch.h"
#include "cachewarden/redis_error.h"
#include "futex.h"
#include "pool_private.h"

/* Threads that may be inside at once; beyond it the answer is ERR_BUSY without a wait. */
#define UNDER_WAY_MAX 8192

/* After a failure to connect the pool does not grow for a while, unless it has no connection at all. */
static bool may_grow(const struct pool *pool, int64_t now_ns)
{
    return pool->live < pool->size && (now_ns >= pool->grow_again_ns || pool->live == 0);
}

/* So many there may be while one is replaced: an only one serves until its successor is there. */
static size_t most_while_replacing(const struct pool *pool)
{
    return pool->size > 1 ? pool->size : 2;
}

static bool is_renewal_due(const struct pool *pool, int64_t now_ns)
{
    return pool_is_outlived_locked(pool, now_ns) && pool->live < most_while_replacing(pool) &&
           now_ns >= pool->grow_again_ns;
}

bool pool_acquire_conn_locked(struct pool *pool, int64_t now_ns, struct conn **conn_out)
{
    if (pool->breaker.is_open)
        return false;
    bool is_renewal = is_renewal_due(pool, now_ns);
    if (pool->idle && !is_renewal) {
        *conn_out = pool->idle;
        pool->idle = pool->idle->next;
        pool->idle_count--;
    } else if (is_renewal || may_grow(pool, now_ns)) {
        *conn_out = NULL;
        pool->live++;
        pool->connecting++;
        if (pool->is_capped)
            pool->grow_again_ns = now_ns + BREAKER_PROBE_INTERVAL_NS;
    } else {
        return false;
    }
    pool->busy++;
    return true;
}

static void park_locked(struct pool *pool, struct conn *conn, int64_t now_ns)
{
    if (conn->login != pool->login_number)
        conn->expires_ns = now_ns;
    conn->idle_since_ns = now_ns;
    conn->next = pool->idle;
    pool->idle = conn;
    pool->idle_count++;
}

void pool_release_conn_locked(struct pool *pool, int64_t now_ns, struct conn *conn)
{
    pool->busy--;
    if (conn) {
        park_locked(pool, conn, now_ns);
    } else {
        pool->live--;
        pool->connecting--;
    }
}

/* Callers come and go within microseconds; the spread follows how many there were lately. */
#define PEAK_UNIT  256
#define PEAK_FADES 64 /* pipelines, until a past peak has lost 1/e of its height */

static void count_in_locked(struct pool *pool)
{
    pool->under_way++;
    size_t faded = pool->recent_peak - pool->recent_peak / PEAK_FADES,
           now = pool->under_way * PEAK_UNIT;
    pool->recent_peak = now > faded ? now : faded;
}

static bool spread_allows(const struct pool *pool)
{
    const struct pool_tuning *tuning = &pool->tuning;
    bool is_crowded = pool->recent_peak > tuning->spread_until * PEAK_UNIT;
    /* Those that bring back much take long, and nobody who asks for little waits for them. */
    size_t busy = pool->busy - pool->large_sent;
    return busy < (is_crowded ? tuning->spread_beyond : pool->size);
}

static void enqueue_locked(struct pool *pool, struct batch *batch)
{
    if (pool->queue_last)
        pool->queue_last->next = batch;
    else
        pool->queue = batch;
    pool->queue_last = batch;
}

void pool_unqueue_locked(struct pool *pool, struct batch *batch)
{
    struct batch *before = NULL;
    for (struct batch *b = pool->queue; b != batch; b = b->next)
        before = b;
    if (before)
        before->next = batch->next;
    else
        pool->queue = batch->next;
    if (pool->queue_last == batch)
        pool->queue_last = before;
    batch->next = NULL;
}

void pool_serve_locked(struct pool *pool, int64_t now_ns, struct pool_wakes *wakes)
{
    for (struct batch *b = pool->queue; b && wakes->count < POOL_WAKES_MAX; b = b->next) {
        if (b->is_granted)
            continue;
        if (pool->breaker.is_open)
            b->fail_cause = pool->breaker.cause;
        else if (!spread_allows(pool) || !pool_acquire_conn_locked(pool, now_ns, &b->conn))
            return;
        batch_grant_locked(b);
        wakes->batches[wakes->count++] = b;
    }
}

void pool_hedge_locked(struct pool *pool, int64_t now_ns, struct pool_wakes *wakes)
{
    struct batch *oldest = pool->queue;

    while (oldest && oldest->is_granted)
        oldest = oldest->next;
    if (!oldest || !pool_acquire_conn_locked(pool, now_ns, &oldest->conn))
        return;
    batch_grant_locked(oldest);
    wakes->batches[wakes->count++] = oldest;
}

/* A batch may be done and in use again when it is woken. That does no harm: it is never freed, and a
 * leader that was woken for nothing sleeps on. */
void pool_wake(struct pool *pool, struct pool_wakes *wakes)
{
    for (;;) {
        for (size_t i = 0; i < wakes->count; i++)
            futex_wake_all(&wakes->batches[i]->grant);
        if (wakes->count < POOL_WAKES_MAX)
            return;
        wakes->count = 0;
        lock_acquire(&pool->lock);
        pool_serve_locked(pool, clock_mono_ns(), wakes);
        lock_release(&pool->lock);
    }
}

static enum err join_locked(struct pool *pool, const struct pool_request *request,
                            struct acquired *acquired, struct error *error)
{
    struct batch *batch = pool->queue_last;
    bool is_new = !batch || !batch_has_room_locked(pool, batch, request);
    if (is_new) {
        batch = batch_new_locked(pool);
        if (!batch)
            return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                                   "batch: out of memory");
        batch->is_private = batch_is_private_request(pool, request);
    }
    if (!batch_join_locked(batch, request, &acquired->slot)) {
        if (is_new) {
            batch->next = pool->spare;
            pool->spare = batch;
        }
        return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                               "batch: out of memory");
    }
    if (is_new)
        enqueue_locked(pool, batch);
    acquired->batch = batch;
    acquired->kind = !is_new             ? ACQUIRED_FOLLOWER
                     : batch->is_private ? ACQUIRED_WAITER
                                         : ACQUIRED_LEADER;
    return ERR_OK;
}

/* A connection for a purpose of its own needs room; an idle one goes for it. */
static void make_room_locked(struct pool *pool, size_t most, struct conn **to_close_out)
{
    if (pool->live < most)
        return;
    *to_close_out = pool->idle;
    pool->idle = pool->idle->next;
    (*to_close_out)->next = NULL;
    pool->idle_count--;
    pool->live--;
    pool->stats.closes++;
}

/* The permission to make a connection for a purpose of its own. */
static void acquire_dial_locked(struct pool *pool, enum dial dial, struct acquired *acquired,
                                struct conn **to_close_out)
{
    /* To a Redis that is down an idle connection is no loss. One to a replica is: it can be read. */
    make_room_locked(pool, dial == DIAL_TRIAL ? most_while_replacing(pool) : pool->size,
                     to_close_out);
    pool->live++;
    pool->busy++;
    pool->connecting++;
    count_in_locked(pool);
    *acquired = (struct acquired){.kind = ACQUIRED_CONN, .dial = dial};
}

static bool has_room(const struct pool *pool)
{
    return pool->live < pool->size || pool->idle;
}

static enum err acquire_probe_locked(struct pool *pool, int64_t now_ns, struct acquired *acquired,
                                     struct conn **to_close_out, struct error *error)
{
    if (!has_room(pool) || breaker_ask(&pool->breaker, now_ns) == BREAKER_REFUSE) {
        pool->stats.breaker_refusals++;
        return redis_error_set(error, ERR_UPSTREAM_DOWN, pool->breaker.cause,
                               "not tried, it was down a moment ago: %s", pool->down_why);
    }
    acquire_dial_locked(pool, DIAL_PROBE, acquired, to_close_out);
    return ERR_OK;
}

static bool acquire_trial_locked(struct pool *pool, int64_t now_ns, struct acquired *acquired,
                                 struct conn **to_close_out)
{
    if (!has_room(pool) || !pool_trial_due_locked(pool, now_ns))
        return false;
    pool->replica.try_next_ns = now_ns + BREAKER_PROBE_INTERVAL_NS;
    acquire_dial_locked(pool, DIAL_TRIAL, acquired, to_close_out);
    return true;
}

static enum err acquire_locked(struct pool *pool, const struct pool_request *request,
                               struct acquired *acquired, struct error *error)
{
    if (pool->under_way >= UNDER_WAY_MAX) {
        pool->stats.waits_timed_out++;
        return redis_error_set(error, ERR_BUSY, REDIS_ERROR_BUSY,
                               "%d requests are under way already", UNDER_WAY_MAX);
    }
    count_in_locked(pool);
    enum err err = ERR_OK;
    if (!pool->queue && spread_allows(pool) &&
        pool_acquire_conn_locked(pool, request->start_ns, &acquired->conn))
        acquired->kind = ACQUIRED_CONN;
    else
        err = join_locked(pool, request, acquired, error);
    if (err)
        pool->under_way--;
    return err;
}

enum err pool_acquire(struct pool *pool, const struct pool_request *request,
                      struct acquired *acquired_out, struct error *error)
{
    struct conn *to_close = NULL;
    *acquired_out = (struct acquired){.kind = ACQUIRED_CONN};
    enum err err = ERR_OK;
    lock_acquire(&pool->lock);
    if (pool->breaker.is_open)
        err = acquire_probe_locked(pool, request->start_ns, acquired_out, &to_close, error);
    else if (!acquire_trial_locked(pool, request->start_ns, acquired_out, &to_close))
        err = acquire_locked(pool, request, acquired_out, error);
    lock_release(&pool->lock);
    conn_close_list(to_close);
    return err;
}

void pool_count_out(struct pool *pool)
{
    lock_acquire(&pool->lock);
    pool->under_way--;
    lock_release(&pool->lock);
}
