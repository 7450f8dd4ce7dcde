#include "cachewarden/redis.h"

#include "cachewarden/redis_error.h"
#include "pipeline_private.h"
#include "pool_private.h"
#include "redis_private.h"

#include <stdlib.h>

enum err redis_open(const struct redis_options *options, struct redis **redis_out,
                    struct error *error)
{
    struct redis *redis = calloc(1, sizeof *redis);

    *redis_out = NULL;
    if (!redis)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    enum err err = pool_open(options, &redis->pool, error);
    if (err)
        free(redis);
    else
        *redis_out = redis;
    return err;
}

void redis_close(struct redis **redis)
{
    if (!*redis)
        return;
    pool_close(&(*redis)->pool);
    free(*redis);
    *redis = NULL;
}

void redis_set_gate(struct redis *redis, struct redis_gate gate)
{
    redis->gate = gate;
}

void redis_renew(struct redis *redis)
{
    pool_renew(redis->pool);
}

void redis_note_replica(struct redis *redis)
{
    pool_note_replica(redis->pool);
}

enum err redis_renew_tls(struct redis *redis, const struct redis_address *files,
                         bool changed_out[TLS_PARTS], struct error *error)
{
    return pool_renew_tls(redis->pool, files, changed_out, error);
}

void redis_stats_read(struct redis *redis, struct redis_stats *stats_out)
{
    pool_stats_read(redis->pool, stats_out);
}

bool redis_is_down(struct redis *redis)
{
    return pool_is_down(redis->pool);
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
            err = pool_run(redis->pool, pipeline, deadline_ns, error);
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
        err = pool_run(redis->pool, pipeline, work.deadline_ns, error);
    if (err) {
        pipeline_forget(pipeline);
        return err;
    }
    err = pipeline_judge(pipeline, &is_refused, error);
    if (is_refused)
        pool_count_refusal(redis->pool);
    if (err && err != ERR_UPSTREAM_REFUSED)
        pipeline_forget(pipeline);
    if (!err && pipeline->is_replica && pipeline->effect == PIPELINE_WRITE)
        err =
            redis_error_set(error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN, "a replica took a write");
    return err;
}
