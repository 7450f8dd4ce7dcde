/*
 * Cache control: an account's version counter and switch, and the epoch. Clearing raises a number;
 * nothing is deleted, so it costs the same however much is cached. Every function is one round
 * trip. A version that is shown is the account's counter (absent: 1) plus the epoch (absent: 0).
 */
#include "cachewarden/app.h"

#include "cachewarden/pipeline.h"
#include "keyspace.h"
#include "limits/ride.h"
#include "services.h"

#include <inttypes.h>

/* Sums what Redis holds. Anything that could make a version fall or repeat is refused: somebody
 * else wrote there, or a counter has come to its end. */
static enum err sum_version(int64_t counter, int64_t epoch, int64_t *version_out,
                            struct error *error)
{
    if (counter < 1)
        return refuse_reply(error, "a version counter is %" PRId64, counter);
    if (epoch < 0)
        return refuse_reply(error, "the epoch is %" PRId64, epoch);
    if (counter > INT64_MAX - epoch)
        return refuse_reply(error, "version counter and epoch overflow");
    *version_out = counter + epoch;
    return ERR_OK;
}

/* A reply of kind EXPECT_COUNTER_OR_NIL. */
static int64_t counter_or(const struct value *value, int64_t absent)
{
    return value->kind == VALUE_NIL ? absent : value->integer;
}

/* A reply of EXISTS for one key. */
static enum err read_exists(const struct value *value, bool *exists_out, struct error *error)
{
    if (value->integer != 0 && value->integer != 1)
        return refuse_reply(error, "EXISTS of one key answered %" PRId64, value->integer);
    *exists_out = value->integer == 1;
    return ERR_OK;
}

static struct pipeline *ask_status(struct arena *arena, int64_t user_id)
{
    struct key version = key_user_version(user_id), off = key_user_switch(user_id),
               epoch = key_epoch();
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);

    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(&version));
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(&epoch));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("EXISTS"), key_str(&off));
    return pipeline;
}

/* `err` is what the run of ask_status' pipeline said. */
static enum err read_status(const struct pipeline *pipeline, enum err err,
                            struct cache_state *state_out, struct error *error)
{
    bool is_off = false;

    if (err == ERR_OK)
        err = sum_version(counter_or(pipeline_value(pipeline, 0), 1),
                          counter_or(pipeline_value(pipeline, 1), 0), &state_out->version, error);
    if (err == ERR_OK)
        err = read_exists(pipeline_value(pipeline, 2), &is_off, error);
    state_out->enabled = !is_off;
    return err;
}

enum err control_status(struct app *app, struct arena *arena, int64_t user_id, int64_t deadline_ns,
                        struct cache_state *state_out, struct error *error)
{
    struct pipeline *pipeline = ask_status(arena, user_id);
    enum err err = pipeline_run(app->control, pipeline, deadline_ns, error);

    return read_status(pipeline, err, state_out, error);
}

enum err control_status_counted(struct call *call, struct cache_state *state_out)
{
    int64_t user_id = call->principal.user_id;
    struct pipeline *pipeline = ask_status(call->arena, user_id);
    struct limit_ride ride;

    limits_ride(call, pipeline, &ride);
    enum err err = pipeline_run(call->app->control, pipeline, call->deadline_ns, &call->error);
    err = limits_alight(call, pipeline, &ride, err);
    /* A Redis that is full or read-only refuses to count, and can still be read. */
    if (err == ERR_UPSTREAM_REFUSED && ride.is_on)
        return control_status(call->app, call->arena, user_id, call->deadline_ns, state_out,
                              &call->error);
    return read_status(pipeline, err, state_out, &call->error);
}

enum err control_switch(struct app *app, struct arena *arena, int64_t user_id, bool enabled,
                        int64_t deadline_ns, struct cache_state *state_out, struct error *error)
{
    struct key version = key_user_version(user_id), off = key_user_switch(user_id),
               epoch = key_epoch();
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    /* The version is read and never written, so a clear that runs meanwhile cannot be lost. */
    if (enabled)
        PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&off));
    else
        PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), key_str(&off), STR("1"));
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(&version));
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(&epoch));
    enum err err = pipeline_run(app->control, pipeline, deadline_ns, error);

    if (err == ERR_OK)
        err = sum_version(counter_or(pipeline_value(pipeline, 1), 1),
                          counter_or(pipeline_value(pipeline, 2), 0), &state_out->version, error);
    state_out->enabled = enabled;
    return err;
}

enum err control_clear(struct app *app, struct arena *arena, int64_t user_id, int64_t deadline_ns,
                       struct cache_state *state_out, struct error *error)
{
    struct key version = key_user_version(user_id), off = key_user_switch(user_id),
               epoch = key_epoch();
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    bool is_off = false;

    /* INCR alone would make an absent counter 1, which is what was shown while it was absent. */
    PIPELINE_ADD(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(&version), STR("1"), STR("NX"));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), key_str(&version));
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(&epoch));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("EXISTS"), key_str(&off));
    enum err err = pipeline_run(app->control, pipeline, deadline_ns, error);

    if (err == ERR_OK && pipeline_value(pipeline, 1)->integer < 2)
        err = refuse_reply(error, "a cleared version counter is %" PRId64,
                           pipeline_value(pipeline, 1)->integer);
    if (err == ERR_OK)
        err = sum_version(pipeline_value(pipeline, 1)->integer,
                          counter_or(pipeline_value(pipeline, 2), 0), &state_out->version, error);
    if (err == ERR_OK)
        err = read_exists(pipeline_value(pipeline, 3), &is_off, error);
    state_out->enabled = !is_off;
    return err;
}

enum err control_clear_all(struct app *app, struct arena *arena, int64_t deadline_ns,
                           int64_t *epoch_out, struct error *error)
{
    struct key epoch = key_epoch();
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), key_str(&epoch));
    enum err err = pipeline_run(app->control, pipeline, deadline_ns, error);
    if (err != ERR_OK)
        return err;

    *epoch_out = pipeline_value(pipeline, 0)->integer;
    if (*epoch_out < 1)
        return refuse_reply(error, "a raised epoch is %" PRId64, *epoch_out);
    return ERR_OK;
}
