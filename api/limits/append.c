#include "limits/append.h"

#include "cachewarden/app.h"
#include "limits/limits_private.h"
#include "limits/redis_counters.h"

void limits_append(struct call *call, struct pipeline *pipeline,
                   struct limit_appended *appended_out)
{
    const struct limits *limits = call->app->limits;

    appended_out->is_on = call->is_limit_pending;
    if (!appended_out->is_on)
        return;
    call->is_limit_pending = false;
    appended_out->key = limits_key(call);
    appended_out->first = pipeline_count(pipeline);
    appended_out->max = limits_max(limits, call->route->limit);
    redis_counters_add(pipeline, &appended_out->key, LIMIT_WINDOW_MS);
}

enum err limits_collect(struct call *call, const struct pipeline *pipeline,
                        const struct limit_appended *appended, enum err err)
{
    struct limit_window window;

    if (!appended->is_on)
        return err;
    if (err == ERR_OK && redis_counters_take(pipeline, appended->first, &window))
        limits_restore_expiry(call, &appended->key, LIMIT_WINDOW_MS, &window);
    else
        window = limits_count_here(call, &appended->key, LIMIT_WINDOW_MS);
    if (window.count <= appended->max) {
        limit_show(call, appended->max, window);
        return err;
    }
    return limit_judge(call, appended->max, window);
}
