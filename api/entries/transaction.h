/*
 * Commands of a pipeline that Redis runs as one step (MULTI … EXEC): nobody else's come between them, and if the
 * connection breaks before the last one, none is run. They go with the rest of the pipeline, so this costs no round
 * trip. Nothing is watched: what they are to depend on, each command must see to itself.
 */
#ifndef API_ENTRIES_TRANSACTION_H
#define API_ENTRIES_TRANSACTION_H

#include "cachewarden/pipeline.h"

static inline void transaction_begin(struct pipeline *pipeline)
{
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("MULTI"));
}

/* A command of it. One that Redis does not even take (it is full, say) is an error of the pipeline, and none is run. */
#define TRANSACTION_KEY(pipeline, ...) PIPELINE_KEY(pipeline, EXPECT_STATUS, __VA_ARGS__)

/* Returns where the replies are, for transaction_reply. Errors among them are the caller's to judge. */
static inline size_t transaction_end(struct pipeline *pipeline)
{
    PIPELINE_ADD(pipeline, EXPECT_UNJUDGED, STR("EXEC"));
    return pipeline_count(pipeline) - 1;
}

/* Of its command `index`, counted from 0. VALUE_MISSING when there is none. */
static inline const struct value *transaction_reply(const struct pipeline *pipeline, size_t end,
                                                    size_t index)
{
    const struct value *replies = pipeline_value(pipeline, end);

    return replies->kind == VALUE_ARRAY && index < replies->count ? &replies->items[index]
                                                                  : pipeline_value(NULL, 0);
}

#endif
