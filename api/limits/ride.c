#include "limits/ride.h"

#include "cachewarden/app.h"
#include "limits/limits_private.h"
#include "limits/shared.h"

void limits_ride(struct call *call, struct pipeline *pipeline, struct limit_ride *ride_out)
{
    const struct limits *limits = call->app->limits;

    ride_out->is_on = call->route->limit != LIMIT_NONE && limits_are_on(limits);
    if (!ride_out->is_on)
        return;
    ride_out->key = limits_key(call);
    ride_out->first = pipeline_count(pipeline);
    ride_out->max = limits_max(limits, call->route->limit);
    shared_add_count(pipeline, &ride_out->key, LIMIT_WINDOW_MS);
}

enum err limits_alight(struct call *call, const struct pipeline *pipeline,
                       const struct limit_ride *ride, enum err err)
{
    struct limit_window window;

    if (!ride->is_on)
        return err;
    if (err == ERR_OK && shared_read_count(pipeline, ride->first, &window))
        limits_mend(call, &ride->key, LIMIT_WINDOW_MS, &window);
    else
        window = limits_count_here(call, &ride->key, LIMIT_WINDOW_MS);
    if (window.count <= ride->max) {
        limit_show(call, ride->max, window);
        return err;
    }
    return limit_judge(call, ride->max, window);
}
