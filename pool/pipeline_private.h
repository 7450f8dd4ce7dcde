/* A pipeline as those see it that run it: what is to be sent, and where the replies go. */
#ifndef POOL_PIPELINE_PRIVATE_H
#define POOL_PIPELINE_PRIVATE_H

#include "cachewarden/pipeline.h"
#include "conn.h"

struct pipeline_command {
    enum expect expect;
    unsigned keys;  /* so many of its arguments are keys, from the second on */
    bool is_queued; /* in a transaction: what it answers comes with its end */
};

struct pipeline {
    struct arena *arena;
    enum pipeline_effect effect;
    struct strbuf out;
    struct pipeline_command *commands;
    size_t count, capacity;
    struct value *values; /* count + 1: behind the last is room for the guard's reply */
    uint64_t replication_id;
    bool is_replica;   /* who answered was one when the connection was made */
    uint64_t required; /* it may only be sent there; 0: anywhere */
    bool is_bound;     /* it was said where it may be sent */
    bool is_repair;
    bool is_gated;
    bool is_large;          /* its replies are */
    uint64_t stored_mark;   /* of the key whose value may be large (large.h); 0: none */
    size_t received;        /* bytes that came in its round trip, its batch-mates' included */
    bool is_in_transaction; /* that is not ended yet */
    bool has_failed;        /* memory ran out while it was built */
    bool has_run;
};

/* The nth key (0: the first) that command `index` names; {NULL,0}: it names no more. */
struct str pipeline_key(const struct pipeline *pipeline, size_t index, size_t nth);
/* The part of a key that decides where it lies in a cluster: what is in the first braces, if something is, else
 * all of it. Keys of one tag lie together. */
struct str pipeline_key_tag(struct str key);

/* Before it is run: whether it may be, and room for its replies. ERR_NO_MEMORY, ERR_INTERNAL. */
CW_MUST_CHECK enum err pipeline_begin(struct pipeline *pipeline, struct error *error);

/* Copies the replies into the pipeline's own memory. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err pipeline_take(struct pipeline *pipeline, const struct round_trip *round_trip,
                                     const struct value *replies, struct error *error);

/* All replies are there: those of a transaction go to where their commands are, and the first that is not as it should
 * be decides. *is_refused_out: it is an error of Redis. ERR_UPSTREAM_REFUSED. */
CW_MUST_CHECK enum err pipeline_judge(struct pipeline *pipeline, bool *is_refused_out,
                                      struct error *error);

/* Replies of a round trip that failed are not to be believed, whole as they may look. */
void pipeline_forget(struct pipeline *pipeline);

#endif
