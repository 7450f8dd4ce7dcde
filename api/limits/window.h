/* One window of one limit, and what it means for the call that was counted last. Pure. */
#ifndef API_LIMITS_WINDOW_H
#define API_LIMITS_WINDOW_H

#include "cachewarden/call.h"

#define LIMIT_WINDOW_MS         INT64_C(60000)
#define LIMIT_FAILURE_WINDOW_MS INT64_C(900000)

struct limit_window {
    int64_t count;   /* calls so far, this one included */
    int64_t left_ms; /* until the next window may begin */
};

/* Writes reply.rate_* ("3 of 10 left, for 41 s"). Whole seconds, rounded up: who waits that long
 * finds a fresh window. At least 1 s. */
void limit_show(struct call *call, int64_t max, struct limit_window window);
/* limit_show, and ERR_THROTTLED with reply.retry_after_s when `count` is more than `max`. */
CW_MUST_CHECK enum err limit_judge(struct call *call, int64_t max, struct limit_window window);

#endif
