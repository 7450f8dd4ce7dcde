#include "control/keeper.h"

#include "cachewarden/clock.h"
#include "control/floor.h"
#include "control/keeper_private.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK = 16 * 1024 };

/* ---- the gate ---- */

static enum err let_write(void *with, uint64_t missed, int64_t deadline_ns, uint64_t *origin_out,
                          struct error *error)
{
    struct keeper *keeper = with;
    enum err err = ERR_OK;

    *origin_out = 0;
    if (keeper_is_foreign(keeper, error))
        return ERR_UPSTREAM_REFUSED;
    uint64_t origin = atomic_load(&keeper->origin);
    if (origin == POOL_ORIGIN_UNKNOWN || origin == missed)
        err = keeper_settle(keeper, deadline_ns, error);
    if (err != ERR_OK)
        return err;
    origin = atomic_load(&keeper->origin);
    if (origin == POOL_ORIGIN_UNKNOWN)
        return mend_refuse_foreign(error);
    *origin_out = keeper->relies ? 0 : origin;
    return ERR_OK;
}

/* ---- life ---- */

static enum err read_install(struct keeper *keeper, struct error *error)
{
    struct str install;
    enum err err =
        users_fact_get(keeper->options.users, keeper->arena, STR("install_id"), &install, error);

    if (err != ERR_OK)
        return err;
    if (install.len != MARKER_ID_SIZE)
        return error_set_detail(error, ERR_INTERNAL, "users database: install_id is no id");
    memcpy(keeper->install, install.ptr, MARKER_ID_SIZE);
    return ERR_OK;
}

enum err keeper_new(const struct keeper_options *options, struct keeper **keeper_out,
                    struct error *error)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);

    *keeper_out = NULL;
    if (!keeper)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the keeper of versions");
    keeper->options = *options;
    lock_init(&keeper->lock, LOCK_RANK_LEAF, "keeper");
    lock_cond_init(&keeper->changed);
    keeper->arena = arena_new(ARENA_BLOCK, 0);
    enum err err = keeper->arena ? read_install(keeper, error) : ERR_NO_MEMORY;
    if (err == ERR_OK)
        pool_set_gate(options->control, (struct pool_gate){.ask = let_write, .with = keeper});
    else
        keeper_free(&keeper);
    *keeper_out = keeper;
    return err;
}

void keeper_free(struct keeper **keeper)
{
    if (!*keeper)
        return;
    arena_free(&(*keeper)->arena);
    lock_cond_fini(&(*keeper)->changed);
    lock_fini(&(*keeper)->lock);
    free(*keeper);
    *keeper = NULL;
}

void keeper_adopt(struct keeper *keeper)
{
    keeper->adopts = true;
}

void keeper_rely(struct keeper *keeper)
{
    keeper->relies = true;
}

void keeper_follow(struct keeper *keeper)
{
    keeper->follows = true;
}

/* ---- trust ---- */

void keeper_raise(_Atomic int64_t *highest, int64_t value)
{
    int64_t seen = atomic_load_explicit(highest, memory_order_relaxed);

    while (value > seen && !atomic_compare_exchange_weak(highest, &seen, value))
        ;
}

bool keeper_is_sound(struct keeper *keeper, const struct keeper_sight *sight)
{
    return sight->has_epoch && sight->epoch >= 0 && sight->epoch >= sight->witness &&
           sight->epoch >= atomic_load(&keeper->epoch);
}

bool keeper_trusts(struct keeper *keeper, const struct keeper_sight *sight, int64_t version)
{
    uint64_t origin = keeper_origin(keeper, sight->origin);

    if (origin == POOL_ORIGIN_UNKNOWN || origin != atomic_load(&keeper->origin) ||
        !keeper_is_sound(keeper, sight))
        return false;
    keeper_raise(&keeper->epoch, sight->epoch);
    if (version > FLOOR_MAX)
        return true;
    keeper_raise(&keeper->shown, version);
    return version <= atomic_load(&keeper->floor);
}

bool keeper_has_settled(struct keeper *keeper)
{
    return atomic_load(&keeper->origin) != POOL_ORIGIN_UNKNOWN;
}

bool keeper_is_foreign(struct keeper *keeper, struct error *error)
{
    if (!atomic_load(&keeper->is_foreign))
        return false;
    mend_refuse_foreign(error);
    return true;
}

/* ---- one settles, the others wait ---- */

/* With the lock, which is given while it lasts. */
static void settle_now(struct keeper *keeper, int64_t deadline_ns) CW_NEEDS_LOCK(&keeper->lock)
{
    struct error error = {0};

    keeper->is_running = true;
    uint64_t mine = ++keeper->begun;
    lock_give(&keeper->lock);
    enum err err = mend(keeper, deadline_ns, &error);
    arena_reset(keeper->arena);
    lock_take(&keeper->lock);
    error.code = err;
    keeper->result = error;
    keeper->ended = mine;
    keeper->is_running = false;
    lock_cond_broadcast(&keeper->changed);
}

enum err keeper_settle(struct keeper *keeper, int64_t deadline_ns, struct error *error)
{
    enum err err = ERR_OK;

    lock_take(&keeper->lock);
    /* One that is under way may have looked before the caller did. */
    uint64_t wanted = keeper->begun + 1;
    while (err == ERR_OK && keeper->ended < wanted) {
        if (!keeper->is_running)
            settle_now(keeper, deadline_ns);
        else if (!lock_cond_wait(&keeper->changed, &keeper->lock, deadline_ns))
            err = ERR_TIMEOUT;
    }
    struct error result = keeper->result;
    lock_give(&keeper->lock);
    if (err != ERR_OK)
        return error_set_detail(error, err, "the control data was not settled in time");
    if (result.code != ERR_OK && error)
        *error = result;
    return result.code;
}
