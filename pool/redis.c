#include "cachewarden/redis.h"

#include "cachewarden/redis_error.h"
#include "pipeline_private.h"
#include "pool_private.h"
#include "redis_private.h"
#include "stats.h"

#include <stdlib.h>

enum err redis_open(const struct redis_options *options, struct redis **redis_out,
                    struct error *error)
{
    struct redis *redis = calloc(1, sizeof *redis);

    *redis_out = NULL;
    if (!redis)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    enum err err = topology_open(options, &redis->topology, error);
    if (err) {
        free(redis);
        return err;
    }
    redis->pool = redis->topology->pool;
    *redis_out = redis;
    return ERR_OK;
}

void redis_close(struct redis **redis)
{
    if (!*redis)
        return;
    topology_close(&(*redis)->topology);
    free(*redis);
    *redis = NULL;
}

void redis_set_gate(struct redis *redis, struct redis_gate gate)
{
    redis->gate = gate;
}

/* ---- what is done with every pool ---- */

static void visit_all(struct redis *redis, topology_visit *visit, void *with)
{
    redis->topology->ops->visit(redis->topology, visit, with);
}

static void renew(struct pool *pool, void *with)
{
    (void)with;
    pool_renew(pool);
}

void redis_renew(struct redis *redis)
{
    visit_all(redis, renew, NULL);
}

static void note_replica(struct pool *pool, void *with)
{
    (void)with;
    pool_note_replica(pool);
}

void redis_note_replica(struct redis *redis)
{
    visit_all(redis, note_replica, NULL);
}

enum err redis_renew_tls(struct redis *redis, const struct redis_address *files,
                         bool changed_out[TLS_PARTS], struct error *error)
{
    return redis->topology->ops->renew_tls(redis->topology, files, changed_out, error);
}

static void add_stats(struct pool *pool, void *with)
{
    struct redis_stats stats;

    pool_stats_read(pool, &stats);
    stats_add(with, &stats);
}

enum err redis_renew_login(struct redis *redis, const struct redis_address *address,
                           bool *changed_out, struct error *error)
{
    return redis->topology->ops->renew_login(redis->topology, address, changed_out, error);
}

void redis_stats_read(struct redis *redis, struct redis_stats *stats_out)
{
    *stats_out = (struct redis_stats){0};
    visit_all(redis, add_stats, stats_out);
    if (redis->topology->ops->add_past)
        redis->topology->ops->add_past(redis->topology, stats_out);
    stats_out->replies_refused += atomic_load(&redis->refused);
}

bool redis_is_down(struct redis *redis)
{
    return redis->topology->ops->is_down(redis->topology);
}

bool redis_sentinels_read(struct redis *redis, struct redis_sentinels *sentinels_out)
{
    *sentinels_out = (struct redis_sentinels){0};
    if (!redis->topology->ops->read_sentinels)
        return false;
    redis->topology->ops->read_sentinels(redis->topology, sentinels_out);
    return true;
}

/* ---- pipelines ---- */

/* Where one pool is all there is, nothing has to be decided. */
static enum err run_somewhere(struct redis *redis, struct pipeline *pipeline, int64_t deadline_ns,
                              struct error *error)
{
    if (redis->pool)
        return pool_run(redis->pool, pipeline, deadline_ns, error);
    return redis->topology->ops->run(redis->topology, pipeline, deadline_ns, error);
}

/* After each the gate may have learnt of another Redis. */
#define GATE_TRIES 3

static enum err run_gated(struct redis *redis, struct pipeline *pipeline, int64_t deadline_ns,
                          struct error *error)
{
    uint64_t missed = 0;
    for (int i = 0; i < GATE_TRIES; i++) {
        enum err err =
            redis->gate.ask(redis->gate.with, missed, deadline_ns, &pipeline->required, error);
        if (!err)
            err = run_somewhere(redis, pipeline, deadline_ns, error);
        if (err != ERR_CONFLICT)
            return err;
        missed = pipeline->required;
    }
    return redis_error_set(error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE,
                           "Redis became another one again and again");
}

enum err redis_run(struct redis *redis, struct pipeline *pipeline, struct work work)
{
    struct error unwanted, *error = work.error ? work.error : &unwanted;
    bool is_refused;

    error_clear(error);
    enum err err = pipeline_begin(pipeline, error);
    if (err || pipeline->count == 0)
        return err;
    if (pipeline->is_gated && redis->gate.ask)
        err = run_gated(redis, pipeline, work.deadline_ns, error);
    else
        err = run_somewhere(redis, pipeline, work.deadline_ns, error);
    if (err) {
        pipeline_forget(pipeline);
        return err;
    }
    err = pipeline_judge(pipeline, &is_refused, error);
    if (is_refused)
        atomic_fetch_add_explicit(&redis->refused, 1, memory_order_relaxed);
    if (err && err != ERR_UPSTREAM_REFUSED)
        pipeline_forget(pipeline);
    if (!err && pipeline->is_replica && pipeline->effect == PIPELINE_WRITE)
        err =
            redis_error_set(error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN, "a replica took a write");
    return err;
}
