/* A command looks: it shows what a server shows, and leaves everything as it was. */
#include "control/reserved.h"

#include "two_nodes.h"

#include "cachewarden/control.h"
#include "redis_snapshot.h"
#include "suite.h"

/* Node 0 serves, node 1 is the command. */
static void open_all(void)
{
    redis = redis_server_start(NULL);
    open_two(false);
    app_follow(nodes[1].app);
}

/* All that a look could change: Redis whole, and the reserved number. */
static char *everything(void)
{
    char *text, *keys = redis_snapshot(redis, NULL);
    redisReply *dump = redis_server_ask(redis, "HGETALL cw:dataset");
    struct reserved reserved;
    struct error error = {0};
    size_t size = 0;
    char record[2048] = "";
    for (size_t i = 0; i < dump->elements && size < sizeof record; i++)
        size += (size_t)snprintf(record + size, sizeof record - size, "%s ", dump->element[i]->str);
    ck_assert_int_eq(reserved_read(nodes[0].app->users, arena, &reserved, &error), ERR_OK);
    ck_assert_int_gt(asprintf(&text, "%s\n%s\n%lld:%lld", keys, record, (long long)reserved.term,
                              (long long)reserved.up_to),
                     0);
    freeReplyObject(dump);
    free(keys);
    return text;
}

static enum err observe(int64_t user_id, struct cache_state *state_out, struct error *error)
{
    char *before = everything();
    *error = (struct error){0};
    enum err err = control_observe(nodes[1].app, arena, user_id, state_out, error);
    char *after = everything();
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    return err;
}

static void expect_seen(int64_t user_id, bool enabled, int64_t version)
{
    struct cache_state state;
    struct error error;
    enum err err = observe(user_id, &state, &error);
    ck_assert_msg(err == ERR_OK, "%s: %s %s", err_name(err), error.caller, error.detail);
    ck_assert_int_eq(state.version, version);
    ck_assert_int_eq(state.enabled, enabled);
}

static void expect_not_seen(int64_t user_id, const char *words)
{
    struct cache_state state;
    struct error error;
    ck_assert_int_eq(observe(user_id, &state, &error), ERR_UPSTREAM_REFUSED);
    ck_assert_msg(strstr(error.caller, words) || strstr(error.detail, words), "%s %s", error.caller,
                  error.detail);
}

START_TEST(before_anything_was_shown)
{
    expect_seen(7, true, 1);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 0);
    ck_assert_int_eq(version_on(0, 7), 1);
    expect_seen(7, true, 1);
}
END_TEST

START_TEST(what_a_server_shows)
{
    clear_on(0, 7);
    clear_on(0, 7);
    clear_all_on(0);
    switch_on(0, 8, false);
    expect_seen(7, true, version_on(0, 7));
    expect_seen(8, false, version_on(0, 8));
    expect_seen(9, true, 2);
}
END_TEST

/* A server whose own child Redis is, or that may not ask for INFO, writes no replication id into the record:
 * what a command is told of it is then no sign of a loss. */
START_TEST(beside_a_server_that_relies_on_its_redis)
{
    app_own_redis(nodes[0].app);
    ck_assert_int_eq(version_on(0, 7), 1);
    expect_seen(7, true, 1);
    ck_assert_int_eq(clear_on(1, 7), 2);
    ck_assert_int_eq(version_on(0, 7), 2);
    ck_assert_int_eq(clear_all_on(1), 1);
    switch_on(1, 7, false);
    ck_assert_int_eq(version_on(0, 7), 3);
    expect_seen(7, false, 3);
}
END_TEST

static const char *const losses[] = {"FLUSHALL", "DEL cw:dataset", "HSET cw:dataset epoch -1000",
                                     "HDEL cw:dataset term",
                                     "HSET cw:dataset epoch 9223372036854775807"};

/* It shows nothing, repairs nothing, and says who would. */
START_TEST(what_a_server_has_to_repair)
{
    for (int i = 0; i < 3; i++)
        clear_on(0, 7);
    clear_all_on(0);
    redis_server_do(redis, losses[_i]);
    expect_not_seen(7, "no server has looked after the versions");
    /* As the server does by itself, four times a second. */
    struct error error = {0};
    ck_assert_int_eq(version_guard_reconcile(nodes[0].app->guard, VERSION_GUARD_REPAIRS,
                                             (struct work){.deadline_ns = soon(), .error = &error}),
                     ERR_OK);
    int64_t version = version_on(0, 7);
    ck_assert_int_ge(version, 5);
    expect_seen(7, true, version);
}
END_TEST

START_TEST(a_restart_that_no_server_has_seen)
{
    clear_on(0, 7);
    redis_server_do(redis, "SAVE");
    redis_server_restart(redis);
    expect_not_seen(7, "since it was restarted");
    int64_t version = version_on(0, 7);
    expect_seen(7, true, version);
}
END_TEST

/* Nobody has shown it, and a loss of data now would let it come again. */
START_TEST(a_version_above_what_is_reserved)
{
    clear_on(0, 7);
    control_set_version(redis, 7, 5000);
    expect_not_seen(7, "no server");
    expect_seen(8, true, 1);
    ck_assert_int_eq(version_on(0, 7), 5000);
    expect_seen(7, true, 5000);
}
END_TEST

/* The look waits while a server repairs. */
START_TEST(a_server_at_work)
{
    struct cache_state state;
    struct error error = {0};
    int64_t shown = clear_on(0, 7);
    struct loopback watched;
    open_node(&watched, &nodes[0], true);
    redis_server_do(redis, "FLUSHALL");
    enum err err = control_observe(nodes[1].app, arena, 7, &state, &error);
    /* On a machine that stands still the server may not get to it in time; then nothing is shown. */
    if (err == ERR_OK)
        ck_assert_int_gt(state.version, shown);
    else
        ck_assert_msg(strstr(error.caller, "no server"), "%s %s", error.caller, error.detail);
    int64_t version = version_on(0, 7);
    expect_seen(7, true, version);
    loopback_close(&watched);
}
END_TEST

START_TEST(data_of_another_users_database)
{
    struct cache_state state;
    struct error error = {0};
    struct loopback stranger;
    clear_on(0, 7);
    open_node(&stranger, NULL, false);
    ck_assert_int_eq(control_observe(stranger.app, arena, 7, &state, &error), ERR_UPSTREAM_REFUSED);
    ck_assert_msg(strstr(error.caller, "another users database"), "%s", error.caller);
    loopback_close(&stranger);
}
END_TEST

START_TEST(no_redis)
{
    struct cache_state state;
    struct error error = {0};
    redis_server_kill(redis);
    ck_assert_int_eq(control_observe(nodes[1].app, arena, 7, &state, &error), ERR_UPSTREAM_DOWN);
}
END_TEST

START_TEST(what_is_no_number)
{
    clear_on(0, 7);
    redis_server_do(redis, "HSET cw:{u:7} clears many");
    expect_not_seen(7, "no number");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/observe");
    TCase *tcase = tcase_create("observe");
    tcase_add_checked_fixture(tcase, open_all, close_two);
    tcase_add_test(tcase, before_anything_was_shown);
    tcase_add_test(tcase, what_a_server_shows);
    tcase_add_test(tcase, beside_a_server_that_relies_on_its_redis);
    tcase_add_loop_test(tcase, what_a_server_has_to_repair, 0, sizeof losses / sizeof *losses);
    tcase_add_test(tcase, a_restart_that_no_server_has_seen);
    tcase_add_test(tcase, a_version_above_what_is_reserved);
    tcase_add_test(tcase, a_server_at_work);
    tcase_add_test(tcase, data_of_another_users_database);
    tcase_add_test(tcase, no_redis);
    tcase_add_test(tcase, what_is_no_number);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
