#include "memo.h"

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
    char key[MEMO_KEY_MAX_SIZE];
};

struct memo {
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

enum err memo_new(const char *name, size_t capacity, size_t record_size, struct memo **memo_out)
{
    struct memo *memo = calloc(1, sizeof *memo);

    *memo_out = NULL;
    if (!memo)
        return ERR_NO_MEMORY;
    memo->record_size = record_size;
    memo->slot_size = RECORD_OFFSET + (record_size + 15) / 16 * 16;
    memo->set_count = 1;
    while (memo->set_count * WAYS < capacity)
        memo->set_count *= 2;
    for (size_t i = 0; i < STRIPES; i++)
        lock_init(&memo->stripes[i], LOCK_RANK_IDENTITY, name);
    /* Zeroed by the kernel: pages that are never used cost nothing. */
    memo->slots = calloc(memo->set_count * WAYS, memo->slot_size);
    if (!memo->slots) {
        memo_free(&memo);
        return ERR_NO_MEMORY;
    }
    *memo_out = memo;
    return ERR_OK;
}

void memo_free(struct memo **memo)
{
    if (!*memo)
        return;
    for (size_t i = 0; i < STRIPES; i++)
        lock_fini(&(*memo)->stripes[i]);
    free((*memo)->slots);
    free(*memo);
    *memo = NULL;
}

/* FNV-1a. Keys come from the database or from signed tokens, so nobody can choose them to collide.
 */
static size_t set_of(const struct memo *memo, struct str key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32) & (memo->set_count - 1);
}

static struct slot *slot_at(const struct memo *memo, size_t set, size_t way)
{
    return (struct slot *)(void *)(memo->slots + (set * WAYS + way) * memo->slot_size);
}

static void *record_of(struct slot *slot)
{
    return (char *)slot + RECORD_OFFSET;
}

static struct slot *find_locked(const struct memo *memo, size_t set, struct str key)
{
    for (size_t way = 0; way < WAYS; way++) {
        struct slot *slot = slot_at(memo, set, way);
        if (slot->stored_ns != 0 && slot->key_len == key.len &&
            memcmp(slot->key, key.ptr, key.len) == 0)
            return slot;
    }
    return NULL;
}

static struct slot *oldest_locked(const struct memo *memo, size_t set)
{
    struct slot *oldest = slot_at(memo, set, 0);

    for (size_t way = 1; way < WAYS; way++) {
        if (slot_at(memo, set, way)->stored_ns < oldest->stored_ns)
            oldest = slot_at(memo, set, way);
    }
    return oldest;
}

static bool is_key(struct str key)
{
    return key.len > 0 && key.len <= MEMO_KEY_MAX_SIZE;
}

/* Copies the key's record out if it is not older than allowed. */
bool memo_recall(struct memo *memo, struct str key, int64_t now_ns, int64_t max_age_ns,
                 void *record_out)
{
    if (!is_key(key))
        return false;
    size_t set = set_of(memo, key);

    lock_take(&memo->stripes[set % STRIPES]);
    struct slot *slot = find_locked(memo, set, key);
    bool is_good = slot && now_ns - slot->stored_ns < max_age_ns;
    if (is_good)
        memcpy(record_out, record_of(slot), memo->record_size);
    lock_give(&memo->stripes[set % STRIPES]);
    return is_good;
}

void memo_remember(struct memo *memo, struct str key, int64_t now_ns, const void *record)
{
    if (!is_key(key))
        return;
    size_t set = set_of(memo, key);

    lock_take(&memo->stripes[set % STRIPES]);
    struct slot *slot = find_locked(memo, set, key);
    /* Another thread may have asked later and been answered sooner. */
    bool is_news = !slot || slot->stored_ns <= now_ns;
    if (!slot)
        slot = oldest_locked(memo, set);
    if (is_news) {
        slot->stored_ns = now_ns;
        slot->key_len = key.len;
        memcpy(slot->key, key.ptr, key.len);
        memcpy(record_of(slot), record, memo->record_size);
    }
    lock_give(&memo->stripes[set % STRIPES]);
}

enum err memo_fetch(struct memo *memo, struct str key, int64_t now_ns,
                    const struct memo_source *source, void *record_out, struct error *error)
{
    if (!source->is_doubted && memo_recall(memo, key, now_ns, MEMO_FRESH_NS, record_out))
        return ERR_OK;
    if (now_ns < atomic_load(&memo->retry_at_ns) &&
        memo_recall(memo, key, now_ns, source->stale_ns, record_out))
        return ERR_OK;

    enum err err = source->load(source->arg, key, record_out, error);
    if (!err) {
        /* Dated from before the question: a change made while it was asked is felt within a second
         * as well. */
        memo_remember(memo, key, now_ns, record_out);
        return ERR_OK;
    }
    if (err == ERR_NOT_FOUND) /* nor will an older answer do once the database is away */
        memo_forget(memo, key);
    if (err != ERR_UPSTREAM_DOWN)
        return err;
    atomic_store(&memo->retry_at_ns, now_ns + MEMO_FRESH_NS);
    return memo_recall(memo, key, now_ns, source->stale_ns, record_out) ? ERR_OK : err;
}

void memo_forget(struct memo *memo, struct str key)
{
    if (!is_key(key))
        return;
    size_t set = set_of(memo, key);
    lock_take(&memo->stripes[set % STRIPES]);
    struct slot *slot = find_locked(memo, set, key);
    if (slot)
        slot->stored_ns = 0;
    lock_give(&memo->stripes[set % STRIPES]);
}

void memo_forget_all(struct memo *memo)
{
    for (size_t set = 0; set < memo->set_count; set++) {
        lock_take(&memo->stripes[set % STRIPES]);
        for (size_t way = 0; way < WAYS; way++)
            slot_at(memo, set, way)->stored_ns = 0;
        lock_give(&memo->stripes[set % STRIPES]);
    }
}
