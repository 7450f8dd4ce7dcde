/* Versions never go back and never repeat: one disaster at a time, on two nodes. */
#include "control/reserved.h"
#include "control/version_guard_private.h"

#include "two_nodes.h"

#include "cachewarden/control.h"
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

/* Whoever wrote that, versions only rise, and both nodes go on with the same. */
START_TEST(an_epoch_that_went_back)
{
    static const char *const hands[] = {"HSET cw:dataset epoch 1",    "HSET cw:dataset epoch 0",
                                        "HDEL cw:dataset epoch",      "HSET cw:dataset epoch -7",
                                        "HSET cw:dataset epoch many", "DEL cw:dataset"};
    for (size_t i = 0; i < sizeof hands / sizeof *hands; i++) {
        clear_all_on(!_i);
        clear_all_on(_i);
        int64_t before = version_on(!_i, 7);
        ck_assert_int_eq(version_on(_i, 7), before);
        redis_server_do(redis, hands[i]);
        int64_t after = version_on(_i, 7);
        ck_assert_int_gt(after, before);
        ck_assert_int_eq(version_on(!_i, 7), after);
        ck_assert_int_eq(clear_all_on(!_i) + 1, after + 1);
    }
    redis_server_do(redis, "HSET cw:dataset epoch 1");
    int64_t before = version_on(!_i, 7), epoch = clear_all_on(_i);
    ck_assert_int_ge(epoch, before);
    ck_assert_int_eq(version_on(!_i, 7), epoch + 1);
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
    ck_assert_int_ge(epoch_held(), before + RESERVED_STEP);
    expect_above(0);
}
END_TEST

START_TEST(lost_while_nobody_asks)
{
    live();
    redis_server_do(redis, "FLUSHALL");
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    while (redis_server_ask_integer(redis, "HEXISTS cw:dataset term") < 1 &&
           clock_mono_ns() < give_up_ns)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    expect_above(0);
}
END_TEST

/* ---- the reserved number ---- */

static struct reserved reserved_now(void)
{
    struct reserved state;
    struct error error = {0};
    ck_assert_int_eq(reserved_read(nodes[0].app->users, arena, &state, &error), ERR_OK);
    return state;
}

START_TEST(what_is_reserved_stays_above_what_is_shown)
{
    int64_t last = version_on(0, 7), up_to = reserved_now().up_to;
    int steps = 0;
    for (int i = 0; i < 3 * RESERVED_STEP; i++) {
        int64_t version = clear_on(i % 2, 7);
        ck_assert_int_eq(version, last + 1);
        last = version;
        struct reserved state = reserved_now();
        ck_assert_int_ge(state.up_to, version);
        ck_assert_int_eq(state.term, 1);
        steps += state.up_to != up_to;
        up_to = state.up_to;
        arena_reset(arena);
    }
    ck_assert_int_ge(steps, 1);
    ck_assert_int_le(steps, 8);
}
END_TEST

/* Who clears fast does not come back for more every thousand times. The next term forgets the pace. */
START_TEST(more_is_reserved_for_many_clears)
{
    version_on(0, 7);
    clear_on(0, 7);
    control_set_version(redis, 7, 2000); /* nothing is known of a pace yet */
    int64_t version = clear_on(0, 7);
    ck_assert_int_eq(reserved_now().up_to, version + RESERVED_STEP);
    control_set_version(redis, 7, 500000);
    version = clear_on(0, 7);
    ck_assert_int_eq(version, 500001);
    ck_assert_int_ge(reserved_now().up_to, version + 2 * RESERVED_STEP);
    ck_assert_int_le(reserved_now().up_to, version + RESERVED_STEP_MAX);
    redis_server_do(redis, "FLUSHALL");
    version = version_on(0, 7);
    int64_t up_to = reserved_now().up_to;
    control_set_version(redis, 7, up_to);
    version = clear_on(0, 7);
    ck_assert_int_eq(reserved_now().up_to, version + RESERVED_STEP);
}
END_TEST

START_TEST(a_step_costs_a_clear_nothing_but_time)
{
    control_set_version(redis, 7, 5000);
    ck_assert_int_eq(clear_on(0, 7), 5001);
    ck_assert_int_eq(clear_on(1, 7), 5002);
    ck_assert_int_ge(reserved_now().up_to, 5002);
    redis_server_do(redis, "FLUSHALL");
    ck_assert_int_gt(version_on(1, 7), 5002);
}
END_TEST

START_TEST(one_round_trip)
{
    struct redis_stats before, after;
    live();
    redis_stats_read(nodes[0].app->control, &before);
    version_on(0, 7);
    redis_stats_read(nodes[0].app->control, &after);
    ck_assert_uint_eq(after.round_trips - before.round_trips, 1);
    ck_assert_uint_eq(after.commands - before.commands, 2);
    before = after;
    clear_on(0, 7);
    redis_stats_read(nodes[0].app->control, &after);
    ck_assert_uint_eq(after.round_trips - before.round_trips, 1);
    ck_assert_uint_eq(after.commands - before.commands, 5);
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
    enum err err =
        control_status(nodes[node].app, (struct work){own, soon(), &error}, 7, NULL, &state);
    *version = err == ERR_OK ? state.version : -1;
    arena_free(&own);
    return NULL;
}

/* Whoever comes first, all are shown the same, and it is one step that was taken. */
START_TEST(two_nodes_repair_at_once)
{
    live();
    for (int round = 0; round < 5; round++) {
        pthread_t threads[THREADS];
        int64_t versions[THREADS];
        int64_t term = reserved_now().term;
        redis_server_do(redis, "FLUSHALL");
        for (int i = 0; i < THREADS; i++) {
            versions[i] = i % 2;
            ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_once, &versions[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < THREADS; i++)
            ck_assert_int_eq(versions[i], epoch_held() + 1);
        ck_assert_int_eq(reserved_now().term, term + 1);
    }
}
END_TEST

static pthread_barrier_t together;

static void *know_once(void *arg)
{
    struct version_knowledge known;
    struct error error = {0};
    struct work work = {.deadline_ns = soon(), .error = &error};
    pthread_barrier_wait(&together);
    *(enum err *)arg = version_guard_know(nodes[0].app->guard, VERSION_GUARD_REPAIRS, work, &known);
    return NULL;
}

/* One looks for all who have nothing to go by. */
START_TEST(who_waits_looks_no_second_time)
{
    pthread_t threads[THREADS];
    enum err errs[THREADS];
    ck_assert_int_eq(pthread_barrier_init(&together, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, know_once, &errs[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(errs[i], ERR_OK);
    }
    ck_assert_uint_eq(nodes[0].app->guard->begun, 1);
}
END_TEST

/* ---- whose time it is ---- */

struct waiter {
    int64_t deadline_ns;
    enum err err;
};

static void *reconcile_once(void *arg)
{
    struct waiter *waiter = arg;
    struct error error = {0};
    waiter->err =
        version_guard_reconcile(nodes[0].app->guard, VERSION_GUARD_REPAIRS,
                                (struct work){.deadline_ns = waiter->deadline_ns, .error = &error});
    return NULL;
}

/* While another node is left to its work one looks again and again, and others wait for the next look,
 * which may be anybody's. That it ran out of its own time is no answer to those who have more. */
START_TEST(a_time_out_is_ones_own)
{
    enum { FIRST_MS = 20, HASTY_MS = 60, HASTY = 6, PATIENT = 2, ALL = 1 + HASTY + PATIENT };
    struct waiter waiters[ALL];
    pthread_t threads[ALL];
    struct error error = {0};
    version_on(0, 7);
    /* A term was begun, and whoever did so may be about to write it to Redis. */
    ck_assert_int_eq(
        users_fact_set(nodes[0].app->users, STR("versions_reserved"), STR("2:5000"), &error),
        ERR_OK);
    redis_server_do(redis, "DEL cw:dataset");
    for (int i = 0; i < ALL; i++) {
        waiters[i].deadline_ns = i == 0       ? clock_deadline_ns(FIRST_MS)
                                 : i <= HASTY ? clock_deadline_ns(HASTY_MS)
                                              : soon();
        ck_assert_int_eq(pthread_create(&threads[i], NULL, reconcile_once, &waiters[i]), 0);
    }
    for (int i = 0; i < ALL; i++)
        pthread_join(threads[i], NULL);
    for (int i = 1 + HASTY; i < ALL; i++)
        ck_assert_msg(waiters[i].err == ERR_OK, "%s", err_name(waiters[i].err));
    ck_assert_int_eq(control_term(redis), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/version_guard");
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
    tcase_add_loop_test(each, an_epoch_that_went_back, 0, 2);
    tcase_add_test(each, what_is_reserved_stays_above_what_is_shown);
    tcase_add_test(each, more_is_reserved_for_many_clears);
    tcase_add_test(each, a_step_costs_a_clear_nothing_but_time);
    tcase_add_test(each, one_round_trip);
    tcase_add_test(each, two_nodes_repair_at_once);
    tcase_add_test(each, who_waits_looks_no_second_time);
    tcase_add_loop_test(each, a_time_out_is_ones_own, 0, 4);
    suite_add_tcase(suite, each);
    TCase *watched = tcase_create("watched");
    tcase_add_checked_fixture(watched, open_watched, close_two);
    tcase_add_test(watched, a_replica_that_was_promoted);
    tcase_add_test(watched, lost_while_nobody_asks);
    suite_add_tcase(suite, watched);
    return suite_run(suite);
}
