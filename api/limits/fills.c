/* How much a user may store. */
#include "cachewarden/app.h"
#include "limits/limits_private.h"
#include "limits/window.h"

#include "cachewarden/clock.h"

enum { HOUR_S = 3600, HOURS_MAX = 720 };

/* Byte-hours: what lives longer takes its room longer. */
static int64_t cost(int64_t bytes, int64_t ttl_s)
{
    int64_t hours = ttl_s / HOUR_S + (ttl_s % HOUR_S > 0);

    if (hours > HOURS_MAX)
        hours = HOURS_MAX;
    return bytes > INT64_MAX / HOURS_MAX ? INT64_MAX : bytes * hours;
}

enum err limits_count_fill(struct call *call, const struct namespace *space, int64_t bytes,
                           int64_t ttl_s)
{
    struct limits *limits = call->app->limits;
    int64_t added = cost(bytes, ttl_s);

    if (space->user_id == 0 || !limits_are_on(limits))
        return ERR_OK;
    int64_t max = atomic_load_explicit(&limits->fill_bytes, memory_order_relaxed);
    if (max <= 0)
        return ERR_OK;
    struct key key = key_limit_user("fill", space->user_id);
    struct limit_window window = local_counters_add(
        limits->local, &key, added, HOUR_S * NS_PER_S / NS_PER_MS, clock_mono_ns() / NS_PER_MS);
    /* The one that goes beyond is let in: so there is no entry that can never be stored. */
    window.count -= added;
    if (window.count < max)
        return ERR_OK;
    window.count = max + 1;
    return limit_judge(call, max, window);
}
