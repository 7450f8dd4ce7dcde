#include "issuers/refetch.h"

#include "suite.h"

#include "cachewarden/clock.h"

#define S NS_PER_S

enum { START = 1000 };

static struct refetch refetch;

static void set_up(void)
{
    refetch_init(&refetch, START * S);
}

/* A fetch that takes a second; the seconds until the next one. */
static int64_t fetch_at(int64_t at_s, bool is_good)
{
    refetch_start(&refetch, at_s * S);
    ck_assert_int_eq(refetch.next_ns, REFETCH_NEVER_NS);
    ck_assert(!refetch_want(&refetch, at_s * S));
    refetch_end(&refetch, is_good, (at_s + 1) * S);
    return refetch.next_ns / S - at_s;
}

START_TEST(the_first_comes_at_once_and_is_tried_again_soon)
{
    static const int waits_s[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    int64_t at_s = START;

    ck_assert_int_eq(refetch.next_ns, START * S);
    for (size_t i = 0; i < sizeof waits_s / sizeof *waits_s; i++) {
        ck_assert_int_eq(fetch_at(at_s, false), waits_s[i]);
        /* Nobody's token makes it any sooner. */
        ck_assert(!refetch_want(&refetch, (at_s + 1) * S));
        at_s += waits_s[i];
    }
    ck_assert_int_eq(fetch_at(at_s, true), 300);
}
END_TEST

START_TEST(many_failures)
{
    for (int i = 0; i < 100; i++)
        ck_assert_int_le(fetch_at(START + 60 * i, false), 60);
}
END_TEST

START_TEST(a_slow_failure)
{
    refetch_start(&refetch, START * S);
    refetch_end(&refetch, false, (START + 10) * S);
    ck_assert_int_eq(refetch.next_ns, (START + 10) * S);
}
END_TEST

START_TEST(a_missing_key_asks_once_a_minute)
{
    fetch_at(START, true);
    ck_assert(refetch_want(&refetch, (START + 5) * S));
    ck_assert_int_eq(refetch.next_ns, (START + 5) * S);
    ck_assert(!refetch_want(&refetch, (START + 5) * S));
    fetch_at(START + 5, true);
    /* Whoever misses a key now is served when the minute is over. */
    ck_assert(refetch_want(&refetch, (START + 7) * S));
    ck_assert_int_eq(refetch.next_ns, (START + 65) * S);
    for (int i = 8; i < 65; i++)
        ck_assert(!refetch_want(&refetch, (START + i) * S));
    fetch_at(START + 65, true);
    ck_assert(refetch_want(&refetch, (START + 200) * S));
    ck_assert_int_eq(refetch.next_ns, (START + 200) * S);
}
END_TEST

/* Requests of any number, failures and what is due anyway: never two fetches within a minute, but
 * for the first. */
START_TEST(never_more_than_one_a_minute)
{
    int64_t last_s = 0;
    int fetches = 0;

    fetch_at(START, true);
    for (int64_t at_s = START + 2; at_s < START + 3600; at_s++) {
        refetch_want(&refetch, at_s * S);
        if (refetch.next_ns > at_s * S)
            continue;
        ck_assert_int_ge(at_s - last_s, 60);
        last_s = at_s;
        fetch_at(at_s, ++fetches % 3 == 0);
    }
    ck_assert_int_ge(fetches, 59);
}
END_TEST

START_TEST(a_failure_later_waits_a_minute)
{
    fetch_at(START, true);
    ck_assert_int_eq(fetch_at(START + 300, false), 60);
    ck_assert_int_eq(fetch_at(START + 360, false), 60);
    ck_assert(!refetch_want(&refetch, (START + 362) * S));
    ck_assert_int_eq(fetch_at(START + 420, true), 300);
}
END_TEST

START_TEST(an_operator_asks)
{
    fetch_at(START, true);
    fetch_at(START + 300, true);
    refetch_hurry(&refetch, (START + 302) * S);
    ck_assert_int_eq(refetch.next_ns, (START + 302) * S);
}
END_TEST

START_TEST(a_day_without_a_good_one)
{
    ck_assert(!refetch_is_stale(&refetch, (START + 100000) * S));
    fetch_at(START, true);
    fetch_at(START + 300, false);
    ck_assert(!refetch_is_stale(&refetch, (START + 86400) * S));
    ck_assert(refetch_is_stale(&refetch, (START + 86401) * S));
    fetch_at(START + 86400, true);
    ck_assert(!refetch_is_stale(&refetch, (START + 86401) * S));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/refetch");
    TCase *tcase = tcase_create("refetch");

    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, the_first_comes_at_once_and_is_tried_again_soon);
    tcase_add_test(tcase, many_failures);
    tcase_add_test(tcase, a_slow_failure);
    tcase_add_test(tcase, a_missing_key_asks_once_a_minute);
    tcase_add_test(tcase, never_more_than_one_a_minute);
    tcase_add_test(tcase, a_failure_later_waits_a_minute);
    tcase_add_test(tcase, an_operator_asks);
    tcase_add_test(tcase, a_day_without_a_good_one);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
