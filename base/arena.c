#include "cachewarden/arena.h"

#include "cachewarden/str.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Under AddressSanitizer what is not handed out is poisoned, and every allocation has a gap
 * behind it, so that reading past one is found although malloc knows only whole blocks.
 */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(memory, size)   ASAN_POISON_MEMORY_REGION(memory, size)
#define UNPOISON(memory, size) ASAN_UNPOISON_MEMORY_REGION(memory, size)
enum { GAP = 16 };
#else
#define POISON(memory, size)   ((void)(memory), (void)(size))
#define UNPOISON(memory, size) ((void)(memory), (void)(size))
enum { GAP = 0 };
#endif

enum {
    ALIGNMENT = 16, /* what malloc gives on the machines we build for: any type fits */
    SMALLEST_BLOCK = 256,
    /* Blocks double up to here; past it memory is asked for as it is needed. */
    LARGEST_STEP = 256 * 1024,
};

struct block {
    struct block *older;
    size_t size; /* of bytes[] */
    size_t used;
    alignas(ALIGNMENT) char bytes[];
};

struct deferred {
    struct deferred *older;
    void (*fn)(void *arg);
    void *arg;
};

struct arena {
    struct block *newest; /* allocations come from here; its oldest is the first block */
    void *last;           /* the newest allocation, the only one that can grow in place */
    struct deferred *deferred;
    size_t limit; /* of `held`; 0: none */
    size_t held;  /* sum of the blocks' sizes */
    size_t used;  /* sum of what was handed out since the last reset */
    bool has_secrets;
};

/* `size` rounded up to the alignment, with the gap; 0 when that is no size_t any more. */
static size_t rounded(size_t size)
{
    if (size > SIZE_MAX / 2)
        return 0;
    /* At least one unit, so that two allocations of size 0 differ. */
    size_t units = size == 0 ? 1 : (size + ALIGNMENT - 1) / ALIGNMENT;
    return units * ALIGNMENT + GAP;
}

static struct block *block_new(size_t size)
{
    struct block *block = malloc(sizeof *block + size);

    if (!block)
        return NULL;
    block->older = NULL;
    block->size = size;
    block->used = 0;
    POISON(block->bytes, size);
    return block;
}

static void block_free(struct block *block)
{
    /* malloc's memory goes back as it came. */
    UNPOISON(block->bytes, block->size);
    free(block);
}

struct arena *arena_new(size_t first_block, size_t limit)
{
    struct arena *arena = calloc(1, sizeof *arena);

    if (!arena)
        return NULL;
    if (first_block < SMALLEST_BLOCK)
        first_block = SMALLEST_BLOCK;
    if (limit > 0 && first_block > limit)
        first_block = limit;
    if (first_block <= SIZE_MAX / 2)
        arena->newest = block_new(first_block);
    if (!arena->newest) {
        free(arena);
        return NULL;
    }
    arena->held = first_block;
    arena->limit = limit;
    return arena;
}

static void wipe(const struct arena *arena)
{
    for (struct block *block = arena->newest; block; block = block->older) {
        UNPOISON(block->bytes, block->used);
        secret_wipe(block->bytes, block->used);
    }
}

void arena_wipe_at_reset(struct arena *arena)
{
    arena->has_secrets = true;
}

void arena_reset(struct arena *arena)
{
    /* Taken off the list before it is called: a deferred function may use the arena itself. */
    while (arena->deferred) {
        struct deferred *deferred = arena->deferred;
        arena->deferred = deferred->older;
        deferred->fn(deferred->arg);
    }
    if (arena->has_secrets)
        wipe(arena);
    arena->has_secrets = false;
    while (arena->newest->older) {
        struct block *block = arena->newest;
        arena->newest = block->older;
        block_free(block);
    }
    arena->newest->used = 0;
    POISON(arena->newest->bytes, arena->newest->size);
    arena->held = arena->newest->size;
    arena->used = 0;
    arena->last = NULL;
}

void arena_free(struct arena **arena)
{
    if (!*arena)
        return;
    arena_reset(*arena);
    block_free((*arena)->newest);
    free(*arena);
    *arena = NULL;
}

/* Makes a block with room for `need` the newest; false when memory or the limit is out. */
static bool add_block(struct arena *arena, size_t need)
{
    size_t room = arena->limit > 0 ? arena->limit - arena->held : SIZE_MAX / 2;
    if (need > room)
        return false;

    size_t size = arena->newest->size;
    size = size < LARGEST_STEP / 2 ? size * 2 : LARGEST_STEP;
    if (size < need)
        size = need;
    if (size > room)
        size = room;

    struct block *block = block_new(size);
    if (!block)
        return false;
    block->older = arena->newest;
    arena->newest = block;
    arena->held += size;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t need = rounded(size);

    if (need == 0)
        return NULL;
    if (need > arena->newest->size - arena->newest->used && !add_block(arena, need))
        return NULL;

    void *memory = arena->newest->bytes + arena->newest->used;
    arena->newest->used += need;
    arena->used += need;
    arena->last = memory;
    UNPOISON(memory, size);
    return memory;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *memory = arena_alloc(arena, total);
    if (memory)
        memset(memory, 0, total);
    return memory;
}

void *arena_grow(struct arena *arena, void *memory, size_t old_size, size_t new_size)
{
    if (!memory)
        return arena_alloc(arena, new_size);
    if (new_size <= old_size)
        return memory;

    if (memory == arena->last) {
        struct block *block = arena->newest;
        size_t start = (size_t)((char *)memory - block->bytes);
        size_t need = rounded(new_size);
        if (need > 0 && need <= block->size - start) {
            arena->used += need - (block->used - start);
            block->used = start + need;
            UNPOISON(memory, new_size);
            return memory;
        }
    }

    void *copy = arena_alloc(arena, new_size);
    if (copy)
        memcpy(copy, memory, old_size);
    return copy;
}

enum err arena_defer(struct arena *arena, void (*fn)(void *arg), void *arg)
{
    struct deferred *deferred = arena_alloc(arena, sizeof *deferred);

    if (!deferred) {
        fn(arg);
        return ERR_NO_MEMORY;
    }
    *deferred = (struct deferred){arena->deferred, fn, arg};
    arena->deferred = deferred;
    return ERR_OK;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
