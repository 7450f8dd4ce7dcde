#include "process/drain.h"

#include "cachewarden/clock.h"

/* The slowest load balancers ask every 30 s. */
#define PROBED_NS (60 * NS_PER_S)
/* Twice within so long, and the last time not longer ago than that: who asks, asks often. */
#define PROBED_OFTEN_NS (10 * NS_PER_S)
/* Longer than a busy load balancer leaves a node without a request. */
#define QUIET_NS (300 * NS_PER_MS)

void drain_begin(struct drain *drain, struct app *app, bool at_once, int64_t lame_duck_s,
                 int64_t drain_s, int64_t now_ns)
{
    int64_t asked_ns = atomic_load(&app->ready_asked_ns);
    int64_t before_ns = atomic_load(&app->ready_asked_before_ns);
    bool is_probed = !at_once && asked_ns != 0 && now_ns - asked_ns < PROBED_NS;
    int64_t until_ns = is_probed ? now_ns + lame_duck_s * NS_PER_S : now_ns;

    *drain = (struct drain){
        .began_ns = now_ns,
        .until_ns = until_ns,
        .gives_up_ns = until_ns + drain_s * NS_PER_S / 2,
        .deadline_ns = until_ns + drain_s * NS_PER_S,
        .is_probed = is_probed,
        .is_probed_often = is_probed && before_ns != 0 && asked_ns - before_ns < PROBED_OFTEN_NS &&
                           now_ns - asked_ns < PROBED_OFTEN_NS,
    };
}

bool drain_may_end(const struct drain *drain, const struct http *http, struct app *app,
                   int64_t now_ns)
{
    if (!drain->is_probed)
        return true;
    if (now_ns < drain->until_ns)
        return false;
    /* Who asks often and was late all the same is waited for, too. */
    return !drain->is_probed_often || (atomic_load(&app->ready_refused_ns) >= drain->began_ns &&
                                       now_ns - http_last_request_ns(http) >= QUIET_NS);
}
