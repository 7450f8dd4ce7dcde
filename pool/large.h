/*
 * What brings back much is not sent in a batch: a batch has one time limit, and who shares it with eight megabytes
 * would be late with them. Nobody knows beforehand how large an entry is. So the pool remembers which keys were large
 * when they were read or written last, and half of its connections stay for what is small.
 *
 * Locks: functions ending in _locked need the pool's lock, the others take it or none.
 */
#ifndef POOL_LARGE_H
#define POOL_LARGE_H

#include "cachewarden/lock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pipeline;
struct pool;
struct pool_request;

/* From so many bytes on a batch saves nothing: two system calls are little beside them. */
#define LARGE_BYTES 65536

/* Two keys of one place take it from each other; then one of them is sent in a batch once more. */
#define LARGE_KEYS 1024

struct large_keys {
    _Atomic uint64_t marks[LARGE_KEYS]; /* 0: free */
};

/* Whether the pipeline is likely to bring back much. */
bool large_is_expected(struct large_keys *keys, const struct pipeline *pipeline);
/* It has run. `is_whole`: its replies are there. Else it may be one of those that were too much together. */
void large_learn(struct large_keys *keys, const struct pipeline *pipeline, bool is_whole);

/* A place among those who bring back much; false: none came free before request->acquire_deadline_ns. */
bool pool_enter_large(struct pool *pool, const struct pool_request *request);
/* It is being sent, over a connection that small ones need not wait for: until pool_release. */
void pool_note_large_sent(struct pool *pool);
void pool_leave_large(struct pool *pool);

#endif
