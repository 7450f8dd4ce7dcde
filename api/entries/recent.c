#include "entries/recent.h"

#include "cachewarden/lock.h"

#include <stdlib.h>

/* Four thousand namespaces in half a megabyte; of two that meet in a slot the later one stays. */
enum { SLOTS = 4096, STRIPES = 64 };

struct recent_slot {
    int64_t user_id;
    struct recent_state state; /* version 0: the slot is free */
    size_t app_len;
    char app[NAMESPACE_APP_MAX];
};

struct recent {
    struct lock locks[STRIPES];
    struct recent_slot slots[SLOTS];
};

enum err recent_new(struct recent **recent_out, struct error *error)
{
    struct recent *recent = calloc(1, sizeof *recent);

    *recent_out = recent;
    if (!recent)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the entries");
    for (int i = 0; i < STRIPES; i++)
        lock_init(&recent->locks[i], LOCK_RANK_LEAF, "recent numbers");
    return ERR_OK;
}

void recent_free(struct recent **recent)
{
    if (!*recent)
        return;
    for (int i = 0; i < STRIPES; i++)
        lock_fini(&(*recent)->locks[i]);
    free(*recent);
    *recent = NULL;
}

/* FNV-1a. Who makes two meet on purpose makes them forgotten, and no more. */
static size_t slot_of(const struct namespace *space)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)space->user_id;

    hash *= UINT64_C(0x100000001b3);
    for (size_t i = 0; space->user_id == 0 && i < space->app.len; i++)
        hash = (hash ^ (unsigned char)space->app.ptr[i]) * UINT64_C(0x100000001b3);
    return (size_t)((hash ^ (hash >> 32)) % SLOTS);
}

static bool is_of(const struct recent_slot *slot, const struct namespace *space)
{
    return slot->user_id == space->user_id &&
           (space->user_id > 0 || str_eq((struct str){slot->app, slot->app_len}, space->app));
}

bool recent_find(struct recent *recent, const struct namespace *space,
                 struct recent_state *state_out)
{
    size_t index = slot_of(space);
    const struct recent_slot *slot = &recent->slots[index];
    struct lock *lock = &recent->locks[index % STRIPES];

    lock_acquire(lock);
    bool is_known = slot->state.version > 0 && is_of(slot, space);
    *state_out = slot->state;
    lock_release(lock);
    return is_known;
}

void recent_note(struct recent *recent, const struct namespace *space,
                 const struct recent_state *state)
{
    size_t index = slot_of(space);
    struct recent_slot *slot = &recent->slots[index];
    struct lock *lock = &recent->locks[index % STRIPES];

    if (space->app.len > sizeof slot->app)
        return;
    lock_acquire(lock);
    bool is_older = is_of(slot, space) && slot->state.version > state->version;
    if (!is_older) {
        slot->user_id = space->user_id;
        slot->state = *state;
        slot->app_len = space->user_id > 0 ? 0 : space->app.len;
        if (slot->app_len > 0)
            memcpy(slot->app, space->app.ptr, slot->app_len);
    }
    lock_release(lock);
}
