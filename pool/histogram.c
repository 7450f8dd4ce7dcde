#include "histogram.h"

#include "cachewarden/clock.h"

/* From a Redis on a Unix socket to one that has its last chance (redis.command_timeout_ms). */
const int64_t redis_time_bounds_ns[REDIS_TIME_BOUNDS] = {
    100000,         250000,         500000,         1 * NS_PER_MS,   2500000,         5 * NS_PER_MS,
    10 * NS_PER_MS, 25 * NS_PER_MS, 50 * NS_PER_MS, 100 * NS_PER_MS, 250 * NS_PER_MS,
};
