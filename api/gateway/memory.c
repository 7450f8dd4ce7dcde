#include "gateway/memory.h"

#include "cachewarden/lock.h"

#include <stdlib.h>

/*
 * Shards, so that threads seldom meet. A small memory has fewer: each takes an eighth of it at least in one piece.
 */
enum { SHARDS_MAX = 8, BUCKETS_MIN = 16 };
#define SHARD_BYTES_MIN ((size_t)4 << 20)
/* A bucket for about so many bytes. */
#define BUCKET_BYTES 4096
/* What malloc and the bucket take beside each. */
#define OVERHEAD 32

struct memory_shard {
    struct lock lock;
    struct stored_copy **buckets;
    size_t bucket_count, limit;
    struct memory_use use;
    struct stored_copy *newest, *oldest;
};

struct memory {
    size_t shard_count, largest;
    struct memory_shard shards[SHARDS_MAX];
};

static size_t cost(const struct stored_copy *copy)
{
    return copy->size + OVERHEAD;
}

/* ---- life ---- */

static bool shard_init(struct memory_shard *shard, size_t limit)
{
    shard->limit = limit;
    shard->bucket_count = limit / BUCKET_BYTES > BUCKETS_MIN ? limit / BUCKET_BYTES : BUCKETS_MIN;
    shard->buckets = calloc(shard->bucket_count, sizeof *shard->buckets);
    return shard->buckets != NULL;
}

enum err memory_new(size_t bytes, struct memory **memory_out, struct error *error)
{
    struct memory *memory = calloc(1, sizeof *memory);
    bool is_whole = memory != NULL;

    *memory_out = NULL;
    if (memory) {
        size_t shards = bytes / SHARD_BYTES_MIN;
        memory->shard_count = shards < 1 ? 1 : shards < SHARDS_MAX ? shards : SHARDS_MAX;
        memory->largest = bytes / SHARDS_MAX;
        for (size_t i = 0; i < memory->shard_count; i++) {
            lock_init(&memory->shards[i].lock, LOCK_RANK_LEAF, "gateway memory");
            is_whole = shard_init(&memory->shards[i], bytes / memory->shard_count) && is_whole;
        }
    }
    if (is_whole)
        *memory_out = memory;
    else
        memory_free(&memory);
    return is_whole ? ERR_OK
                    : error_set_detail(error, ERR_NO_MEMORY, "no memory for stored responses");
}

/* ---- a shard, with its lock ---- */

static struct memory_shard *shard_of(struct memory *memory, const struct gateway_digest *digest)
{
    return &memory->shards[digest->bytes[0] % memory->shard_count];
}

static struct stored_copy **bucket_of(const struct memory_shard *shard,
                                      const struct gateway_digest *digest)
{
    uint32_t number;

    memcpy(&number, digest->bytes + 1, sizeof number);
    return &shard->buckets[number % shard->bucket_count];
}

static struct stored_copy **find(const struct memory_shard *shard,
                                 const struct gateway_digest *digest)
{
    struct stored_copy **place = bucket_of(shard, digest);

    while (*place && !gateway_digest_eq(&(*place)->digest, digest))
        place = &(*place)->next_in_bucket;
    return place;
}

static void unlink_by_age(struct memory_shard *shard, struct stored_copy *copy)
{
    *(copy->newer ? &copy->newer->older : &shard->newest) = copy->older;
    *(copy->older ? &copy->older->newer : &shard->oldest) = copy->newer;
    copy->newer = copy->older = NULL;
}

static void link_newest(struct memory_shard *shard, struct stored_copy *copy)
{
    copy->older = shard->newest;
    copy->newer = NULL;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = copy;
    shard->newest = copy;
}

/* The reference that the shard had is the caller's now. */
static struct stored_copy *take_out(struct memory_shard *shard, struct stored_copy **place)
{
    struct stored_copy *copy = *place;

    *place = copy->next_in_bucket;
    copy->next_in_bucket = NULL;
    unlink_by_age(shard, copy);
    shard->use.bytes -= cost(copy);
    shard->use.count--;
    return copy;
}

static void put_in(struct memory_shard *shard, const struct gateway_digest *digest,
                   struct stored_copy *copy)
{
    struct stored_copy **bucket = bucket_of(shard, digest);

    copy->digest = *digest;
    copy->next_in_bucket = *bucket;
    *bucket = copy;
    link_newest(shard, copy);
    shard->use.bytes += cost(copy);
    shard->use.count++;
}

void memory_free(struct memory **memory)
{
    struct memory *closing = *memory;

    *memory = NULL;
    for (size_t i = 0; closing && i < closing->shard_count; i++) {
        struct memory_shard *shard = &closing->shards[i];
        while (shard->oldest) {
            struct stored_copy *copy = take_out(shard, find(shard, &shard->oldest->digest));
            stored_copy_release(&copy);
        }
        free(shard->buckets);
        lock_fini(&shard->lock);
    }
    free(closing);
}

/* ---- for all ---- */

struct stored_copy *memory_find(struct memory *memory, const struct gateway_digest *digest)
{
    struct memory_shard *shard = shard_of(memory, digest);

    lock_acquire(&shard->lock);
    struct stored_copy *found = *find(shard, digest);
    if (found) {
        stored_copy_hold(found);
        unlink_by_age(shard, found);
        link_newest(shard, found);
    }
    lock_release(&shard->lock);
    return found;
}

/* Memory is given back outside of the lock: a large piece takes its time. */
void memory_put(struct memory *memory, const struct gateway_digest *digest,
                struct stored_copy *copy)
{
    struct memory_shard *shard = shard_of(memory, digest);
    struct stored_copy *gone = NULL;

    if (cost(copy) > memory->largest)
        return;
    lock_acquire(&shard->lock);
    struct stored_copy **place = find(shard, digest);
    if (*place != copy) {
        if (*place)
            gone = take_out(shard, place);
        put_in(shard, digest, stored_copy_hold(copy));
    }
    lock_release(&shard->lock);
    stored_copy_release(&gone);
    for (bool is_over = true; is_over;) {
        lock_acquire(&shard->lock);
        is_over = shard->use.bytes > shard->limit;
        if (is_over) {
            gone = take_out(shard, find(shard, &shard->oldest->digest));
            shard->use.evicted++;
        }
        lock_release(&shard->lock);
        stored_copy_release(&gone);
    }
}

void memory_forget(struct memory *memory, const struct gateway_digest *digest,
                   const struct stored_copy *copy)
{
    struct memory_shard *shard = shard_of(memory, digest);
    struct stored_copy *gone = NULL;

    lock_acquire(&shard->lock);
    struct stored_copy **place = find(shard, digest);
    if (*place && *place == copy)
        gone = take_out(shard, place);
    lock_release(&shard->lock);
    stored_copy_release(&gone);
}

void memory_read_use(struct memory *memory, struct memory_use *use_out)
{
    *use_out = (struct memory_use){0};
    for (size_t i = 0; i < memory->shard_count; i++) {
        struct memory_shard *shard = &memory->shards[i];
        lock_acquire(&shard->lock);
        use_out->bytes += shard->use.bytes;
        use_out->count += shard->use.count;
        use_out->evicted += shard->use.evicted;
        lock_release(&shard->lock);
    }
}
