/* What brings back much is sent by itself, and spoils nothing for those who ask for little. */
#include "batch.h"
#include "pool_case.h"
#include "pool_private.h"
#include "redis_private.h"

#include "fake_redis.h"
#include "slowness.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SIZE = 2 * LARGE_BYTES, HEAD_MAX = 32 };

static struct fake_redis *fake;
static struct redis *redis;
static char reply[HEAD_MAX + SIZE + 3];

static void set_up_with(struct redis_options options)
{
    int head = snprintf(reply, HEAD_MAX, "$%d\r\n", SIZE);

    memset(reply + head, 'x', SIZE);
    memcpy(reply + head + SIZE, "\r\n", 3);
    fake = fake_redis_start();
    redis = case_pool_with(fake_redis_url(fake), options);
    redis->pool->tuning.hedge_ns = CASE_PATIENCE_MS * NS_PER_MS;
}

static void set_up(void)
{
    set_up_with((struct redis_options){.size = 1});
}

static void tear_down(void)
{
    redis_close(&redis);
    fake_redis_stop(&fake);
}

/* A thread with one GET. */
struct reader {
    pthread_t thread;
    const char *key;
    bool is_noted;
    enum err err;
    struct error error;
};

static struct pipeline *pipeline_of(struct arena *arena, const struct reader *reader)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);

    PIPELINE_KEY(pipeline, EXPECT_ANY, STR("GET"), str_from(reader->key));
    if (reader->is_noted)
        pipeline_note_stored(pipeline, str_from(reader->key));
    return pipeline;
}

static void *read_it(void *with)
{
    struct reader *reader = with;
    struct arena *arena = arena_new(0, 0);
    struct work work = {.deadline_ns = case_deadline_ns(), .error = &reader->error};

    reader->err = redis_run(redis, pipeline_of(arena, reader), work);
    arena_free(&arena);
    return NULL;
}

static void start(struct reader *reader)
{
    ck_assert_int_eq(pthread_create(&reader->thread, NULL, read_it, reader), 0);
}

static void expect(struct reader *reader, enum err err)
{
    ck_assert_int_eq(pthread_join(reader->thread, NULL), 0);
    ck_assert_msg(reader->err == err, "%s: %s instead of %s: %s", reader->key,
                  err_name(reader->err), err_name(err), reader->error.detail);
}

static bool is_expected_large(const char *key)
{
    struct arena *arena = arena_new(0, 0);
    const struct reader reader = {.key = key, .is_noted = true};
    bool is = large_is_expected(&redis->pool->large_keys, pipeline_of(arena, &reader));

    arena_free(&arena);
    return is;
}

static void read_large(const char *key)
{
    struct reader reader = {.key = key, .is_noted = true};

    FAKE_SCRIPT(fake, {.bytes = reply});
    read_it(&reader);
    case_err(reader.err, ERR_OK);
    ck_assert(is_expected_large(key));
}

/* Somebody is on a connection and stays there until fake_redis_release. */
static void occupy(struct reader *holder, const char *bytes)
{
    size_t seen = fake_redis_seen(fake, "GET");

    FAKE_SCRIPT(fake, {.bytes = bytes, .is_held = true});
    start(holder);
    ck_assert(fake_redis_wait_seen(fake, "GET", seen + 1));
}

static size_t count_queued(void)
{
    size_t count = 0;

    lock_acquire(&redis->pool->lock);
    for (const struct batch *batch = redis->pool->queue; batch; batch = batch->next)
        count += batch->present;
    lock_release(&redis->pool->lock);
    return count;
}

static void wait_queued(size_t count)
{
    int64_t give_up_ns = case_deadline_ns();

    while (count_queued() != count) {
        ck_assert(clock_mono_ns() < give_up_ns);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

START_TEST(what_was_large_is_sent_by_itself)
{
    struct reader holder = {.key = "a"}, large = {.key = "big", .is_noted = true},
                  small = {.key = "b", .is_noted = true}, other = {.key = "c"};

    read_large("big");
    occupy(&holder, "+OK\r\n");
    start(&small);
    wait_queued(1);
    start(&large);
    wait_queued(2);
    start(&other);
    wait_queued(3);
    uint64_t batched = case_stats(redis).batched;
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    expect(&small, ERR_OK);
    expect(&large, ERR_OK);
    expect(&other, ERR_OK);
    ck_assert_uint_eq(case_stats(redis).batched - batched, 2); /* all but the large one */
    ck_assert(!is_expected_large("big"));                      /* it was small this time */
}
END_TEST

/* Nobody knew of it, and all that shared its batch were late. The next time it is by itself. */
START_TEST(what_made_others_late_is_sent_by_itself)
{
    struct reader holder = {.key = "a"}, large = {.key = "big", .is_noted = true},
                  small = {.key = "b"};

    tear_down();
    set_up_with((struct redis_options){.size = 1, .command_timeout_ms = slowness_stretch_ms(300)});
    occupy(&holder, "+OK\r\n");
    start(&large);
    wait_queued(1);
    start(&small);
    wait_queued(2);
    FAKE_SCRIPT(fake, {.bytes = reply, .size = HEAD_MAX + LARGE_BYTES, .then = FAKE_MUTE});
    fake_redis_release(fake);
    expect(&holder, ERR_OK);
    expect(&large, ERR_TIMEOUT);
    expect(&small, ERR_TIMEOUT);
    ck_assert(is_expected_large("big"));
    ck_assert(!redis_is_down(redis));
}
END_TEST

/* A Redis that stands still says nothing of what it would have answered. */
START_TEST(silence_is_not_large)
{
    struct reader reader = {.key = "k", .is_noted = true};

    tear_down();
    set_up_with((struct redis_options){.size = 1, .command_timeout_ms = 20});
    FAKE_SCRIPT(fake, {.then = FAKE_MUTE});
    read_it(&reader);
    case_err(reader.err, ERR_TIMEOUT);
    ck_assert(!is_expected_large("k"));
    ck_assert(redis_is_down(redis));
}
END_TEST

/* It has much to say to others. */
START_TEST(who_answers_others_at_length_is_not_accused)
{
    struct reader reader = {.key = "k"};

    tear_down();
    set_up_with((struct redis_options){.size = 4, .command_timeout_ms = 20});
    lock_acquire(&redis->pool->lock);
    redis->pool->live++; /* as if one was under way */
    redis->pool->busy++;
    redis->pool->large_sent++;
    lock_release(&redis->pool->lock);
    FAKE_SCRIPT(fake, {.then = FAKE_MUTE});
    read_it(&reader);
    case_err(reader.err, ERR_TIMEOUT);
    ck_assert(!redis_is_down(redis));
}
END_TEST

START_TEST(half_of_the_connections_are_for_what_is_small)
{
    struct reader first = {.key = "big", .is_noted = true}, second = first, small = {.key = "a"};

    tear_down();
    set_up_with((struct redis_options){.size = 2, .borrow_timeout_ms = slowness_stretch_ms(300)});
    read_large("big");
    occupy(&first, reply);
    start(&second);
    expect(&second, ERR_BUSY);
    read_it(&small);
    case_err(small.err, ERR_OK);
    fake_redis_release(fake);
    expect(&first, ERR_OK);
    read_large("big");
}
END_TEST

static enum err set(struct str value)
{
    struct arena *arena = arena_new(0, 0);
    struct error error;
    enum err err = CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_OK, NULL, &error, STR("SET"),
                            STR("k"), value);

    arena_free(&arena);
    return err;
}

/* Slow as the link may be, Redis answers others. */
START_TEST(what_is_still_on_its_way_accuses_nobody)
{
    enum { MANY = 1024 * 1024 };
    char *much = malloc(MANY);

    ck_assert_ptr_nonnull(much);
    memset(much, 'x', MANY);
    tear_down();
    set_up_with((struct redis_options){.size = 1, .command_timeout_ms = 50});
    case_err(set(STR("v")), ERR_OK);
    fake_redis_deafen(fake, true);
    case_err(set((struct str){much, MANY}), ERR_UNCERTAIN);
    ck_assert(!redis_is_down(redis));
    free(much);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("large");
    TCase *tcase = tcase_create("large");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_was_large_is_sent_by_itself);
    tcase_add_test(tcase, what_made_others_late_is_sent_by_itself);
    tcase_add_test(tcase, silence_is_not_large);
    tcase_add_test(tcase, who_answers_others_at_length_is_not_accused);
    tcase_add_test(tcase, half_of_the_connections_are_for_what_is_small);
    tcase_add_test(tcase, what_is_still_on_its_way_accuses_nobody);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
