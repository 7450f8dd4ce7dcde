/* Whose control data it is, and what becomes of datasets and reserved numbers of another time. */
#include "control/dataset.h"
#include "control/reserved.h"

#include "two_nodes.h"

#include "cachewarden/control.h"
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
    return control_clear(node->app, (struct work){arena, soon(), error}, 7, &state);
}

/* Strings live in the arena. */
static struct dataset dataset_now(void)
{
    struct dataset dataset;
    struct error error = {0};
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    dataset_ask(pipeline);
    ck_assert_int_eq(redis_run(nodes[0].app->control, pipeline,
                               (struct work){.deadline_ns = soon(), .error = &error}),
                     ERR_OK);
    dataset_take(pipeline_value(pipeline, 0), &dataset);
    ck_assert(dataset.is_whole);
    return dataset;
}

static void expect_foreign(struct loopback *node)
{
    struct error error;
    int64_t epoch;
    ck_assert_int_eq(try_clear(node, &error), ERR_UPSTREAM_REFUSED);
    ck_assert_msg(strstr(error.caller, "another users database") && strstr(error.caller, "--adopt"),
                  "%s", error.caller);
    struct cache_state state;
    ck_assert_int_eq(
        control_status(node->app, (struct work){arena, soon(), &error}, 7, NULL, &state),
        ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(control_clear_all(node->app, (struct work){arena, soon(), &error}, &epoch),
                     ERR_UPSTREAM_REFUSED);
    ck_assert(app_is_foreign(node->app, &error));
    ck_assert(strstr(error.caller, "--adopt"));
}

START_TEST(two_users_databases_on_one_redis)
{
    int64_t version = clear_on(0, 7);
    struct dataset before = dataset_now();
    open_stranger();
    expect_foreign(&stranger);
    expect_foreign(&stranger);
    struct dataset after = dataset_now();
    ck_assert(str_eq(before.id, after.id));
    ck_assert(str_eq(before.install, after.install));
    ck_assert_int_eq(before.term, after.term);
    ck_assert_int_eq(before.epoch, after.epoch);
    ck_assert_int_eq(version_on(1, 7), version);
    ck_assert(!app_is_foreign(nodes[0].app, NULL));
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
    ck_assert_int_eq(
        control_status(stranger.app, (struct work){arena, soon(), &error}, 7, NULL, &state),
        ERR_OK);
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
    ck_assert_int_eq(version_guard_reconcile(nodes[0].app->guard, VERSION_GUARD_REPAIRS,
                                             (struct work){.deadline_ns = soon(), .error = &error}),
                     ERR_UPSTREAM_REFUSED);
    expect_foreign(&nodes[0]);
    loopback_close(&stranger);
}
END_TEST

START_TEST(what_the_dataset_says)
{
    clear_on(0, 7);
    struct dataset first = dataset_now(), later;
    struct str install;
    struct error error = {0};
    ck_assert_int_eq(
        users_fact_get(nodes[0].app->users, arena, STR("install_id"), &install, &error), ERR_OK);
    ck_assert(str_eq(first.install, install));
    ck_assert_int_eq(first.term, 1);
    ck_assert_int_eq(first.reserved, RESERVED_STEP);
    /* Data that may be older is the same data; data that was lost is another. */
    redis_server_do(redis, "SAVE");
    redis_server_restart(redis);
    version_on(0, 7);
    later = dataset_now();
    ck_assert(str_eq(later.id, first.id));
    ck_assert_uint_ne(later.replication_id, first.replication_id);
    ck_assert_int_eq(later.term, 2);
    redis_server_do(redis, "FLUSHALL");
    version_on(0, 7);
    first = dataset_now();
    ck_assert(!str_eq(later.id, first.id));
    ck_assert_uint_eq(later.replication_id, first.replication_id);
    ck_assert_int_eq(first.term, 3);
}
END_TEST

/* Of another program, or of a hand. */
START_TEST(what_is_no_dataset_is_replaced)
{
    static const char *const hands[] = {"HSET cw:dataset term nonsense", "HDEL cw:dataset id",
                                        "HSET cw:dataset before x", "HDEL cw:dataset term epoch",
                                        "HSET cw:dataset seen -1"};
    int64_t version = clear_on(0, 7);
    for (int i = 0; i < (int)(sizeof hands / sizeof *hands); i++) {
        redis_server_do(redis, hands[i]);
        repair_on(i % 2);
        int64_t next = clear_on(i % 2, 7);
        ck_assert_int_gt(next, version);
        version = version_on(!(i % 2), 7);
        ck_assert_int_eq(version, next);
        ck_assert_int_eq(dataset_now().term, 2 + i);
    }
    redis_server_do(redis, "DEL cw:dataset");
    redis_server_do(redis, "RPUSH cw:dataset x");
    struct error error;
    ck_assert_int_eq(try_clear(&nodes[0], &error), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(redis_server_ask_integer(redis, "LLEN cw:dataset"), 1);
}
END_TEST

/* Redis refuses to look into it, and what stands there goes. */
START_TEST(what_is_no_hash_is_replaced)
{
    static const char *const commands[] = {"SET cw:dataset x", "RPUSH cw:dataset x"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        int64_t version = clear_on(0, 7), term = dataset_now().term;
        redis_server_do(redis, "DEL cw:dataset");
        redis_server_do(redis, commands[i]);
        repair_on(1);
        ck_assert_int_gt(dataset_now().term, term);
        ck_assert_int_gt(version_on(0, 7), version);
    }
}
END_TEST

/* No clears can have brought that there: it is not followed, nothing is lost by it for good, and who
 * comes later counts on from what there was. */
START_TEST(a_number_beyond_belief)
{
    static const char *const fields[] = {"epoch", "reserved", "term"};
    static const char *const numbers[] = {"9223372036854775807", "9223372036854770000",
                                          "4611686018427387904", "4000000000000"};
    struct reserved kept;
    struct error error = {0};
    int64_t version = clear_on(0, 7);
    struct str install = str_dup(arena, dataset_now().install);
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        redis_server_do(redis, _i == 2 ? "HSET cw:dataset %s %s:%s" : "HSET cw:dataset %s %s",
                        fields[_i], numbers[n], install.ptr);
        repair_on((int)n / 2);
        int64_t next = n % 2 ? version_on(0, 7) : clear_on(0, 7);
        ck_assert_int_gt(next, version);
        ck_assert_int_lt(next, version + 10 * RESERVED_STEP);
        ck_assert_int_eq(version_on(1, 7), next);
        version = next;
        ck_assert_int_eq(clear_on(1, 7), ++version);
    }
    ck_assert_int_eq(reserved_read(nodes[0].app->users, arena, &kept, &error), ERR_OK);
    ck_assert_int_lt(kept.up_to, version + 2 * RESERVED_STEP);
    ck_assert_int_lt(kept.term, 100);
}
END_TEST

/* From a backup: the dataset in Redis knows what had been reserved. */
START_TEST(an_older_users_database_put_back)
{
    struct error error = {0};
    struct reserved state;
    control_set_version(redis, 7, 700000);
    int64_t version = clear_on(0, 7);
    redis_server_do(redis, "SAVE");
    redis_server_restart(redis);
    version = version_on(0, 7);
    ck_assert_int_eq(reserved_read(nodes[0].app->users, arena, &state, &error), ERR_OK);
    ck_assert_int_eq(
        users_fact_set(nodes[0].app->users, STR("versions_reserved"), STR("1:1000"), &error),
        ERR_OK);
    loopback_close(&nodes[1]);
    open_node(&nodes[1], &nodes[0], false);
    ck_assert_int_eq(version_on(1, 7), version);
    struct reserved lifted;
    ck_assert_int_eq(reserved_read(nodes[0].app->users, arena, &lifted, &error), ERR_OK);
    ck_assert_int_eq(lifted.term, state.term);
    ck_assert_int_ge(lifted.up_to, version);
    redis_server_do(redis, "FLUSHALL");
    ck_assert_int_gt(version_on(1, 7), version);
}
END_TEST

/* Rows were put back, by a restore: the term in the users database went on, and Redis has not heard of it. */
START_TEST(a_term_that_went_on_in_the_users_database)
{
    struct error error;
    struct str fact;
    char text[64];

    int64_t before = clear_on(0, 7), term = control_term(redis);
    struct users *users = nodes[0].app->users;
    ck_assert_int_eq(users_fact_get(users, arena, STR("versions_reserved"), &fact, &error), ERR_OK);
    snprintf(text, sizeof text, "%lld:%lld", (long long)term + 3, (long long)before + 50000);
    ck_assert_int_eq(users_fact_set(users, STR("versions_reserved"), str_from(text), &error),
                     ERR_OK);
    /* Nothing in Redis tells. */
    repair_on(0);
    ck_assert_int_eq(control_term(redis), term);
    version_guard_look_at_users(nodes[0].app->guard);
    repair_on(0);
    ck_assert_int_eq(control_term(redis), term + 4);
    ck_assert_int_gt(version_on(0, 7), before + 50000);
    ck_assert_int_eq(version_on(1, 7), version_on(0, 7));
    /* Once is enough. */
    version_guard_look_at_users(nodes[0].app->guard);
    version_guard_look_at_users(nodes[1].app->guard);
    repair_on(0);
    repair_on(1);
    ck_assert_int_eq(control_term(redis), term + 4);
}
END_TEST

/* While Redis takes no writes the terms must not run away. */
START_TEST(one_term_for_many_tries)
{
    struct error error = {0};
    struct reserved state;
    int64_t version = clear_on(0, 7);
    redis_server_do(redis, "FLUSHALL");
    redis_server_do(redis, "CONFIG SET min-replicas-to-write 1");
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(try_clear(&nodes[0], &error), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(reserved_read(nodes[0].app->users, arena, &state, &error), ERR_OK);
    ck_assert_int_le(state.term, 2);
    redis_server_do(redis, "CONFIG SET min-replicas-to-write 0");
    ck_assert_int_gt(version_on(0, 7), version);
    ck_assert_int_eq(version_on(1, 7), version_on(0, 7));
}
END_TEST

/* A node that starts finds a term that was begun, and is not in Redis yet: whoever began it is about to write
 * it. To begin another one would raise everybody's version for nothing. */
START_TEST(left_to_the_one_that_began)
{
    enum { LESS_THAN_PATIENCE_MS = 100 };
    struct error error = {0};
    struct reserved state;
    ck_assert_int_eq(
        users_fact_set(nodes[0].app->users, STR("versions_reserved"), STR("1:1000"), &error),
        ERR_OK);
    ck_assert_int_eq(version_guard_reconcile(
                         nodes[0].app->guard, VERSION_GUARD_REPAIRS,
                         (struct work){.deadline_ns = clock_deadline_ns(LESS_THAN_PATIENCE_MS),
                                       .error = &error}),
                     ERR_TIMEOUT);
    ck_assert_int_eq(reserved_read(nodes[0].app->users, arena, &state, &error), ERR_OK);
    ck_assert_int_eq(state.term, 1);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 0);
    /* It has died. */
    ck_assert_int_eq(version_on(0, 7), 1 + RESERVED_STEP);
    ck_assert_int_eq(control_term(redis), 2);
}
END_TEST

START_TEST(versions_at_their_end)
{
    struct error error = {0};
    clear_on(0, 7);
    ck_assert_int_eq(users_fact_set(nodes[0].app->users, STR("versions_reserved"),
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
    ck_assert_int_eq(reconcile_on(node, &error), ERR_OK);
    ck_assert_int_eq(
        control_status(node->app, (struct work){arena, soon(), &error}, 7, NULL, &state), ERR_OK);
    return state.version;
}

/* One begins a term, perhaps, for nobody told it that the data is good; then they agree, and do not
 * take turns with new terms for ever. */
START_TEST(told_and_untold_agree)
{
    struct loopback untold;
    open_untold(&untold);
    int64_t version = _i ? version_of(&untold) : version_of(&nodes[0]);
    ck_assert_int_eq(version, 1);
    (void)version_of(&nodes[0]);
    int64_t term = dataset_now().term;
    ck_assert_int_le(term, 2);
    for (int i = 0; i < 4; i++) {
        version = version_of(&untold);
        ck_assert_int_eq(version_of(&nodes[0]), version);
    }
    ck_assert_int_eq(dataset_now().term, term);
    loopback_close(&untold);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/reconcile");
    TCase *tcase = tcase_create("reconcile");
    tcase_add_checked_fixture(tcase, open_all, close_two);
    tcase_add_test(tcase, two_users_databases_on_one_redis);
    tcase_add_test(tcase, taken_over);
    tcase_add_test(tcase, a_redis_that_is_emptied_is_nobodys);
    tcase_add_test(tcase, what_the_dataset_says);
    tcase_add_test(tcase, what_is_no_dataset_is_replaced);
    tcase_add_test(tcase, what_is_no_hash_is_replaced);
    tcase_add_loop_test(tcase, a_number_beyond_belief, 0, 3);
    tcase_add_test(tcase, an_older_users_database_put_back);
    tcase_add_test(tcase, a_term_that_went_on_in_the_users_database);
    tcase_add_test(tcase, one_term_for_many_tries);
    tcase_add_test(tcase, left_to_the_one_that_began);
    tcase_add_test(tcase, versions_at_their_end);
    tcase_add_loop_test(tcase, told_and_untold_agree, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
