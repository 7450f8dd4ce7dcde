/* Counters: nothing that was acknowledged is lost or counted twice. */
#include "entries_case.h"
#include "entries_raised.h"

#include <pthread.h>

START_TEST(it_counts)
{
    ck_assert_int_eq(raise_on(0, shop, "n", 1), 1);
    ck_assert_int_eq(raise_on(1, shop, "n", 1), 2);
    ck_assert_int_eq(raise_on(0, shop, "n", 40), 42);
    ck_assert_int_eq(raise_on(0, shop, "n", -50), -8);
    expect_hit(1, shop, "n", "-8");
    struct entry_found found = get_on(0, shop, "n", NULL);
    ck_assert(str_eq(found.content_type, STR("text/plain")));
    ck_assert_int_le(found.ttl_s, 3600);
    ck_assert_int_gt(found.ttl_s, 3500);
    ck_assert_int_eq(raise_on(0, shop, "other", 7), 7);
    ck_assert_int_eq(raise_on(0, alice, "n", 5), 5);
    ck_assert(delete_on(0, shop, "n"));
    ck_assert_int_eq(raise_on(1, shop, "n", 3), 3);
}
END_TEST

START_TEST(its_life_begins_once)
{
    raise_on(0, shop, "n", 1);
    redis_server_do(redis, "EXPIRE cw:{app:shop}:e:n 100");
    raise_on(0, shop, "n", 1);
    ck_assert_int_le(redis_server_ask_integer(redis, "TTL cw:{app:shop}:e:n"), 100);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 2); /* cw:dataset, and it */
    clear_on(1, shop);
    ck_assert_int_eq(raise_on(0, shop, "n", 1), 1);
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{app:shop}:e:n"), 3500);
    ck_assert_int_eq(redis_server_ask_integer(redis, "HLEN cw:{app:shop}:e:n"), 3);
}
END_TEST

/* ---- what was put ---- */

START_TEST(a_number_that_was_put_counts_on)
{
    struct entry_stored stored;

    expect_ok(try_put(0, shop, "n", NULL,
                      (struct entry_fill){
                          .body = STR("41"), .content_type = STR("application/json"), .ttl_s = 500},
                      &stored));
    struct entry_found found = get_on(1, shop, "n", NULL);
    ck_assert(found.is_hit && str_eq(found.body, STR("41")));
    ck_assert(str_eq(found.content_type, STR("application/json")));
    ck_assert_int_eq(raise_on(1, shop, "n", 1), 42);
    found = get_on(0, shop, "n", NULL);
    ck_assert(str_eq(found.body, STR("42")));
    ck_assert(str_eq(found.content_type, STR("application/json")));
    ck_assert_int_le(found.ttl_s, 500);
    put_on(0, shop, "n", NULL, "-7", STR_NONE);
    ck_assert_int_eq(raise_on(1, shop, "n", 8), 1);
    put_on(0, shop, "n", NULL, "text", STR_NONE);
    expect_hit(1, shop, "n", "text");
}
END_TEST

START_TEST(what_is_no_number_stays)
{
    static const char *const texts[] = {
        "text", "", "1.5", "01", "+1", " 1", "1 ", "9223372036854775808", "0x1"};
    int64_t value;
    bool is_enabled;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_on(0, shop, "n", NULL, texts[i], STR_NONE);
        ck_assert_int_eq(try_raise(1, shop, "n", 1, &value, &is_enabled), ERR_CONFLICT);
        expect_hit(0, shop, "n", texts[i]);
    }
    put_on(0, shop, "n", MODELS("Product"), "1", STR_NONE);
    ck_assert_int_eq(try_raise(1, shop, "n", 1, &value, &is_enabled), ERR_CONFLICT);
    expect_hit(0, shop, "n", "1");
    /* Once it is out of date it is in nobody's way. */
    clear_model_on(0, shop, "Product");
    ck_assert_int_eq(raise_on(1, shop, "n", 1), 1);
    put_on(0, shop, "n", NULL, "text", STR_NONE);
    clear_on(0, shop);
    ck_assert_int_eq(raise_on(1, shop, "n", 2), 2);
    ck_assert_int_eq(raise_on(0, shop, "n", 2), 4);
    /* cw:dataset, cw:{app:shop}, its models, the counter */
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 4);
}
END_TEST

START_TEST(an_overflow_changes_nothing)
{
    int64_t value;
    bool is_enabled;

    ck_assert_int_eq(raise_on(0, shop, "n", INT64_MAX), INT64_MAX);
    ck_assert_int_eq(try_raise(1, shop, "n", 1, &value, &is_enabled), ERR_BAD_INPUT);
    ck_assert_msg(strstr(error.caller, "by: The counter would become larger"), "%s", error.caller);
    expect_hit(0, shop, "n", "9223372036854775807");
    ck_assert_int_eq(raise_on(0, shop, "n", INT64_MIN), -1);
    ck_assert_int_eq(raise_on(0, shop, "m", INT64_MIN), INT64_MIN);
    ck_assert_int_eq(try_raise(1, shop, "m", -1, &value, &is_enabled), ERR_BAD_INPUT);
    ck_assert_msg(strstr(error.caller, "by: The counter would become smaller"), "%s", error.caller);
}
END_TEST

/* ---- clears and switches ---- */

START_TEST(a_clear_begins_it_anew)
{
    raise_on(0, alice, "n", 5);
    raise_on(1, alice, "n", 5);
    clear_on(0, alice);
    expect_miss(0, alice, "n");
    ck_assert_int_eq(raise_on(1, alice, "n", 2), 2); /* this node's guess is the old version */
    ck_assert_int_eq(raise_on(0, alice, "n", 2), 4);
    clear_all_on(0);
    ck_assert_int_eq(raise_on(0, alice, "n", 3), 3);
    ck_assert_int_eq(raise_on(1, alice, "n", 3), 6);
    redis_server_do(redis, "FLUSHALL");
    ck_assert_int_eq(raise_on(1, alice, "n", 1), 1);
    clear_model_on(0, alice, "Product");
    ck_assert_int_eq(raise_on(0, alice, "n", 1), 2);
    ck_assert_int_eq(redis_server_ask_integer(redis, "HLEN cw:{u:7}:e:n"), 3);
}
END_TEST

START_TEST(switched_off_nothing_is_kept)
{
    int64_t value;
    bool is_enabled;

    raise_on(0, alice, "n", 5);
    switch_on(1, 7, false);
    expect_ok(try_raise(0, alice, "n", 2, &value, &is_enabled));
    ck_assert(!is_enabled);
    ck_assert_int_eq(value, 2);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:n"), 0);
    switch_on(1, 7, true);
    ck_assert_int_eq(raise_on(0, alice, "n", 2), 2);
}
END_TEST

/* ---- many at once ---- */

enum { COUNTERS = 6, RAISES = 50 };

struct raiser {
    pthread_t thread;
    int number;
    int64_t sum;
    int64_t seen[RAISES];
};

static void *raise_many(void *arg)
{
    struct raiser *raiser = arg;
    struct arena *own = arena_new(16384, 0);
    struct error why = {0};

    for (int i = 0; i < RAISES; i++) {
        const struct entry_request request = {.app = nodes[raiser->number % 2].app,
                                              .work = {own, in_time(), &why},
                                              .space = alice,
                                              .label = STR("n")};
        bool is_enabled;
        if (entries_increment(&request, 1, 3600, &raiser->seen[i], &is_enabled) == ERR_OK)
            raiser->sum++;
        arena_reset(own);
    }
    arena_free(&own);
    return NULL;
}

/* What lies there: nothing; a text that is out of date; a counter that is. */
START_TEST(each_is_counted_once)
{
    static bool is_seen[COUNTERS * RAISES + 1];
    struct raiser raisers[COUNTERS] = {{0}};
    int64_t sum = 0;

    memset(is_seen, 0, sizeof is_seen);
    if (_i == 1)
        put_on(0, alice, "n", NULL, "text", STR_NONE);
    if (_i == 2)
        raise_on(0, alice, "n", 1000);
    clear_on(1, alice);
    for (int i = 0; i < COUNTERS; i++) {
        raisers[i].number = i;
        ck_assert_int_eq(pthread_create(&raisers[i].thread, NULL, raise_many, &raisers[i]), 0);
    }
    for (int i = 0; i < COUNTERS; i++) {
        pthread_join(raisers[i].thread, NULL);
        sum += raisers[i].sum;
    }
    ck_assert_int_eq(sum, COUNTERS * RAISES);
    ck_assert_int_eq(raise_on(0, alice, "n", 1), sum + 1);
    for (int i = 0; i < COUNTERS; i++) {
        for (int k = 0; k < RAISES; k++) {
            int64_t seen = raisers[i].seen[k];
            ck_assert_msg(seen >= 1 && seen <= sum && !is_seen[seen], "%lld", (long long)seen);
            is_seen[seen] = true;
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/increment");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_two_nodes, close_two_nodes);
    tcase_add_test(all, it_counts);
    tcase_add_test(all, its_life_begins_once);
    tcase_add_test(all, a_number_that_was_put_counts_on);
    tcase_add_test(all, what_is_no_number_stays);
    tcase_add_test(all, an_overflow_changes_nothing);
    tcase_add_test(all, a_clear_begins_it_anew);
    tcase_add_test(all, switched_off_nothing_is_kept);
    tcase_add_loop_test(all, each_is_counted_once, 0, 3);
    suite_add_tcase(suite, all);

    return suite_run(suite);
}
