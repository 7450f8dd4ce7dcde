/*
 * Memory that lives as long as one request: many allocations, one free. Not thread-safe: an
 * arena belongs to the thread that works on the request. Blocks are kept for the next request
 * by arena_reset, so a steady server does not call malloc on its hot path.
 */
#ifndef CACHEWARDEN_ARENA_H
#define CACHEWARDEN_ARENA_H

#include "cachewarden/error.h"

#include <stddef.h>

struct arena;

/* `limit` is the most it will ever hold, in bytes of its blocks (0: no limit): a request cannot eat
 * the machine. NULL when memory is out. */
struct arena *arena_new(size_t first_block, size_t limit);
void arena_free(struct arena **arena);

/* Forgets everything handed out; keeps the first block, gives larger ones back. */
void arena_reset(struct arena *arena);
/* The next reset or free overwrites everything handed out until then: there are secrets among it. */
void arena_wipe_at_reset(struct arena *arena);

/* Aligned for any type, not zeroed; NULL when memory or the limit is out. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_calloc(struct arena *arena, size_t count, size_t size); /* zeroed, overflow-checked */

/* Grows the newest allocation in place when it can, else copies; NULL leaves the old one as it was.
 * NULL memory is a new allocation. Used by strbuf. */
void *arena_grow(struct arena *arena, void *memory, size_t old_size, size_t new_size);

/* Runs `fn(arg)` at the next reset or free: for what the arena cannot own itself (a wiped secret,
 * a parsed document). Newest first. ERR_NO_MEMORY: fn has been run at once. */
CW_MUST_CHECK enum err arena_defer(struct arena *arena, void (*fn)(void *arg), void *arg);

/* Bytes handed out since the last reset, alignment and deferred calls included. */
size_t arena_used(const struct arena *arena);

#endif
