#include "api_key_ids.h"

#include "api_key.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/lock.h"

#include <stdlib.h>

enum { FRESH_NS = NS_PER_S };

struct api_key_ids {
    struct users *users;

    /* Guarded by `lock` (LOCK_RANK_IDENTITY). */
    struct lock lock;
    uint64_t *known; /* ascending; an id is 48 bits */
    size_t count;
    int64_t loaded_ns;  /* as of when `known` is; 0: never loaded */
    int64_t tried_ns;   /* when a thread last set out to load it */
    int64_t counted_ns; /* the beginning of the second in which `looked_up` unknown ids were */
    int looked_up;
};

enum err api_key_ids_new(struct users *users, struct api_key_ids **ids_out)
{
    struct api_key_ids *ids = calloc(1, sizeof *ids);

    *ids_out = ids;
    if (!ids)
        return ERR_NO_MEMORY;
    ids->users = users;
    lock_init(&ids->lock, LOCK_RANK_IDENTITY, "ids of API keys");
    return ERR_OK;
}

void api_key_ids_free(struct api_key_ids **ids)
{
    if (!*ids)
        return;
    lock_fini(&(*ids)->lock);
    free((*ids)->known);
    free(*ids);
    *ids = NULL;
}

static uint64_t number_of(struct str id)
{
    uint64_t number = 0;

    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        number = number << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return number;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* On the heap, ascending; NULL: the database is away, or memory is out. */
static uint64_t *load(struct users *users, size_t *count_out)
{
    struct arena *arena = arena_new(16 * 1024, 0);
    uint64_t *known = NULL;
    struct error error;
    struct str *ids;

    if (arena && api_keys_ids(users, arena, &ids, count_out, &error) == ERR_OK)
        known = malloc((*count_out + 1) * sizeof *known);
    for (size_t i = 0; known && i < *count_out; i++)
        known[i] = number_of(ids[i]);
    if (known)
        qsort(known, *count_out, sizeof *known, by_number);
    arena_free(&arena);
    return known;
}

enum answer { MAY_EXIST, DOES_NOT_EXIST, LOAD_FIRST };

static enum answer look_locked(struct api_key_ids *ids, uint64_t number, int64_t now_ns)
    CW_NEEDS_LOCK(&ids->lock)
{
    if (ids->known && bsearch(&number, ids->known, ids->count, sizeof number, by_number))
        return MAY_EXIST;
    if (now_ns - ids->counted_ns >= FRESH_NS) {
        ids->counted_ns = now_ns;
        ids->looked_up = 0;
    }
    if (ids->looked_up < API_KEY_IDS_BURST) {
        ids->looked_up++;
        return MAY_EXIST;
    }
    if (ids->loaded_ns != 0 && now_ns - ids->loaded_ns < FRESH_NS)
        return DOES_NOT_EXIST;
    if (ids->tried_ns == 0 || now_ns - ids->tried_ns >= FRESH_NS) {
        ids->tried_ns = now_ns;
        return LOAD_FIRST;
    }
    /* Somebody loads them now: what was true until then will do. Or the database is away. */
    return ids->loaded_ns != 0 && now_ns - ids->loaded_ns < 2 * FRESH_NS ? DOES_NOT_EXIST
                                                                         : MAY_EXIST;
}

static enum answer look(struct api_key_ids *ids, uint64_t number, int64_t now_ns)
{
    lock_acquire(&ids->lock);
    enum answer answer = look_locked(ids, number, now_ns);
    lock_release(&ids->lock);
    return answer;
}

bool api_key_ids_may_exist(struct api_key_ids *ids, struct str id, int64_t now_ns)
{
    uint64_t number = number_of(id);
    enum answer answer = look(ids, number, now_ns);
    size_t count = 0;

    if (answer != LOAD_FIRST)
        return answer == MAY_EXIST;
    uint64_t *known = load(ids->users, &count);
    if (!known)
        return true;
    lock_acquire(&ids->lock);
    uint64_t *old = ids->known;
    ids->known = known;
    ids->count = count;
    ids->loaded_ns = now_ns; /* from before the question: dated too old rather than too young */
    lock_release(&ids->lock);
    free(old);
    return look(ids, number, now_ns) == MAY_EXIST;
}

void api_key_ids_forget(struct api_key_ids *ids)
{
    lock_acquire(&ids->lock);
    ids->loaded_ns = ids->tried_ns = 0;
    ids->looked_up = 0;
    lock_release(&ids->lock);
}
