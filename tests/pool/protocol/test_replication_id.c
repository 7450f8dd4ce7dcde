/* Which Redis answered: told by every reply, another one after a restart. */
#include "pool_case.h"

#include "redis_server.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>

static struct redis_server *redis;
static struct arena *arena;
static struct error error;

static void set_up(void)
{
    redis = redis_server_start(NULL);
    arena = arena_new(0, 0);
}

static void tear_down(void)
{
    arena_free(&arena);
    redis_server_stop(&redis);
}

static struct redis *open_pool(void)
{
    return case_pool_with(redis_server_url(redis),
                          (struct redis_options){.asks_replication_id = true, .size = 2});
}

static uint64_t ask_with(struct redis *front, struct arena *memory)
{
    struct pipeline *pipeline = pipeline_new(memory, PIPELINE_READ);
    struct error own;

    ck_assert_uint_eq(pipeline_replication_id(pipeline), REDIS_REPLICATION_ID_UNKNOWN);
    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("PING"));
    case_err(
        redis_run(front, pipeline, (struct work){.deadline_ns = case_deadline_ns(), .error = &own}),
        ERR_OK);
    return pipeline_replication_id(pipeline);
}

static uint64_t ask(struct redis *front)
{
    return ask_with(front, arena);
}

#define ID "0123456789abcde"

static const struct {
    const char *info;
    uint64_t replication_id;
} infos[] = {
    {"# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:" ID
     "f01234\r\nmaster_replid2:00\r\n",
     UINT64_C(0x0123456789abcde) << 3 | 4},
    {"role:slave\nmaster_replid:" ID "\n", UINT64_C(0x0123456789abcde) << 3 | 5},
    {"role:master\r\nmaster_replid:0123456789abcd", REDIS_REPLICATION_ID_UNTOLD},
    {"role:master\r\nmaster_replid:0123456789abcdX\r\n", REDIS_REPLICATION_ID_UNTOLD},
    {"role:\r\nmaster_replid:" ID "\r\n", REDIS_REPLICATION_ID_UNTOLD},
    {"master_replid:" ID "\r\n", REDIS_REPLICATION_ID_UNTOLD},
    {"xrole:master\r\nxmaster_replid:" ID "\r\n", REDIS_REPLICATION_ID_UNTOLD},
    {"NOPERM this user has no permissions to run the 'info' command", REDIS_REPLICATION_ID_UNTOLD},
    {"", REDIS_REPLICATION_ID_UNTOLD},
};

START_TEST(out_of_info)
{
    ck_assert_msg(redis_replication_id_of(str_from(infos[_i].info)) == infos[_i].replication_id,
                  "%s", infos[_i].info);
}
END_TEST

START_TEST(a_role_is_no_other_history)
{
    ck_assert(!redis_replication_id_is_other(infos[0].replication_id, infos[1].replication_id));
    ck_assert(!redis_replication_id_is_other(infos[1].replication_id, infos[0].replication_id));
    ck_assert(redis_replication_id_is_other(infos[0].replication_id, infos[0].replication_id + 8));
    ck_assert(redis_replication_id_is_other(infos[0].replication_id, REDIS_REPLICATION_ID_UNTOLD));
}
END_TEST

START_TEST(the_same_for_everybody_until_redis_restarts)
{
    struct redis *front = open_pool(), *other = open_pool();
    uint64_t first = ask(front);

    ck_assert_uint_gt(first, REDIS_REPLICATION_ID_UNTOLD);
    ck_assert_uint_eq(ask(front), first);
    ck_assert_uint_eq(ask(other), first);
    redis_server_restart(redis);
    uint64_t second = ask(front);
    ck_assert_uint_gt(second, REDIS_REPLICATION_ID_UNTOLD);
    ck_assert(redis_replication_id_is_other(first, second));
    ck_assert_uint_eq(ask(other), second);
    redis_close(&front);
    redis_close(&other);
}
END_TEST

START_TEST(nothing_is_told_by_what_failed_or_was_not_asked)
{
    struct redis *front = open_pool(), *plain = case_pool(redis_server_url(redis));
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);

    ck_assert_uint_eq(ask(plain), REDIS_REPLICATION_ID_UNKNOWN);
    ck_assert_uint_gt(ask(front), REDIS_REPLICATION_ID_UNTOLD);
    redis_server_kill(redis);
    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("PING"));
    case_err(redis_run(front, pipeline,
                       (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
             ERR_UPSTREAM_DOWN);
    ck_assert_uint_eq(pipeline_replication_id(pipeline), REDIS_REPLICATION_ID_UNKNOWN);
    redis_close(&front);
    redis_close(&plain);
}
END_TEST

START_TEST(a_user_who_may_not_ask)
{
    redis_server_do(redis, "ACL SETUSER default -info");
    struct redis *front = open_pool();

    ck_assert_uint_eq(ask(front), REDIS_REPLICATION_ID_UNTOLD);
    redis_close(&front);
}
END_TEST

/* A Redis that was promoted has another replication id, and its clients stay connected. */
START_TEST(renewed_connections_ask_again)
{
    struct redis *front = open_pool();
    uint64_t first = ask(front);

    redis_server_do(redis, "REPLICAOF 127.0.0.1 1");
    redis_server_do(redis, "REPLICAOF NO ONE");
    ck_assert_uint_eq(ask(front), first);
    redis_renew(front);
    ck_assert(redis_replication_id_is_other(ask(front), first));
    ck_assert_uint_eq(case_stats(front).connects, 2);
    redis_close(&front);
}
END_TEST

/* A connection to the old place, in somebody's hands while a new one leads elsewhere. */
START_TEST(connections_to_another_place_are_not_kept)
{
    struct redis *front = open_pool();
    uint64_t first = ask(front);

    redis_renew(front);
    ck_assert_uint_eq(ask(front), first);
    ck_assert_uint_eq(case_stats(front).idle, 1);
    ck_assert_uint_eq(case_stats(front).closes, 1);
    redis_close(&front);
}
END_TEST

enum { THREADS = 16, ROUNDS = 50 };

struct many {
    struct redis *front;
    uint64_t expected;
    int wrong;
};

static void *ask_many(void *arg)
{
    struct many *many = arg;
    struct arena *own = arena_new(0, 0);

    for (int i = 0; i < ROUNDS; i++) {
        many->wrong += ask_with(many->front, own) != many->expected;
        arena_reset(own);
    }
    arena_free(&own);
    return NULL;
}

START_TEST(members_of_a_batch_are_told_too)
{
    struct redis *front = open_pool();
    struct many many[THREADS];
    pthread_t threads[THREADS];
    uint64_t expected = ask(front);

    /* Once more where each thread was through before the next had begun. */
    int64_t deadline_ns = case_deadline_ns();
    while (case_stats(front).batched == 0) {
        ck_assert_int_lt(clock_mono_ns(), deadline_ns);
        for (int i = 0; i < THREADS; i++) {
            many[i] = (struct many){front, expected, 0};
            ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_many, &many[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            ck_assert_int_eq(many[i].wrong, 0);
        }
    }
    redis_close(&front);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replication_id");
    TCase *tcase = tcase_create("told");
    tcase_add_loop_test(tcase, out_of_info, 0, sizeof infos / sizeof *infos);
    tcase_add_test(tcase, a_role_is_no_other_history);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("redis");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_same_for_everybody_until_redis_restarts);
    tcase_add_test(tcase, nothing_is_told_by_what_failed_or_was_not_asked);
    tcase_add_test(tcase, a_user_who_may_not_ask);
    tcase_add_test(tcase, renewed_connections_ask_again);
    tcase_add_test(tcase, connections_to_another_place_are_not_kept);
    tcase_add_test(tcase, members_of_a_batch_are_told_too);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
