/* Connections are made, checked, given back and closed; and what the breaker learns from it. */
#include "batch.h"
#include "cachewarden/redis_error.h"
#include "histogram.h"
#include "pool_private.h"

#include "cachewarden/log.h"
#include "cachewarden/resolver.h"

#include <stdio.h>

/* A connection that served less than this ago is not checked before a read, which can be tried again.
 * Before a write, which cannot, it always is. */
#define WARM_NS (1 * NS_PER_MS)

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Never under the lock. */
static void log_breaker(const struct pool *pool, bool opened, bool closed, const char *detail)
{
    if (opened)
        log_event(LOG_LEVEL_WARN, "redis.down", LOG_CSTR("address", pool->description),
                  LOG_CSTR("why", detail));
    if (closed)
        log_event(LOG_LEVEL_INFO, "redis.up", LOG_CSTR("address", pool->description));
}

/* What an attempt to connect has changed, for when the lock is given. */
struct connect_end {
    struct conn *to_close;
    size_t live;                 /* connections there are besides */
    bool opened, closed, capped; /* the breaker; and: the pool cannot grow, which is news */
    enum pool_news news;
};

bool pool_check_idle(struct pool *pool, struct conn **conn, enum pipeline_effect effect)
{
    int64_t now_ns = clock_mono_ns();
    if (effect == PIPELINE_READ && now_ns - (*conn)->idle_since_ns < WARM_NS)
        return true;
    enum io_idle_check found = conn_check_idle(*conn);
    if (found == IO_IDLE)
        return true;
    lock_acquire(&pool->lock);
    pool->connecting++;
    pool->stats.closes++;
    pool->stats.desynchronised += found == IO_UNEXPECTED_DATA;
    lock_release(&pool->lock);
    conn_close(conn);
    return false;
}

/* No room for one more, at Redis or on this machine: that says nothing against the connections there are. */
static bool is_only_refused(enum err err)
{
    return err == ERR_UPSTREAM_REFUSED || err == ERR_BUSY || err == ERR_NO_MEMORY;
}

/* Requests share what lives, and the pool tries to grow once a second. */
static void cap_locked(struct pool *pool, enum err err, enum dial dial, struct connect_end *end)
{
    pool->grow_again_ns = clock_mono_ns() + BREAKER_PROBE_INTERVAL_NS;
    end->capped = !pool->is_capped;
    pool->is_capped = true;
    if (err == ERR_UPSTREAM_REFUSED) /* in Redis's own words: it answers */
        end->closed = breaker_succeeded(&pool->breaker);
    else if (dial == DIAL_PROBE)
        breaker_unknown(&pool->breaker);
}

/* Counts out a connection that could not be made. True when the breaker is open now. */
static bool connect_failed_locked(struct pool *pool, enum err err, enum redis_error cause,
                                  enum dial dial, bool is_conclusive, struct connect_end *end)
{
    pool->stats.connect_failures++;
    pool->live--;
    pool->busy--;
    end->live = pool->live - pool->connecting;
    if (dial == DIAL_TRIAL && end->live > 0)
        return pool->breaker.is_open; /* the new primary is not there yet */
    if (is_only_refused(err) && end->live > 0) {
        cap_locked(pool, err, dial, end);
        return pool->breaker.is_open;
    }
    if (!is_conclusive) {
        if (dial == DIAL_PROBE)
            breaker_unknown(&pool->breaker);
        return pool->breaker.is_open;
    }
    /* Idle connections are most likely dead as well: close them now, not one by one later. */
    int64_t now_ns = clock_mono_ns();
    end->to_close = pool_drop_idle_locked(pool);
    pool->grow_again_ns = now_ns + BREAKER_PROBE_INTERVAL_NS;
    /* As long as others get answers the endpoint is not down. */
    bool others_work = pool->busy > pool->connecting;
    if (dial == DIAL_PROBE || !others_work)
        end->opened = breaker_failed(&pool->breaker, cause, now_ns);
    return pool->breaker.is_open;
}

/* The others are worth more than this one, which leads to a replica. */
static void spurn_locked(struct pool *pool, struct conn **conn, struct connect_end *end)
{
    int64_t now_ns = clock_mono_ns();

    pool->live--;
    pool->busy--;
    pool->stats.closes++;
    pool->grow_again_ns = now_ns + BREAKER_PROBE_INTERVAL_NS;
    end->news = pool_note_made_locked(pool, *conn, now_ns);
    end->to_close = *conn;
    *conn = NULL;
}

static void keep_locked(struct pool *pool, struct conn *conn, enum dial dial,
                        struct connect_end *end)
{
    pool->grow_again_ns = 0;
    if (dial == DIAL_TRIAL) {
        end->to_close = pool_renew_locked(pool);
        conn->generation = pool->generation;
    } else if (conn->replication_id != pool->replication_id) {
        /* The address leads to another Redis now: connections to the old one are not kept. */
        end->to_close = pool_drop_idle_locked(pool);
    } else {
        end->to_close = pool_drop_outlived_locked(pool, clock_mono_ns());
    }
    pool->replication_id = conn->replication_id;
    pool->replica.is_led_to = conn->is_replica;
    if (conn->generation == pool->generation)
        end->news = pool_note_made_locked(pool, conn, clock_mono_ns());
}

/* False: it was made, and is of no use. */
static bool connected_locked(struct pool *pool, struct conn **conn, enum dial dial,
                             struct connect_end *end)
{
    bool is_kept = !pool_spurns_locked(pool, *conn, dial);

    pool->stats.connects++;
    pool->is_capped = false;
    end->closed = breaker_succeeded(&pool->breaker);
    if (is_kept)
        keep_locked(pool, *conn, dial, end);
    else
        spurn_locked(pool, conn, end);
    return is_kept;
}

static void log_capped(const struct pool *pool, const struct connect_end *end, const char *why)
{
    log_event(LOG_LEVEL_WARN, "redis.no_more_connections", LOG_CSTR("address", pool->description),
              LOG_INT("connections", (int64_t)end->live), LOG_CSTR("why", why));
}

enum err pool_connect(struct pool *pool, int64_t deadline_ns, enum dial dial,
                      struct conn **conn_out, bool *down_out, struct error *error)
{
    struct connect_end end = {0};
    struct pool_wakes wakes = {0};
    struct error why; /* the caller may not want to know, the breaker does */
    int64_t start_ns = clock_mono_ns(), limit_ns = start_ns + pool->connect_timeout_ns;
    lock_acquire(&pool->lock);
    uint64_t generation = pool->generation, login = pool->login_number;
    lock_release(&pool->lock);
    if (dial == DIAL_TRIAL) /* after a failover by name another address is behind it */
        resolver_renew(pool->address.host);
    enum err err = conn_open(&pool->target, least(limit_ns, deadline_ns), conn_out, &why);
    bool is_conclusive = err != ERR_TIMEOUT || limit_ns <= deadline_ns;
    lock_acquire(&pool->lock);
    pool->connecting--;
    if (err) {
        *conn_out = NULL;
        snprintf(pool->down_why, sizeof pool->down_why, "%.190s", why.detail);
        *down_out = connect_failed_locked(pool, err, why.redis, dial, is_conclusive, &end);
    } else {
        (*conn_out)->generation = generation;
        (*conn_out)->login = login;
        (*conn_out)->expires_ns = pool_expiry(pool, *conn_out, clock_mono_ns());
        *down_out = false;
        if (!connected_locked(pool, conn_out, dial, &end))
            err = redis_error_set(&why, ERR_UPSTREAM_DOWN, REDIS_ERROR_READ_ONLY,
                                  "a new connection leads to a replica");
    }
    pool_serve_locked(pool, clock_mono_ns(), &wakes);
    lock_release(&pool->lock);
    pool_wake(pool, &wakes);
    conn_close_list(end.to_close);
    log_breaker(pool, end.opened, end.closed, why.detail);
    pool_log_news(pool, end.news);
    if (end.capped)
        log_capped(pool, &end, why.detail);
    if (!err)
        return ERR_OK;
    /* A Redis that refuses the handshake cannot be had: nothing was asked of it. */
    if (err == ERR_UPSTREAM_REFUSED || err == ERR_BUSY)
        err = ERR_UPSTREAM_DOWN;
    why.code = err;
    *error = why;
    return err;
}

void pool_discard_locked(struct pool *pool, const struct round_trip *round_trip)
{
    pool->live--;
    pool->busy--;
    pool->stats.closes++;
    pool->stats.desynchronised += round_trip->failure == ROUND_TRIP_PROTOCOL_ERROR ||
                                  round_trip->failure == ROUND_TRIP_TIMED_OUT;
}

static void count_locked(struct pool *pool, const struct round_trip *round_trip, size_t pipelines,
                         bool is_batch)
{
    pool->stats.round_trips++;
    pool->stats.commands += round_trip->owed;
    if (is_batch) {
        pool->stats.batches++;
        pool->stats.batched += pipelines;
        pool->stats.batch_sizes[histogram_size_bound(pipelines)]++;
    } else {
        pool->stats.borrows++;
    }
}

/* More than any batch. */
#define MUCH_SENT (2 * LARGE_BYTES)

static const char unanswered[] = "a command was not answered in time";

/* A caller's own deadline says nothing about Redis, nor does one slow answer while others come, nor one that has
 * begun to come; nor that much is still on its way there, or back to others. These end soon, and then silence tells. */
static bool accuses_redis(const struct pool *pool, const struct round_trip *round_trip,
                          int64_t duration_ns)
{
    return round_trip->failure == ROUND_TRIP_TIMED_OUT && round_trip->received == 0 &&
           round_trip->out->len <= MUCH_SENT && pool->large_sent == 0 &&
           duration_ns >= pool->command_timeout_ns && pool->answered_ns < round_trip->began_ns;
}

void pool_release(struct pool *pool, struct conn *conn, const struct round_trip *round_trip,
                  struct batch *batch)
{
    struct pool_wakes wakes = {0};
    struct conn *to_close = NULL;
    bool is_ready = conn->state == CONN_READY, opened = false, closed = false;
    int64_t now_ns = clock_mono_ns(), duration_ns = now_ns - round_trip->began_ns;
    size_t bound = histogram_time_bound(duration_ns);
    lock_acquire(&pool->lock);
    histogram_add_time(&pool->stats.round_trip_times, bound, duration_ns);
    size_t pipelines = batch ? batch->present : 1;
    if (batch)
        batch->phase = BATCH_ENDED;
    pool->under_way -= pipelines;
    pool->large_sent -= round_trip->is_large;
    count_locked(pool, round_trip, pipelines, batch);
    enum pool_news news = pool_note_replies_locked(pool, conn, round_trip, now_ns);
    bool is_kept = is_ready && pool_keeps_locked(pool, conn);
    if (is_ready) {
        closed = breaker_succeeded(&pool->breaker);
        pool->answered_ns = now_ns;
    }
    if (is_kept) {
        pool_release_conn_locked(pool, now_ns, conn);
        to_close = pool_sweep_locked(pool, now_ns);
    } else {
        pool_discard_locked(pool, round_trip);
        /* The others that were idle have most likely died of the same. */
        if (round_trip->failure == ROUND_TRIP_LOST && round_trip->is_reused)
            to_close = pool_drop_idle_locked(pool);
        if (accuses_redis(pool, round_trip, duration_ns))
            opened = breaker_suspect(&pool->breaker, REDIS_ERROR_TIMEOUT, now_ns);
        if (opened)
            snprintf(pool->down_why, sizeof pool->down_why, "%s", unanswered);
    }
    pool_serve_locked(pool, now_ns, &wakes);
    lock_release(&pool->lock);
    pool_wake(pool, &wakes);
    if (!is_kept)
        conn_close(&conn);
    conn_close_list(to_close);
    log_breaker(pool, opened, closed, unanswered);
    pool_log_news(pool, news);
}

struct conn *pool_unuse_locked(struct pool *pool, int64_t now_ns, struct conn *conn)
{
    if (!conn || pool_keeps_locked(pool, conn)) {
        pool_release_conn_locked(pool, now_ns, conn);
        return NULL;
    }
    pool->live--;
    pool->busy--;
    pool->stats.closes++;
    return conn;
}

void pool_release_unused(struct pool *pool, struct conn *conn)
{
    struct pool_wakes wakes = {0};
    int64_t now_ns = clock_mono_ns();
    lock_acquire(&pool->lock);
    struct conn *to_close = pool_unuse_locked(pool, now_ns, conn);
    pool_serve_locked(pool, now_ns, &wakes);
    lock_release(&pool->lock);
    pool_wake(pool, &wakes);
    if (to_close)
        conn_close(&to_close);
}
