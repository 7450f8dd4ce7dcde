/*
 * Many threads against a real Redis. Every request carries a number of its own and looks for it in
 * the answer, so a reply that was somebody else's cannot go unnoticed.
 */
#include "pool_case.h"
#include "pool_private.h"
#include "redis_private.h"

#include "redis_server.h"
#include "sanitized.h"
#include "slowness.h"
#include "suite.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS_MAX 64
#define ROUNDS      (IS_SANITIZED ? 100 : 400)

static struct redis_server *server;
static struct redis *redis;

static void set_up(void)
{
    server = redis_server_start(&(struct redis_server_options){.unix_socket = true});
    redis = NULL;
}

static void tear_down(void)
{
    redis_close(&redis);
    redis_server_stop(&server);
}

struct callers {
    size_t threads, rounds; /* rounds 0: until stop */
    atomic_bool stop;
    atomic_uint next_id;
    /* What came out. */
    atomic_uint ok, foreign, refused, failed, uncertain, wrong_code;
    atomic_uint ended[THREADS_MAX]; /* rounds of each */
    atomic_ullong slowest_ns;
    int64_t budget_ms; /* deadline of each request */
    pthread_t ids[THREADS_MAX];
};

/* INCR of a counter of the thread's own, its nonce back, and a value it has just written. */
static enum err one_round(struct arena *arena, unsigned id, unsigned round, int64_t budget_ms,
                          bool is_write, bool *is_foreign_out)
{
    char nonce[64], key[32];
    struct error error;
    struct pipeline *pipeline = pipeline_new(arena, is_write ? PIPELINE_WRITE : PIPELINE_READ);

    snprintf(nonce, sizeof nonce, "nonce-%u-%u-%.*s", id, round, (int)(round % 40),
             "........................................");
    snprintf(key, sizeof key, "k:%u", id);
    if (is_write) {
        PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), str_from(key), str_from(nonce));
        PIPELINE_ADD(pipeline, EXPECT_STRING, STR("GET"), str_from(key));
    } else {
        PIPELINE_ADD(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), str_from(key));
        PIPELINE_ADD(pipeline, EXPECT_STRING, STR("ECHO"), str_from(nonce));
    }
    enum err err =
        redis_run(redis, pipeline,
                  (struct work){.deadline_ns = clock_deadline_ns(budget_ms), .error = &error});
    *is_foreign_out = !err && !str_eq(pipeline_value(pipeline, 1)->text, str_from(nonce));
    if (!err && !is_write && round > 0 && pipeline_value(pipeline, 0)->kind == VALUE_STRING) {
        char own[32];
        snprintf(own, sizeof own, "nonce-%u-", id);
        *is_foreign_out |= !str_starts(pipeline_value(pipeline, 0)->text, str_from(own));
    }
    return err;
}

static void raise_to(atomic_ullong *slowest_ns, int64_t took_ns)
{
    unsigned long long seen = atomic_load(slowest_ns);

    while ((unsigned long long)took_ns > seen &&
           !atomic_compare_exchange_weak(slowest_ns, &seen, (unsigned long long)took_ns)) {
    }
}

static void *member(void *argument)
{
    struct callers *callers = argument;
    struct arena *arena = arena_new(0, 0);
    unsigned id = atomic_fetch_add(&callers->next_id, 1);

    for (unsigned round = 0;
         (callers->rounds == 0 || round < callers->rounds) && !atomic_load(&callers->stop);
         round++) {
        bool is_write = round % 2 == 0, is_foreign = false;
        arena_reset(arena);
        int64_t begin_ns = clock_mono_ns();
        enum err err = one_round(arena, id, round, callers->budget_ms, is_write, &is_foreign);
        raise_to(&callers->slowest_ns, clock_mono_ns() - begin_ns);
        atomic_fetch_add(&callers->ended[id], 1);
        if (is_foreign)
            atomic_fetch_add(&callers->foreign, 1);
        if (err == ERR_OK)
            atomic_fetch_add(&callers->ok, 1);
        else if (err == ERR_UPSTREAM_REFUSED)
            atomic_fetch_add(&callers->refused, 1);
        else if (err == ERR_UNCERTAIN && is_write)
            atomic_fetch_add(&callers->uncertain, 1);
        else if (err == ERR_UPSTREAM_DOWN || err == ERR_TIMEOUT || err == ERR_BUSY)
            atomic_fetch_add(&callers->failed, 1);
        else
            atomic_fetch_add(&callers->wrong_code, 1);
    }
    arena_free(&arena);
    return NULL;
}

static void gather(struct callers *callers)
{
    if (!callers->budget_ms)
        callers->budget_ms = CASE_PATIENCE_MS;
    for (size_t i = 0; i < callers->threads; i++)
        ck_assert_int_eq(pthread_create(&callers->ids[i], NULL, member, callers), 0);
}

static void disperse(struct callers *callers)
{
    for (size_t i = 0; i < callers->threads; i++)
        ck_assert_int_eq(pthread_join(callers->ids[i], NULL), 0);
    ck_assert_uint_eq(callers->foreign, 0);
    ck_assert_uint_eq(callers->wrong_code, 0);
    ck_assert_uint_eq(case_stats(redis).busy, 0);
    ck_assert_uint_eq(redis->pool->under_way, 0);
    ck_assert_ptr_null(redis->pool->queue);
}

static void wait_for(atomic_uint *counter, unsigned more)
{
    unsigned goal = atomic_load(counter) + more;
    int64_t give_up_ns = case_deadline_ns();

    while (atomic_load(counter) < goal) {
        ck_assert_msg(clock_mono_ns() < give_up_ns, "stuck at %u of %u", atomic_load(counter),
                      goal);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

/* Each has begun a request since, and has its answer. */
static void wait_for_all(struct callers *callers)
{
    unsigned goals[THREADS_MAX];
    int64_t give_up_ns = case_deadline_ns();

    for (size_t i = 0; i < callers->threads; i++)
        goals[i] = atomic_load(&callers->ended[i]) + 2;
    for (size_t i = 0; i < callers->threads; i++)
        while ((int)(goals[i] - atomic_load(&callers->ended[i])) > 0) {
            ck_assert_msg(clock_mono_ns() < give_up_ns, "caller %zu is stuck", i);
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        }
}

static const struct {
    size_t threads, size, spread_until, spread_beyond, batch_limit;
    bool is_unix;
} shapes[] = {
    {1, 1, 8, 1, 0, false},   {8, 16, 8, 1, 0, false},   {32, 1, 8, 1, 0, false},
    {64, 16, 8, 1, 0, false}, {64, 16, 8, 1, 0, true},   {64, 16, 0, 1, 0, false},
    {64, 4, 0, 4, 0, false},  {64, 2, 100, 2, 6, false}, {64, 64, 100, 64, 0, true},
};

START_TEST(everybody_gets_their_own_answers)
{
    struct callers callers = {.threads = shapes[_i].threads, .rounds = ROUNDS};

    redis = case_pool_with(
        shapes[_i].is_unix ? redis_server_unix_url(server) : redis_server_url(server),
        (struct redis_options){.size = shapes[_i].size, .batch_limit = shapes[_i].batch_limit});
    redis->pool->tuning.spread_until = shapes[_i].spread_until;
    redis->pool->tuning.spread_beyond = shapes[_i].spread_beyond;
    gather(&callers);
    disperse(&callers);
    ck_assert_uint_eq(callers.ok, callers.threads * callers.rounds);
    struct redis_stats stats = case_stats(redis);
    ck_assert_uint_eq(stats.borrows + stats.batched, callers.ok);
    ck_assert_uint_eq(stats.commands, 2 * callers.ok);
    ck_assert_uint_le(stats.connects, shapes[_i].size);
    ck_assert_uint_eq(stats.closes, 0);
    if (shapes[_i].threads > shapes[_i].size)
        ck_assert_uint_gt(stats.batched, stats.batches);
}
END_TEST

START_TEST(a_killed_redis_costs_answers_but_never_a_wrong_one_or_a_hang)
{
    struct callers callers = {.threads = 32};

    redis =
        case_pool_with(redis_server_url(server), (struct redis_options){.size = 8,
                                                                        .borrow_timeout_ms = 100,
                                                                        .connect_timeout_ms = 500,
                                                                        .command_timeout_ms = 250});
    gather(&callers);
    for (int i = 0; i < 3; i++) {
        wait_for(&callers.ok, 500);
        redis_server_kill(server);
        wait_for(&callers.failed, 200);
        redis_server_restart(server);
        wait_for(&callers.ok, 500);
    }
    atomic_store(&callers.stop, true);
    disperse(&callers);
    ck_assert_uint_eq(callers.refused, 0);
    ck_assert(!redis_is_down(redis));
    /* At most one batch and a few lone writes were on their way at each kill. */
    ck_assert_uint_le(callers.uncertain, 3 * 32);
}
END_TEST

START_TEST(a_redis_restarted_between_requests_is_not_noticed)
{
    struct arena *arena = arena_new(0, 0);
    bool is_foreign;

    redis = case_pool(redis_server_url(server));
    for (unsigned round = 0; round < 6; round++) {
        enum err err = one_round(arena, 7, round, CASE_PATIENCE_MS, round % 2 == 0, &is_foreign);
        ck_assert_msg(err == ERR_OK, "round %u: %s", round, err_name(err));
        ck_assert(!is_foreign);
        redis_server_restart(server);
    }
    arena_free(&arena);
}
END_TEST

START_TEST(a_paused_redis_costs_its_budget_once_and_then_nothing)
{
    struct callers callers = {.threads = 32};

    redis =
        case_pool_with(redis_server_url(server), (struct redis_options){.size = 8,
                                                                        .borrow_timeout_ms = 100,
                                                                        .connect_timeout_ms = 300,
                                                                        .command_timeout_ms = 250});
    gather(&callers);
    wait_for(&callers.ok, 500);
    redis_server_pause(server);
    atomic_store(&callers.slowest_ns, 0);
    /* 32 threads that all waited out their time would need many seconds for this. */
    wait_for(&callers.failed, 20000);
    ck_assert(redis_is_down(redis));
    /* borrow + connect + command, and what two busy cores and a sanitizer take. */
    expect_within_ms((int64_t)(atomic_load(&callers.slowest_ns) / NS_PER_MS), 650 + 2000);
    redis_server_resume(server);
    wait_for(&callers.ok, 500);
    atomic_store(&callers.stop, true);
    disperse(&callers);
    ck_assert(!redis_is_down(redis));
}
END_TEST

START_TEST(a_short_deadline_is_kept_while_redis_is_paused)
{
    struct arena *arena = arena_new(0, 0);
    bool is_foreign;

    redis = case_pool(redis_server_url(server));
    ck_assert_int_eq(one_round(arena, 1, 0, CASE_PATIENCE_MS, true, &is_foreign), ERR_OK);
    redis_server_pause(server);
    int64_t begin_ns = clock_mono_ns();
    ck_assert_int_eq(one_round(arena, 1, 1, 60, true, &is_foreign), ERR_UNCERTAIN);
    ck_assert_int_eq(one_round(arena, 1, 2, 60, false, &is_foreign), ERR_TIMEOUT);
    expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 120 + 2 * 1000);
    redis_server_resume(server);
    arena_free(&arena);
}
END_TEST

START_TEST(refused_writes_are_never_successes)
{
    struct arena *arena = arena_new(0, 0);
    bool is_foreign;

    redis = case_pool(redis_server_url(server));
    redis_server_do(server, "CONFIG SET maxmemory 1");
    ck_assert_int_eq(one_round(arena, 1, 0, CASE_PATIENCE_MS, true, &is_foreign),
                     ERR_UPSTREAM_REFUSED);
    redis_server_do(server, "CONFIG SET maxmemory 0");
    redis_server_do(server, "REPLICAOF 127.0.0.1 1");
    ck_assert_int_eq(one_round(arena, 1, 0, CASE_PATIENCE_MS, true, &is_foreign),
                     ERR_UPSTREAM_REFUSED);
    redis_server_do(server, "REPLICAOF NO ONE");
    ck_assert_int_eq(one_round(arena, 1, 0, CASE_PATIENCE_MS, true, &is_foreign), ERR_OK);
    ck_assert_int_eq(one_round(arena, 1, 1, CASE_PATIENCE_MS, false, &is_foreign), ERR_OK);
    ck_assert(!is_foreign);
    arena_free(&arena);
}
END_TEST

/* A read is sent again once, so none may meet two kills, however slow its thread is. */
START_TEST(clients_killed_from_the_inside_are_replaced)
{
    struct callers callers = {.threads = 16};

    redis = case_pool_with(redis_server_url(server), (struct redis_options){.size = 4});
    gather(&callers);
    for (int i = 0; i < 20; i++) {
        wait_for_all(&callers);
        redis_server_do(server, "CLIENT KILL TYPE normal SKIPME yes");
    }
    wait_for_all(&callers);
    atomic_store(&callers.stop, true);
    disperse(&callers);
    ck_assert_uint_eq(callers.failed, 0);
    ck_assert_uint_ge(case_stats(redis).closes, 20);
}
END_TEST

START_TEST(values_of_all_sizes_go_through_a_crowd)
{
    enum { SIZE = 3 << 20 };
    struct callers callers = {.threads = 16};
    struct arena *arena = arena_new(0, 0);
    char *bytes = arena_alloc(arena, SIZE);

    redis = case_pool_with(redis_server_url(server), (struct redis_options){.size = 2});
    redis->pool->tuning.spread_until = 0;
    gather(&callers);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    for (size_t size = 1; size <= SIZE; size = size * 3 + 1) {
        struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
        struct error error;
        PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), STR("large"), ((struct str){bytes, size}));
        PIPELINE_ADD(pipeline, EXPECT_STRING, STR("GET"), STR("large"));
        case_err(redis_run(redis, pipeline,
                           (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
                 ERR_OK);
        ck_assert(str_eq(pipeline_value(pipeline, 1)->text, (struct str){bytes, size}));
    }
    atomic_store(&callers.stop, true);
    disperse(&callers);
    ck_assert_uint_eq(callers.failed, 0);
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load");
    TCase *tcase = tcase_create("load");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, everybody_gets_their_own_answers, 0, sizeof shapes / sizeof *shapes);
    tcase_add_test(tcase, a_killed_redis_costs_answers_but_never_a_wrong_one_or_a_hang);
    tcase_add_test(tcase, a_redis_restarted_between_requests_is_not_noticed);
    tcase_add_test(tcase, a_paused_redis_costs_its_budget_once_and_then_nothing);
    tcase_add_test(tcase, a_short_deadline_is_kept_while_redis_is_paused);
    tcase_add_test(tcase, refused_writes_are_never_successes);
    tcase_add_test(tcase, clients_killed_from_the_inside_are_replaced);
    tcase_add_test(tcase, values_of_all_sizes_go_through_a_crowd);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
