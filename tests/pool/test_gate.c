/* The gate: no write goes to a Redis that whoever guards the control data has not agreed to. */
#include "pool_case.h"

#include "redis_server.h"
#include "suite.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>

static struct redis_server *redis;
static struct redis *front;
static struct arena *arena;
static struct error error;

/* What the guard of this test says, and what it was asked. */
static _Atomic uint64_t agreed;
static atomic_int asked;
static _Atomic uint64_t last_missed, after_a_miss;
static atomic_bool is_shut;

static enum err ask(void *with, uint64_t missed, int64_t deadline_ns, uint64_t *replication_id_out,
                    struct error *why)
{
    ck_assert_ptr_eq(with, &asked);
    ck_assert_int_gt(deadline_ns, 0);
    atomic_fetch_add(&asked, 1);
    atomic_store(&last_missed, missed);
    if (missed != 0)
        atomic_store(&agreed, after_a_miss);
    *replication_id_out = agreed;
    return is_shut ? error_set(why, ERR_UPSTREAM_REFUSED, "shut") : ERR_OK;
}

static uint64_t origin_now(void)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("PING"));
    case_err(redis_run(front, pipeline,
                       (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
             ERR_OK);
    return pipeline_replication_id(pipeline);
}

static void set_up(void)
{
    redis = redis_server_start(NULL);
    arena = arena_new(0, 0);
    front = case_pool_with(redis_server_url(redis),
                           (struct redis_options){.asks_replication_id = true, .size = 2});
    redis_set_gate(front, (struct redis_gate){.ask = ask, .with = &asked});
    atomic_store(&agreed, origin_now());
    atomic_store(&asked, 0);
    atomic_store(&is_shut, false);
}

static void tear_down(void)
{
    redis_close(&front);
    arena_free(&arena);
    redis_server_stop(&redis);
}

static enum err increment(enum pipeline_effect effect)
{
    return CASE_RUN(front, arena, effect, EXPECT_INTEGER, NULL, &error, STR("INCR"), STR("n"));
}

static int64_t held(void)
{
    return redis_server_ask_integer(redis, "INCRBY n 0");
}

START_TEST(every_write_asks)
{
    case_err(increment(PIPELINE_WRITE), ERR_OK);
    ck_assert_int_eq(asked, 1);
    /* A read that counts on its way is a write. */
    case_err(increment(PIPELINE_READ), ERR_OK);
    ck_assert_int_eq(asked, 2);
    case_err(increment(PIPELINE_WRITE_FREE), ERR_OK);
    case_err(
        CASE_RUN(front, arena, PIPELINE_READ, EXPECT_STRING, NULL, &error, STR("GET"), STR("n")),
        ERR_OK);
    ck_assert_int_eq(asked, 2);
    ck_assert_int_eq(held(), 3);
}
END_TEST

START_TEST(a_gate_that_is_shut)
{
    atomic_store(&is_shut, true);
    case_err(increment(PIPELINE_WRITE), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "shut");
    case_err(increment(PIPELINE_READ), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(held(), 0);
    case_err(increment(PIPELINE_WRITE_FREE), ERR_OK);
}
END_TEST

/* It is asked again when the connection leads elsewhere, and told so; nothing is sent before. */
START_TEST(another_redis_than_agreed)
{
    uint64_t here = agreed;
    atomic_store(&agreed, here + 8);
    atomic_store(&after_a_miss, here);
    case_err(increment(PIPELINE_WRITE), ERR_OK);
    ck_assert_int_eq(asked, 2);
    ck_assert_uint_eq(last_missed, here + 8);
    ck_assert_int_eq(held(), 1);
    atomic_store(&agreed, here + 8);
    atomic_store(&after_a_miss, here + 8);
    case_err(increment(PIPELINE_WRITE), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(held(), 1);
    ck_assert_uint_eq(case_stats(front).busy, 0);
    ck_assert_uint_eq(case_stats(front).under_way, 0);
}
END_TEST

START_TEST(a_pipeline_for_one_redis)
{
    for (int i = 0; i < 2; i++) {
        struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE_FREE);
        PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), STR("n"));
        pipeline_require(pipeline, agreed + (i ? 8 : 0));
        case_err(redis_run(front, pipeline,
                           (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
                 i ? ERR_CONFLICT : ERR_OK);
    }
    ck_assert_int_eq(held(), 1);
}
END_TEST

/* Whoever the gate asks may write where the gate is shut, but only to the Redis it names. */
START_TEST(a_repair)
{
    enum { UNNAMED, HERE, ELSEWHERE, ANYWHERE, CASES };
    static const enum err expected[CASES] = {ERR_INTERNAL, ERR_OK, ERR_CONFLICT, ERR_OK};
    const uint64_t replication_ids[CASES] = {0, agreed, agreed + 8, 0};
    atomic_store(&is_shut, true);
    for (int i = 0; i < CASES; i++) {
        struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE_REPAIR);
        PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), STR("n"));
        if (i != UNNAMED)
            pipeline_require(pipeline, replication_ids[i]);
        case_err(redis_run(front, pipeline,
                           (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
                 expected[i]);
    }
    ck_assert_int_eq(asked, 0);
    ck_assert_int_eq(held(), 2);
}
END_TEST

enum { THREADS = 16, ROUNDS = 50 };

struct caller {
    pthread_t thread;
    bool writes;
    int failures, done;
};

static void *call_many(void *arg)
{
    struct caller *caller = arg;
    struct arena *own = arena_new(0, 0);
    for (int i = 0; i < ROUNDS; i++) {
        struct pipeline *pipeline =
            pipeline_new(own, caller->writes ? PIPELINE_WRITE_FREE : PIPELINE_READ);
        struct error why;
        if (caller->writes)
            PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), STR("n"));
        else
            PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("PING"));
        if (caller->writes)
            pipeline_require(pipeline, agreed + (i % 2 ? 8 : 0));
        enum err err = redis_run(front, pipeline,
                                 (struct work){.deadline_ns = case_deadline_ns(), .error = &why});
        caller->done += err == ERR_OK;
        caller->failures += err != ERR_OK && err != ERR_CONFLICT;
        arena_reset(own);
    }
    arena_free(&own);
    return NULL;
}

/* Who may not go along fails alone: neither reads nor writes for the right place suffer. */
START_TEST(in_a_batch_everybody_goes_where_they_may)
{
    struct caller callers[THREADS] = {0};
    int64_t done = 0;
    for (int i = 0; i < THREADS; i++) {
        callers[i].writes = i % 2;
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, call_many, &callers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL);
        if (callers[i].writes)
            done += callers[i].done;
        if (callers[i].writes)
            ck_assert_int_eq(callers[i].done, ROUNDS / 2);
        ck_assert_int_eq(callers[i].failures, 0);
    }
    ck_assert_int_eq(held(), done);
    ck_assert_uint_eq(case_stats(front).under_way, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate");
    TCase *tcase = tcase_create("gate");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, every_write_asks);
    tcase_add_test(tcase, a_gate_that_is_shut);
    tcase_add_test(tcase, another_redis_than_agreed);
    tcase_add_test(tcase, a_pipeline_for_one_redis);
    tcase_add_test(tcase, a_repair);
    tcase_add_test(tcase, in_a_batch_everybody_goes_where_they_may);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
