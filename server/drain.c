#include "drain.h"

#include "cachewarden/clock.h"

/* Twice within so long, and the last time not longer ago than that: a watcher, not a passer-by. */
#define WATCHED_NS (10 * NS_PER_S)
/* Longer than a busy load balancer leaves a node without a request. */
#define QUIET_NS (300 * NS_PER_MS)

static bool is_watched(struct app *app, int64_t began_ns)
{
    int64_t asked_ns = atomic_load(&app->ready_asked_ns);
    int64_t before_ns = atomic_load(&app->ready_asked_before_ns);

    return before_ns != 0 && asked_ns - before_ns < WATCHED_NS && began_ns - asked_ns < WATCHED_NS;
}

bool drain_may_end(const struct http *http, struct app *app, int64_t began_ns, int64_t now_ns)
{
    if (!is_watched(app, began_ns))
        return true;
    return atomic_load(&app->ready_refused_ns) >= began_ns &&
           now_ns - http_last_request_ns(http) >= QUIET_NS;
}
