/*
 * Batches and waits, made to happen one step after the other: the fake holds an answer back while
 * the test builds the situation, and the test looks into the pool to know when it is there.
 */
#include "batch.h"
#include "pool_case.h"
#include "protocol/reply.h"
#include "redis_private.h"

#include "fake_redis.h"
#include "slowness.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct fake_redis *fake;
static struct redis *redis;
static struct arena *arena;
static struct error error;

static void set_up_with(struct redis_options options)
{
    fake = fake_redis_start();
    arena = arena_new(0, 0);
    options.size = options.size ? options.size : 1;
    redis = case_pool_with(fake_redis_url(fake), options);
}

static void set_up(void)
{
    set_up_with((struct redis_options){0});
    redis->pool->tuning.hedge_ns = CASE_PATIENCE_MS * NS_PER_MS;
}

static void tear_down(void)
{
    redis_close(&redis);
    fake_redis_stop(&fake);
    arena_free(&arena);
}

/* A thread with one pipeline. */
struct runner {
    pthread_t thread;
    enum pipeline_effect effect;
    const char *command; /* with one argument, the runner's number */
    int number;
    int64_t timeout_ms;
    enum err err;
    int64_t integer;
    struct error error;
};

static void *run_one(void *argument)
{
    struct runner *runner = argument;
    struct arena *own = arena_new(0, 0);
    struct pipeline *pipeline = pipeline_new(own, runner->effect);
    char number[16];

    snprintf(number, sizeof number, "%d", runner->number);
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, str_from(runner->command), str_from(number));
    runner->err = redis_run(redis, pipeline,
                            (struct work){.deadline_ns = clock_deadline_ns(runner->timeout_ms),
                                          .error = &runner->error});
    runner->integer = pipeline_value(pipeline, 0)->integer;
    arena_free(&own); /* at once: nobody may touch it any more */
    return NULL;
}

/* Long enough for a test to see a runner in the queue, or its commands at the fake. */
static int64_t a_while(void)
{
    return slowness_stretch_ms(200);
}

static void start(struct runner *runner)
{
    if (!runner->command)
        runner->command = "INCR";
    if (!runner->timeout_ms)
        runner->timeout_ms = CASE_PATIENCE_MS;
    ck_assert_int_eq(pthread_create(&runner->thread, NULL, run_one, runner), 0);
}

static void expect(struct runner *runner, enum err err)
{
    ck_assert_int_eq(pthread_join(runner->thread, NULL), 0);
    ck_assert_msg(runner->err == err, "runner %d: %s instead of %s: %s", runner->number,
                  err_name(runner->err), err_name(err), runner->error.detail);
}

/* Waits until so many members are in the batch at the end of the queue (0: no queue). */
static void wait_queued(size_t members)
{
    int64_t give_up_ns = case_deadline_ns();

    for (;;) {
        lock_acquire(&redis->pool->lock);
        size_t present = redis->pool->queue_last ? redis->pool->queue_last->present : 0;
        lock_release(&redis->pool->lock);
        if (present == members)
            return;
        ck_assert_msg(clock_mono_ns() < give_up_ns, "%zu members instead of %zu", present, members);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

/* Somebody is on the one connection and stays there until fake_redis_release. */
static void occupy(struct runner *holder)
{
    FAKE_SCRIPT(fake, {.bytes = ":1000\r\n", .is_held = true});
    holder->command = "GET";
    start(holder);
    ck_assert(fake_redis_wait_seen(fake, "GET", 1));
}

static uint64_t sum(const uint64_t counts[REDIS_TIME_BOUNDS + 1])
{
    uint64_t all = 0;
    for (size_t i = 0; i <= REDIS_TIME_BOUNDS; i++)
        all += counts[i];
    return all;
}

START_TEST(who_comes_while_the_connection_is_out_is_sent_together)
{
    struct runner holder = {.number = 0}, others[5];
    int64_t began_ns = 0;

    occupy(&holder);
    for (int i = 0; i < 5; i++) {
        others[i] = (struct runner){.number = i, .effect = i % 2 ? PIPELINE_WRITE : PIPELINE_READ};
        start(&others[i]);
        wait_queued((size_t)i + 1);
        if (i == 0)
            began_ns = clock_mono_ns();
    }
    FAKE_SCRIPT(fake, {.bytes = ":0\r\n"}, {.bytes = ":1\r\n"}, {.bytes = "-ERR not you\r\n"},
                {.bytes = "$1\r\n3\r\n"}, {.bytes = ":4\r\n"});
    uint64_t waited_ns = (uint64_t)(clock_mono_ns() - began_ns);
    ck_assert_uint_eq(case_stats(redis).under_way, 6);
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    for (int i = 0; i < 5; i++) {
        /* The one that got an error and the one that got a string do not disturb the rest. */
        expect(&others[i], i == 2 || i == 3 ? ERR_UPSTREAM_REFUSED : ERR_OK);
        if (i != 2 && i != 3)
            ck_assert_int_eq(others[i].integer, i);
    }
    ck_assert_uint_eq(case_stats(redis).batches, 1);
    ck_assert_uint_eq(case_stats(redis).batched, 5);
    ck_assert_uint_eq(case_stats(redis).batch_sizes[3], 1); /* up to eight */
    ck_assert_uint_eq(sum(case_stats(redis).waits.counts), 1);
    ck_assert_uint_ge(case_stats(redis).waits.sum_ns, waited_ns);
    ck_assert_uint_eq(sum(case_stats(redis).round_trip_times.counts), 2);
    ck_assert_uint_ge(case_stats(redis).round_trip_times.sum_ns, waited_ns);
    ck_assert_uint_eq(case_stats(redis).borrows, 1);
    ck_assert_uint_eq(fake_redis_accepted(fake), 1);
    ck_assert_uint_eq(redis->pool->under_way, 0);
}
END_TEST

START_TEST(a_batch_that_is_full_is_followed_by_another)
{
    struct runner holder = {.number = 0}, others[7];

    tear_down();
    set_up_with((struct redis_options){.batch_limit = 3});
    redis->pool->tuning.hedge_ns = CASE_PATIENCE_MS * NS_PER_MS;
    occupy(&holder);
    for (int i = 0; i < 7; i++) {
        static const struct fake_step answers[] = {
            {.bytes = ":0\r\n"}, {.bytes = ":1\r\n"}, {.bytes = ":2\r\n"}, {.bytes = ":3\r\n"},
            {.bytes = ":4\r\n"}, {.bytes = ":5\r\n"}, {.bytes = ":6\r\n"}};
        fake_redis_script(fake, &answers[i], 1);
        others[i] = (struct runner){.number = i};
        start(&others[i]);
        wait_queued((size_t)i % 3 + 1);
    }
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    for (int i = 0; i < 7; i++) {
        expect(&others[i], ERR_OK);
        ck_assert_int_eq(others[i].integer, i);
    }
    ck_assert_uint_eq(case_stats(redis).batches, 3);
    ck_assert_uint_eq(case_stats(redis).batched, 7);
}
END_TEST

START_TEST(a_follower_that_leaves_in_time_is_not_sent)
{
    struct runner holder = {.number = 0}, leader = {.number = 1, .command = "INCR"},
                  leaver = {.number = 2,
                            .command = "DEL",
                            .effect = PIPELINE_WRITE,
                            .timeout_ms = 30},
                  stayer = {.number = 3, .command = "DECR"};

    occupy(&holder);
    start(&leader);
    wait_queued(1);
    start(&leaver);
    expect(&leaver, ERR_TIMEOUT);
    wait_queued(1);
    start(&stayer);
    wait_queued(2);
    FAKE_SCRIPT(fake, {.bytes = ":11\r\n"}, {.bytes = ":33\r\n"});
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    expect(&leader, ERR_OK);
    expect(&stayer, ERR_OK);
    ck_assert_int_eq(leader.integer, 11);
    ck_assert_int_eq(stayer.integer, 33);
    ck_assert_uint_eq(fake_redis_seen(fake, "DEL"), 0);
}
END_TEST

START_TEST(a_leader_that_leaves_the_queue_makes_way_for_a_follower)
{
    struct runner holder = {.number = 0},
                  leader = {.number = 1,
                            .command = "DEL",
                            .effect = PIPELINE_WRITE,
                            .timeout_ms = a_while()},
                  follower = {.number = 2}, third = {.number = 3};

    occupy(&holder);
    start(&leader);
    wait_queued(1);
    start(&follower);
    wait_queued(2);
    expect(&leader, ERR_TIMEOUT);
    start(&third);
    wait_queued(2);
    FAKE_SCRIPT(fake, {.bytes = ":22\r\n"}, {.bytes = ":33\r\n"});
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    expect(&follower, ERR_OK);
    expect(&third, ERR_OK);
    ck_assert_int_eq(follower.integer, 22);
    ck_assert_int_eq(third.integer, 33);
    ck_assert_uint_eq(fake_redis_seen(fake, "DEL"), 0);
    ck_assert_uint_eq(redis->pool->under_way, 0);
}
END_TEST

START_TEST(when_all_have_left_the_queue_nothing_is_sent)
{
    struct runner holder = {.number = 0}, leaders[3];

    occupy(&holder);
    for (int i = 0; i < 3; i++) {
        leaders[i] = (struct runner){
            .number = i, .command = "DEL", .effect = PIPELINE_WRITE, .timeout_ms = 50};
        start(&leaders[i]);
    }
    for (int i = 0; i < 3; i++)
        expect(&leaders[i], ERR_TIMEOUT);
    wait_queued(0);
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    ck_assert_uint_eq(fake_redis_seen(fake, "DEL"), 0);
    ck_assert_uint_eq(case_stats(redis).idle, 1);
    ck_assert_uint_eq(redis->pool->under_way, 0);
    ck_assert_uint_eq(case_stats(redis).waits_timed_out, 3);
}
END_TEST

/* A batch of two whose answer is held back: {leader, follower} are on the connection. */
static void send_two(struct runner *leader, struct runner *follower)
{
    struct runner holder = {.number = 0};

    occupy(&holder);
    start(leader);
    wait_queued(1);
    start(follower);
    wait_queued(2);
    FAKE_SCRIPT(fake, {.bytes = ":11\r\n", .is_held = true}, {.bytes = ":22\r\n"});
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    ck_assert(fake_redis_wait_seen(fake, leader->command, 1));
}

/* One item more than is allowed, in `size_out` bytes; the caller frees it. */
static char *oversized(size_t *size_out)
{
    enum { ITEMS = REPLY_ITEMS_MAX + 1 };
    const size_t room = 32 + 4 * (size_t)ITEMS;
    char *bytes = malloc(room);

    ck_assert_ptr_nonnull(bytes);
    size_t size = (size_t)snprintf(bytes, room, "*%d\r\n", ITEMS);
    for (int i = 0; i < ITEMS; i++, size += 4)
        memcpy(bytes + size, ":1\r\n", 4);
    *size_out = size;
    return bytes;
}

START_TEST(who_gets_too_much_takes_nobody_along)
{
    struct runner holder = {.number = 0}, members[4];
    struct fake_step large = {0};
    char *bytes = oversized(&large.size);

    large.bytes = bytes;
    occupy(&holder);
    for (int i = 0; i < 4; i++) {
        members[i] = (struct runner){.number = i, .effect = i < 2 ? PIPELINE_WRITE : PIPELINE_READ};
        start(&members[i]);
        wait_queued((size_t)i + 1);
    }
    FAKE_SCRIPT(fake, {.bytes = ":10\r\n"}, large, large, {.bytes = ":13\r\n"});
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    expect(&members[0], ERR_OK);
    expect(&members[1], ERR_UNCERTAIN);
    expect(&members[2], ERR_UPSTREAM_DOWN);
    expect(&members[3], ERR_OK);
    ck_assert_int_eq(members[0].integer, 10);
    ck_assert_int_eq(members[3].integer, 13);
    ck_assert_str_eq(members[2].error.caller, "redis unavailable");
    /* It goes on over the same connection. */
    ck_assert_uint_eq(case_stats(redis).idle, 1);
    ck_assert_uint_eq(fake_redis_accepted(fake), 1);
    free(bytes);
}
END_TEST

START_TEST(a_leader_that_leaves_a_round_trip_passes_it_on)
{
    enum pipeline_effect effect = _i ? PIPELINE_WRITE : PIPELINE_READ;
    struct runner leader = {.number = 1,
                            .command = "INCR",
                            .effect = effect,
                            .timeout_ms = a_while()},
                  follower = {.number = 2, .command = "DECR"};

    send_two(&leader, &follower);
    expect(&leader, effect == PIPELINE_READ ? ERR_TIMEOUT : ERR_UNCERTAIN);
    fake_redis_release(fake);
    expect(&follower, ERR_OK);
    ck_assert_int_eq(follower.integer, 22);
    ck_assert_uint_eq(case_stats(redis).idle, 1);
    ck_assert_uint_eq(fake_redis_accepted(fake), 1);
    ck_assert(!redis_is_down(redis));
}
END_TEST

START_TEST(a_follower_that_leaves_a_round_trip_does_not_disturb_it)
{
    enum pipeline_effect effect = _i ? PIPELINE_WRITE : PIPELINE_READ;
    struct runner leader = {.number = 1, .command = "INCR"},
                  follower = {
                      .number = 2, .command = "DECR", .effect = effect, .timeout_ms = a_while()};

    send_two(&leader, &follower);
    expect(&follower, effect == PIPELINE_READ ? ERR_TIMEOUT : ERR_UNCERTAIN);
    fake_redis_release(fake);
    expect(&leader, ERR_OK);
    ck_assert_int_eq(leader.integer, 11);
    ck_assert_uint_eq(case_stats(redis).idle, 1);
}
END_TEST

START_TEST(when_all_have_left_a_round_trip_its_connection_is_closed)
{
    struct runner leader = {.number = 1, .command = "INCR", .timeout_ms = a_while()},
                  follower = {.number = 2, .command = "DECR", .timeout_ms = a_while()};

    send_two(&leader, &follower);
    expect(&leader, ERR_TIMEOUT);
    expect(&follower, ERR_TIMEOUT);
    ck_assert_uint_eq(case_stats(redis).idle, 0);
    ck_assert_uint_eq(case_stats(redis).busy, 0);
    ck_assert_uint_eq(case_stats(redis).desynchronised, 1);
    fake_redis_forget(fake);
    FAKE_SCRIPT(fake, {.bytes = ":7\r\n"});
    case_err(CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_INTEGER, NULL, &error, STR("STRLEN"),
                      STR("k")),
             ERR_OK);
}
END_TEST

START_TEST(a_lost_round_trip_is_uncertain_for_writes_and_tried_again_for_reads)
{
    struct runner leader = {.number = 1, .command = "INCR", .effect = PIPELINE_WRITE},
                  follower = {.number = 2, .command = "STRLEN"};

    send_two(&leader, &follower);
    fake_redis_forget(fake);
    FAKE_SCRIPT(fake, {.bytes = ":5\r\n"});
    fake_redis_hang_up(fake);
    expect(&leader, ERR_UNCERTAIN);
    expect(&follower, ERR_OK);
    ck_assert_int_eq(follower.integer, 5);
    ck_assert_uint_eq(fake_redis_seen(fake, "INCR"), 1);
}
END_TEST

START_TEST(one_reply_too_many_taints_the_whole_batch)
{
    struct runner holder = {.number = 0}, one = {.number = 1, .effect = PIPELINE_WRITE},
                  two = {.number = 2, .effect = PIPELINE_WRITE};

    occupy(&holder);
    start(&one);
    wait_queued(1);
    start(&two);
    wait_queued(2);
    FAKE_SCRIPT(fake, {.bytes = ":11\r\n:11\r\n"}, {.bytes = ":22\r\n"});
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    expect(&one, ERR_UNCERTAIN);
    expect(&two, ERR_UNCERTAIN);
    ck_assert_uint_eq(case_stats(redis).desynchronised, 1);
}
END_TEST

START_TEST(no_connection_within_the_bounded_wait_is_busy)
{
    struct runner holder = {.number = 0}, leader = {.number = 1, .effect = PIPELINE_WRITE},
                  follower = {.number = 2};

    tear_down();
    set_up_with((struct redis_options){.borrow_timeout_ms = 60});
    occupy(&holder);
    int64_t begin_ns = clock_mono_ns();
    start(&leader);
    start(&follower);
    expect(&leader, ERR_BUSY);
    expect(&follower, ERR_BUSY);
    ck_assert_str_eq(leader.error.caller, "redis busy");
    ck_assert_int_ge(clock_mono_ns() - begin_ns, 55 * NS_PER_MS);
    expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 5 * 1000);
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    ck_assert_uint_eq(fake_redis_seen(fake, "INCR"), 0);
    ck_assert_uint_eq(case_stats(redis).waits_timed_out, 2);
}
END_TEST

START_TEST(a_batch_that_waits_too_long_takes_another_connection)
{
    struct runner holder = {.number = 0}, other = {.number = 1};

    tear_down();
    set_up_with((struct redis_options){.size = 2});
    redis->pool->tuning.spread_until = 0; /* as if many were under way: one connection at a time */
    redis->pool->tuning.hedge_ns = 20 * NS_PER_MS;
    occupy(&holder);
    FAKE_SCRIPT(fake, {.bytes = ":5\r\n"});
    start(&other);
    expect(&other, ERR_OK);
    ck_assert_uint_eq(fake_redis_accepted(fake), 2);
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
}
END_TEST

static void set_hedge(int64_t ms)
{
    lock_acquire(&redis->pool->lock);
    redis->pool->tuning.hedge_ns = ms * NS_PER_MS;
    lock_release(&redis->pool->lock);
}

/* Whose patience ends first takes no connection that others have waited for longer. */
START_TEST(the_one_that_waits_for_longest_gets_another_connection)
{
    struct runner holder = {.number = 0}, oldest = {.number = 1}, other = {.number = 2};

    tear_down();
    set_up_with((struct redis_options){.size = 2, .batch_limit = 1});
    redis->pool->tuning.spread_until = 0;
    set_hedge(CASE_PATIENCE_MS);
    occupy(&holder);
    FAKE_SCRIPT(fake, {.bytes = ":1\r\n"}, {.bytes = ":2\r\n"});
    start(&oldest);
    wait_queued(1);
    set_hedge(20);
    start(&other);
    expect(&other, ERR_OK);
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    expect(&oldest, ERR_OK);
    ck_assert_int_eq(oldest.integer, 1);
    ck_assert_int_eq(other.integer, 2);
}
END_TEST

START_TEST(a_large_pipeline_waits_like_all_and_is_sent_alone)
{
    enum { SIZE = BATCH_MEMBER_BYTES_MAX * 3 };
    struct runner holder = {.number = 0}, small = {.number = 1};
    struct pipeline *large = pipeline_new(arena, PIPELINE_WRITE);
    char *bytes = arena_alloc(arena, SIZE);

    memset(bytes, 'x', SIZE);
    PIPELINE_ADD(large, EXPECT_OK, STR("SET"), STR("k"), ((struct str){bytes, SIZE}));
    occupy(&holder);
    start(&small);
    wait_queued(1);
    FAKE_SCRIPT(fake, {.bytes = ":1\r\n"}, {.bytes = "+OK\r\n"});
    fake_redis_release(fake);
    case_err(
        redis_run(redis, large, (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
        ERR_OK);
    expect(&holder, ERR_OK);
    expect(&small, ERR_OK);
    /* And once more when it is it that waits. */
    fake_redis_forget(fake);
    struct runner again = {.number = 0};
    FAKE_SCRIPT(fake, {.bytes = ":1000\r\n", .is_held = true}, {.bytes = "+OK\r\n"});
    again.command = "GET";
    start(&again);
    ck_assert(fake_redis_wait_seen(fake, "GET", 2));
    large = pipeline_new(arena, PIPELINE_WRITE);
    PIPELINE_ADD(large, EXPECT_OK, STR("SET"), STR("k"), ((struct str){bytes, SIZE}));
    case_err(redis_run(redis, large,
                       (struct work){.deadline_ns = clock_deadline_ns(30), .error = &error}),
             ERR_TIMEOUT);
    ck_assert_uint_eq(fake_redis_seen(fake, "SET"), 1);
    fake_redis_release(fake);
    expect(&again, ERR_OK);
    ck_assert_uint_eq(redis->pool->under_way, 0);
    ck_assert_uint_eq(case_stats(redis).busy, 0);
}
END_TEST

START_TEST(a_batch_fails_when_its_connection_cannot_be_made)
{
    struct runner holder = {.number = 0}, one = {.number = 1, .effect = PIPELINE_WRITE},
                  two = {.number = 2};

    occupy(&holder);
    start(&one);
    wait_queued(1);
    start(&two);
    wait_queued(2);
    fake_redis_slam(fake, "");
    fake_redis_hang_up(fake);
    /* The holder's read is tried again, finds the door shut, and that ends all who wait. */
    expect(&holder, ERR_UPSTREAM_DOWN);
    expect(&one, ERR_UPSTREAM_DOWN);
    expect(&two, ERR_UPSTREAM_DOWN);
    ck_assert(redis_is_down(redis));
    ck_assert_uint_eq(fake_redis_seen(fake, "INCR"), 0);
    ck_assert_uint_eq(redis->pool->under_way, 0);
    ck_assert_uint_eq(case_stats(redis).busy, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("batch");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, who_comes_while_the_connection_is_out_is_sent_together);
    tcase_add_test(tcase, a_batch_that_is_full_is_followed_by_another);
    tcase_add_test(tcase, a_follower_that_leaves_in_time_is_not_sent);
    tcase_add_test(tcase, a_leader_that_leaves_the_queue_makes_way_for_a_follower);
    tcase_add_test(tcase, when_all_have_left_the_queue_nothing_is_sent);
    tcase_add_test(tcase, who_gets_too_much_takes_nobody_along);
    tcase_add_loop_test(tcase, a_leader_that_leaves_a_round_trip_passes_it_on, 0, 2);
    tcase_add_loop_test(tcase, a_follower_that_leaves_a_round_trip_does_not_disturb_it, 0, 2);
    tcase_add_test(tcase, when_all_have_left_a_round_trip_its_connection_is_closed);
    tcase_add_test(tcase, a_lost_round_trip_is_uncertain_for_writes_and_tried_again_for_reads);
    tcase_add_test(tcase, one_reply_too_many_taints_the_whole_batch);
    tcase_add_test(tcase, no_connection_within_the_bounded_wait_is_busy);
    tcase_add_test(tcase, a_batch_that_waits_too_long_takes_another_connection);
    tcase_add_test(tcase, the_one_that_waits_for_longest_gets_another_connection);
    tcase_add_test(tcase, a_large_pipeline_waits_like_all_and_is_sent_alone);
    tcase_add_test(tcase, a_batch_fails_when_its_connection_cannot_be_made);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
