/*
 * Counting that costs a read no round trip: the commands travel at the end of its pipeline.
 *
 *     limits_append(call, pipeline, &appended);
 *     err = limits_collect(call, pipeline, &appended, redis_run(…));
 *
 * Where nothing is pending (limits are off, the row has none, it was counted), the pipeline stays as it was.
 */
#ifndef API_LIMITS_COUNT_H
#define API_LIMITS_COUNT_H

#include "keyspace.h"

#include "cachewarden/pipeline.h"

struct call;

struct limit_appended {
    bool is_on;
    struct key key;
    size_t first; /* of its commands in the pipeline */
    int64_t max;
};

/* To be called when all other commands have been added. */
void limits_append(struct call *call, struct pipeline *pipeline,
                   struct limit_appended *appended_out);

/*
 * `err` is what redis_run said, and what this says too unless it is ERR_THROTTLED. A pipeline
 * that failed is counted by the node alone. After ERR_UPSTREAM_REFUSED with appended->is_on it
 * may be the count alone that was refused (a full or read-only Redis): the caller reads once more
 * without it.
 */
CW_MUST_CHECK enum err limits_collect(struct call *call, const struct pipeline *pipeline,
                                      const struct limit_appended *appended, enum err err);

#endif
