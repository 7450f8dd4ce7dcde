/* The pool as a whole: what it counts, what it keeps, when it stops trying. */
#include "pool_case.h"
#include "pool_private.h"
#include "redis_private.h"

#include "fake_redis.h"
#include "slowness.h"
#include "suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

static struct fake_redis *fake;
static struct arena *arena;
static struct error error;

static void set_up(void)
{
    fake = fake_redis_start();
    arena = arena_new(0, 0);
}

static void tear_down(void)
{
    fake_redis_stop(&fake);
    arena_free(&arena);
}

static enum err ask(struct redis *redis)
{
    return CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_OK, NULL, &error, STR("GET"), STR("k"));
}

START_TEST(opening_connects_nothing_and_one_connection_serves_one_caller)
{
    struct redis *redis = case_pool_with(fake_redis_url(fake), (struct redis_options){.size = 8});

    ck_assert_uint_eq(fake_redis_accepted(fake), 0);
    ck_assert(!redis_is_down(redis));
    for (int i = 0; i < 10; i++)
        case_err(ask(redis), ERR_OK);
    struct redis_stats stats = case_stats(redis);
    ck_assert_uint_eq(fake_redis_accepted(fake), 1);
    ck_assert_uint_eq(stats.size, 8);
    ck_assert_uint_eq(stats.idle, 1);
    ck_assert_uint_eq(stats.busy, 0);
    ck_assert_uint_eq(stats.connects, 1);
    ck_assert_uint_eq(stats.borrows, 10);
    ck_assert_uint_eq(stats.round_trips, 10);
    ck_assert_uint_eq(stats.commands, 10);
    ck_assert_uint_eq(stats.closes + stats.batches + stats.connect_failures + stats.desynchronised,
                      0);
    redis_close(&redis);
    ck_assert_ptr_null(redis);
}
END_TEST

START_TEST(the_caller_keeps_its_options)
{
    struct redis_options options = {.size = 1,
                                    .borrow_timeout_ms = CASE_PATIENCE_MS,
                                    .connect_timeout_ms = CASE_PATIENCE_MS,
                                    .command_timeout_ms = CASE_PATIENCE_MS};
    struct redis *redis;
    char name[] = "mine";

    case_err(redis_address_parse(str_from(fake_redis_url(fake)), &options.address, &error), ERR_OK);
    options.client_name = name;
    case_err(redis_open(&options, &redis, &error), ERR_OK);
    redis_address_fini(&options.address);
    name[0] = ' ';
    case_err(ask(redis), ERR_OK);
    redis_close(&redis);
}
END_TEST

START_TEST(an_endpoint_that_is_down_is_tried_once_a_second_however_many_ask)
{
    struct redis *redis = case_pool(fake_redis_url(fake));
    unsigned asked = 0;

    fake_redis_slam(fake, "");
    case_err(ask(redis), ERR_UPSTREAM_DOWN);
    ck_assert(redis_is_down(redis));
    size_t before = fake_redis_accepted(fake);
    ck_assert_uint_eq(before, 1);
    int64_t begin_ns = clock_mono_ns();
    while (fake_redis_accepted(fake) < before + 2) {
        case_err(ask(redis), ERR_UPSTREAM_DOWN);
        ck_assert_str_eq(error.caller, "redis unavailable");
        asked++;
    }
    ck_assert_int_ge(clock_mono_ns() - begin_ns, 1900 * NS_PER_MS);
    ck_assert_uint_gt(asked, 10);
    ck_assert_uint_ge(case_stats(redis).breaker_refusals, asked - 2);
    ck_assert_uint_eq(case_stats(redis).connect_failures, 3);

    fake_redis_slam(fake, NULL);
    while (ask(redis) != ERR_OK)
        expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, CASE_PATIENCE_MS);
    ck_assert(!redis_is_down(redis));
    ck_assert_uint_eq(fake_redis_accepted(fake), before + 3);
    redis_close(&redis);
}
END_TEST

static atomic_uint answered;

static void *ask_once(void *redis)
{
    struct arena *own = arena_new(0, 0);
    struct pipeline *pipeline = pipeline_new(own, PIPELINE_READ);
    struct error ignored;

    PIPELINE_ADD(pipeline, EXPECT_OK, STR("GET"), STR("k"));
    if (redis_run(redis, pipeline,
                  (struct work){.deadline_ns = case_deadline_ns(), .error = &ignored}) ==
        ERR_UPSTREAM_DOWN)
        atomic_fetch_add(&answered, 1);
    arena_free(&own);
    return NULL;
}

START_TEST(all_who_wait_for_a_dead_endpoint_are_told_at_once)
{
    enum { THREADS = 50 };
    struct redis *redis = case_pool_with(fake_redis_url(fake), (struct redis_options){.size = 2});
    pthread_t threads[THREADS];
    int64_t begin_ns = clock_mono_ns();

    fake_redis_slam(fake, "");
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_once, redis), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&answered), THREADS);
    expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 10 * 1000);
    /* Two may have been trying when the first failed, and one probe a second after it. */
    ck_assert_int_le((int64_t)fake_redis_accepted(fake),
                     2 + (clock_mono_ns() - begin_ns) / NS_PER_S);
    ck_assert_uint_eq(redis->pool->live, 0);
    redis_close(&redis);
}
END_TEST

START_TEST(a_pool_that_cannot_grow_goes_on_with_what_it_has)
{
    struct redis *redis = case_pool_with(fake_redis_url(fake), (struct redis_options){.size = 2});
    pthread_t thread;

    case_err(ask(redis), ERR_OK);
    FAKE_SCRIPT(fake, {.bytes = "+OK\r\n", .is_held = true});
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_once, redis), 0);
    ck_assert(fake_redis_wait_seen(fake, "GET", 2));
    fake_redis_slam(fake, "");
    /* One connection is held, a second cannot be made: wait for the first, Redis is not down. */
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("GET"), STR("k"));
    case_err(redis_run(redis, pipeline,
                       (struct work){.deadline_ns = clock_deadline_ns(100), .error = &error}),
             ERR_TIMEOUT);
    ck_assert(!redis_is_down(redis));
    ck_assert_uint_eq(case_stats(redis).connect_failures, 1);
    fake_redis_release(fake);
    pthread_join(thread, NULL);
    case_err(ask(redis), ERR_OK);
    ck_assert_uint_eq(fake_redis_accepted(fake), 2);
    redis_close(&redis);
}
END_TEST

START_TEST(a_pool_that_lost_all_while_it_may_not_grow_dials_again_at_once)
{
    struct redis *redis = case_pool_with(fake_redis_url(fake), (struct redis_options){.size = 2});
    pthread_t holder, other;

    case_err(ask(redis), ERR_OK);
    FAKE_SCRIPT(fake, {.bytes = "+OK\r\n", .is_held = true});
    ck_assert_int_eq(pthread_create(&holder, NULL, ask_once, redis), 0);
    ck_assert(fake_redis_wait_seen(fake, "GET", 2));
    fake_redis_slam(fake, "");
    ck_assert_int_eq(pthread_create(&other, NULL, ask_once, redis), 0);
    ck_assert(fake_redis_wait_accepted(fake, 2));
    while (case_stats(redis).connect_failures == 0)
        sched_yield();
    lock_acquire(&redis->pool->lock);
    ck_assert_int_gt(redis->pool->grow_again_ns, 0);
    redis->pool->grow_again_ns = INT64_MAX; /* the second may not save the day */
    lock_release(&redis->pool->lock);
    fake_redis_slam(fake, NULL);
    int64_t begin_ns = clock_mono_ns();
    fake_redis_hang_up(fake);
    pthread_join(holder, NULL);
    pthread_join(other, NULL);
    ck_assert_uint_eq(atomic_load(&answered), 0); /* neither was told that Redis is down */
    expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, CASE_PATIENCE_MS / 2);
    redis_close(&redis);
}
END_TEST

/* Somebody was allowed to make a further connection while this one was in use. */
static enum err grow(struct pool *pool, enum dial dial, bool *is_down_out)
{
    struct conn *conn = NULL;

    lock_acquire(&pool->lock);
    pool->live++;
    pool->busy++;
    pool->connecting++;
    lock_release(&pool->lock);
    return pool_connect(pool, case_deadline_ns(), dial, &conn, is_down_out, &error);
}

static const char *const refusals[] = {
    "-ERR max number of clients reached\r\n",
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    NULL, /* no file descriptor is left */
};

static void refuse_connections(int which)
{
    if (refusals[which])
        fake_redis_slam(fake, refusals[which]);
    else
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 4096}), 0);
}

START_TEST(what_lives_is_kept_when_no_more_can_be_had)
{
    struct redis *redis = case_pool_with(fake_redis_url(fake), (struct redis_options){.size = 8});
    bool is_down = true;

    case_err(ask(redis), ERR_OK);
    refuse_connections(_i);
    case_err(grow(redis->pool, DIAL_GROWTH, &is_down), ERR_UPSTREAM_DOWN);
    ck_assert(!is_down);
    ck_assert(!redis_is_down(redis));
    for (int i = 0; i < 10; i++)
        case_err(ask(redis), ERR_OK);
    ck_assert_uint_eq(case_stats(redis).idle, 1);
    ck_assert_uint_eq(case_stats(redis).closes, 0);
    redis_close(&redis);
    /* Who looks for leaks at the end opens files. */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){4096, 4096}), 0);
}
END_TEST

START_TEST(a_pool_that_is_refused_tries_to_grow_once_a_second)
{
    struct redis *redis = case_pool_with(fake_redis_url(fake), (struct redis_options){.size = 8});
    struct pool *pool = redis->pool;
    struct conn *first = NULL, *more = NULL;
    bool is_down;

    case_err(ask(redis), ERR_OK);
    refuse_connections(0);
    case_err(grow(pool, DIAL_GROWTH, &is_down), ERR_UPSTREAM_DOWN);
    int64_t now_ns = clock_mono_ns(), later_ns = pool->grow_again_ns;
    lock_acquire(&pool->lock);
    ck_assert(pool_acquire_conn_locked(pool, now_ns, &first));
    ck_assert_ptr_nonnull(first);
    ck_assert(!pool_acquire_conn_locked(pool, later_ns - 1, &more));
    ck_assert(pool_acquire_conn_locked(pool, later_ns, &more));
    ck_assert_ptr_null(more);
    /* While that one tries, nobody else does. */
    ck_assert(!pool_acquire_conn_locked(pool, later_ns + NS_PER_S - 1, &more));
    pool_release_conn_locked(pool, now_ns, NULL);
    pool_release_conn_locked(pool, now_ns, first);
    lock_release(&pool->lock);
    redis_close(&redis);
}
END_TEST

/* A command was late once; Redis has refused the one that looks, and so it is there. */
START_TEST(a_refusal_is_an_answer_where_others_live)
{
    struct redis *redis = case_pool_with(fake_redis_url(fake), (struct redis_options){.size = 8});
    struct pool *pool = redis->pool;
    bool is_down = true;

    case_err(ask(redis), ERR_OK);
    lock_acquire(&pool->lock);
    breaker_suspect(&pool->breaker, REDIS_ERROR_TIMEOUT, 0);
    lock_release(&pool->lock);
    refuse_connections(0);
    case_err(grow(pool, DIAL_PROBE, &is_down), ERR_UPSTREAM_DOWN);
    ck_assert(!is_down);
    case_err(ask(redis), ERR_OK);
    redis_close(&redis);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("pool");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, opening_connects_nothing_and_one_connection_serves_one_caller);
    tcase_add_test(tcase, the_caller_keeps_its_options);
    tcase_add_test(tcase, an_endpoint_that_is_down_is_tried_once_a_second_however_many_ask);
    tcase_add_test(tcase, all_who_wait_for_a_dead_endpoint_are_told_at_once);
    tcase_add_test(tcase, a_pool_that_cannot_grow_goes_on_with_what_it_has);
    tcase_add_test(tcase, a_pool_that_lost_all_while_it_may_not_grow_dials_again_at_once);
    tcase_add_loop_test(tcase, what_lives_is_kept_when_no_more_can_be_had, 0,
                        sizeof refusals / sizeof *refusals);
    tcase_add_test(tcase, a_pool_that_is_refused_tries_to_grow_once_a_second);
    tcase_add_test(tcase, a_refusal_is_an_answer_where_others_live);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
