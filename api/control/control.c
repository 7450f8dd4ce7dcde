/*
 * Cache control: an account's version counter and switch, and the epoch. Clearing raises a number;
 * nothing is deleted, so it costs the same however much is cached. Every function is one round
 * trip, as long as the keeper trusts what it brought back. A version that is shown is the account's
 * counter (absent: 1) plus the epoch.
 */
#include "cachewarden/app.h"

#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "control/floor.h"
#include "control/keeper.h"
#include "control/reading.h"
#include "keyspace.h"
#include "limits/ride.h"
#include "services.h"

#include <inttypes.h>

/* ---- believing it ---- */

/* Somebody lowered or deleted the counter by hand: its witness knows what it was at least. */
static enum err restore_counter(struct app *app, struct arena *arena, int64_t user_id,
                                const struct reading *reading, int64_t deadline_ns,
                                struct error *error)
{
    struct key version = key_user_version(user_id);
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    struct str missing = str_format(arena, "%" PRId64, reading->raised - reading->counter + 1);

    if (!missing.ptr)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a counter");
    log_event(LOG_LEVEL_WARN, "versions.counter_restored", LOG_INT("user_id", user_id),
              LOG_INT("found", reading->counter), LOG_INT("restored", reading->raised + 1));
    /* An absent one stands for 1. */
    PIPELINE_ADD(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(&version), STR("1"), STR("NX"));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCRBY"), key_str(&version), missing);
    return pipeline_run(app->control, pipeline, deadline_ns, error);
}

/*
 * A counter that was raised by a hand, or restored by two at once, is above what its witness says, and
 * could be lowered so far without being noticed. As good as it goes: it fails on a Redis that takes
 * no writes. One clear too many may be counted when another is half done; that harms nobody.
 */
static void tighten(struct app *app, struct arena *arena, int64_t user_id,
                    const struct reading *reading, int64_t deadline_ns)
{
    struct key witness = key_user_witness(user_id);
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    struct str raised = str_format(arena, "%" PRId64, reading->counter - 1);

    if (!raised.ptr)
        return;
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), key_str(&witness), raised);
    (void)!pipeline_run(app->control, pipeline, deadline_ns, NULL);
}

/* Trusted now, or after a closer look: all that was wrong may have been that nobody had looked yet,
 * or that the floor was reached. */
static enum err trust(struct keeper *keeper, const struct keeper_sight *sight, int64_t version,
                      int64_t deadline_ns, bool *is_good_out, struct error *error)
{
    *is_good_out = keeper_trusts(keeper, sight, version);
    if (*is_good_out)
        return ERR_OK;
    enum err err = keeper_settle(keeper, deadline_ns, error);
    *is_good_out = err == ERR_OK && keeper_trusts(keeper, sight, version);
    return err;
}

/*
 * Makes the version to show out of a reading. *is_good_out: it may be shown; else what was wrong has
 * been mended, and the operation is to be run again: what it wrote went into data that was lost, or
 * made a version that nobody has seen.
 */
static enum err judge(struct app *app, struct arena *arena, int64_t user_id,
                      const struct reading *reading, int64_t deadline_ns,
                      struct cache_state *state_out, bool *is_good_out, struct error *error)
{
    struct keeper *keeper = app->keeper;
    bool is_lost = keeper && (!reading->sight.has_epoch || reading->sight.epoch < 0);

    *is_good_out = false;
    if (is_lost)
        return keeper_settle(keeper, deadline_ns, error);
    enum err err = reading_sum(reading, &state_out->version, error);
    if (keeper && reading->raised > 0 && reading->counter <= reading->raised)
        return restore_counter(app, arena, user_id, reading, deadline_ns, error);
    if (err != ERR_OK)
        return err;
    state_out->enabled = !reading->is_off;
    *is_good_out = true;
    if (keeper)
        err = trust(keeper, &reading->sight, state_out->version, deadline_ns, is_good_out, error);
    if (keeper && *is_good_out && reading->counter - 1 > reading->raised &&
        reading->counter <= FLOOR_MAX)
        tighten(app, arena, user_id, reading, deadline_ns);
    return err;
}

/* Redis may be lost again while it is mended, and another node may be at it; not for ever. */
#define TRIES_MAX 4

/* For what writes: on control data that nobody has looked at yet it would be done twice. */
static enum err look_first(struct app *app, int64_t deadline_ns, struct error *error)
{
    return app->keeper && !keeper_has_settled(app->keeper)
               ? keeper_settle(app->keeper, deadline_ns, error)
               : ERR_OK;
}

static enum err give_up(struct error *error)
{
    return refuse_reply(error, "the control data was lost again and again while it was read");
}

/* Redis took a write, and what came then failed: the caller is not to be told that nothing happened.
 * The log gets the reason. Of data that no version can be made of it is said that it is refused. */
static enum err after_write(enum err err, bool was_written, struct error *error)
{
    if (err == ERR_OK || err == ERR_UPSTREAM_REFUSED || !was_written)
        return err;
    struct error why = *error;
    (void)error_set(error, ERR_UNCERTAIN, "outcome unknown");
    memcpy(error->detail, why.detail, sizeof error->detail);
    return ERR_UNCERTAIN;
}

/* ---- the operations ---- */

enum err control_status(struct app *app, struct arena *arena, int64_t user_id, int64_t deadline_ns,
                        struct cache_state *state_out, struct error *error)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
        struct reading reading;
        bool is_good = false;
        reading_ask_status(pipeline, user_id);
        enum err err = pipeline_run(app->control, pipeline, deadline_ns, error);
        if (err == ERR_OK)
            err = reading_take_status(pipeline, 0, &reading, error);
        if (err == ERR_OK)
            err = judge(app, arena, user_id, &reading, deadline_ns, state_out, &is_good, error);
        if (err != ERR_OK || is_good)
            return err;
    }
    return give_up(error);
}

enum err control_status_counted(struct call *call, struct cache_state *state_out)
{
    struct app *app = call->app;
    int64_t user_id = call->principal.user_id;
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_READ);
    struct limit_ride ride;
    struct reading reading;
    bool is_good = false;

    reading_ask_status(pipeline, user_id);
    limits_ride(call, pipeline, &ride);
    enum err err = pipeline_run(app->control, pipeline, call->deadline_ns, &call->error);
    err = limits_alight(call, pipeline, &ride, err);
    /* A Redis that is full or read-only refuses to count, and can still be read. */
    bool is_uncounted = err == ERR_UPSTREAM_REFUSED && ride.is_on;
    if (!is_uncounted) {
        if (err == ERR_OK)
            err = reading_take_status(pipeline, 0, &reading, &call->error);
        if (err == ERR_OK)
            err = judge(app, call->arena, user_id, &reading, call->deadline_ns, state_out, &is_good,
                        &call->error);
        if (err != ERR_OK || is_good)
            return err;
    }
    return control_status(app, call->arena, user_id, call->deadline_ns, state_out, &call->error);
}

static enum err switch_once(struct app *app, struct arena *arena, int64_t user_id, bool enabled,
                            int64_t deadline_ns, struct reading *reading, struct error *error)
{
    struct key version = key_user_version(user_id), off = key_user_switch(user_id);
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    /* The version is read and never written, so a clear that runs meanwhile cannot be lost. */
    if (enabled)
        PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&off));
    else
        PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), key_str(&off), STR("1"));
    reading_ask(pipeline, user_id);
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(&version));
    enum err err = pipeline_run(app->control, pipeline, deadline_ns, error);
    *reading = (struct reading){.counter = reading_counter(pipeline_value(pipeline, 2), 1)};
    return err == ERR_OK ? reading_take(pipeline, 1, reading, error) : err;
}

/* For putting it back; somebody who never switched is on. */
static enum err read_kept_switch(struct app *app, struct arena *arena, int64_t user_id,
                                 bool *is_off_out, struct error *error)
{
    struct user_switch *kept;
    size_t count;
    enum err err = users_switches_list(app->users, arena, user_id - 1, 1, &kept, &count, error);

    *is_off_out = err == ERR_OK && count == 1 && kept->user_id == user_id && kept->is_off;
    return err;
}

static enum err switch_in_redis(struct app *app, struct arena *arena, int64_t user_id, bool enabled,
                                int64_t deadline_ns, struct cache_state *state_out,
                                bool *was_written_out, struct error *error)
{
    *was_written_out = false;
    for (int i = 0; i < TRIES_MAX; i++) {
        struct reading reading;
        bool is_good = false;
        enum err err = switch_once(app, arena, user_id, enabled, deadline_ns, &reading, error);
        *was_written_out |= err == ERR_OK;
        if (err == ERR_OK)
            err = judge(app, arena, user_id, &reading, deadline_ns, state_out, &is_good, error);
        state_out->enabled = enabled;
        if (err != ERR_OK || is_good)
            return after_write(err, *was_written_out, error);
    }
    return give_up(error);
}

/* The database first: a switch that Redis alone has could be lost with it a moment later. */
enum err control_switch(struct app *app, struct arena *arena, int64_t user_id, bool enabled,
                        int64_t deadline_ns, struct cache_state *state_out, struct error *error)
{
    bool was_off = false;
    enum err err = look_first(app, deadline_ns, error);

    if (err == ERR_OK && app->users)
        err = read_kept_switch(app, arena, user_id, &was_off, error);

    if (err == ERR_OK && app->users)
        err = users_switch_set(app->users, user_id, !enabled, error);
    if (err != ERR_OK)
        return err;
    bool was_written;
    err =
        switch_in_redis(app, arena, user_id, enabled, deadline_ns, state_out, &was_written, error);
    /* It did not happen, and must not the next time Redis is mended. */
    if (err != ERR_OK && err != ERR_UNCERTAIN && !was_written && app->users &&
        users_switch_set(app->users, user_id, was_off, NULL) != ERR_OK)
        log_event(LOG_LEVEL_WARN, "switches.ahead", LOG_INT("user_id", user_id));
    return err;
}

static enum err clear_once(struct app *app, struct arena *arena, int64_t user_id,
                           int64_t deadline_ns, struct reading *reading, struct error *error)
{
    struct key version = key_user_version(user_id), witness = key_user_witness(user_id);
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    reading_ask(pipeline, user_id);
    /* INCR alone would make an absent counter 1, which is what was shown while it was absent. */
    PIPELINE_ADD(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(&version), STR("1"), STR("NX"));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), key_str(&version));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), key_str(&witness));
    enum err err = pipeline_run(app->control, pipeline, deadline_ns, error);
    *reading = (struct reading){.counter = pipeline_value(pipeline, 2)->integer};
    if (err == ERR_OK)
        err = reading_take(pipeline, 0, reading, error);
    if (err == ERR_OK && reading->counter < 2 && reading->raised == 0)
        err = refuse_reply(error, "a cleared version counter is %" PRId64, reading->counter);
    reading->raised++; /* the witness was read before that */
    return err;
}

enum err control_clear(struct app *app, struct arena *arena, int64_t user_id, int64_t deadline_ns,
                       struct cache_state *state_out, struct error *error)
{
    enum err err = look_first(app, deadline_ns, error);
    bool was_written = false;

    for (int i = 0; err == ERR_OK && i < TRIES_MAX; i++) {
        struct reading reading;
        bool is_good = false;
        err = clear_once(app, arena, user_id, deadline_ns, &reading, error);
        was_written |= err == ERR_OK;
        if (err == ERR_OK)
            err = judge(app, arena, user_id, &reading, deadline_ns, state_out, &is_good, error);
        if (is_good)
            return err;
    }
    return after_write(err == ERR_OK ? give_up(error) : err, was_written, error);
}

/* An epoch that is absent must not become 1: below nothing that any node believes in, however many
 * clears come before somebody mends it. */
#define EPOCH_LOST "-1000000000"

static enum err clear_all_once(struct app *app, struct arena *arena, int64_t deadline_ns,
                               struct keeper_sight *sight, struct error *error)
{
    struct key epoch = key_epoch(), witness = key_epoch_witness();
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    struct str absent = app->keeper ? STR(EPOCH_LOST) : STR("0");

    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(&witness));
    PIPELINE_ADD(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(&epoch), absent, STR("NX"));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), key_str(&epoch));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), key_str(&witness));
    enum err err = pipeline_run(app->control, pipeline, deadline_ns, error);
    *sight = (struct keeper_sight){
        .origin = pipeline_origin(pipeline),
        .has_epoch = pipeline_value(pipeline, 0)->kind != VALUE_NIL,
        .epoch = pipeline_value(pipeline, 2)->integer,
        /* Read before it was raised. */
        .witness = reading_counter(pipeline_value(pipeline, 0), 0) + 1,
    };
    return err;
}

enum err control_clear_all(struct app *app, struct arena *arena, int64_t deadline_ns,
                           int64_t *epoch_out, struct error *error)
{
    enum err err = look_first(app, deadline_ns, error);
    bool was_written = false;

    for (int i = 0; err == ERR_OK && i < TRIES_MAX; i++) {
        struct keeper_sight sight;
        bool is_good = true;
        err = clear_all_once(app, arena, deadline_ns, &sight, error);
        if (err != ERR_OK)
            break;
        was_written = true;
        *epoch_out = sight.epoch;
        if (!app->keeper && sight.epoch < 1)
            return refuse_reply(error, "a raised epoch is %" PRId64, sight.epoch);
        /* Nobody has a version lower than the epoch and one. */
        if (app->keeper)
            err = trust(app->keeper, &sight, sight.epoch + 1, deadline_ns, &is_good, error);
        if (is_good)
            return err;
    }
    return after_write(err == ERR_OK ? give_up(error) : err, was_written, error);
}
