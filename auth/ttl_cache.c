#include "ttl_cache.h"

#include "cachewarden/lock.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    WAYS = 4,     /* places a key may be in */
    STRIPES = 64, /* locks; more than threads that are ever in here at once */
};

/* The record follows. */
struct slot {
    int64_t stored_ns; /* when the question was asked; 0: free */
    size_t key_len;
    char key[TTL_CACHE_KEY_MAX_SIZE];
};

struct ttl_cache {
    /* set at open */
    size_t record_size;
    size_t slot_size;
    size_t set_count; /* a power of two */
    char *slots;      /* set after set; a set is guarded by its stripe's lock */
    struct lock stripes[STRIPES];
    /* atomic */
    atomic_int_fast64_t retry_at_ns; /* the database was out of reach: old records do until then */
};

enum { RECORD_OFFSET = (sizeof(struct slot) + 15) / 16 * 16 };

enum err ttl_cache_new(const char *name, size_t capacity, size_t record_size,
                       struct ttl_cache **cache_out)
{
    struct ttl_cache *cache = calloc(1, sizeof *cache);

    *cache_out = NULL;
    if (!cache)
        return ERR_NO_MEMORY;
    cache->record_size = record_size;
    cache->slot_size = RECORD_OFFSET + (record_size + 15) / 16 * 16;
    cache->set_count = 1;
    while (cache->set_count * WAYS < capacity)
        cache->set_count *= 2;
    for (size_t i = 0; i < STRIPES; i++)
        lock_init(&cache->stripes[i], LOCK_RANK_IDENTITY, name);
    /* Zeroed by the kernel: pages that are never used cost nothing. */
    cache->slots = calloc(cache->set_count * WAYS, cache->slot_size);
    if (!cache->slots) {
        ttl_cache_free(&cache);
        return ERR_NO_MEMORY;
    }
    *cache_out = cache;
    return ERR_OK;
}

void ttl_cache_free(struct ttl_cache **cache)
{
    if (!*cache)
        return;
    for (size_t i = 0; i < STRIPES; i++)
        lock_fini(&(*cache)->stripes[i]);
    free((*cache)->slots);
    free(*cache);
    *cache = NULL;
}

/* FNV-1a. Keys come from the database or from signed tokens, so nobody can choose them to collide.
 */
static size_t set_of(const struct ttl_cache *cache, struct str key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32) & (cache->set_count - 1);
}

static struct slot *slot_at(const struct ttl_cache *cache, size_t set, size_t way)
{
    return (struct slot *)(void *)(cache->slots + (set * WAYS + way) * cache->slot_size);
}

static void *record_of(struct slot *slot)
{
    return (char *)slot + RECORD_OFFSET;
}

static struct slot *find_locked(const struct ttl_cache *cache, size_t set, struct str key)
{
    for (size_t way = 0; way < WAYS; way++) {
        struct slot *slot = slot_at(cache, set, way);
        if (slot->stored_ns != 0 && slot->key_len == key.len &&
            memcmp(slot->key, key.ptr, key.len) == 0)
            return slot;
    }
    return NULL;
}

static struct slot *oldest_locked(const struct ttl_cache *cache, size_t set)
{
    struct slot *oldest = slot_at(cache, set, 0);

    for (size_t way = 1; way < WAYS; way++) {
        if (slot_at(cache, set, way)->stored_ns < oldest->stored_ns)
            oldest = slot_at(cache, set, way);
    }
    return oldest;
}

static bool is_key(struct str key)
{
    return key.len > 0 && key.len <= TTL_CACHE_KEY_MAX_SIZE;
}

/* Copies the key's record out if it is not older than allowed. */
bool ttl_cache_recall(struct ttl_cache *cache, struct str key, int64_t now_ns, int64_t max_age_ns,
                      void *record_out)
{
    if (!is_key(key))
        return false;
    size_t set = set_of(cache, key);

    lock_acquire(&cache->stripes[set % STRIPES]);
    struct slot *slot = find_locked(cache, set, key);
    bool is_good = slot && now_ns - slot->stored_ns < max_age_ns;
    if (is_good)
        memcpy(record_out, record_of(slot), cache->record_size);
    lock_release(&cache->stripes[set % STRIPES]);
    return is_good;
}

void ttl_cache_remember(struct ttl_cache *cache, struct str key, int64_t now_ns, const void *record)
{
    if (!is_key(key))
        return;
    size_t set = set_of(cache, key);

    lock_acquire(&cache->stripes[set % STRIPES]);
    struct slot *slot = find_locked(cache, set, key);
    /* Another thread may have asked later and been answered sooner. */
    bool is_news = !slot || slot->stored_ns <= now_ns;
    if (!slot)
        slot = oldest_locked(cache, set);
    if (is_news) {
        slot->stored_ns = now_ns;
        slot->key_len = key.len;
        memcpy(slot->key, key.ptr, key.len);
        memcpy(record_of(slot), record, cache->record_size);
    }
    lock_release(&cache->stripes[set % STRIPES]);
}

enum err ttl_cache_fetch(struct ttl_cache *cache, struct str key, int64_t now_ns,
                         const struct ttl_cache_source *source, void *record_out,
                         struct error *error)
{
    if (!source->is_doubted && ttl_cache_recall(cache, key, now_ns, TTL_CACHE_FRESH_NS, record_out))
        return ERR_OK;
    if (now_ns < atomic_load(&cache->retry_at_ns) &&
        ttl_cache_recall(cache, key, now_ns, source->stale_ns, record_out))
        return ERR_OK;

    enum err err = source->load(source->arg, key, record_out, error);
    if (!err) {
        /* Dated from before the question: a change made while it was asked is felt within a second
         * as well. */
        ttl_cache_remember(cache, key, now_ns, record_out);
        return ERR_OK;
    }
    if (err == ERR_NOT_FOUND) /* nor will an older answer do once the database is away */
        ttl_cache_forget(cache, key);
    if (err != ERR_UPSTREAM_DOWN)
        return err;
    atomic_store(&cache->retry_at_ns, now_ns + TTL_CACHE_FRESH_NS);
    return ttl_cache_recall(cache, key, now_ns, source->stale_ns, record_out) ? ERR_OK : err;
}

void ttl_cache_forget(struct ttl_cache *cache, struct str key)
{
    if (!is_key(key))
        return;
    size_t set = set_of(cache, key);
    lock_acquire(&cache->stripes[set % STRIPES]);
    struct slot *slot = find_locked(cache, set, key);
    if (slot)
        slot->stored_ns = 0;
    lock_release(&cache->stripes[set % STRIPES]);
}

void ttl_cache_forget_all(struct ttl_cache *cache)
{
    for (size_t set = 0; set < cache->set_count; set++) {
        lock_acquire(&cache->stripes[set % STRIPES]);
        for (size_t way = 0; way < WAYS; way++)
            slot_at(cache, set, way)->stored_ns = 0;
        lock_release(&cache->stripes[set % STRIPES]);
    }
}
