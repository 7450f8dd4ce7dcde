/* A pool and pipelines for a test, with the checks everybody would write. */
#ifndef TESTS_POOL_CASE_H
#define TESTS_POOL_CASE_H

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/pipeline.h"
#include "patience.h"

#include <check.h>
#include <string.h>

/* Times long enough that only what is meant to be late is late, also under sanitizers. */
#define CASE_PATIENCE_MS PATIENCE_MS

static inline struct redis *case_pool_with(const char *url, struct redis_options options)
{
    struct error error;
    struct redis *redis = NULL;

    ck_assert_msg(redis_address_parse(str_from(url), &options.address, &error) == ERR_OK, "%s",
                  error.caller);
    if (!options.size)
        options.size = 4;
    if (!options.borrow_timeout_ms)
        options.borrow_timeout_ms = CASE_PATIENCE_MS;
    if (!options.connect_timeout_ms)
        options.connect_timeout_ms = CASE_PATIENCE_MS;
    if (!options.command_timeout_ms)
        options.command_timeout_ms = CASE_PATIENCE_MS;
    ck_assert_msg(redis_open(&options, &redis, &error) == ERR_OK, "%s", error.caller);
    redis_address_fini(&options.address);
    return redis;
}

static inline struct redis *case_pool(const char *url)
{
    return case_pool_with(url, (struct redis_options){0});
}

static inline int64_t case_deadline_ns(void)
{
    return clock_deadline_ns(CASE_PATIENCE_MS);
}

static inline struct redis_stats case_stats(struct redis *redis)
{
    struct redis_stats stats;

    redis_stats_read(redis, &stats);
    return stats;
}

/* One command; its reply in *reply_out when that is not NULL. */
static inline enum err case_run(struct redis *redis, struct arena *arena,
                                enum pipeline_effect effect, enum expect expect, size_t argc,
                                const struct str *argv, const struct value **reply_out,
                                struct error *error)
{
    struct pipeline *pipeline = pipeline_new(arena, effect);

    pipeline_add(pipeline, expect, argc, argv);
    enum err err = redis_run(redis, pipeline,
                             (struct work){.deadline_ns = case_deadline_ns(), .error = error});
    if (reply_out)
        *reply_out = pipeline_value(pipeline, 0);
    return err;
}

#define CASE_RUN(redis, arena, effect, expect, reply_out, error, ...)        \
    case_run(redis, arena, effect, expect,                                   \
             sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str), \
             (const struct str[]){__VA_ARGS__}, reply_out, error)

/* Compares by name, so that a failure can be read. */
#define case_err(got, expected)                                                         \
    do {                                                                                \
        enum err case_err_ = (got);                                                     \
        ck_assert_msg(case_err_ == (expected), "%s instead of %s", err_name(case_err_), \
                      err_name(expected));                                              \
    } while (0)

#endif
