/* What the keeper does when it looks closely: see keeper.h, and ARCHITECTURE.md for the reasons. */
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "control/floor.h"
#include "control/keeper_private.h"
#include "control/switches.h"
#include "keyspace.h"
#include "services.h"

#include <inttypes.h>
#include <time.h>

enum {
    /* Another node may be at it, for the moment it takes to put many switches back. After that it is
     * taken for dead, and the next era begins. */
    PATIENCE_MS = 500,
    PAUSE_MS = 5, /* between two looks at what another node does */
};

#define ERA_UNREAD (-1)

struct look {
    struct keeper_sight sight;
    bool has_number; /* the epoch is there, whatever its witness */
    bool has_marker;
    struct marker_facts marker;
    struct floor_state floor;
};

/* What one settling remembers from look to look. */
struct mending {
    struct keeper *keeper;
    int64_t deadline_ns;
    int64_t era;        /* of the users database, when it was read last */
    int64_t patient_ns; /* until then another node is left to it; 0: nobody is at it */
    struct error *error;
};

enum err mend_refuse_foreign(struct error *error)
{
    return error_set(error, ERR_UPSTREAM_REFUSED,
                     "redis holds the control data of another users database; use that one, or "
                     "another Redis; if it is gone for good, take the data over: cachewarden serve "
                     "--adopt");
}

/* ---- looking ---- */

static bool take_counter(const struct value *value, int64_t *number_out)
{
    *number_out = value->integer;
    return value->kind != VALUE_NIL;
}

/* A Redis that was promoted, or made to follow another one, keeps its connections. */
static bool has_moved(struct keeper *keeper, const struct value *info, uint64_t origin)
{
    bool has_moved = info->kind == VALUE_STRING && origin > POOL_ORIGIN_UNTOLD &&
                     pool_origin_is_other(pool_origin_of(info->text), origin);

    if (has_moved)
        pool_renew(keeper->options.control);
    return has_moved;
}

/* *is_stale_out: it came over a connection that is not to be used any more; look again. */
static enum err look_at_redis(struct mending *mending, struct look *look, bool *is_stale_out)
{
    struct keeper *keeper = mending->keeper;
    struct key marker = key_marker(), witness = key_epoch_witness(), epoch = key_epoch();
    struct pipeline *pipeline = pipeline_new(keeper->arena, PIPELINE_READ);
    struct keeper_sight *sight = &look->sight;

    PIPELINE_ADD(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&marker));
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(&witness));
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(&epoch));
    if (keeper->is_told)
        PIPELINE_ADD(pipeline, EXPECT_STRING, STR("INFO"), STR("replication"));
    enum err err =
        pipeline_run(keeper->options.control, pipeline, mending->deadline_ns, mending->error);
    if (err != ERR_OK)
        return err;
    sight->origin = keeper_origin(keeper, pipeline_origin(pipeline));
    bool has_witness = take_counter(pipeline_value(pipeline, 1), &sight->witness);
    look->has_number = take_counter(pipeline_value(pipeline, 2), &sight->epoch);
    sight->has_epoch = has_witness && look->has_number;
    /* Anything else that stands there is not a marker, and will be written over. */
    look->has_marker = pipeline_value(pipeline, 0)->kind == VALUE_STRING &&
                       marker_parse(pipeline_value(pipeline, 0)->text, &look->marker);
    *is_stale_out = has_moved(keeper, pipeline_value(pipeline, 3), sight->origin);
    keeper->is_told = sight->origin > POOL_ORIGIN_UNTOLD;
    return ERR_OK;
}

static bool is_ours(const struct mending *mending, const struct look *look)
{
    return look->has_marker &&
           str_eq(look->marker.install, (struct str){mending->keeper->install, MARKER_ID_SIZE});
}

/* The data has been made good for the Redis that holds it now, in the era that it still is. */
static bool is_current(const struct mending *mending, const struct look *look, int64_t era)
{
    return is_ours(mending, look) && look->marker.era == era &&
           keeper_goes_by(look->marker.origin, look->sight.origin, mending->keeper->follows);
}

static bool has_room(const struct keeper *keeper)
{
    return atomic_load(&keeper->shown) <= atomic_load(&keeper->floor) - FLOOR_STEP / 2;
}

/* Sound, and nobody could lower the epoch without being noticed. */
static bool is_tight(struct keeper *keeper, const struct look *look)
{
    return keeper_is_sound(keeper, &look->sight) && look->sight.epoch == look->sight.witness;
}

/* ---- writing ---- */

/*
 * Makes the epoch `target` at least, in one step, and whatever others do meanwhile not lower than it
 * was: two that raise it at once may raise it too far, which harms nobody.
 */
static enum err raise_epoch(struct mending *mending, const struct look *look, int64_t target)
{
    struct keeper *keeper = mending->keeper;
    struct key epoch = key_epoch(), witness = key_epoch_witness();
    struct pipeline *pipeline = pipeline_new(keeper->arena, PIPELINE_WRITE_FREE);
    struct str text = str_format(keeper->arena, "%" PRId64, target);
    bool is_low = look->has_number && look->sight.epoch < target;
    struct str missing =
        str_format(keeper->arena, "%" PRId64, is_low ? target - look->sight.epoch : 0);

    if (!TEXTS_MADE(text, missing))
        return error_set_detail(mending->error, ERR_NO_MEMORY, "no memory for an epoch");
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("MULTI"));
    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("SET"), key_str(&epoch), text, STR("NX"));
    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("INCRBY"), key_str(&epoch), missing);
    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("SET"), key_str(&witness), text);
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("EXEC"));
    return pipeline_run(keeper->options.control, pipeline, mending->deadline_ns, mending->error);
}

static enum err write_marker(struct mending *mending, const struct look *look, int64_t era,
                             int64_t floor)
{
    struct keeper *keeper = mending->keeper;
    struct key key = key_marker();
    struct pipeline *pipeline = pipeline_new(keeper->arena, PIPELINE_WRITE_FREE);
    struct marker_facts facts = look->has_marker ? look->marker : (struct marker_facts){0};

    facts.install = (struct str){keeper->install, MARKER_ID_SIZE};
    facts.origin = look->sight.origin;
    facts.era = era;
    facts.floor = floor;
    struct str value = marker_write(keeper->options.marker, keeper->arena, &facts);
    if (!value.ptr)
        return error_set_detail(mending->error, ERR_NO_MEMORY, "no memory for a marker");
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), key_str(&key), value);
    return pipeline_run(keeper->options.control, pipeline, mending->deadline_ns, mending->error);
}

/* Where the next era begins: above all that was shown, and a good step above an epoch that may have
 * lost its last raises. A Redis this installation never showed anything from goes on as it is. */
static enum err choose_base(struct mending *mending, const struct look *look, int64_t *base_out)
{
    int64_t epoch = look->has_number && look->sight.epoch > 0 ? look->sight.epoch : 0;
    int64_t known = atomic_load(&mending->keeper->epoch), base = look->floor.height;
    bool is_first = look->floor.era == 0 && !look->has_marker;

    if (known > epoch)
        epoch = known;
    if (epoch > FLOOR_MAX)
        return error_set_detail(mending->error, ERR_UPSTREAM_REFUSED,
                                "the epoch is %" PRId64 ": somebody set it by hand", epoch);
    if (!is_first)
        epoch += FLOOR_STEP;
    if (base < epoch)
        base = epoch;
    if (base > FLOOR_MAX)
        return error_set_detail(mending->error, ERR_UPSTREAM_REFUSED,
                                "versions have come to their end at %" PRId64, base);
    *base_out = base;
    return ERR_OK;
}

/* The next era in the users database, or one this node has begun and could not go on with: while
 * Redis takes no writes there would be a new one every time. Nobody agrees to it before the marker
 * is written, so nothing above its base has been shown. */
static enum err move_floor(struct mending *mending, const struct look *look, int64_t *base_out)
{
    struct keeper *keeper = mending->keeper;
    int64_t era = look->floor.era + 1;

    if (keeper->begun_era > 0 && keeper->begun_era == look->floor.era) {
        *base_out = look->floor.height - FLOOR_STEP;
        return ERR_OK;
    }
    enum err err = choose_base(mending, look, base_out);
    if (err == ERR_OK)
        err = floor_move(keeper->options.users, keeper->arena, &look->floor, era,
                         *base_out + FLOOR_STEP, mending->error);
    keeper->begun_era = err == ERR_OK ? era : 0;
    return err;
}

/* The marker comes last: who sees it may trust the rest. */
static enum err begin_era(struct mending *mending, const struct look *look)
{
    struct keeper *keeper = mending->keeper;
    int64_t base;
    enum err err = move_floor(mending, look, &base);
    int64_t era = keeper->begun_era;

    if (err == ERR_OK)
        err = switches_put_back(keeper->options.users, keeper->options.control,
                                mending->deadline_ns, mending->error);
    if (err == ERR_OK)
        err = raise_epoch(mending, look, base);
    if (err != ERR_OK)
        return err;
    keeper->begun_era = 0;
    err = write_marker(mending, look, era, base + FLOOR_STEP);
    if (err != ERR_OK)
        return err;
    mending->era = era;
    log_event(LOG_LEVEL_INFO, "versions.era_begun", LOG_INT("era", era), LOG_INT("epoch", base),
              LOG_CSTR("because", !look->has_marker         ? "redis held no control data"
                                  : !is_ours(mending, look) ? "it was another users database's"
                                                            : "redis may hold older control data"));
    return ERR_OK;
}

/* ---- deciding ---- */

static enum err agree(struct mending *mending, const struct look *look)
{
    struct keeper *keeper = mending->keeper;
    int64_t shown = atomic_load(&keeper->shown), height = look->floor.height;
    enum err err = ERR_OK;

    if (shown > height - FLOOR_STEP / 2) {
        height = shown + FLOOR_STEP;
        err = floor_move(keeper->options.users, keeper->arena, &look->floor, look->floor.era,
                         height, mending->error);
    }
    if (err != ERR_OK)
        return err;
    if (look->sight.origin == POOL_ORIGIN_UNTOLD && !keeper->relies &&
        atomic_load(&keeper->origin) != look->sight.origin)
        log_event(LOG_LEVEL_WARN, "versions.origin_untold",
                  LOG_CSTR("mend", "grant +info, so that a Redis that came back with older data is "
                                   "noticed"));
    keeper->era = look->floor.era;
    keeper_raise(&keeper->epoch, look->sight.epoch);
    keeper->adopts = false;
    atomic_store(&keeper->floor, height);
    atomic_store(&keeper->origin, look->sight.origin);
    return ERR_OK;
}

/* Another node has begun an era and may be about to write it to Redis. */
static bool is_anothers_turn(struct mending *mending, const struct look *look)
{
    int64_t now_ns = clock_mono_ns(), agreed = mending->keeper->era;

    if (look->floor.era != mending->era) {
        bool is_ahead = agreed > 0 ? look->floor.era > agreed
                                   : look->has_marker && look->marker.era < look->floor.era;
        bool has_changed = mending->era != ERA_UNREAD;
        mending->patient_ns = has_changed || is_ahead ? now_ns + PATIENCE_MS * NS_PER_MS : 0;
        mending->era = look->floor.era;
    }
    return now_ns < mending->patient_ns;
}

static bool is_done(const struct mending *mending, const struct look *look)
{
    struct keeper *keeper = mending->keeper;

    return is_current(mending, look, keeper->era) && is_tight(keeper, look) &&
           atomic_load(&keeper->origin) == look->sight.origin && has_room(keeper);
}

static enum err look_for_foreigners(struct mending *mending, const struct look *look)
{
    struct keeper *keeper = mending->keeper;
    bool is_foreign = look->has_marker && !is_ours(mending, look) && !keeper->adopts;

    if (atomic_exchange(&keeper->is_foreign, is_foreign) != is_foreign)
        log_event(is_foreign ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
                  is_foreign ? "versions.foreign" : "versions.ours_again",
                  LOG_CSTR("mend", is_foreign ? "give all nodes on this Redis one users database, "
                                                "or start one with --adopt"
                                              : "none needed"));
    if (!is_foreign)
        return ERR_OK;
    atomic_store(&keeper->origin, POOL_ORIGIN_UNKNOWN); /* nothing is trusted any more */
    return mend_refuse_foreign(mending->error);
}

/* An older users database was put back, or another one's control data is taken over. */
static bool is_floor_behind(const struct look *look)
{
    return look->has_marker &&
           (look->marker.era > look->floor.era ||
            (look->marker.era == look->floor.era && look->marker.floor > look->floor.height));
}

static enum err lift_floor(struct mending *mending, const struct look *look)
{
    int64_t height = look->floor.height;

    if (look->marker.floor > height)
        height = look->marker.floor;
    return floor_move(mending->keeper->options.users, mending->keeper->arena, &look->floor,
                      look->marker.era, height, mending->error);
}

/* The epoch alone was lowered or deleted: its witness and this node know how high it was. Or it is
 * above its witness: raised by a hand, or by two that restored it at once. */
static enum err restore_epoch(struct mending *mending, const struct look *look)
{
    int64_t target = atomic_load(&mending->keeper->epoch);

    if (look->sight.witness > target)
        target = look->sight.witness;
    if (look->has_number && look->sight.epoch >= target)
        return raise_epoch(mending, look, look->sight.epoch);
    log_event(LOG_LEVEL_WARN, "versions.epoch_restored", LOG_INT("found", look->sight.epoch),
              LOG_INT("restored", target));
    return raise_epoch(mending, look, target);
}

/* One step on what was seen. *is_over_out: all is well. ERR_CONFLICT: look again. */
static enum err take_step(struct mending *mending, struct look *look, bool *is_over_out)
{
    struct keeper *keeper = mending->keeper;
    enum err err = look_for_foreigners(mending, look);

    *is_over_out = err == ERR_OK && is_done(mending, look);
    if (err != ERR_OK || *is_over_out)
        return err;
    err = floor_read(keeper->options.users, keeper->arena, &look->floor, mending->error);
    if (err != ERR_OK)
        return err;
    if (is_floor_behind(look))
        return lift_floor(mending, look);
    if (is_current(mending, look, look->floor.era)) {
        *is_over_out = is_tight(keeper, look);
        return *is_over_out ? agree(mending, look) : restore_epoch(mending, look);
    }
    if (!is_anothers_turn(mending, look))
        return begin_era(mending, look);
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * NS_PER_MS}, NULL);
    return ERR_OK;
}

/* Ends, for every look is a pipeline and has the deadline. */
enum err mend(struct keeper *keeper, int64_t deadline_ns, struct error *error)
{
    struct mending mending = {
        .keeper = keeper, .deadline_ns = deadline_ns, .era = ERA_UNREAD, .error = error};
    bool is_over = false;
    enum err err = ERR_OK;

    while (!is_over) {
        struct look look = {0};
        bool is_stale = false;
        arena_reset(keeper->arena);
        err = look_at_redis(&mending, &look, &is_stale);
        if (err == ERR_OK && !is_stale)
            err = take_step(&mending, &look, &is_over);
        if (err == ERR_CONFLICT) {
            error_clear(error);
            is_over = false;
        } else if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}
