#include "limits/window.h"

#include "cachewarden/clock.h"

#include <inttypes.h>

void limit_show(struct call *call, int64_t max, struct limit_window window)
{
    const int64_t ms_per_s = NS_PER_S / NS_PER_MS;
    int64_t reset_s = window.left_ms / ms_per_s + (window.left_ms % ms_per_s > 0);

    call->reply.rate_limit = max;
    call->reply.rate_remaining = window.count < max ? max - window.count : 0;
    call->reply.rate_reset_s = reset_s > 0 ? reset_s : 1;
}

enum err limit_judge(struct call *call, int64_t max, struct limit_window window)
{
    limit_show(call, max, window);
    if (window.count <= max)
        return ERR_OK;
    call->reply.retry_after_s = call->reply.rate_reset_s;
    error_clear(&call->error);
    return error_set_detail(&call->error, ERR_THROTTLED,
                            "%" PRId64 " calls in a window of %" PRId64, window.count, max);
}
