/*
 * Counting that costs a read no round trip: the commands travel at the end of its pipeline.
 *
 *     limits_ride(call, pipeline, &ride);
 *     err = limits_alight(call, pipeline, &ride, pipeline_run(…));
 *
 * With limits off, or a row that has none, the pipeline stays as it was.
 */
#ifndef API_LIMITS_RIDE_H
#define API_LIMITS_RIDE_H

#include "keyspace.h"

#include "cachewarden/pipeline.h"

struct call;

struct limit_ride {
    bool is_on;
    struct key key;
    size_t first; /* of its commands in the pipeline */
    int64_t max;
};

/* To be called when all other commands have been added. */
void limits_ride(struct call *call, struct pipeline *pipeline, struct limit_ride *ride_out);

/*
 * `err` is what pipeline_run said, and what this says too unless it is ERR_THROTTLED. A pipeline
 * that failed is counted in the node's own table. After ERR_UPSTREAM_REFUSED with ride->is_on it
 * may be the count alone that was refused (a full or read-only Redis): the caller reads once more
 * without it.
 */
CW_MUST_CHECK enum err limits_alight(struct call *call, const struct pipeline *pipeline,
                                     const struct limit_ride *ride, enum err err);

#endif
