/* A read is counted in the round trip it makes anyway. */
#include "limits_fixture.h"

#include "patience.h"

#include "cachewarden/clock.h"
#include "cachewarden/redis.h"
#include "cachewarden/routes.h"
#include "limits/window.h"

#include <pthread.h>
#include <stdatomic.h>

#define STATUS(id) LOOPBACK(&node, "cache.status", loopback_user(id))

static void open_three(void)
{
    redis = redis_server_start(NULL);
    open_node(&node, redis_server_url(redis), THREE, false);
}

static void close_all(void)
{
    loopback_close(&node);
    redis_server_stop(&redis);
}

START_TEST(three_and_no_more)
{
    for (int64_t left = 2; left >= 0; left--)
        expect_rate(STATUS(7), ERR_OK, 3, left);
    expect_rate(STATUS(7), ERR_THROTTLED, 3, 0);
    expect_rate(STATUS(8), ERR_OK, 3, 2);
    expect_expiry("cw:l:{u:7}:status", LIMIT_WINDOW_MS);
    /* The question of a proxy is not limited. */
    for (int i = 0; i < 10; i++)
        expect_rate(LOOPBACK(&node, "cache.check", loopback_user(7)), ERR_OK, 0, 0);
}
END_TEST

START_TEST(one_round_trip)
{
    struct redis_stats before, after;
    expect_rate(STATUS(7), ERR_OK, 3, 2); /* the connection is there */
    redis_stats_read(node.app->control, &before);
    expect_rate(STATUS(7), ERR_OK, 3, 1);
    redis_stats_read(node.app->control, &after);
    ck_assert_uint_eq(after.round_trips - before.round_trips, 1);

    limits_set(node.app->limits, &(struct limit_settings){.enabled = false});
    before = after;
    expect_rate(STATUS(7), ERR_OK, 0, 0);
    redis_stats_read(node.app->control, &after);
    ck_assert_uint_eq(after.round_trips - before.round_trips, 1);
    ck_assert_uint_eq(after.commands - before.commands, 2);
}
END_TEST

static struct loopback other_node;
enum { THREADS = 20, CALLS = 20, ALLOWED = 100 };
static atomic_int allowed, throttled;

static void *ask_on(void *arg)
{
    for (int i = 0; i < CALLS; i++) {
        struct loopback_answer *answer =
            LOOPBACK((struct loopback *)arg, "cache.status", loopback_user(7));
        if (answer->err == ERR_OK)
            atomic_fetch_add(&allowed, 1);
        else if (answer->err == ERR_THROTTLED)
            atomic_fetch_add(&throttled, 1);
        loopback_free(&answer);
    }
    return NULL;
}

START_TEST(two_nodes_share_one_window)
{
    pthread_t threads[THREADS];
    struct limit_settings hundred = THREE;
    hundred.status_per_minute = ALLOWED;
    limits_set(node.app->limits, &hundred);
    open_node_beside(&other_node, &node, redis_server_url(redis), hundred, false);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_on, i % 2 ? &node : &other_node), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(allowed, ALLOWED);
    ck_assert_int_eq(throttled, THREADS * CALLS - ALLOWED);
    loopback_close(&other_node);
}
END_TEST

/* What Redis can still do goes on; the node counts. */
START_TEST(a_redis_that_takes_no_writes)
{
    loopback_free(&(struct loopback_answer *){STATUS(8)}); /* so that there is control data */
    redis_server_do(redis, "HSET cw:{u:7} clears 4");
    redis_server_do(redis, "CONFIG SET min-replicas-to-write 1"); /* NOREPLICAS */
    for (int64_t left = 2; left >= 0; left--) {
        struct loopback_answer *answer = STATUS(7);
        ck_assert_int_eq(answer->reply.cache_version, 5);
        expect_rate(answer, ERR_OK, 3, left);
    }
    expect_rate(STATUS(7), ERR_THROTTLED, 3, 0);
}
END_TEST

/* A counter that lost its expiry, by a person's hand or between SET and INCR, must not shut the user out
 * for ever. */
START_TEST(a_counter_without_an_expiry_is_given_one)
{
    redis_server_do(redis, "SET cw:l:{u:7}:status 99");
    expect_rate(STATUS(7), ERR_THROTTLED, 3, 0);
    expect_expiry("cw:l:{u:7}:status", LIMIT_WINDOW_MS);
}
END_TEST

/* The count being refused must not hide that the answer is; then this node counts for itself. */
START_TEST(a_bad_answer_stays_bad)
{
    redis_server_do(redis, "HSET cw:{u:7} clears abc");
    expect_rate(STATUS(7), ERR_UPSTREAM_REFUSED, 3, 2);
    redis_server_do(redis, "DEL cw:l:{u:7}:status");
    redis_server_do(redis, "HSET cw:l:{u:7}:status a b");
    expect_rate(STATUS(7), ERR_UPSTREAM_REFUSED, 3, 2);
}
END_TEST

START_TEST(redis_is_gone)
{
    expect_rate(STATUS(7), ERR_OK, 3, 2);
    redis_server_kill(redis);
    for (int64_t left = 2; left >= 0; left--)
        expect_rate(STATUS(7), ERR_UPSTREAM_DOWN, 3, left);
    expect_rate(STATUS(7), ERR_THROTTLED, 3, 0);
}
END_TEST

/* ---- operations that forget ---- */

static enum err op_forgetful(struct call *call)
{
    return call_finish(call);
}

/* A call of the row by user 7, whose operation counts nothing. */
static enum err forget(const char *name, int64_t *remaining_out)
{
    size_t count;
    const struct route *rows = routes_table(&count);
    struct arena *arena = arena_new(4096, 0);
    struct call call;
    struct route row = rows[0];
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            row = rows[i];
    row.operation = op_forgetful;
    call_init(&call, node.app, &row, arena);
    call.principal = loopback_user(7);
    call.client_address = STR("127.0.0.1");
    call.deadline_ns = clock_deadline_ns(PATIENCE_MS);
    enum err err = limits_check(&call);
    if (err == ERR_OK)
        err = limits_finish(&call, row.operation(&call));
    *remaining_out = call.reply.rate_remaining;
    arena_free(&arena);
    return err;
}

START_TEST(a_read_that_forgot_is_counted_all_the_same)
{
    int64_t remaining;
    for (int64_t left = 2; left >= 0; left--) {
        ck_assert_int_eq(forget("cache.status", &remaining), ERR_OK);
        ck_assert_int_eq(remaining, left);
    }
    ck_assert_int_eq(forget("cache.status", &remaining), ERR_THROTTLED);
    ck_assert_int_eq(forget("cache.check", &remaining), ERR_OK); /* a row without a limit */
}
END_TEST

START_TEST(a_token_that_was_not_counted_is_our_own_mistake)
{
    int64_t remaining;
    ck_assert_int_eq(forget("auth.refresh", &remaining), ERR_INTERNAL);
    limits_set(node.app->limits, &(struct limit_settings){.enabled = false});
    ck_assert_int_eq(forget("auth.refresh", &remaining), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/limits/count_append");
    TCase *tcase = tcase_create("append");
    tcase_add_checked_fixture(tcase, open_three, close_all);
    tcase_add_test(tcase, three_and_no_more);
    tcase_add_test(tcase, one_round_trip);
    tcase_add_test(tcase, two_nodes_share_one_window);
    tcase_add_test(tcase, a_redis_that_takes_no_writes);
    tcase_add_test(tcase, a_counter_without_an_expiry_is_given_one);
    tcase_add_test(tcase, a_bad_answer_stays_bad);
    tcase_add_test(tcase, redis_is_gone);
    tcase_add_test(tcase, a_read_that_forgot_is_counted_all_the_same);
    tcase_add_test(tcase, a_token_that_was_not_counted_is_our_own_mistake);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
