/* Trying all that status, switch and clear ask of a Redis, on keys that nobody else has. */
#include "cachewarden/control.h"

#include "cachewarden/pipeline.h"
#include "cachewarden/redis_error.h"
#include "keyspace.h"

#include <stdio.h>

#define LIFETIME STR("10") /* of what is left behind where a command in the middle fails */

/* The commands, in their order. */
enum {
    SET,
    GET,
    MULTI,
    GET_WITHIN,
    HINCRBY,
    HMGET,
    EXPIRE,
    EXEC,
    HSET,
    HSETNX,
    HDEL,
    DEL_TEXT,
    DEL_HASH,
    COMMANDS
};
static const char *const names[COMMANDS] = {"SET",   "GET",    "MULTI", "GET",  "HINCRBY",
                                            "HMGET", "EXPIRE", "EXEC",  "HSET", "HSETNX",
                                            "HDEL",  "DEL",    "DEL"};

static void add_all(struct pipeline *pipeline)
{
    struct key text = key_probe(), hash = key_probe();

    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), key_str(&text), STR("probe"), STR("EX"),
                 LIFETIME);
    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("GET"), key_str(&text));
    /* Of several keys, which a cluster does not take. */
    pipeline_begin_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("GET"), key_str(&text));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key_str(&hash), STR("clears"), STR("1"));
    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&hash), STR("clears"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIRE"), key_str(&hash), LIFETIME);
    pipeline_end_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&hash), STR("off"), STR("1"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSETNX"), key_str(&hash), STR("off"), STR("0"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HDEL"), key_str(&hash), STR("off"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&text));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&hash));
}

static bool integer_is(const struct pipeline *pipeline, size_t index, int64_t number)
{
    return pipeline_value(pipeline, index)->integer == number;
}

static bool is_all_there(const struct pipeline *pipeline)
{
    const struct value *clears = pipeline_value(pipeline, HMGET);

    return str_eq(pipeline_value(pipeline, GET)->text, STR("probe")) &&
           integer_is(pipeline, HINCRBY, 1) && clears->count == 1 &&
           str_eq(clears->items[0].text, STR("1")) && integer_is(pipeline, HSET, 1) &&
           integer_is(pipeline, HSETNX, 0) && integer_is(pipeline, HDEL, 1) &&
           integer_is(pipeline, DEL_TEXT, 1) && integer_is(pipeline, DEL_HASH, 1);
}

/* Which command it was: the causes that have a text of their own need no more. The sentence may name the user, and is
 * not for everybody who may ask how the service is. */
static void name_refused(const struct pipeline *pipeline, struct error *error)
{
    for (size_t i = 0; error && i < COMMANDS; i++) {
        const struct value *value = pipeline_value(pipeline, i);
        char sentence[VALUE_SENTENCE_SIZE];
        if (value->kind != VALUE_ERROR)
            continue;
        if (error->redis == REDIS_ERROR_REFUSED)
            snprintf(error->caller, sizeof error->caller, "redis refused %s (%.*s)", names[i],
                     STR_ARG(value_error_word(value)));
        value_error_sentence(value, sentence);
        snprintf(error->detail, sizeof error->detail, "%s", sentence);
        return;
    }
}

enum err control_try_write(struct redis *control, struct work work)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE_FREE);

    add_all(pipeline);
    enum err err = redis_run(control, pipeline, work);
    if (err == ERR_UPSTREAM_REFUSED)
        name_refused(pipeline, work.error);
    if (err == ERR_OK && !is_all_there(pipeline))
        err = error_set(work.error, ERR_UPSTREAM_REFUSED, "redis lost what was written");
    return err;
}
