/* Looking at a namespace together with commands of somebody else. */
#ifndef API_CONTROL_LOOK_H
#define API_CONTROL_LOOK_H

#include "cachewarden/control.h"
#include "cachewarden/pipeline.h"

/*
 * Commands of somebody else's in the round trip that looks at a namespace. They go ahead of what looks at it: so a
 * value that was read is judged by numbers that were read later.
 */
struct control_part {
    /* Once more when the look is repeated, because the control data had been lost. */
    void (*add)(void *with, struct pipeline *pipeline);
    /* They and what looks are one step instead: what they change counts by the numbers of that moment. They must not
     * begin one of their own. */
    bool is_one_step;
    /* Once the replies of a try are there. What is taken counts only if the look succeeds, and then what was taken
     * last. */
    enum err (*take)(void *with, const struct pipeline *pipeline, struct error *error);
    void *with;
    bool writes; /* it is sent as a PIPELINE_WRITE */
    /* As control_observe: nothing is repaired. ERR_NOT_FOUND: there is no control data. */
    bool is_passive;
};
/* control_status of any namespace, with this part (NULL: none). An application's is always enabled. */
CW_MUST_CHECK enum err control_look(struct app *app, struct work work,
                                    const struct namespace *whose, const struct control_part *part,
                                    struct cache_state *state_out);

#endif
