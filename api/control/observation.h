/*
 * What one round trip brings back about a namespace and the data it lies in: clears, switch, term and
 * epoch. How it is asked for, and how a version is made of it; whether that may be shown is for the
 * version guard to say. Pure but for the pipeline.
 *
 * The epoch is asked for last. The two numbers lie in different keys, so clears may come between them;
 * but each raises a version by one, so what is made of them was the version at some moment between, and
 * never one from before the namespace's own clear in the same pipeline. A clear asks in one transaction with its
 * increment: what it is shown is the version that it made. The increment answers the clears, so it asks for the
 * rest alone.
 */
#ifndef API_CONTROL_OBSERVATION_H
#define API_CONTROL_OBSERVATION_H

#include "cachewarden/namespace.h"
#include "cachewarden/pipeline.h"

#include <stdbool.h>
#include <stdint.h>

/* The field of a switch that was set in this term: "off:<term>". One of another term says nothing. */
#define SWITCH_FIELD_SIZE 32
struct str switch_field(char buffer[SWITCH_FIELD_SIZE], int64_t term);

struct observation {
    uint64_t replication_id;
    int64_t term;   /* 0: the dataset names none */
    bool has_epoch; /* it is there, and a number from 0 up */
    int64_t epoch;
    int64_t clears;
    bool has_switch; /* it was set in the term asked for, to: */
    bool is_off;
    struct str install; /* of the users database it belongs to; in the reply */
};

/* Adds what is asked for: one command for a namespace, if one is given, and one for the data. */
void observation_ask(struct pipeline *pipeline, const struct namespace *whose, int64_t term);
/* Of the replies from `first` on. ERR_UPSTREAM_REFUSED: the namespace's clears are no number. */
CW_MUST_CHECK enum err observation_take(const struct pipeline *pipeline, size_t first,
                                        const struct namespace *whose,
                                        struct observation *observation_out, struct error *error);

/* The parts of it. A switch, of an account; what is known of the data, whose reply is at `index`. */
void observation_ask_switch(struct pipeline *pipeline, const struct namespace *whose, int64_t term);
void observation_take_switch(const struct value *reply, struct observation *observation);
void observation_ask_data(struct pipeline *pipeline);
void observation_take_data(const struct pipeline *pipeline, size_t index,
                           struct observation *observation);

#endif
