/*
 * What one round trip brings back about an account: its counter, witness and switch, and the epoch
 * with its witness. How it is asked for, and how a version is made of it; whether that may be shown
 * is the caller's to find out. Pure but for the pipeline.
 */
#ifndef API_CONTROL_READING_H
#define API_CONTROL_READING_H

#include "cachewarden/pipeline.h"
#include "control/keeper.h"

#include <stdbool.h>
#include <stdint.h>

struct reading {
    struct keeper_sight sight;
    int64_t counter;
    int64_t raised; /* so often the counter was raised, by its witness */
    bool is_off;
};

/*
 * Adds one command for all but the counter, so epoch and witnesses are of one moment. The account's
 * counter comes behind it, because it may only be compared with a witness that is older. (In a
 * cluster this is two commands, one for each slot.)
 */
void reading_ask(struct pipeline *pipeline, int64_t user_id);
/* The reply to that, the pipeline's reply `index`; the counter stays what it is.
 * ERR_UPSTREAM_REFUSED: no counters. */
CW_MUST_CHECK enum err reading_take(const struct pipeline *pipeline, size_t index,
                                    struct reading *reading, struct error *error);

/* Adds the two commands that read everything, as replies `first` and the next. */
void reading_ask_status(struct pipeline *pipeline, int64_t user_id);
CW_MUST_CHECK enum err reading_take_status(const struct pipeline *pipeline, size_t first,
                                           struct reading *reading_out, struct error *error);

/* A reply of kind EXPECT_COUNTER_OR_NIL. */
int64_t reading_counter(const struct value *value, int64_t absent);

/* Counter and epoch together. ERR_UPSTREAM_REFUSED for whatever could make a version fall or repeat:
 * somebody else wrote there, or a counter has come to its end. */
CW_MUST_CHECK enum err reading_sum(const struct reading *reading, int64_t *version_out,
                                   struct error *error);

#endif
