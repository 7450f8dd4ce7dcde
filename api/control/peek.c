/*
 * Looking without a hand in it, for a command: what a server would answer is shown, and nothing is
 * written, neither to Redis nor to the users database. Where a server would mend first, it is left to
 * do so, because a command cannot know what the servers know (keeper.h).
 */
#include "cachewarden/app.h"

#include "cachewarden/clock.h"
#include "control/floor.h"
#include "control/keeper_private.h"
#include "control/reading.h"
#include "keyspace.h"
#include "services.h"

#include <time.h>

enum {
    /* Servers look four times a second, and mend at once. */
    PATIENCE_MS = 2000,
    PAUSE_MS = 20,
    ARENA_BLOCK = 4096,
};

struct glance {
    struct reading reading;
    bool has_marker;
    struct marker_facts marker;
    struct floor_state floor;
};

static enum err look(struct app *app, struct arena *arena, int64_t user_id,
                     struct glance *glance_out, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    struct key marker = key_marker();

    *glance_out = (struct glance){0};
    PIPELINE_ADD(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&marker));
    reading_ask_status(pipeline, user_id);
    enum err err = pipeline_run(app->control, pipeline, clock_deadline_ns(app->budget_ms), error);
    if (err == ERR_OK)
        err = reading_take_status(pipeline, 1, &glance_out->reading, error);
    /* Behind Redis: a version is shown when the floor is above it, so one read here is high enough. */
    if (err == ERR_OK)
        err = floor_read(app->users, arena, &glance_out->floor, error);
    glance_out->has_marker = err == ERR_OK && pipeline_value(pipeline, 0)->kind == VALUE_STRING &&
                             marker_parse(pipeline_value(pipeline, 0)->text, &glance_out->marker);
    return err;
}

/* No server ever looked after these numbers, and none has shown any. */
static bool is_virgin(const struct glance *glance)
{
    return !glance->has_marker && glance->floor.era == 0;
}

/* Nothing is missing or lower than its witness says. */
static bool is_sound(const struct reading *reading)
{
    const struct keeper_sight *sight = &reading->sight;

    return sight->has_epoch && sight->epoch >= 0 && sight->epoch >= sight->witness &&
           (reading->raised == 0 || reading->counter > reading->raised);
}

/* A server that has agreed to the same era shows this. */
static bool is_agreed(const struct glance *glance, int64_t version)
{
    return glance->has_marker && glance->marker.era == glance->floor.era &&
           keeper_goes_by(glance->marker.origin, glance->reading.sight.origin, true) &&
           (version <= glance->floor.height || version > FLOOR_MAX);
}

static enum err judge(struct app *app, const struct glance *glance, struct cache_state *state_out,
                      bool *is_good_out, struct error *error)
{
    struct str install = {app->keeper->install, MARKER_ID_SIZE};

    *is_good_out = false;
    if (glance->has_marker && !str_eq(glance->marker.install, install))
        return mend_refuse_foreign(error);
    if (!is_virgin(glance) && !is_sound(&glance->reading))
        return ERR_OK;
    enum err err = reading_sum(&glance->reading, &state_out->version, error);
    if (err != ERR_OK)
        return err;
    state_out->enabled = !glance->reading.is_off;
    *is_good_out = is_virgin(glance) || is_agreed(glance, state_out->version);
    return ERR_OK;
}

static enum err give_up(struct error *error)
{
    return error_set(error, ERR_UPSTREAM_REFUSED,
                     "no server has looked after the versions in redis since it was restarted, "
                     "emptied or changed by hand; start one, or look into the log of the one that "
                     "runs");
}

enum err control_peek(struct app *app, int64_t user_id, struct cache_state *state_out,
                      struct error *error)
{
    struct arena *arena = arena_new(ARENA_BLOCK, 0);
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    bool is_good = false;
    enum err err = arena ? ERR_OK : ERR_NO_MEMORY;

    while (err == ERR_OK && !is_good) {
        struct glance glance;
        arena_reset(arena);
        err = look(app, arena, user_id, &glance, error);
        if (err == ERR_OK)
            err = judge(app, &glance, state_out, &is_good, error);
        if (err != ERR_OK || is_good)
            break;
        if (clock_mono_ns() > give_up_ns)
            err = give_up(error);
        else
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * NS_PER_MS}, NULL);
    }
    arena_free(&arena);
    return err;
}
