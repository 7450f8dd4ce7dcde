#include "entries/recent.h"

#include "cachewarden/lock.h"

#include <stdlib.h>

/* Four thousand namespaces in half a megabyte, and a thousand models in a quarter; of two that meet in a slot the
 * later one stays. */
enum { SLOTS = 4096, MODEL_SLOTS = 1024, STRIPES = 64 };

struct recent_name {
    int64_t user_id;
    size_t app_len;
    char app[NAMESPACE_APP_MAX];
};

struct recent_slot {
    struct recent_name name;
    struct recent_state state; /* version 0: the slot is free */
};

struct recent_model {
    struct recent_name name;
    int64_t base, count; /* base 0: the slot is free */
    size_t model_len;
    char model[ENTRY_MODEL_MAX];
};

struct recent {
    struct lock locks[STRIPES]; /* of both: slot i has lock i % STRIPES */
    struct recent_slot slots[SLOTS];
    struct recent_model models[MODEL_SLOTS];
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
static uint64_t hash_bytes(uint64_t hash, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.ptr[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_of(const struct namespace *space)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)space->user_id;

    hash *= UINT64_C(0x100000001b3);
    return space->user_id > 0 ? hash : hash_bytes(hash, space->app);
}

static size_t slot_of(uint64_t hash, size_t slots)
{
    return (size_t)((hash ^ (hash >> 32)) % slots);
}

static bool is_of(const struct recent_name *name, const struct namespace *space)
{
    return name->user_id == space->user_id &&
           (space->user_id > 0 || str_eq((struct str){name->app, name->app_len}, space->app));
}

static void set_name(struct recent_name *name, const struct namespace *space)
{
    name->user_id = space->user_id;
    name->app_len = space->user_id > 0 ? 0 : space->app.len;
    if (name->app_len > 0)
        memcpy(name->app, space->app.ptr, name->app_len);
}

/* ---- namespaces ---- */

bool recent_find(struct recent *recent, const struct namespace *space,
                 struct recent_state *state_out)
{
    size_t index = slot_of(hash_of(space), SLOTS);
    const struct recent_slot *slot = &recent->slots[index];
    struct lock *lock = &recent->locks[index % STRIPES];

    lock_acquire(lock);
    bool is_known = slot->state.version > 0 && is_of(&slot->name, space);
    *state_out = slot->state;
    lock_release(lock);
    return is_known;
}

void recent_note(struct recent *recent, const struct namespace *space,
                 const struct recent_state *state)
{
    size_t index = slot_of(hash_of(space), SLOTS);
    struct recent_slot *slot = &recent->slots[index];
    struct lock *lock = &recent->locks[index % STRIPES];

    if (space->app.len > NAMESPACE_APP_MAX)
        return;
    lock_acquire(lock);
    if (!is_of(&slot->name, space) || slot->state.version <= state->version) {
        set_name(&slot->name, space);
        slot->state = *state;
    }
    lock_release(lock);
}

/* ---- models ---- */

static bool is_model(const struct recent_model *slot, const struct namespace *space,
                     struct str name)
{
    return slot->base > 0 && is_of(&slot->name, space) &&
           str_eq((struct str){slot->model, slot->model_len}, name);
}

static bool find_model(struct recent *recent, const struct namespace *space, struct str name,
                       int64_t *base_out, int64_t *count_out)
{
    size_t index = slot_of(hash_bytes(hash_of(space), name), MODEL_SLOTS);
    const struct recent_model *slot = &recent->models[index];
    struct lock *lock = &recent->locks[index % STRIPES];

    lock_acquire(lock);
    bool is_known = is_model(slot, space, name);
    *base_out = slot->base;
    *count_out = slot->count;
    lock_release(lock);
    return is_known;
}

static void note_model(struct recent *recent, const struct namespace *space, struct str name,
                       int64_t base, int64_t count)
{
    size_t index = slot_of(hash_bytes(hash_of(space), name), MODEL_SLOTS);
    struct recent_model *slot = &recent->models[index];
    struct lock *lock = &recent->locks[index % STRIPES];

    lock_acquire(lock);
    if (!is_model(slot, space, name) || slot->base != base || slot->count <= count) {
        set_name(&slot->name, space);
        slot->base = base;
        slot->count = count;
        slot->model_len = name.len;
        memcpy(slot->model, name.ptr, name.len);
    }
    lock_release(lock);
}

bool recent_find_models(struct recent *recent, const struct namespace *space,
                        struct model_set *models)
{
    for (size_t i = 0; i < models->count; i++) {
        int64_t base;
        if (!find_model(recent, space, models->names[i], &base, &models->counts[i]) ||
            (i > 0 && base != models->base))
            return false;
        models->base = base;
    }
    return true;
}

void recent_note_models(struct recent *recent, const struct namespace *space,
                        const struct model_set *models)
{
    for (size_t i = 0; models->base > 0 && i < models->count; i++) {
        if (space->app.len <= NAMESPACE_APP_MAX && models->names[i].len <= ENTRY_MODEL_MAX)
            note_model(recent, space, models->names[i], models->base, models->counts[i]);
    }
}
