#include "large.h"

#include "batch.h"
#include "pipeline_private.h"
#include "pool_private.h"

/* FNV-1a. Of no key it is 0, which says that there is none. */
static uint64_t mark_of(struct str key)
{
    uint64_t mark = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < key.len; i++)
        mark = (mark ^ (unsigned char)key.ptr[i]) * UINT64_C(1099511628211);
    return mark != 0 ? mark : 1;
}

void pipeline_note_stored(struct pipeline *pipeline, struct str key)
{
    if (pipeline)
        pipeline->stored_mark = mark_of(key);
}

void pipeline_expect_much(struct pipeline *pipeline)
{
    if (pipeline)
        pipeline->is_large = true;
}

static _Atomic uint64_t *place_of(struct large_keys *keys, uint64_t mark)
{
    return &keys->marks[(mark ^ (mark >> 32)) % LARGE_KEYS];
}

static bool is_known(struct large_keys *keys, uint64_t mark)
{
    return mark != 0 && atomic_load_explicit(place_of(keys, mark), memory_order_relaxed) == mark;
}

bool large_is_expected(struct large_keys *keys, const struct pipeline *pipeline)
{
    return pipeline->is_large || pipeline->out.len > LARGE_BYTES ||
           is_known(keys, pipeline->stored_mark);
}

static size_t size_of(const struct value *value)
{
    size_t size = value->text.len;

    for (size_t i = 0; value->kind == VALUE_ARRAY && i < value->count; i++)
        size += size_of(&value->items[i]);
    return size;
}

static size_t size_of_replies(const struct pipeline *pipeline)
{
    size_t size = 0;

    for (size_t i = 0; i < pipeline->count; i++)
        size += size_of(&pipeline->values[i]);
    return size;
}

void large_learn(struct large_keys *keys, const struct pipeline *pipeline, bool is_whole)
{
    uint64_t mark = pipeline->stored_mark;

    if (mark == 0)
        return;
    size_t size = is_whole ? size_of_replies(pipeline) : pipeline->received;
    if (size > LARGE_BYTES || pipeline->out.len > LARGE_BYTES)
        atomic_store_explicit(place_of(keys, mark), mark, memory_order_relaxed);
    else if (is_whole && is_known(keys, mark))
        atomic_store_explicit(place_of(keys, mark), 0, memory_order_relaxed);
}

/* ---- half of the connections ---- */

bool pool_enter_large(struct pool *pool, const struct pool_request *request)
{
    size_t most = pool->size > 1 ? pool->size / 2 : 1;
    bool is_in_time = true;

    lock_acquire(&pool->lock);
    while (pool->large >= most && is_in_time)
        is_in_time = lock_cond_wait(&pool->large_left, &pool->lock, request->acquire_deadline_ns);
    bool enters = pool->large < most;
    pool->large += enters;
    pool->stats.waits_timed_out += !enters;
    lock_release(&pool->lock);
    return enters;
}

void pool_note_large_sent(struct pool *pool)
{
    lock_acquire(&pool->lock);
    pool->large_sent++;
    lock_release(&pool->lock);
}

void pool_leave_large(struct pool *pool)
{
    lock_acquire(&pool->lock);
    pool->large--;
    lock_cond_signal(&pool->large_left);
    lock_release(&pool->lock);
}
