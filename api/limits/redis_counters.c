#include "limits/redis_counters.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "limits/limits_private.h"

/* How many commands redis_counters_add adds, and where its numbers stand. */
enum { COUNT_AT = 1, COUNT_TTL_AT = 2 };
enum { LOOK_AT = 0, LOOK_TTL_AT = 1 };
/* PTTL of a key that has no expiry. */
enum { PTTL_NONE = -1 };

/* The expiry comes first, so that a connection lost half way leaves no counter without one. The key
 * may still expire between the first two: limits_restore_expiry. */
void redis_counters_add(struct pipeline *pipeline, const struct key *key, int64_t window_ms)
{
    PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(key), STR("0"), STR("PX"),
                 STR_INT64(window_ms), STR("NX"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("INCR"), key_str(key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PTTL"), key_str(key));
}

void redis_counters_add_look(struct pipeline *pipeline, const struct key *key)
{
    PIPELINE_KEY(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PTTL"), key_str(key));
}

bool redis_counters_take(const struct pipeline *pipeline, size_t first,
                         struct limit_window *window_out)
{
    *window_out = (struct limit_window){
        .count = pipeline_value(pipeline, first + COUNT_AT)->integer,
        .left_ms = pipeline_value(pipeline, first + COUNT_TTL_AT)->integer,
    };
    return window_out->count > 0;
}

bool redis_counters_take_look(const struct pipeline *pipeline, size_t first,
                              struct limit_window *window_out)
{
    const struct value *count = pipeline_value(pipeline, first + LOOK_AT);

    *window_out = (struct limit_window){0, 0};
    if (count->kind == VALUE_NIL)
        return true;
    *window_out = (struct limit_window){
        .count = count->integer,
        .left_ms = pipeline_value(pipeline, first + LOOK_TTL_AT)->integer,
    };
    return window_out->count >= 0;
}

static enum err run(struct call *call, struct pipeline *pipeline)
{
    struct error unwanted;

    return redis_run(
        call->app->control, pipeline,
        (struct work){.deadline_ns = clock_deadline_ns(call->app->budget_ms), .error = &unwanted});
}

void limits_restore_expiry(struct call *call, const struct key *key, int64_t window_ms,
                           struct limit_window *window)
{
    if (window->left_ms != PTTL_NONE)
        return;
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_WRITE);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key_str(key), STR_INT64(window_ms));
    /* When this fails, whoever comes next sees the same and tries again. */
    enum err ignored = run(call, pipeline);
    (void)ignored;
    window->left_ms = window_ms;
}

static int64_t now_ms(void)
{
    return clock_mono_ns() / NS_PER_MS;
}

struct limit_window limits_count_here(struct call *call, const struct key *key, int64_t window_ms)
{
    return local_counters_count(call->app->limits->local, key, window_ms, now_ms());
}

struct limit_window limits_count(struct call *call, const struct key *key, int64_t window_ms)
{
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_WRITE);
    struct limit_window window;

    redis_counters_add(pipeline, key, window_ms);
    if (run(call, pipeline) != ERR_OK || !redis_counters_take(pipeline, 0, &window))
        return limits_count_here(call, key, window_ms);
    limits_restore_expiry(call, key, window_ms, &window);
    return window;
}

struct limit_window limits_look(struct call *call, const struct key *key, int64_t window_ms)
{
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_READ);
    struct limit_window window;

    redis_counters_add_look(pipeline, key);
    if (run(call, pipeline) != ERR_OK || !redis_counters_take_look(pipeline, 0, &window))
        return local_counters_look(call->app->limits->local, key, now_ms());
    limits_restore_expiry(call, key, window_ms, &window);
    return window;
}

void limits_forget(struct call *call, const struct key *key)
{
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_WRITE);

    local_counters_forget(call->app->limits->local, key);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(key));
    enum err ignored = run(call, pipeline);
    (void)ignored;
}
