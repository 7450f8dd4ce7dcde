/*
 * A server of a topology that may come and go while pipelines run: a pool, and how many hold it. Who keeps it in a
 * map holds it once, and each pipeline once while it runs there. The last to release it closes the pool. So a
 * drop waits for nobody, and a pool is there until the last pipeline on it has ended.
 */
#ifndef POOL_TOPOLOGY_NODE_H
#define POOL_TOPOLOGY_NODE_H

#include "cachewarden/redis.h"

struct pool;
struct redis_node;

/* Options of a front with copies of the texts that nodes need: all but the host and the topology. ERR_NO_MEMORY:
 * nothing is to be freed. */
CW_MUST_CHECK enum err node_options_copy(const struct redis_options *from,
                                         struct redis_options *options_out, struct error *error);
void node_options_fini(struct redis_options *options);

/* A pool to host:port, with everything else as in `options`. Connects nothing, but reads the files for TLS. It is
 * held once, for the caller. Errors of redis_open. */
CW_MUST_CHECK enum err node_open(const struct redis_options *options, const char *host, int port,
                                 struct redis_node **node_out, struct error *error);
/* Of a node that somebody holds for sure, such as a map whose lock the caller has. Returns it. */
struct redis_node *node_hold(struct redis_node *node);
/* Harmless for NULL. Not under a lock: the last one closes connections. */
void node_release(struct redis_node **node);
/* No new pipeline will come: its idle connections end now, the others with what they are at. Then releases it. */
void node_drop(struct redis_node **node);

/* Constant while it is held. */
struct pool *node_pool(const struct redis_node *node);
const char *node_host(const struct redis_node *node);
int node_port(const struct redis_node *node);

#endif
