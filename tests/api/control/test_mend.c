/* Whose control data it is, and what a settling does with markers and floors of another time. */
#include "control/floor.h"
#include "control/keeper.h"
#include "identity/marker.h"

#include "two_nodes.h"

#include "suite.h"

static void open_all(void)
{
    redis = redis_server_start(NULL);
    open_two(false);
}

static struct loopback stranger; /* with a users database of its own */

static void open_stranger(void)
{
    open_node(&stranger, NULL, false);
}

static enum err try_clear(struct loopback *node, struct error *error)
{
    struct cache_state state;
    error_clear(error);
    return control_clear(node->app, arena, 7, soon(), &state, error);
}

static struct marker_facts marker_now(void)
{
    struct marker_facts facts;
    redisReply *reply = redis_server_ask(redis, "GET cw:marker");
    struct str text = str_dup(arena, (struct str){reply->str, reply->len});
    ck_assert_msg(marker_parse(text, &facts), "%s", reply->str);
    freeReplyObject(reply);
    return facts;
}

static void expect_foreign(struct loopback *node)
{
    struct error error;
    int64_t epoch;
    ck_assert_int_eq(try_clear(node, &error), ERR_UPSTREAM_REFUSED);
    ck_assert_msg(strstr(error.caller, "another users database") && strstr(error.caller, "--adopt"),
                  "%s", error.caller);
    struct cache_state state;
    ck_assert_int_eq(control_status(node->app, arena, 7, soon(), &state, &error),
                     ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(control_clear_all(node->app, arena, soon(), &epoch, &error),
                     ERR_UPSTREAM_REFUSED);
    ck_assert(app_is_foreign(node->app, &error));
    ck_assert(strstr(error.caller, "--adopt"));
}

START_TEST(two_users_databases_on_one_redis)
{
    int64_t version = clear_on(0, 7);
    redisReply *before = redis_server_ask(redis, "GET cw:marker");
    open_stranger();
    expect_foreign(&stranger);
    expect_foreign(&stranger);
    redisReply *after = redis_server_ask(redis, "GET cw:marker");
    ck_assert_str_eq(before->str, after->str);
    ck_assert_int_eq(version_on(1, 7), version);
    ck_assert(!app_is_foreign(nodes[0].app, NULL));
    freeReplyObject(before);
    freeReplyObject(after);
    loopback_close(&stranger);
}
END_TEST

START_TEST(taken_over)
{
    int64_t version = clear_on(0, 7);
    for (int i = 0; i < 3; i++)
        version = clear_on(0, 7);
    open_stranger();
    app_adopt(stranger.app);
    struct error error = {0};
    struct cache_state state;
    ck_assert_int_eq(control_status(stranger.app, arena, 7, soon(), &state, &error), ERR_OK);
    ck_assert_int_gt(state.version, version);
    ck_assert(!app_is_foreign(stranger.app, &error));
    expect_foreign(&nodes[0]);
    /* Once: when it is taken back, that is that. */
    app_adopt(nodes[1].app);
    ck_assert_int_gt(version_on(1, 7), state.version);
    expect_foreign(&stranger);
    loopback_close(&stranger);
}
END_TEST

START_TEST(a_redis_that_is_emptied_is_nobodys)
{
    clear_on(0, 7);
    open_stranger();
    expect_foreign(&stranger);
    redis_server_do(redis, "FLUSHALL");
    struct error error;
    ck_assert_int_eq(try_clear(&stranger, &error), ERR_OK);
    ck_assert(!app_is_foreign(stranger.app, &error));
    /* As the node does by itself, four times a second. */
    ck_assert_int_eq(keeper_settle(nodes[0].app->keeper, soon(), &error), ERR_UPSTREAM_REFUSED);
    expect_foreign(&nodes[0]);
    loopback_close(&stranger);
}
END_TEST

START_TEST(what_a_marker_says)
{
    clear_on(0, 7);
    struct marker_facts facts = marker_now(), later;
    struct str install;
    struct error error = {0};
    ck_assert_int_eq(
        users_fact_get(nodes[0].app->users, arena, STR("install_id"), &install, &error), ERR_OK);
    ck_assert(str_eq(facts.install, install));
    ck_assert_int_eq(facts.era, 1);
    ck_assert_int_eq(facts.floor, FLOOR_STEP);
    /* Data that may be older is the same data; data that was lost is another. */
    redis_server_do(redis, "SAVE");
    redis_server_restart(redis);
    version_on(0, 7);
    later = marker_now();
    ck_assert(str_eq(later.id, facts.id));
    ck_assert_uint_ne(later.origin, facts.origin);
    ck_assert_int_eq(later.era, 2);
    redis_server_do(redis, "FLUSHALL");
    version_on(0, 7);
    facts = marker_now();
    ck_assert(!str_eq(later.id, facts.id));
    ck_assert_uint_eq(later.origin, facts.origin);
    ck_assert_int_eq(facts.era, 3);
}
END_TEST

/* Of another program, or of a hand. */
START_TEST(what_is_no_marker_is_replaced)
{
    int64_t version = clear_on(0, 7);
    redis_server_do(redis, "SET cw:marker nonsense");
    redis_server_do(redis, "DEL cw:epoch");
    ck_assert_int_gt(version_on(0, 7), version);
    ck_assert_int_eq(marker_now().era, 2);
    redis_server_do(redis, "DEL cw:marker cw:epoch");
    redis_server_do(redis, "RPUSH cw:marker x");
    struct error error;
    ck_assert_int_eq(try_clear(&nodes[0], &error), ERR_UPSTREAM_REFUSED);
}
END_TEST

/* From a backup: the marker knows how high the floor has been. */
START_TEST(an_older_users_database_put_back)
{
    struct error error = {0};
    struct floor_state state;
    redis_server_do(redis, "SET cw:{u:7}:v 700000");
    int64_t version = clear_on(0, 7);
    redis_server_do(redis, "SAVE");
    redis_server_restart(redis);
    version = version_on(0, 7);
    ck_assert_int_eq(floor_read(nodes[0].app->users, arena, &state, &error), ERR_OK);
    ck_assert_int_eq(
        users_fact_set(nodes[0].app->users, STR("control_floor"), STR("1:1000"), &error), ERR_OK);
    loopback_close(&nodes[1]);
    open_node(&nodes[1], &nodes[0], false);
    ck_assert_int_eq(version_on(1, 7), version);
    struct floor_state lifted;
    ck_assert_int_eq(floor_read(nodes[0].app->users, arena, &lifted, &error), ERR_OK);
    ck_assert_int_eq(lifted.era, state.era);
    ck_assert_int_ge(lifted.height, version);
    redis_server_do(redis, "FLUSHALL");
    ck_assert_int_gt(version_on(1, 7), version);
}
END_TEST

/* While Redis takes no writes the eras must not run away. */
START_TEST(one_era_for_many_tries)
{
    struct error error = {0};
    struct floor_state state;
    int64_t version = clear_on(0, 7);
    redis_server_do(redis, "FLUSHALL");
    redis_server_do(redis, "CONFIG SET min-replicas-to-write 1");
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(try_clear(&nodes[0], &error), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(floor_read(nodes[0].app->users, arena, &state, &error), ERR_OK);
    ck_assert_int_le(state.era, 2);
    redis_server_do(redis, "CONFIG SET min-replicas-to-write 0");
    ck_assert_int_gt(version_on(0, 7), version);
    ck_assert_int_eq(version_on(1, 7), version_on(0, 7));
}
END_TEST

START_TEST(versions_at_their_end)
{
    struct error error = {0};
    clear_on(0, 7);
    ck_assert_int_eq(users_fact_set(nodes[0].app->users, STR("control_floor"),
                                    STR("1:9223372036854775807"), &error),
                     ERR_OK);
    redis_server_do(redis, "FLUSHALL");
    ck_assert_int_eq(try_clear(&nodes[0], &error), ERR_UPSTREAM_REFUSED);
    ck_assert_msg(strstr(error.detail, "end"), "%s", error.detail);
}
END_TEST

/* ---- nodes that are told where answers come from, beside ones that are not ---- */

static void open_untold(struct loopback *node)
{
    char url[128];
    redis_server_do(redis, "ACL SETUSER dumb on nopass ~* &* +@all -info");
    snprintf(url, sizeof url, "redis://dumb:x@%s", strstr(redis_server_url(redis), "//") + 2);
    loopback_open(node, &(struct loopback_options){
                            .redis_url = url, .shares = &nodes[0], .is_unwatched = true});
}

static int64_t version_of(struct loopback *node)
{
    struct cache_state state = {0};
    struct error error = {0};
    /* As the node does by itself, four times a second. */
    ck_assert_int_eq(keeper_settle(node->app->keeper, soon(), &error), ERR_OK);
    ck_assert_int_eq(control_status(node->app, arena, 7, soon(), &state, &error), ERR_OK);
    return state.version;
}

/* One begins an era, perhaps, for nobody told it that the data is good; then they agree, and do not
 * take turns with new eras for ever. */
START_TEST(told_and_untold_agree)
{
    struct loopback untold;
    open_untold(&untold);
    int64_t version = _i ? version_of(&untold) : version_of(&nodes[0]);
    ck_assert_int_eq(version, 1);
    (void)version_of(&nodes[0]);
    int64_t era = marker_now().era;
    ck_assert_int_le(era, 2);
    for (int i = 0; i < 4; i++) {
        version = version_of(&untold);
        ck_assert_int_eq(version_of(&nodes[0]), version);
    }
    ck_assert_int_eq(marker_now().era, era);
    loopback_close(&untold);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/mend");
    TCase *tcase = tcase_create("mend");
    tcase_add_checked_fixture(tcase, open_all, close_two);
    tcase_add_test(tcase, two_users_databases_on_one_redis);
    tcase_add_test(tcase, taken_over);
    tcase_add_test(tcase, a_redis_that_is_emptied_is_nobodys);
    tcase_add_test(tcase, what_a_marker_says);
    tcase_add_test(tcase, what_is_no_marker_is_replaced);
    tcase_add_test(tcase, an_older_users_database_put_back);
    tcase_add_test(tcase, one_era_for_many_tries);
    tcase_add_test(tcase, versions_at_their_end);
    tcase_add_loop_test(tcase, told_and_untold_agree, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
