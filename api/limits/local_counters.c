#include "limits/local_counters.h"

#include "cachewarden/lock.h"
#include "cachewarden/random.h"

#include <stdlib.h>

struct limit_slot {
    struct key key; /* whole, so that nobody is counted for another */
    int64_t count;  /* 0: free */
    int64_t ends_ms;
    int64_t used_ms;
};

struct local_counters {
    struct lock lock;
    uint64_t seed; /* nobody outside can tell which keys share a set */
    struct limit_slot slots[LOCAL_COUNTERS_SETS][LOCAL_COUNTERS_WAYS]; /* under lock */
};

enum err local_counters_new(struct local_counters **counters_out)
{
    struct local_counters *counters = calloc(1, sizeof *counters);

    *counters_out = counters;
    if (!counters)
        return ERR_NO_MEMORY;
    lock_init(&counters->lock, LOCK_RANK_LIMITS, "limits");
    random_bytes(&counters->seed, sizeof counters->seed);
    return ERR_OK;
}

void local_counters_free(struct local_counters **counters)
{
    if (!*counters)
        return;
    lock_fini(&(*counters)->lock);
    free(*counters);
    *counters = NULL;
}

/* FNV-1a, then the last step of MurmurHash3, so that all of it reaches the low bits. */
static struct limit_slot *set_of(struct local_counters *counters, const struct key *key)
{
    uint64_t hash = counters->seed;

    for (size_t i = 0; i < key->len; i++)
        hash = (hash ^ (unsigned char)key->bytes[i]) * UINT64_C(0x100000001b3);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    return counters->slots[hash % LOCAL_COUNTERS_SETS];
}

static struct limit_slot *find_locked(struct local_counters *counters, const struct key *key)
    CW_NEEDS_LOCK(&counters->lock);
static struct limit_slot *find_locked(struct local_counters *counters, const struct key *key)
{
    struct limit_slot *set = set_of(counters, key);

    for (size_t i = 0; i < LOCAL_COUNTERS_WAYS; i++)
        if (set[i].count > 0 && str_eq(key_str(&set[i].key), key_str(key)))
            return &set[i];
    return NULL;
}

/* A slot that is free, or whose window is over, is the first to be reused. */
static int64_t last_use(const struct limit_slot *slot, int64_t now_ms)
{
    return slot->count == 0 || slot->ends_ms <= now_ms ? INT64_MIN : slot->used_ms;
}

static struct limit_slot *evict_locked(struct local_counters *counters, const struct key *key,
                                       int64_t now_ms) CW_NEEDS_LOCK(&counters->lock);
static struct limit_slot *evict_locked(struct local_counters *counters, const struct key *key,
                                       int64_t now_ms)
{
    struct limit_slot *set = set_of(counters, key);
    struct limit_slot *oldest = &set[0];

    for (size_t i = 1; i < LOCAL_COUNTERS_WAYS; i++)
        if (last_use(&set[i], now_ms) < last_use(oldest, now_ms))
            oldest = &set[i];
    return oldest;
}

struct limit_window local_counters_add(struct local_counters *counters, const struct key *key,
                                       int64_t number, int64_t window_ms, int64_t now_ms)
{
    lock_acquire(&counters->lock);
    struct limit_slot *slot = find_locked(counters, key);
    if (!slot)
        slot = evict_locked(counters, key, now_ms);
    if (slot->count == 0 || slot->ends_ms <= now_ms || !str_eq(key_str(&slot->key), key_str(key)))
        *slot = (struct limit_slot){.key = *key, .ends_ms = now_ms + window_ms};
    slot->count = slot->count > INT64_MAX - number ? INT64_MAX : slot->count + number;
    slot->used_ms = now_ms;
    struct limit_window window = {slot->count, slot->ends_ms - now_ms};
    lock_release(&counters->lock);
    return window;
}

struct limit_window local_counters_count(struct local_counters *counters, const struct key *key,
                                         int64_t window_ms, int64_t now_ms)
{
    return local_counters_add(counters, key, 1, window_ms, now_ms);
}

struct limit_window local_counters_look(struct local_counters *counters, const struct key *key,
                                        int64_t now_ms)
{
    struct limit_window window = {0, 0};

    lock_acquire(&counters->lock);
    const struct limit_slot *slot = find_locked(counters, key);
    if (slot && slot->ends_ms > now_ms)
        window = (struct limit_window){slot->count, slot->ends_ms - now_ms};
    lock_release(&counters->lock);
    return window;
}

void local_counters_forget(struct local_counters *counters, const struct key *key)
{
    lock_acquire(&counters->lock);
    struct limit_slot *slot = find_locked(counters, key);
    if (slot)
        slot->count = 0;
    lock_release(&counters->lock);
}
