/* Entries on a Redis of their own, which may evict, forget and be away; numbers stay with the control data. */
#include "entries_case.h"

#include "cachewarden/app.h"
#include "entries/entries_private.h"

#include <hiredis/hiredis.h>

static int64_t raise_on(int node, const char *label)
{
    struct entry_request request = ask_on(node, shop, label, NULL);
    int64_t value;
    bool is_enabled;

    expect_ok(entries_increment(&request, 1, 3600, &value, &is_enabled));
    return value;
}

START_TEST(each_has_its_place)
{
    put_on(0, shop, "k", MODELS("Product"), "a", STR_NONE);
    expect_hit(1, shop, "k", "a");
    ck_assert_int_eq(raise_on(0, "n"), 1);
    ck_assert_int_eq(raise_on(1, "n"), 2);
    ck_assert_int_eq(redis_server_ask_integer(store, "DBSIZE"), 2);
    ck_assert_int_eq(redis_server_ask_integer(store, "EXISTS cw:{app:shop}:e:k cw:{app:shop}:e:n"),
                     2);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:dataset cw:{app:shop}:m"), 2);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 2);
}
END_TEST

START_TEST(one_round_trip_to_each)
{
    struct redis_stats control[2], entries[2];

    put_on(0, shop, "k", NULL, "a", STR_NONE);
    get_on(0, shop, "k", NULL);
    redis_stats_read(nodes[0].app->control, &control[0]);
    redis_stats_read(entries_redis(nodes[0].app->entries), &entries[0]);
    get_on(0, shop, "k", NULL);
    get_on(0, shop, "nothing", NULL);
    put_on(0, shop, "k", NULL, "b", STR_NONE);
    delete_on(0, shop, "k");
    redis_stats_read(nodes[0].app->control, &control[1]);
    redis_stats_read(entries_redis(nodes[0].app->entries), &entries[1]);
    ck_assert_uint_eq(control[1].round_trips - control[0].round_trips, 4);
    ck_assert_uint_eq(entries[1].round_trips - entries[0].round_trips, 4);
}
END_TEST

START_TEST(what_it_forgot_is_a_miss)
{
    put_on(0, shop, "k", NULL, "a", STR_NONE);
    redis_server_do(store, "FLUSHALL");
    struct entry_found found = get_on(1, shop, "k", NULL);
    ck_assert(!found.is_hit);
    put_on(1, shop, "k", NULL, "b", found.lease); /* its numbers are what they were */
    expect_hit(0, shop, "k", "b");
    redis_server_restart(store);
    int64_t until_ns = in_time();
    struct entry_request request = ask_on(0, shop, "k", NULL);
    while (entries_get(&request, &found) != ERR_OK)
        ck_assert_int_lt(clock_mono_ns(), until_ns);
    ck_assert(!found.is_hit);
}
END_TEST

/* A copy from before a clear, and one from before many. */
START_TEST(an_older_copy_is_not_served)
{
    redisReply *dump;

    put_on(0, shop, "k", NULL, "old", STR_NONE);
    dump = redis_server_ask(store, "DUMP cw:{app:shop}:e:k");
    clear_on(0, shop);
    put_on(0, shop, "k", NULL, "new", STR_NONE);
    redis_server_do(store, "RESTORE cw:{app:shop}:e:k 0 %b REPLACE", dump->str, dump->len);
    freeReplyObject(dump);
    expect_miss(0, shop, "k");
    expect_miss(1, shop, "k");
    redis_server_do(redis,
                    "FLUSHALL"); /* the control data is what must not be lost; it is noticed */
    expect_miss(0, shop, "k");
}
END_TEST

START_TEST(either_may_be_away)
{
    struct entry_request request = ask_on(0, shop, "k", NULL);
    struct entry_found found;
    struct entry_stored stored;
    int64_t value;
    bool is_enabled;

    put_on(0, shop, "k", NULL, "a", STR_NONE);
    redis_server_kill(store);
    ck_assert_int_eq(entries_get(&request, &found), ERR_UPSTREAM_DOWN);
    ck_assert_int_ne(try_put(0, shop, "k", NULL, (struct entry_fill){.body = STR("b")}, &stored),
                     ERR_OK);
    ck_assert_int_eq(clear_on(0, shop), 2); /* a clear does not ask it */
    ck_assert_int_eq(clear_model_on(0, shop, "Product"), 2);
    redis_server_restart(store);
    int64_t until_ns = in_time();
    while (entries_get(&request, &found) != ERR_OK)
        ck_assert_int_lt(clock_mono_ns(), until_ns);
    ck_assert(!found.is_hit);
    put_on(0, shop, "k", NULL, "a", STR_NONE);
    redis_server_kill(redis);
    ck_assert_int_ne(entries_get(&request, &found), ERR_OK);
    /* It was counted, and nobody can tell under which version. */
    ck_assert_int_eq(entries_increment(&request, 1, 60, &value, &is_enabled), ERR_UNCERTAIN);
}
END_TEST

START_TEST(the_url_of_the_control_data_is_no_other)
{
    struct loopback same;

    loopback_open(&same, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                    .entries_redis_url = redis_server_url(redis),
                                                    .shares = &nodes[0],
                                                    .is_unwatched = true});
    ck_assert(!entries_own_redis(same.app->entries));
    ck_assert_ptr_eq(entries_redis(same.app->entries), same.app->control);
    loopback_close(&same);
    ck_assert(entries_own_redis(nodes[0].app->entries));
}
END_TEST

START_TEST(a_url_that_is_none_is_told)
{
    struct loopback bad;
    enum err err =
        loopback_try_open(&bad,
                          &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                     .entries_redis_url = "http://here",
                                                     .shares = &nodes[0],
                                                     .is_unwatched = true},
                          &error);

    ck_assert_int_eq(err, ERR_BAD_INPUT);
    ck_assert_msg(strstr(error.caller, "entries.redis_url:"), "%s", error.caller);
    loopback_close(&bad);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/entries");
    TCase *all = tcase_create("apart");

    tcase_add_checked_fixture(all, open_two_nodes_apart, close_two_nodes);
    tcase_add_test(all, each_has_its_place);
    tcase_add_test(all, one_round_trip_to_each);
    tcase_add_test(all, what_it_forgot_is_a_miss);
    tcase_add_test(all, an_older_copy_is_not_served);
    tcase_add_test(all, either_may_be_away);
    tcase_add_test(all, the_url_of_the_control_data_is_no_other);
    tcase_add_test(all, a_url_that_is_none_is_told);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
