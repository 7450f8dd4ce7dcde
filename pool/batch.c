#include "batch.h"

#include <stdlib.h>

/* Replies of all members together; beyond it the round trip fails like one that is too large. */
#define BATCH_ARENA_LIMIT (256u * 1024 * 1024)
#define BATCH_ARENA_BLOCK 32768

void batch_free(struct batch **batch)
{
    if (!*batch)
        return;
    strbuf_fini(&(*batch)->out);
    arena_free(&(*batch)->arena);
    free((*batch)->members);
    free((*batch)->values);
    free(*batch);
    *batch = NULL;
}

static struct batch *make(size_t limit)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return NULL;
    strbuf_init(&batch->out, NULL, 4096);
    batch->members = calloc(limit, sizeof *batch->members);
    batch->arena = arena_new(BATCH_ARENA_BLOCK, BATCH_ARENA_LIMIT);
    if (!batch->members || !batch->arena || batch->out.failed)
        batch_free(&batch);
    return batch;
}

struct batch *batch_new_locked(struct pool *pool)
{
    struct batch *batch = pool->spare;
    if (batch)
        pool->spare = batch->next;
    else if (!(batch = make(pool->batch_limit)))
        return NULL;
    batch->next = NULL;
    batch->phase = BATCH_GATHERING;
    batch->is_granted = false;
    batch->fail_cause = REDIS_ERROR_NONE;
    batch->hedge_ns = pool->tuning.hedge_ns;
    batch->conn = NULL;
    batch->count = batch->present = batch->commands = 0;
    batch->is_private = false;
    batch->out.len = 0;
    batch->out.failed = false; /* memory may be there again */
    batch->failed = ERR_OK;
    atomic_store_explicit(&batch->word, BATCH_PENDING, memory_order_relaxed);
    atomic_store_explicit(&batch->grant, 0, memory_order_relaxed);
    atomic_store_explicit(&batch->references, 0, memory_order_relaxed);
    return batch;
}

static void recycle(struct pool *pool, struct batch *batch)
{
    arena_reset(batch->arena);
    lock_acquire(&pool->lock);
    batch->next = pool->spare;
    pool->spare = batch;
    lock_release(&pool->lock);
}

void batch_unref(struct pool *pool, struct batch *batch)
{
    if (atomic_fetch_sub_explicit(&batch->references, 1, memory_order_acq_rel) == 1)
        recycle(pool, batch);
}

bool batch_is_private_request(const struct pool *pool, const struct pool_request *request)
{
    return request->is_large || request->bytes.len > BATCH_MEMBER_BYTES_MAX ||
           request->commands > pool->batch_limit;
}

bool batch_has_room_locked(const struct pool *pool, const struct batch *batch,
                           const struct pool_request *request)
{
    return !batch->is_private && !batch->fail_cause &&
           batch->commands + request->commands <= pool->batch_limit &&
           batch->out.len + request->bytes.len <= BATCH_BYTES_MAX &&
           !batch_is_private_request(pool, request);
}

bool batch_join_locked(struct batch *batch, const struct pool_request *request, size_t *slot_out)
{
    size_t from = batch->out.len;
    if (!batch->is_private)
        strbuf_add(&batch->out, request->bytes);
    if (batch->out.failed)
        return false;
    batch->members[batch->count] =
        (struct batch_member){.from = from,
                              .size = request->bytes.len,
                              .first_reply = batch->commands,
                              .replies = request->commands,
                              .required = request->required,
                              .writes = request->effect == PIPELINE_WRITE};
    *slot_out = batch->count++;
    batch->present++;
    batch->commands += request->commands;
    atomic_fetch_add_explicit(&batch->references, 1, memory_order_relaxed);
    return true;
}

void batch_grant_locked(struct batch *batch)
{
    batch->is_granted = true;
    atomic_store_explicit(&batch->grant, 1, memory_order_release);
}

void batch_seal_locked(struct batch *batch)
{
    uint64_t replication_id = batch->conn->replication_id;
    size_t bytes = 0, commands = 0;
    batch->phase = BATCH_SENT;
    batch->writes = false;
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_member *member = &batch->members[i];
        member->is_wrong_redis = member->required && member->required != replication_id;
        if (member->has_left || member->is_wrong_redis)
            continue;
        if (bytes != member->from)
            memmove(batch->out.ptr + bytes, batch->out.ptr + member->from, member->size);
        batch->writes = batch->writes || member->writes;
        member->from = bytes;
        member->first_reply = commands;
        bytes += member->size;
        commands += member->replies;
    }
    batch->out.len = bytes;
    batch->commands = commands;
}
