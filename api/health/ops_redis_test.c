/* The tests of /api/redis-test: each kind of command the service leans on, tried on a key of its own. */
#include "health/probe.h"

#include "cachewarden/clock.h"
#include "cachewarden/control.h"
#include "cachewarden/pipeline.h"
#include "keyspace.h"

#include <stdio.h>
#include <string.h>

/* Should a test fail half-way, its key is gone after as many seconds. */
#define LIFETIME STR("10")

/* One attempt: what the tests have in common. */
struct attempt {
    struct app *app;
    struct arena *arena;
    int64_t deadline_ns;
    char *message; /* of struct health_tests: of the first that failed */
    size_t message_size;
};

static void explain(const struct attempt *attempt, const struct error *error)
{
    bool has_more = error->detail[0] && strcmp(error->caller, error->detail) != 0;

    if (attempt->message[0])
        return;
    snprintf(attempt->message, attempt->message_size, "%s%s%s", error->caller, has_more ? ": " : "",
             has_more ? error->detail : "");
}

static bool run(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct error error = {0};

    enum err err = redis_run(attempt->app->control, pipeline,
                             (struct work){.deadline_ns = attempt->deadline_ns, .error = &error});
    if (err != ERR_OK)
        explain(attempt, &error);
    return err == ERR_OK;
}

static void try_a_clear(const struct attempt *attempt)
{
    struct error error = {0};

    if (control_try_write(attempt->app->control,
                          (struct work){attempt->arena, attempt->deadline_ns, &error}) != ERR_OK)
        explain(attempt, &error);
}

static bool text_is(const struct pipeline *pipeline, size_t index, struct str text)
{
    return str_eq(pipeline_value(pipeline, index)->text, text);
}

static bool number_is(const struct pipeline *pipeline, size_t index, int64_t number)
{
    return pipeline_value(pipeline, index)->integer == number;
}

static bool test_set_get(const struct attempt *attempt)
{
    struct key key = key_probe();
    struct pipeline *pipeline = pipeline_new(attempt->arena, PIPELINE_WRITE_FREE);

    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), key_str(&key), STR("value"), STR("EX"), LIFETIME);
    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("GET"), key_str(&key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&key));
    return run(attempt, pipeline) && text_is(pipeline, 1, STR("value")) &&
           number_is(pipeline, 2, 1);
}

/* A value with an expiry, as tokens are recorded. */
static bool test_token_storage(const struct attempt *attempt)
{
    struct key key = key_probe();
    struct pipeline *pipeline = pipeline_new(attempt->arena, PIPELINE_WRITE_FREE);

    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SETEX"), key_str(&key), LIFETIME, STR("token"));
    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("GET"), key_str(&key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("TTL"), key_str(&key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&key));
    if (!run(attempt, pipeline) || !text_is(pipeline, 1, STR("token")) ||
        !number_is(pipeline, 3, 1))
        return false;
    int64_t left_s = pipeline_value(pipeline, 2)->integer;
    return left_s >= 0 && left_s <= 10;
}

/* A token is taken back: read and removed in one step, and listed in a sorted set by its expiry. */
static bool test_token_revocation(const struct attempt *attempt)
{
    struct key token = key_probe(), revoked = key_probe();
    struct pipeline *pipeline = pipeline_new(attempt->arena, PIPELINE_WRITE_FREE);

    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SETEX"), key_str(&token), LIFETIME, STR("token"));
    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("GETDEL"), key_str(&token));
    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("GETDEL"), key_str(&token));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZADD"), key_str(&revoked), STR("10"), STR("token"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIRE"), key_str(&revoked), LIFETIME);
    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("ZSCORE"), key_str(&revoked), STR("token"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&revoked));
    return run(attempt, pipeline) && text_is(pipeline, 1, STR("token")) &&
           pipeline_value(pipeline, 2)->kind == VALUE_NIL && number_is(pipeline, 3, 1) &&
           text_is(pipeline, 5, STR("10")) && number_is(pipeline, 6, 1);
}

static bool test_increment(const struct attempt *attempt)
{
    struct key key = key_probe();
    struct pipeline *pipeline = pipeline_new(attempt->arena, PIPELINE_WRITE_FREE);

    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), key_str(&key), STR("41"), STR("EX"), LIFETIME);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("INCR"), key_str(&key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("INCRBY"), key_str(&key), STR("8"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&key));
    return run(attempt, pipeline) && number_is(pipeline, 1, 42) && number_is(pipeline, 2, 50) &&
           number_is(pipeline, 3, 1);
}

/* As a clear does: a count in a hash, in a transaction. */
static void add_transaction(struct pipeline *pipeline, struct str hash)
{
    pipeline_begin_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), hash, STR("clears"), STR("1"));
    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), hash, STR("clears"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), hash);
    pipeline_end_transaction(pipeline);
}

/* Many commands in one write, and then a transaction: every answer comes, in order. */
static bool test_pipeline(const struct attempt *attempt)
{
    enum { STEPS = 16, DEL = STEPS + 1, HINCRBY = DEL + 2, HMGET, DEL_HASH };
    struct key key = key_probe(), hash = key_probe();
    struct pipeline *pipeline = pipeline_new(attempt->arena, PIPELINE_WRITE_FREE);

    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SETEX"), key_str(&key), LIFETIME, STR("0"));
    for (int i = 1; i <= STEPS; i++)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("INCR"), key_str(&key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&key));
    add_transaction(pipeline, key_str(&hash));
    if (!run(attempt, pipeline))
        return false;
    for (size_t i = 1; i <= STEPS; i++) {
        if (!number_is(pipeline, i, (int64_t)i))
            return false;
    }
    const struct value *clears = pipeline_value(pipeline, HMGET);
    return number_is(pipeline, DEL, 1) && number_is(pipeline, HINCRBY, 1) && clears->count == 1 &&
           str_eq(clears->items[0].text, STR("1")) && number_is(pipeline, DEL_HASH, 1);
}

static double measure_latency_ms(const struct attempt *attempt)
{
    struct pipeline *pipeline = pipeline_new(attempt->arena, PIPELINE_READ);
    int64_t start_ns = clock_mono_ns();

    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("PING"));
    if (!run(attempt, pipeline))
        return -1;
    return (double)(clock_mono_ns() - start_ns) / (double)NS_PER_MS;
}

void health_test(struct app *app, struct arena *arena, int64_t deadline_ns,
                 struct health_tests *tests_out)
{
    const struct attempt attempt = {app, arena, deadline_ns, tests_out->message,
                                    sizeof tests_out->message};

    *tests_out = (struct health_tests){0};
    /* First: a request would wait for a connection, too. */
    tests_out->latency_ms = measure_latency_ms(&attempt);
    if (app_is_foreign(app, NULL)) {
        snprintf(tests_out->message, sizeof tests_out->message,
                 "not tried: redis holds the control data of another installation");
        return;
    }
    try_a_clear(&attempt);
    tests_out->basic_set_get = test_set_get(&attempt);
    tests_out->token_storage = test_token_storage(&attempt);
    tests_out->token_revocation = test_token_revocation(&attempt);
    tests_out->increment = test_increment(&attempt);
    tests_out->pipeline = test_pipeline(&attempt);
}
