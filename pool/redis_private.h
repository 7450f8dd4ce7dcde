/* What stands behind the front. */
#ifndef POOL_REDIS_PRIVATE_H
#define POOL_REDIS_PRIVATE_H

#include "topology/topology.h"

#include "cachewarden/redis.h"

#include <stdatomic.h>

struct redis {
    struct topology *topology;
    struct pool *pool;      /* the topology's only one, or NULL */
    struct redis_gate gate; /* set before the first pipeline */
    atomic_uint_fast64_t refused;
};

#endif
