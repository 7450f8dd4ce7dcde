/* How much a user may store. */
#include "cachewarden/app.h"
#include "limits/limits_private.h"
#include "limits/window.h"

#include "cachewarden/clock.h"

#include <inttypes.h>

enum { HOUR_S = 3600, HOURS_MAX = 720 };

/* Byte-hours: what lives longer takes its room longer. */
static int64_t cost(int64_t bytes, int64_t ttl_s)
{
    int64_t hours = ttl_s / HOUR_S + (ttl_s % HOUR_S > 0);

    if (hours > HOURS_MAX)
        hours = HOURS_MAX;
    return bytes > INT64_MAX / HOURS_MAX ? INT64_MAX : bytes * hours;
}

/* False: the namespace has no bound. */
static bool find(const struct call *call, const struct namespace *space, int64_t *max_out,
                 struct key *key_out)
{
    const struct limits *limits = call->app->limits;

    if (space->user_id == 0 || !limits_are_on(limits))
        return false;
    *max_out = atomic_load_explicit(&limits->fill_bytes, memory_order_relaxed);
    *key_out = key_limit_user("fill", space->user_id);
    return *max_out > 0;
}

bool limits_are_fills_used_up(const struct call *call, const struct namespace *space)
{
    struct key key;
    int64_t max;

    return find(call, space, &max, &key) &&
           local_counters_look(call->app->limits->local, &key, clock_mono_ns() / NS_PER_MS).count >=
               max;
}

void limits_count_fill(const struct call *call, const struct namespace *space, int64_t bytes,
                       int64_t ttl_s)
{
    struct key key;
    int64_t max;

    if (find(call, space, &max, &key))
        (void)local_counters_add(call->app->limits->local, &key, cost(bytes, ttl_s),
                                 HOUR_S * NS_PER_S / NS_PER_MS, clock_mono_ns() / NS_PER_MS);
}

enum err limits_refuse_fill(struct call *call, const struct namespace *space)
{
    struct limit_window window = {0};
    struct key key;
    int64_t max = 0;

    if (find(call, space, &max, &key))
        window = local_counters_look(call->app->limits->local, &key, clock_mono_ns() / NS_PER_MS);
    limit_show(call, max, window);
    call->reply.retry_after_s = call->reply.rate_reset_s;
    error_clear(&call->error);
    return error_set_detail(&call->error, ERR_THROTTLED,
                            "%" PRId64 " bytes stored in an hour, each for every hour it lives; "
                            "%" PRId64 " are allowed",
                            window.count, max);
}
