/* A switch outlives the Redis it was set in. */

#include "two_nodes.h"

#include "cachewarden/control.h"
#include "suite.h"

#include <sqlite3.h>

static const char *const persistent[] = {"--appendonly", "no", "--dbfilename", "kept.rdb", NULL};

static void open_all(void)
{
    redis = redis_server_start(&(struct redis_server_options){.args = persistent});
    open_two(false);
}

static bool is_on(int node, int64_t user_id)
{
    return status_on(node, user_id).enabled;
}

START_TEST(lost_and_put_back)
{
    switch_on(0, 7, false);
    switch_on(1, 8, false);
    switch_on(0, 8, true);
    switch_on(1, 424242, false); /* no account here */
    redis_server_do(redis, "FLUSHALL");
    ck_assert(!is_on(_i, 7));
    ck_assert(is_on(!_i, 8));
    ck_assert(!is_on(!_i, 424242));
    redis_server_restart(redis);
    ck_assert(!is_on(!_i, 7));
    ck_assert(is_on(_i, 8));
    switch_on(_i, 7, true);
    redis_server_do(redis, "FLUSHALL");
    ck_assert(is_on(_i, 7));
}
END_TEST

/* The copy has what was switched since, the other way round. */
START_TEST(an_older_copy_put_back)
{
    switch_on(0, 7, false);
    redis_server_do(redis, "SAVE");
    switch_on(0, 7, true);
    switch_on(1, 8, false);
    redis_server_restart(redis);
    ck_assert(is_on(1, 7));
    ck_assert(!is_on(0, 8));
}
END_TEST

/* The first to come after the loss is a switch. */
START_TEST(switched_on_nothing)
{
    switch_on(0, 7, false);
    redis_server_do(redis, "FLUSHALL");
    switch_on(1, 7, true);
    ck_assert(is_on(0, 7));
    redis_server_do(redis, "FLUSHALL");
    switch_on(0, 8, false);
    ck_assert(is_on(1, 7));
    ck_assert(!is_on(1, 8));
}
END_TEST

/* A node that has not heard of the new term writes its switch into the field of the old one. */
START_TEST(switched_by_one_that_knows_the_old_term)
{
    version_on(0, 1);
    version_on(1, 1);
    redis_server_do(redis, "FLUSHALL");
    version_on(0, 1);
    switch_on(1, 7, false);
    ck_assert(!is_on(0, 7));
    ck_assert(!is_on(1, 7));
}
END_TEST

/* Nor does it take the field of the old term for the switch of the new one. */
START_TEST(seen_by_one_that_knows_the_old_term)
{
    for (int i = 0; i < 2; i++) {
        version_on(0, 1);
        version_on(1, 1);
        redis_server_do(redis, "FLUSHALL");
        version_on(0, 1);
        switch_on(0, 7, false);
        if (i == 0) {
            ck_assert(!is_on(1, 7));
        } else {
            struct cache_state state = {0};
            struct error error = {0};
            ck_assert_int_eq(
                control_clear(nodes[1].app, (struct work){arena, soon(), &error}, 7, &state),
                ERR_OK);
            ck_assert(!state.enabled);
        }
        switch_on(0, 7, true);
    }
}
END_TEST

/* ---- in portions ---- */

/* As a node does by itself. True: there is more to do for it. */
static bool restore_on(int node)
{
    return version_guard_restore(nodes[node].app->guard, soon());
}

static int64_t restored_up_to(void)
{
    long long term = 0, up_to = 0;
    redisReply *reply = redis_server_ask(redis, "HGET cw:dataset restored");
    ck_assert_int_eq(sscanf(reply->str, "%lld:%lld", &term, &up_to), 2);
    ck_assert_int_eq(term, control_term(redis));
    freeReplyObject(reply);
    return up_to;
}

enum { MANY = 50000 };

/* Of the users 3, 6, 9, … every second one is off, in one transaction. */
static void switch_many(void)
{
    char path[128], sql[256];
    sqlite3 *database;
    snprintf(path, sizeof path, "%s/users.db", nodes[0].directory);
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 2 FROM n WHERE i + 2 < %d) "
             "INSERT INTO switches (user_id) SELECT 3 * i FROM n",
             MANY);
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(database, PATIENCE_MS), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

/* How many of them Redis itself, without the users database, knows the wrong way. */
static int64_t wrong_in_redis(int first)
{
    return redis_server_ask_integer(
        redis, "EVAL %s 0 %lld %d %d",
        "local wrong = 0 for i = ARGV[2], ARGV[3] do "
        "local off = redis.call('HGET', 'cw:{u:' .. 3 * i .. '}', 'off:' .. ARGV[1]) == '1' "
        "if off ~= (i % 2 == 1) then wrong = wrong + 1 end end return wrong",
        (long long)control_term(redis), first, MANY);
}

static void expect_many(int64_t step)
{
    for (int64_t id = step; id <= MANY; id += step) {
        ck_assert_int_eq(is_on((int)(id % 2), id * 3), id % 2 == 0);
        ck_assert(is_on((int)(id % 2), id * 3 + 1));
        arena_reset(arena);
    }
}

static void expect_field(int64_t user_id, const char *value)
{
    redisReply *reply = redis_server_ask(redis, "HGET cw:{u:%lld} off:%lld", (long long)user_id,
                                         (long long)control_term(redis));
    ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
    ck_assert_str_eq(reply->str, value);
    freeReplyObject(reply);
}

/* What is not put back yet is as it should be, too, and nobody waits for it. What is switched meanwhile
 * stays. */
START_TEST(right_from_the_first_moment_on)
{
    version_on(0, 1);
    switch_many();
    redis_server_do(redis, "FLUSHALL");
    (void)version_on(1, 1);
    ck_assert_int_eq(restored_up_to(), 0);
    expect_many(997);
    switch_on(0, 3, true);
    switch_on(1, 6, false);
    switch_on(0, 3 * (MANY - 1), true);
    switch_on(1, 3 * MANY, false);
    /* One that is on is written down: else a portion that was read before would put it back. */
    expect_field(3 * (MANY - 1), "0");
    expect_field(3 * MANY, "1");
    int portions = 0;
    for (int64_t before = 0; restore_on(1); portions++) {
        int64_t now = restored_up_to();
        ck_assert_int_gt(now, before);
        before = now;
        ck_assert(is_on(0, 3) && !is_on(1, 6) && is_on(1, 3 * (MANY - 1)) && !is_on(0, 3 * MANY));
    }
    ck_assert_int_eq(restored_up_to(), INT64_MAX);
    ck_assert(is_on(0, 3) && !is_on(1, 6) && is_on(1, 3 * (MANY - 1)) && !is_on(0, 3 * MANY));
    switch_on(0, 3, false);
    switch_on(1, 6, true);
    switch_on(0, 3 * (MANY - 1), false);
    switch_on(1, 3 * MANY, true);
    ck_assert_int_eq(wrong_in_redis(1), 0);
    ck_assert(!restore_on(0));
    ck_assert(!restore_on(1));
}
END_TEST

/* The node that began the term dies half way; another one goes on where it stopped. */
START_TEST(another_one_goes_on)
{
    version_on(0, 1);
    version_on(1, 1);
    switch_many();
    redis_server_do(redis, "FLUSHALL");
    (void)version_on(0, 1);
    (void)version_on(1, 1);
    (void)restore_on(0);
    int64_t half = restored_up_to();
    ck_assert_int_gt(half, 0);
    ck_assert_int_lt(half, INT64_MAX);
    /* What lies below is not done again. */
    redis_server_do(redis, "DEL cw:{u:3}");
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    while (restored_up_to() < INT64_MAX && clock_mono_ns() < give_up_ns) {
        repair_on(1);
        (void)restore_on(1);
    }
    ck_assert_int_eq(restored_up_to(), INT64_MAX);
    ck_assert(!control_is_off(redis, 3));
    ck_assert_int_eq(wrong_in_redis(3), 0);
}
END_TEST

/* Redis is lost again half way: the next term begins at the beginning. */
START_TEST(lost_again_half_way)
{
    version_on(0, 1);
    switch_many();
    redis_server_do(redis, "FLUSHALL");
    (void)version_on(0, 1);
    (void)restore_on(0);
    ck_assert_int_gt(restored_up_to(), 0);
    redis_server_do(redis, "FLUSHALL");
    expect_many(1999);
    ck_assert_int_eq(restored_up_to(), 0);
    while (restore_on(1) || restore_on(0))
        ;
    ck_assert_int_eq(wrong_in_redis(1), 0);
}
END_TEST

/* A node that looks by itself does all that by itself. */
START_TEST(with_nobody_asking)
{
    version_on(0, 1);
    switch_many();
    struct loopback watched;
    open_node(&watched, &nodes[0], true);
    redis_server_do(redis, "FLUSHALL");
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    while (!control_is_off(redis, 3 * (MANY - 1)) && clock_mono_ns() < give_up_ns)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    expect_many(997);
    loopback_close(&watched);
    ck_assert_int_eq(wrong_in_redis(1), 0);
}
END_TEST

/* What the caller was told did not happen does not happen later, either. */
START_TEST(refused_by_redis)
{
    struct cache_state state;
    struct error error = {0};
    switch_on(0, 8, false);
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    redis_server_do(redis, "CONFIG SET maxmemory-policy noeviction");
    ck_assert_int_eq(
        control_switch(nodes[0].app, (struct work){arena, soon(), &error}, 7, false, &state),
        ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(
        control_switch(nodes[0].app, (struct work){arena, soon(), &error}, 8, false, &state),
        ERR_UPSTREAM_REFUSED);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    redis_server_do(redis, "FLUSHALL");
    ck_assert(is_on(1, 7));
    ck_assert(!is_on(1, 8));
}
END_TEST

/* Redis took it, and only then was the users database in the way of showing the version: nobody is told
 * that nothing happened, and both keep the same. */
START_TEST(what_happened_is_not_denied)
{
    struct cache_state state;
    struct error error = {0};
    int64_t epoch;
    version_on(0, 7);
    ck_assert_int_eq(
        users_fact_set(nodes[0].app->users, STR("versions_reserved"), STR("x"), &error), ERR_OK);
    control_set_clears(redis, 7, 500000);
    ck_assert_int_eq(
        control_switch(nodes[0].app, (struct work){arena, soon(), &error}, 7, false, &state),
        ERR_UNCERTAIN);
    ck_assert_str_eq(error.caller, "outcome unknown");
    ck_assert(control_is_off(redis, 7));
    bool is_off = false;
    ck_assert_int_eq(users_switch_is_off(nodes[0].app->users, 7, &is_off, &error), ERR_OK);
    ck_assert(is_off);
    ck_assert_int_eq(control_clear(nodes[0].app, (struct work){arena, soon(), &error}, 7, &state),
                     ERR_UNCERTAIN);
    ck_assert_int_eq(control_clears(redis, 7), 500001);
    int64_t before = epoch_held();
    redis_server_do(redis, "HSET cw:dataset term nonsense");
    ck_assert_int_eq(control_clear_all(nodes[0].app, (struct work){arena, soon(), &error}, &epoch),
                     ERR_UNCERTAIN);
    ck_assert_int_eq(epoch_held(), before + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/restore");
    TCase *tcase = tcase_create("restore");
    tcase_add_checked_fixture(tcase, open_all, close_two);
    tcase_add_loop_test(tcase, lost_and_put_back, 0, 2);
    tcase_add_test(tcase, an_older_copy_put_back);
    tcase_add_test(tcase, switched_on_nothing);
    tcase_add_test(tcase, switched_by_one_that_knows_the_old_term);
    tcase_add_test(tcase, seen_by_one_that_knows_the_old_term);
    tcase_add_test(tcase, right_from_the_first_moment_on);
    tcase_add_test(tcase, another_one_goes_on);
    tcase_add_test(tcase, lost_again_half_way);
    tcase_add_test(tcase, with_nobody_asking);
    tcase_add_test(tcase, refused_by_redis);
    tcase_add_test(tcase, what_happened_is_not_denied);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
