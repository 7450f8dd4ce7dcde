/*
 * Which servers stand behind a front, and which of them a pipeline goes to. A topology has a pool for each
 * server: one for ever (standalone.c), or nodes (node.h) that come and go while pipelines run.
 */
#ifndef POOL_TOPOLOGY_TOPOLOGY_H
#define POOL_TOPOLOGY_TOPOLOGY_H

#include "cachewarden/redis.h"

struct pool;
struct topology;

typedef void topology_visit(struct pool *pool, void *with);

/* What a kind of topology does. Any thread calls any of them, but open and close. */
struct topology_ops {
    /* Runs the pipeline on the pool or the pools that it belongs to; see pool_run. Its replies are not judged.
     * NULL where `pool` says all. */
    enum err (*run)(struct topology *topology, struct pipeline *pipeline, int64_t deadline_ns,
                    struct error *error);
    /* Calls `visit` for each pool there is now, with none of its locks held. */
    void (*visit)(struct topology *topology, topology_visit *visit, void *with);
    /* Adds what pools counted that are no more; NULL: none has gone. */
    void (*add_past)(struct topology *topology, struct redis_stats *stats);
    /* As redis_renew_tls, and for the pools that are yet to come. */
    enum err (*renew_tls)(struct topology *topology, const struct redis_address *files,
                          bool changed_out[TLS_PARTS], struct error *error);
    /* As redis_renew_login, and for the pools that are yet to come. */
    enum err (*renew_login)(struct topology *topology, const struct redis_address *address,
                            bool *changed_out, struct error *error);
    /* Whether nothing can be had: as redis_is_down. */
    bool (*is_down)(struct topology *topology);
    /* As redis_sentinels_read; NULL where there are none. */
    void (*read_sentinels)(struct topology *topology, struct redis_sentinels *sentinels_out);
    /* No pipeline is running any more. Frees the topology. */
    void (*close)(struct topology *topology);
};

/* The beginning of each kind's own struct. */
struct topology {
    const struct topology_ops *ops;
    struct pool *pool; /* the only one there ever is; NULL: ops->run finds one */
};

/* Makes what options->topology asks for. Connects nothing. ERR_BAD_INPUT as redis_open; ERR_NO_MEMORY. */
CW_MUST_CHECK enum err topology_open(const struct redis_options *options,
                                     struct topology **topology_out, struct error *error);
void topology_close(struct topology **topology);

/* The kinds. */
CW_MUST_CHECK enum err standalone_open(const struct redis_options *options,
                                       struct topology **topology_out, struct error *error);
CW_MUST_CHECK enum err sentinel_open(const struct redis_options *options,
                                     struct topology **topology_out, struct error *error);

#endif
