/* A node's own counters: windows by a given clock, and what happens when they are full. */
#include "limits/local_counters.h"

#include "suite.h"

#include <pthread.h>

#define MINUTE LIMIT_WINDOW_MS
#define SLOTS  (LOCAL_COUNTERS_SETS * LOCAL_COUNTERS_WAYS)

static struct local_counters *counters;

static void open_counters(void)
{
    ck_assert_int_eq(local_counters_new(&counters), ERR_OK);
}

static void close_counters(void)
{
    local_counters_free(&counters);
    ck_assert_ptr_null(counters);
    local_counters_free(&counters);
}

static void expect_count(const struct key *key, int64_t now_ms, int64_t count, int64_t left_ms)
{
    struct limit_window window = local_counters_count(counters, key, MINUTE, now_ms);
    ck_assert_int_eq(window.count, count);
    ck_assert_int_eq(window.left_ms, left_ms);
}

START_TEST(a_window_begins_with_its_first_call)
{
    struct key key = key_limit_user("clear", 1), other = key_limit_user("clear", 2);
    expect_count(&key, 5, 1, MINUTE);
    expect_count(&key, 1005, 2, MINUTE - 1000);
    expect_count(&other, 1005, 1, MINUTE);
    expect_count(&key, MINUTE + 4, 3, 1); /* its last millisecond */
    expect_count(&key, MINUTE + 5, 1, MINUTE);
    /* Calls that were one too many do not keep it open. */
    for (int64_t now = MINUTE + 6; now < 2 * MINUTE + 5; now += 1000)
        ck_assert_int_gt(local_counters_count(counters, &key, MINUTE, now).count, 1);
    expect_count(&key, 2 * MINUTE + 5, 1, MINUTE);
}
END_TEST

START_TEST(many_at_once)
{
    struct key key = key_limit_user("fill", 1);
    ck_assert_int_eq(local_counters_add(counters, &key, 500, MINUTE, 0).count, 500);
    expect_count(&key, 1, 501, MINUTE - 1);
    ck_assert_int_eq(local_counters_add(counters, &key, INT64_MAX, MINUTE, 2).count, INT64_MAX);
    expect_count(&key, 3, INT64_MAX, MINUTE - 3);
}
END_TEST

START_TEST(looking_does_not_count)
{
    struct key key = key_limit_network("login", STR("192.0.2.7"));
    ck_assert_int_eq(local_counters_look(counters, &key, 0).count, 0);
    expect_count(&key, 0, 1, MINUTE);
    for (int i = 0; i < 3; i++) {
        struct limit_window window = local_counters_look(counters, &key, 1000);
        ck_assert_int_eq(window.count, 1);
        ck_assert_int_eq(window.left_ms, MINUTE - 1000);
    }
    ck_assert_int_eq(local_counters_look(counters, &key, MINUTE).count, 0);
}
END_TEST

START_TEST(what_is_forgotten_begins_anew)
{
    struct key key = key_limit_network("login", STR("192.0.2.7"));
    local_counters_forget(counters, &key);
    expect_count(&key, 0, 1, MINUTE);
    expect_count(&key, 0, 2, MINUTE);
    local_counters_forget(counters, &key);
    ck_assert_int_eq(local_counters_look(counters, &key, 1).count, 0);
    expect_count(&key, 7, 1, MINUTE);
}
END_TEST

/* Four times as many as there are places. Nothing is counted for somebody else, and who calls all
 * the time is not pushed out. */
START_TEST(a_flood_of_addresses)
{
    struct key busy = key_limit_user("clear", 1);
    int64_t calls = 0;
    for (int64_t i = 0; i < 4 * SLOTS; i++) {
        struct key key = key_limit_user("status", i + 1);
        expect_count(&key, i / 100, 1, MINUTE);
        if (i % 256 == 0)
            ck_assert_int_eq(local_counters_count(counters, &busy, MINUTE, i / 100).count, ++calls);
    }
}
END_TEST

/* The place of a window that is over goes first, so that a flood of short ones leaves alone what
 * was used long ago and still counts. */
START_TEST(windows_that_are_over_make_room)
{
    struct key key = key_limit_user("clear", 1);
    ck_assert_int_eq(local_counters_count(counters, &key, LIMIT_FAILURE_WINDOW_MS, 0).count, 1);
    for (int64_t i = 0; i < 4 * SLOTS; i++) {
        struct key other = key_limit_user("status", i + 1);
        ck_assert_int_eq(local_counters_count(counters, &other, 1, 2 * i).count, 1);
    }
    ck_assert_int_eq(local_counters_look(counters, &key, 8 * SLOTS).count, 1);
}
END_TEST

enum { THREADS = 8, ROUNDS = 5000 };

static void *count_on(void *arg)
{
    struct key shared = key_limit_user("clear", 1);
    (void)arg;
    for (int64_t i = 0; i < ROUNDS; i++) {
        struct key other = key_limit_user("status", i + 1);
        (void)local_counters_count(counters, &shared, MINUTE, 0);
        (void)local_counters_look(counters, &other, 0);
    }
    return NULL;
}

START_TEST(no_call_is_lost_between_threads)
{
    pthread_t threads[THREADS];
    struct key shared = key_limit_user("clear", 1);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_on, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(local_counters_look(counters, &shared, 0).count, THREADS * ROUNDS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/limits/local_counters");
    TCase *tcase = tcase_create("counters");
    tcase_add_checked_fixture(tcase, open_counters, close_counters);
    tcase_add_test(tcase, a_window_begins_with_its_first_call);
    tcase_add_test(tcase, many_at_once);
    tcase_add_test(tcase, looking_does_not_count);
    tcase_add_test(tcase, what_is_forgotten_begins_anew);
    tcase_add_test(tcase, a_flood_of_addresses);
    tcase_add_test(tcase, windows_that_are_over_make_room);
    tcase_add_test(tcase, no_call_is_lost_between_threads);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
