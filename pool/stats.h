/* Counters of several pools together. */
#ifndef POOL_STATS_H
#define POOL_STATS_H

#include "cachewarden/redis.h"

/* Adds those of one pool; the breaker counts as open if it is open in one. */
void stats_add(struct redis_stats *to, const struct redis_stats *from);

#endif
