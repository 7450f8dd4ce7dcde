/* What stands behind the front: one server today, so one pool. */
#ifndef POOL_REDIS_PRIVATE_H
#define POOL_REDIS_PRIVATE_H

#include "cachewarden/redis.h"

struct redis {
    struct pool *pool;
    struct redis_gate gate; /* set before the first pipeline */
};

#endif
