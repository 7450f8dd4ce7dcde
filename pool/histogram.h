/*
 * Histograms of the pool. The bucket of a number is found without the lock; under the lock there are
 * two additions. Callers read the clock for reasons of their own.
 */
#ifndef POOL_HISTOGRAM_H
#define POOL_HISTOGRAM_H

#include "cachewarden/redis.h"

/* The first bound that is not lower; REDIS_TIME_BOUNDS: there is none. */
static inline size_t histogram_time_bound(int64_t ns)
{
    size_t bound = 0;

    while (bound < REDIS_TIME_BOUNDS && ns > redis_time_bounds_ns[bound])
        bound++;
    return bound;
}

static inline void histogram_add_time(struct redis_times *times, size_t bound, int64_t ns)
{
    times->counts[bound]++;
    times->sum_ns += ns > 0 ? (uint64_t)ns : 0;
}

/* The bounds are the powers of two. */
static inline size_t histogram_size_bound(size_t size)
{
    size_t bound = size > 1 ? (size_t)(64 - __builtin_clzll(size - 1)) : 0;

    return bound < REDIS_BATCH_SIZE_BOUNDS ? bound : REDIS_BATCH_SIZE_BOUNDS;
}

#endif
