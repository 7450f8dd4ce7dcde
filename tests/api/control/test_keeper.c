/* Versions never go back and never repeat: one disaster at a time, on two nodes. */
#include "control/floor.h"

#include "two_nodes.h"

#include "patience.h"
#include "redis_snapshot.h"
#include "suite.h"

#include <pthread.h>

static const char *const persistent[] = {"--appendonly", "no", "--dbfilename", "kept.rdb", NULL};

static void open_unwatched(void)
{
    redis = redis_server_start(&(struct redis_server_options){.args = persistent});
    open_two(false);
}

static void open_watched(void)
{
    redis = redis_server_start(&(struct redis_server_options){.args = persistent});
    open_two(true);
}

/* User 7 has been shown 6 and user 8 4, partly on each node; 9 nothing. */
enum { SHOWN_7 = 6, SHOWN_8 = 4 };

static void live(void)
{
    for (int i = 0; i < 4; i++)
        clear_on(i % 2, 7);
    clear_on(1, 8);
    clear_on(0, 8);
    clear_all_on(1);
    ck_assert_int_eq(version_on(0, 7), SHOWN_7);
    ck_assert_int_eq(version_on(1, 8), SHOWN_8);
}

/* Both nodes agree, on more than was shown, and clears go on one by one. */
static void expect_above(int first)
{
    int64_t seven = version_on(first, 7), eight = version_on(!first, 8);
    ck_assert_int_gt(seven, SHOWN_7);
    ck_assert_int_gt(eight, SHOWN_8);
    ck_assert_int_eq(version_on(!first, 7), seven);
    ck_assert_int_eq(version_on(first, 8), eight);
    ck_assert_int_eq(clear_on(!first, 7), seven + 1);
    ck_assert_int_eq(clear_on(first, 7), seven + 2);
    ck_assert_int_eq(version_on(!first, 7), seven + 2);
    int64_t nine = version_on(first, 9);
    ck_assert_int_eq(version_on(!first, 9), nine);
    ck_assert_int_eq(clear_all_on(first) + 1, nine + 1);
    ck_assert_int_eq(version_on(!first, 9), nine + 1);
}

START_TEST(a_fresh_installation_begins_at_one)
{
    ck_assert_int_eq(version_on(0, 7), 1);
    ck_assert_int_eq(clear_on(1, 8), 2);
    ck_assert_int_eq(clear_all_on(1), 1);
    ck_assert_int_eq(version_on(0, 8), 3);
}
END_TEST

START_TEST(the_first_clear_is_one)
{
    ck_assert_int_eq(clear_on(0, 7), 2);
}
END_TEST

START_TEST(the_first_clear_of_all_is_one)
{
    ck_assert_int_eq(clear_all_on(0), 1);
    ck_assert_int_eq(version_on(0, 7), 2);
}
END_TEST

START_TEST(flushed)
{
    live();
    redis_server_do(redis, "FLUSHALL");
    expect_above(_i);
}
END_TEST

/* The very first to notice is a clear, on data that holds nothing. */
START_TEST(flushed_and_cleared)
{
    live();
    redis_server_do(redis, "FLUSHALL");
    int64_t version = clear_on(_i, 7);
    ck_assert_int_gt(version, SHOWN_7);
    ck_assert_int_eq(version_on(!_i, 7), version);
    ck_assert_int_gt(clear_all_on(!_i), 1);
    ck_assert_int_eq(version_on(_i, 7), version + 1);
}
END_TEST

/* An epoch that is made by a clear of everything must not be believed by anybody. */
START_TEST(flushed_and_all_cleared)
{
    live();
    redis_server_do(redis, "FLUSHALL");
    ck_assert_int_gt(clear_all_on(_i), SHOWN_7);
    expect_above(!_i);
}
END_TEST

START_TEST(killed_without_persistence)
{
    live();
    redis_server_restart(redis);
    expect_above(_i);
}
END_TEST

START_TEST(an_older_copy_put_back)
{
    char *before;
    clear_on(0, 7);
    redis_server_do(redis, "SAVE");
    before = redis_snapshot(redis, NULL);
    for (int i = 0; i < 3; i++)
        clear_on(i % 2, 7);
    clear_all_on(1);
    clear_on(1, 8);
    clear_on(0, 8);
    ck_assert_int_eq(version_on(0, 7), SHOWN_7);
    ck_assert_int_eq(version_on(1, 8), SHOWN_8);
    redis_server_restart(redis); /* it reads the copy that was saved */
    char *after = redis_snapshot(redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    expect_above(_i);
}
END_TEST

/* It lost nothing, but nobody can know that. */
START_TEST(restarted_with_everything)
{
    live();
    redis_server_do(redis, "SAVE");
    redis_server_restart(redis);
    expect_above(_i);
}
END_TEST

START_TEST(an_epoch_lowered_by_hand)
{
    static const char *const hands[] = {"SET cw:epoch 1", "SET cw:epoch 0", "DEL cw:epoch",
                                        "SET cw:epoch -7"};
    for (size_t i = 0; i < sizeof hands / sizeof *hands; i++) {
        int64_t before = version_on(0, 7) + 2;
        clear_all_on(1);
        ck_assert_int_eq(clear_all_on(1) + 1, before);
        redis_server_do(redis, hands[i]);
        ck_assert_int_eq(version_on(_i, 7), before); /* what was, is known to the witness */
        ck_assert_int_eq(version_on(!_i, 7), before);
    }
    redis_server_do(redis, "SET cw:epoch 1");
    int64_t epoch = clear_all_on(_i);
    ck_assert_int_gt(epoch, 8);
    ck_assert_int_eq(version_on(!_i, 7), epoch + 1);
}
END_TEST

/* With its witness: this node alone knows better. */
START_TEST(an_epoch_and_its_witness_lowered)
{
    for (int i = 0; i < 5; i++)
        clear_all_on(0);
    ck_assert_int_eq(version_on(0, 7), 6);
    redis_server_do(redis, "MSET cw:epoch 2 cw:{cw:epoch}:w 2");
    ck_assert_int_eq(version_on(0, 7), 6);
    redis_server_do(redis, "DEL cw:epoch cw:{cw:epoch}:w");
    ck_assert_int_eq(version_on(0, 7), 6);
}
END_TEST

START_TEST(a_counter_lowered_by_hand)
{
    static const char *const hands[] = {"SET cw:{u:7}:v 2", "DEL cw:{u:7}:v", "SET cw:{u:7}:v 0",
                                        "SET cw:{u:7}:v -5"};
    live();
    for (size_t i = 0; i < sizeof hands / sizeof *hands; i++) {
        redis_server_do(redis, hands[i]);
        ck_assert_int_eq(version_on(_i, 7), SHOWN_7);
        ck_assert_int_eq(version_on(!_i, 7), SHOWN_7);
    }
    redis_server_do(redis, "SET cw:{u:7}:v 2");
    int64_t version = clear_on(_i, 7);
    ck_assert_int_gt(version, SHOWN_7);
    ck_assert_int_eq(clear_on(!_i, 7), version + 1);
    ck_assert_int_eq(version_on(0, 8), SHOWN_8);
}
END_TEST

/* Its connections stay: only a node that looks by itself can notice. */
START_TEST(a_replica_that_was_promoted)
{
    live();
    int64_t before = epoch_held(), give_up_ns = clock_deadline_ns(PATIENCE_MS);
    redis_server_do(redis, "REPLICAOF 127.0.0.1 1");
    redis_server_do(redis, "REPLICAOF NO ONE");
    while (epoch_held() == before && clock_mono_ns() < give_up_ns)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    ck_assert_int_ge(epoch_held(), before + FLOOR_STEP);
    expect_above(0);
}
END_TEST

START_TEST(lost_while_nobody_asks)
{
    live();
    redis_server_do(redis, "FLUSHALL");
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    while (redis_server_ask_integer(redis, "EXISTS cw:marker cw:epoch") < 2 &&
           clock_mono_ns() < give_up_ns)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    ck_assert_int_gt(epoch_held(), SHOWN_7);
    expect_above(0);
}
END_TEST

/* ---- the floor ---- */

static struct floor_state floor_now(void)
{
    struct floor_state state;
    struct error error = {0};
    ck_assert_int_eq(floor_read(nodes[0].app->users, arena, &state, &error), ERR_OK);
    return state;
}

START_TEST(the_floor_stays_above_what_is_shown)
{
    int64_t last = version_on(0, 7), height = floor_now().height;
    int steps = 0;
    for (int i = 0; i < 3 * FLOOR_STEP; i++) {
        int64_t version = clear_on(i % 2, 7);
        ck_assert_int_eq(version, last + 1);
        last = version;
        struct floor_state state = floor_now();
        ck_assert_int_ge(state.height, version);
        ck_assert_int_eq(state.era, 1);
        steps += state.height != height;
        height = state.height;
        arena_reset(arena);
    }
    ck_assert_int_ge(steps, 2);
    ck_assert_int_le(steps, 8);
}
END_TEST

START_TEST(a_step_costs_a_clear_nothing_but_time)
{
    redis_server_do(redis, "SET cw:{u:7}:v 5000");
    ck_assert_int_eq(clear_on(0, 7), 5001);
    ck_assert_int_eq(clear_on(1, 7), 5002);
    ck_assert_int_ge(floor_now().height, 5002);
    redis_server_do(redis, "FLUSHALL");
    ck_assert_int_gt(version_on(1, 7), 5002);
}
END_TEST

START_TEST(one_round_trip)
{
    struct pool_stats before, after;
    live();
    pool_stats_read(nodes[0].app->control, &before);
    version_on(0, 7);
    pool_stats_read(nodes[0].app->control, &after);
    ck_assert_uint_eq(after.round_trips - before.round_trips, 1);
    ck_assert_uint_eq(after.commands - before.commands, 2);
    before = after;
    clear_on(0, 7);
    pool_stats_read(nodes[0].app->control, &after);
    ck_assert_uint_eq(after.round_trips - before.round_trips, 1);
    ck_assert_uint_eq(after.commands - before.commands, 4);
}
END_TEST

/* ---- all at once ---- */

enum { THREADS = 8 };

static void *ask_once(void *arg)
{
    struct arena *own = arena_new(4096, 0);
    struct cache_state state = {0};
    struct error error = {0};
    int64_t *version = arg;
    int node = (int)*version;
    enum err err = control_status(nodes[node].app, own, 7, soon(), &state, &error);
    *version = err == ERR_OK ? state.version : -1;
    arena_free(&own);
    return NULL;
}

/* Whoever comes first, all are shown the same, and it is one step that was taken. */
START_TEST(two_nodes_mend_at_once)
{
    live();
    for (int round = 0; round < 5; round++) {
        pthread_t threads[THREADS];
        int64_t versions[THREADS];
        int64_t era = floor_now().era;
        redis_server_do(redis, "FLUSHALL");
        for (int i = 0; i < THREADS; i++) {
            versions[i] = i % 2;
            ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_once, &versions[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(versions[i], epoch_held() + 1);
        ck_assert_int_eq(floor_now().era, era + 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/keeper");
    TCase *each = tcase_create("disasters");
    tcase_add_checked_fixture(each, open_unwatched, close_two);
    tcase_add_test(each, a_fresh_installation_begins_at_one);
    tcase_add_test(each, the_first_clear_is_one);
    tcase_add_test(each, the_first_clear_of_all_is_one);
    tcase_add_loop_test(each, flushed, 0, 2);
    tcase_add_loop_test(each, flushed_and_cleared, 0, 2);
    tcase_add_loop_test(each, flushed_and_all_cleared, 0, 2);
    tcase_add_loop_test(each, killed_without_persistence, 0, 2);
    tcase_add_loop_test(each, an_older_copy_put_back, 0, 2);
    tcase_add_loop_test(each, restarted_with_everything, 0, 2);
    tcase_add_loop_test(each, an_epoch_lowered_by_hand, 0, 2);
    tcase_add_test(each, an_epoch_and_its_witness_lowered);
    tcase_add_loop_test(each, a_counter_lowered_by_hand, 0, 2);
    tcase_add_test(each, the_floor_stays_above_what_is_shown);
    tcase_add_test(each, a_step_costs_a_clear_nothing_but_time);
    tcase_add_test(each, one_round_trip);
    tcase_add_test(each, two_nodes_mend_at_once);
    suite_add_tcase(suite, each);
    TCase *watched = tcase_create("watched");
    tcase_add_checked_fixture(watched, open_watched, close_two);
    tcase_add_test(watched, a_replica_that_was_promoted);
    tcase_add_test(watched, lost_while_nobody_asks);
    suite_add_tcase(suite, watched);
    return suite_run(suite);
}
