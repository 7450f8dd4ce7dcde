/* A switch outlives the Redis it was set in. */
#include "control/switches.h"

#include "two_nodes.h"

#include "suite.h"

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

enum { MANY = 1234 };

START_TEST(more_than_a_page)
{
    struct error error = {0};
    version_on(0, 1);
    for (int64_t id = 1; id <= MANY; id++)
        ck_assert_int_eq(users_switch_set(nodes[0].app->users, id * 3, id % 2, &error), ERR_OK);
    redis_server_do(redis, "FLUSHALL");
    version_on(1, 1);
    int off = 0;
    for (int64_t id = 1; id <= MANY * 3; id++) {
        off += !is_on(0, id);
        arena_reset(arena);
    }
    ck_assert_int_eq(off, MANY / 2);
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
    ck_assert_int_eq(control_switch(nodes[0].app, arena, 7, false, soon(), &state, &error),
                     ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(control_switch(nodes[0].app, arena, 8, false, soon(), &state, &error),
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
    ck_assert_int_eq(users_fact_set(nodes[0].app->users, STR("control_floor"), STR("x"), &error),
                     ERR_OK);
    redis_server_do(redis, "SET cw:{u:7}:v 500000");
    ck_assert_int_eq(control_switch(nodes[0].app, arena, 7, false, soon(), &state, &error),
                     ERR_UNCERTAIN);
    ck_assert_str_eq(error.caller, "outcome unknown");
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:off"), 1);
    struct user_switch *kept;
    size_t count;
    ck_assert_int_eq(users_switches_list(nodes[0].app->users, arena, 0, 9, &kept, &count, &error),
                     ERR_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert(kept[0].is_off);
    ck_assert_int_eq(control_clear(nodes[0].app, arena, 7, soon(), &state, &error), ERR_UNCERTAIN);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:{u:7}:v"), 500001);
    redis_server_do(redis, "SET cw:epoch 500000");
    ck_assert_int_eq(control_clear_all(nodes[0].app, arena, soon(), &epoch, &error), ERR_UNCERTAIN);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:epoch"), 500001);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/switches");
    TCase *tcase = tcase_create("switches");
    tcase_add_checked_fixture(tcase, open_all, close_two);
    tcase_add_loop_test(tcase, lost_and_put_back, 0, 2);
    tcase_add_test(tcase, an_older_copy_put_back);
    tcase_add_test(tcase, switched_on_nothing);
    tcase_add_test(tcase, more_than_a_page);
    tcase_add_test(tcase, refused_by_redis);
    tcase_add_test(tcase, what_happened_is_not_denied);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
