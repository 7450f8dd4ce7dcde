/*
 * A few Redis commands that are sent together: one write, every owed reply read, each reply of the
 * kind its command announced. Built and run by one thread; memory comes from the arena given.
 */
#ifndef CACHEWARDEN_PIPELINE_H
#define CACHEWARDEN_PIPELINE_H

#include "cachewarden/arena.h"
#include "cachewarden/redis.h"
#include "cachewarden/value.h"

/* What a command must answer. Anything else, a Redis error above all, is ERR_UPSTREAM_REFUSED. */
enum expect {
    EXPECT_OK,        /* status OK */
    EXPECT_STATUS,    /* any status (PONG, QUEUED, …) */
    EXPECT_OK_OR_NIL, /* SET … NX */
    EXPECT_INTEGER,
    EXPECT_STRING,
    EXPECT_STRING_OR_NIL,
    EXPECT_COUNTER_OR_NIL, /* nil, or a string that is one canonical int64, parsed into .integer */
    EXPECT_ARRAY,
    EXPECT_ANY,     /* anything but an error */
    EXPECT_UNJUDGED /* anything, an error too: the caller looks at it, and it is not counted as one */
};

/*
 * Decides what a lost connection means: after a READ nothing has changed (ERR_UPSTREAM_DOWN or
 * ERR_TIMEOUT), after a write that was sent it may have (ERR_UNCERTAIN). And who passes the gate of a Redis
 * that has one (redis_gate).
 */
enum pipeline_effect {
    PIPELINE_READ,  /* passes it only with a command among it that is not known to only read */
    PIPELINE_WRITE, /* control data: passes it */
    /* Does not, because it is no control data: keys of named caches, and of probes. */
    PIPELINE_WRITE_FREE,
    /* Does not, because it is of whoever the gate asks, and makes control data such that the gate may open, or
     * of whoever has looked for itself and must not wait for the gate. It says by pipeline_require which Redis
     * it is for, or is not sent: ERR_INTERNAL. */
    PIPELINE_WRITE_REPAIR,
};

struct pipeline;

/* NULL when memory is out; the other functions take NULL, and redis_run says ERR_NO_MEMORY. */
struct pipeline *pipeline_new(struct arena *arena, enum pipeline_effect effect);

/* Adds a command: binary-safe arguments, copied (RESP-encoded) at once. The first argument is the
 * command's name; it names no key. */
void pipeline_add(struct pipeline *pipeline, enum expect expect, size_t argc,
                  const struct str *argv);
/* PIPELINE_ADD(p, EXPECT_INTEGER, STR("DBSIZE")); */
#define PIPELINE_ADD(pipeline, expect, ...)                                                \
    do {                                                                                   \
        const struct str pipeline_argv_[] = {__VA_ARGS__};                                 \
        pipeline_add((pipeline), (expect), sizeof pipeline_argv_ / sizeof *pipeline_argv_, \
                     pipeline_argv_);                                                      \
    } while (0)

/*
 * The same for a command of which `keys` arguments are keys, from the second on: which server of several a command
 * goes to will be decided by them. They share a hash tag, so that they lie at the same one; debug builds
 * assert it.
 */
void pipeline_add_keys(struct pipeline *pipeline, enum expect expect, unsigned keys, size_t argc,
                       const struct str *argv);
/* PIPELINE_KEYS(p, EXPECT_OK, 2, STR("RENAME"), from, to); */
#define PIPELINE_KEYS(pipeline, expect, keys, ...)                                         \
    do {                                                                                   \
        const struct str pipeline_argv_[] = {__VA_ARGS__};                                 \
        pipeline_add_keys((pipeline), (expect), (keys),                                    \
                          sizeof pipeline_argv_ / sizeof *pipeline_argv_, pipeline_argv_); \
    } while (0)
/* PIPELINE_KEY(p, EXPECT_INTEGER, STR("INCRBY"), key, STR("2")); */
#define PIPELINE_KEY(pipeline, expect, ...) PIPELINE_KEYS(pipeline, expect, 1, __VA_ARGS__)

/*
 * What is added between these two happens in one step: nobody else's command comes between. Each is a command of its
 * own; the replies of the others stand where they would without. A command that Redis refuses to take refuses
 * all of them; one that fails when it is its turn does not undo the others.
 */
void pipeline_begin_transaction(struct pipeline *pipeline);
void pipeline_end_transaction(struct pipeline *pipeline);

/* For a READ that must pass the gate like a WRITE: one in which a missing key means something. In the
 * data of another installation every key of ours is missing. */
void pipeline_pass_gate(struct pipeline *pipeline);

/* Sends it only to the Redis of this replication id (0: to any). ERR_CONFLICT: the connection leads to another
 * one, and nothing was sent. For a pipeline that passes no gate. */
void pipeline_require(struct pipeline *pipeline, uint64_t replication_id);

/*
 * What is asked for, or written, is somebody's value under this key, and nobody knows how large it is. If it was large
 * the last time (64 KiB), or may be the one that made others late, the pipeline is sent by itself. One key a pipeline.
 */
void pipeline_note_stored(struct pipeline *pipeline, struct str key);
/* The replies are large together, whatever they were before: it is sent by itself. */
void pipeline_expect_much(struct pipeline *pipeline);

size_t pipeline_count(const struct pipeline *pipeline);

/* Reply `index` in the order of pipeline_add. Never NULL: its kind is VALUE_MISSING before a run
 * and when none arrived. */
const struct value *pipeline_value(const struct pipeline *pipeline, size_t index);

/* Which Redis answered (redis_replication_id_of, as the connection was made); REDIS_REPLICATION_ID_UNKNOWN when the
 * pool does not ask, before a run, and after one that failed. */
uint64_t pipeline_replication_id(const struct pipeline *pipeline);

#endif
