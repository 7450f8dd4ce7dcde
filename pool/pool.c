#include "pool_private.h"

#include "batch.h"
#include "cause.h"
#include "futex.h"

#include "cachewarden/log.h"

#include <stdlib.h>

#define CLIENT_NAME "cachewarden"
#define BATCH_LIMIT 1024
/* Threads that may be inside at once; beyond it the answer is ERR_BUSY without a wait. */
#define UNDER_WAY_MAX 8192
/* For a read, a connection that served less than this ago is not asked whether it is still there: if
 * it is not, the read is tried again. A write cannot be, so for a write the question is always asked. */
#define WARM_NS (1 * NS_PER_MS)
/* An attempt that its caller's own deadline cut shorter than this says nothing about Redis. */
#define TELLING_NS (50 * NS_PER_MS)

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static const struct pool_tuning default_tuning = {
    .spread_until = 8,
    .spread_beyond = 1,
    .hedge_ns = 10 * NS_PER_MS,
};

static bool is_client_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (*c < '!' || *c > '~') /* what CLIENT SETNAME allows */
            return false;
    return *name != '\0';
}

static enum err check(const struct pool_options *options, struct error *error)
{
    if (options->size < 1 || options->size > 10000)
        return error_set(error, ERR_BAD_INPUT, "pool size must be 1 to 10000");
    if (options->borrow_timeout_ms < 1 || options->connect_timeout_ms < 1 || options->command_timeout_ms < 1)
        return error_set(error, ERR_BAD_INPUT, "the timeouts of the Redis pool must be at least 1 ms");
    if (!options->address.host && !options->address.unix_path)
        return error_set(error, ERR_BAD_INPUT, "the Redis address has neither host nor path");
    if (options->address.tls)
        return error_set(error, ERR_BAD_INPUT, "TLS to Redis (rediss://) is not supported; use redis:// or unix://");
    if (options->client_name && !is_client_name(options->client_name))
        return error_set(error, ERR_BAD_INPUT, "the client name must be printable ASCII without blanks");
    return ERR_OK;
}

enum err pool_open(const struct pool_options *options, struct pool **pool_out, struct error *error)
{
    enum err err = check(options, error);
    if (err)
        return err;
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool || redis_address_copy(&options->address, &pool->address) != ERR_OK ||
        !(pool->client_name = strdup(options->client_name ? options->client_name : CLIENT_NAME))) {
        if (pool)
            redis_address_fini(&pool->address);
        free(pool);
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    }
    redis_address_describe(&pool->address, pool->description, sizeof pool->description);
    pool->size = options->size;
    pool->batch_limit = options->batch_limit ? options->batch_limit : BATCH_LIMIT;
    pool->borrow_timeout_ns = options->borrow_timeout_ms * NS_PER_MS;
    pool->connect_timeout_ns = options->connect_timeout_ms * NS_PER_MS;
    pool->command_timeout_ns = options->command_timeout_ms * NS_PER_MS;
    pool->telling_ns = least(TELLING_NS, pool->command_timeout_ns);
    pool->tuning = default_tuning;
    lock_init(&pool->lock, LOCK_RANK_POOL, "pool");
    *pool_out = pool;
    return ERR_OK;
}

static void close_list(struct conn *conn)
{
    while (conn) {
        struct conn *next = conn->next;
        conn_close(&conn);
        conn = next;
    }
}

void pool_close(struct pool **pool)
{
    struct pool *p = *pool;
    if (!p)
        return;
    close_list(p->idle);
    while (p->spare) {
        struct batch *next = p->spare->next;
        batch_free(&p->spare);
        p->spare = next;
    }
    lock_fini(&p->lock);
    redis_address_fini(&p->address);
    free(p->client_name);
    free(p);
    *pool = NULL;
}

void pool_stats_read(struct pool *pool, struct pool_stats *stats_out)
{
    lock_take(&pool->lock);
    *stats_out = pool->stats;
    stats_out->size = pool->size;
    stats_out->idle = pool->idle_count;
    stats_out->busy = pool->busy;
    stats_out->breaker_open = pool->breaker.is_open;
    lock_give(&pool->lock);
}

bool pool_is_down(struct pool *pool)
{
    lock_take(&pool->lock);
    bool is_down = pool->breaker.is_open;
    lock_give(&pool->lock);
    return is_down;
}

/* Never under the lock. */
static void log_breaker(const struct pool *pool, bool opened, bool closed, const char *detail)
{
    if (opened)
        log_event(LOG_LEVEL_WARN, "redis.down", LOG_CSTR("address", pool->description), LOG_CSTR("why", detail));
    if (closed)
        log_event(LOG_LEVEL_INFO, "redis.up", LOG_CSTR("address", pool->description));
}

bool pool_take_locked(struct pool *pool, int64_t now_ns, struct conn **conn_out)
{
    if (pool->breaker.is_open)
        return false;
    if (pool->idle) {
        *conn_out = pool->idle;
        pool->idle = pool->idle->next;
        pool->idle_count--;
    } else if (pool->live < pool->size && now_ns >= pool->grow_again_ns) {
        *conn_out = NULL;
        pool->live++;
        pool->dialling++;
    } else {
        return false;
    }
    pool->busy++;
    return true;
}

static void park_locked(struct pool *pool, struct conn *conn, int64_t now_ns)
{
    conn->idle_since_ns = now_ns;
    conn->next = pool->idle;
    pool->idle = conn;
    pool->idle_count++;
}

void pool_untake_locked(struct pool *pool, int64_t now_ns, struct conn *conn)
{
    pool->busy--;
    if (conn) {
        park_locked(pool, conn, now_ns);
    } else {
        pool->live--;
        pool->dialling--;
    }
}

static bool spread_allows(const struct pool *pool)
{
    const struct pool_tuning *tuning = &pool->tuning;
    return pool->busy < (pool->under_way <= tuning->spread_until ? pool->size : tuning->spread_beyond);
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
            b->doom = pool->breaker.cause;
        else if (!spread_allows(pool) || !pool_take_locked(pool, now_ns, &b->conn))
            return;
        batch_grant_locked(b);
        wakes->batches[wakes->count++] = b;
    }
}

/* A batch may be over and in use again by the time of the wake: it is never freed, and a leader
 * woken for nothing looks at its word and sleeps on. */
void pool_wake(struct pool *pool, struct pool_wakes *wakes)
{
    for (;;) {
        for (size_t i = 0; i < wakes->count; i++)
            futex_wake_all(&wakes->batches[i]->grant);
        if (wakes->count < POOL_WAKES_MAX)
            return;
        wakes->count = 0;
        lock_take(&pool->lock);
        pool_serve_locked(pool, clock_mono_ns(), wakes);
        lock_give(&pool->lock);
    }
}

static enum err join_locked(struct pool *pool, const struct trip *trip, struct seat *seat, struct error *error)
{
    struct batch *batch = pool->queue_last;
    bool is_new = !batch || !batch_has_room_locked(pool, batch, trip);
    if (is_new) {
        batch = batch_new_locked(pool);
        if (!batch)
            return cause_set(error, ERR_NO_MEMORY, CAUSE_UNAVAILABLE, "batch: out of memory");
        batch->is_private = batch_is_private_trip(pool, trip);
    }
    if (!batch_join_locked(batch, trip, &seat->slot)) {
        if (is_new) {
            batch->next = pool->spare;
            pool->spare = batch;
        }
        return cause_set(error, ERR_NO_MEMORY, CAUSE_UNAVAILABLE, "batch: out of memory");
    }
    if (is_new)
        enqueue_locked(pool, batch);
    seat->batch = batch;
    seat->kind = !is_new ? SEAT_FOLLOWER : batch->is_private ? SEAT_WAITER : SEAT_LEADER;
    return ERR_OK;
}

/* A probe needs room for a connection of its own; an idle one of an endpoint that is down is no loss. */
static void make_room_locked(struct pool *pool, struct conn **doomed_out)
{
    if (pool->live < pool->size)
        return;
    *doomed_out = pool->idle;
    pool->idle = pool->idle->next;
    (*doomed_out)->next = NULL;
    pool->idle_count--;
    pool->live--;
    pool->stats.closes++;
}

static enum err seat_probe_locked(struct pool *pool, int64_t now_ns, struct seat *seat, struct conn **doomed_out,
                                  struct error *error)
{
    bool has_room = pool->live < pool->size || pool->idle;
    if (!has_room || breaker_ask(&pool->breaker, now_ns) == BREAKER_REFUSE) {
        pool->stats.breaker_refusals++;
        return cause_set(error, ERR_UPSTREAM_DOWN, pool->breaker.cause, "not tried: it was down a moment ago");
    }
    make_room_locked(pool, doomed_out);
    pool->live++;
    pool->busy++;
    pool->dialling++;
    pool->under_way++;
    *seat = (struct seat){.kind = SEAT_ALONE, .is_probe = true};
    return ERR_OK;
}

static enum err seat_locked(struct pool *pool, const struct trip *trip, int64_t now_ns, struct seat *seat,
                            struct error *error)
{
    if (pool->under_way >= UNDER_WAY_MAX) {
        pool->stats.waits_timed_out++;
        return cause_set(error, ERR_BUSY, CAUSE_BUSY, "%d requests are under way already", UNDER_WAY_MAX);
    }
    pool->under_way++;
    enum err err = ERR_OK;
    if (!pool->queue && spread_allows(pool) && pool_take_locked(pool, now_ns, &seat->conn))
        seat->kind = SEAT_ALONE;
    else
        err = join_locked(pool, trip, seat, error);
    if (err)
        pool->under_way--;
    return err;
}

enum err pool_seat(struct pool *pool, const struct trip *trip, struct seat *seat_out, struct error *error)
{
    struct conn *doomed = NULL;
    *seat_out = (struct seat){.kind = SEAT_ALONE};
    int64_t now_ns = clock_mono_ns();
    lock_take(&pool->lock);
    enum err err = pool->breaker.is_open ? seat_probe_locked(pool, now_ns, seat_out, &doomed, error)
                                         : seat_locked(pool, trip, now_ns, seat_out, error);
    lock_give(&pool->lock);
    close_list(doomed);
    return err;
}

bool pool_check_idle(struct pool *pool, struct conn **conn, enum pipeline_effect effect)
{
    if (effect == PIPELINE_READ && clock_mono_ns() - (*conn)->idle_since_ns < WARM_NS)
        return true;
    enum io_silence silence = conn_listen(*conn);
    if (silence == IO_QUIET)
        return true;
    lock_take(&pool->lock);
    pool->dialling++;
    pool->stats.closes++;
    pool->stats.poisoned += silence == IO_TALKING;
    lock_give(&pool->lock);
    conn_close(conn);
    return false;
}

/* The caller closes them without the lock. */
static struct conn *drop_idle_locked(struct pool *pool)
{
    struct conn *idle = pool->idle;
    pool->live -= pool->idle_count;
    pool->stats.closes += pool->idle_count;
    pool->idle = NULL;
    pool->idle_count = 0;
    return idle;
}

/* Counts out a connection that could not be made. True when the breaker is open now. */
static bool dial_failed_locked(struct pool *pool, const char *cause, bool is_probe, bool is_telling,
                               struct conn **doomed_out, bool *opened_out)
{
    pool->stats.connect_failures++;
    pool->live--;
    pool->busy--;
    if (!is_telling) {
        if (is_probe)
            breaker_unknown(&pool->breaker);
        return pool->breaker.is_open;
    }
    /* What is idle is of no use to anybody now, and would only be found dead one by one. */
    int64_t now_ns = clock_mono_ns();
    *doomed_out = drop_idle_locked(pool);
    pool->grow_again_ns = now_ns + BREAKER_PROBE_INTERVAL_NS;
    /* As long as others get answers the endpoint is not down; it may only be full (max clients). */
    bool others_work = pool->busy > pool->dialling;
    if (is_probe || !others_work)
        *opened_out = breaker_failed(&pool->breaker, cause, now_ns);
    return pool->breaker.is_open;
}

enum err pool_dial(struct pool *pool, int64_t deadline_ns, bool is_probe, struct conn **conn_out,
                   bool *hopeless_out, struct error *error)
{
    struct conn *doomed = NULL;
    struct pool_wakes wakes = {0};
    bool opened = false, closed = false;
    struct error why; /* the caller may not want to know, the breaker does */
    int64_t start_ns = clock_mono_ns(), limit_ns = start_ns + pool->connect_timeout_ns;
    enum err err = conn_open(&pool->address, pool->client_name, least(limit_ns, deadline_ns),
                             conn_out, &why);
    bool is_telling = err != ERR_TIMEOUT || limit_ns <= deadline_ns || clock_mono_ns() - start_ns >= pool->telling_ns;
    lock_take(&pool->lock);
    pool->dialling--;
    if (err) {
        *conn_out = NULL;
        *hopeless_out = dial_failed_locked(pool, cause_static(why.caller), is_probe, is_telling, &doomed, &opened);
    } else {
        pool->stats.connects++;
        pool->grow_again_ns = 0;
        closed = breaker_succeeded(&pool->breaker);
    }
    pool_serve_locked(pool, clock_mono_ns(), &wakes);
    lock_give(&pool->lock);
    pool_wake(pool, &wakes);
    close_list(doomed);
    log_breaker(pool, opened, closed, why.detail);
    if (!err)
        return ERR_OK;
    /* To a pipeline, a Redis that says no to a greeting is one that cannot be had: nothing was asked of it. */
    if (err == ERR_UPSTREAM_REFUSED)
        err = ERR_UPSTREAM_DOWN;
    why.code = err;
    *error = why;
    return err;
}

void pool_lose_locked(struct pool *pool, const struct exchange *exchange)
{
    pool->live--;
    pool->busy--;
    pool->stats.closes++;
    pool->stats.poisoned += exchange->failure == EXCHANGE_GARBLED || exchange->failure == EXCHANGE_LATE;
}

static void count_locked(struct pool *pool, const struct exchange *exchange, size_t pipelines, bool is_batch)
{
    pool->stats.round_trips++;
    pool->stats.commands += exchange->owed;
    if (is_batch) {
        pool->stats.batches++;
        pool->stats.batched += pipelines;
    } else {
        pool->stats.borrows++;
    }
}

void pool_give(struct pool *pool, struct conn *conn, const struct exchange *exchange, struct batch *batch)
{
    struct pool_wakes wakes = {0};
    struct conn *doomed = NULL;
    bool is_sound = conn->state == CONN_READY, opened = false, closed = false;
    int64_t now_ns = clock_mono_ns();
    lock_take(&pool->lock);
    size_t pipelines = batch ? batch->present : 1;
    if (batch)
        batch->phase = BATCH_ENDED;
    pool->under_way -= pipelines;
    count_locked(pool, exchange, pipelines, batch);
    if (is_sound) {
        closed = breaker_succeeded(&pool->breaker);
        pool_untake_locked(pool, now_ns, conn);
    } else {
        pool_lose_locked(pool, exchange);
        /* The others that were idle have most likely died of the same. */
        if (exchange->failure == EXCHANGE_LOST && exchange->is_reused)
            doomed = drop_idle_locked(pool);
        /* A caller's own short deadline says nothing about Redis. */
        if (exchange->failure == EXCHANGE_LATE && now_ns - exchange->began_ns >= pool->telling_ns)
            opened = breaker_suspect(&pool->breaker, CAUSE_TIMEOUT, now_ns);
    }
    pool_serve_locked(pool, now_ns, &wakes);
    lock_give(&pool->lock);
    pool_wake(pool, &wakes);
    if (!is_sound)
        conn_close(&conn);
    close_list(doomed);
    log_breaker(pool, opened, closed, "a command was not answered in time");
}

void pool_give_unused(struct pool *pool, struct conn *conn)
{
    struct pool_wakes wakes = {0};
    int64_t now_ns = clock_mono_ns();
    lock_take(&pool->lock);
    pool_untake_locked(pool, now_ns, conn);
    pool_serve_locked(pool, now_ns, &wakes);
    lock_give(&pool->lock);
    pool_wake(pool, &wakes);
}

void pool_count_refusal(struct pool *pool)
{
    lock_take(&pool->lock);
    pool->stats.replies_refused++;
    lock_give(&pool->lock);
}

void pool_unseat(struct pool *pool)
{
    lock_take(&pool->lock);
    pool->under_way--;
    lock_give(&pool->lock);
}
