#include "breaker.h"

#include "suite.h"

#define S INT64_C(1000000000)

START_TEST(closed_lets_everybody_pass)
{
    struct breaker breaker = {0};

    ck_assert_int_eq(breaker_ask(&breaker, 0), BREAKER_PASS);
    ck_assert(!breaker_succeeded(&breaker));
    ck_assert_int_eq(breaker_ask(&breaker, 5 * S), BREAKER_PASS);
}
END_TEST

START_TEST(after_a_failure_one_probe_a_second)
{
    struct breaker breaker = {0};
    int probes = 0;

    ck_assert(breaker_failed(&breaker, REDIS_ERROR_UNAVAILABLE, 10 * S));
    ck_assert_int_eq(breaker.cause, REDIS_ERROR_UNAVAILABLE);
    ck_assert_int_eq(breaker_ask(&breaker, 10 * S), BREAKER_REFUSE);
    ck_assert_int_eq(breaker_ask(&breaker, 11 * S - 1), BREAKER_REFUSE);
    /* A minute, asked every millisecond; every probe fails a quarter of a second after it began. */
    int64_t fails_at = 0;
    for (int64_t now = 11 * S; now < 71 * S; now += S / 1000) {
        if (fails_at && now >= fails_at) {
            ck_assert(!breaker_failed(&breaker, REDIS_ERROR_UNAVAILABLE, now));
            fails_at = 0;
        }
        if (breaker_ask(&breaker, now) == BREAKER_PROBE) {
            ck_assert_int_eq(fails_at, 0);
            fails_at = now + S / 4;
            probes++;
        }
    }
    ck_assert_int_eq(probes, 60);
}
END_TEST

START_TEST(one_probe_at_a_time_however_long_it_takes)
{
    struct breaker breaker = {0};

    ck_assert(breaker_failed(&breaker, REDIS_ERROR_UNAVAILABLE, 0));
    ck_assert_int_eq(breaker_ask(&breaker, S), BREAKER_PROBE);
    ck_assert_int_eq(breaker_ask(&breaker, 9 * S), BREAKER_REFUSE);
    ck_assert(!breaker_failed(&breaker, REDIS_ERROR_UNAVAILABLE, 9 * S));
    ck_assert_int_eq(breaker_ask(&breaker, 9 * S), BREAKER_PROBE);
}
END_TEST

START_TEST(a_success_closes_it)
{
    struct breaker breaker = {0};

    ck_assert(breaker_failed(&breaker, REDIS_ERROR_UNAVAILABLE, 0));
    ck_assert_int_eq(breaker_ask(&breaker, S), BREAKER_PROBE);
    ck_assert(breaker_succeeded(&breaker));
    ck_assert_int_eq(breaker_ask(&breaker, S), BREAKER_PASS);
    ck_assert(breaker_failed(&breaker, REDIS_ERROR_LOADING, S));
    ck_assert_int_eq(breaker_ask(&breaker, 2 * S), BREAKER_PROBE);
}
END_TEST

START_TEST(a_suspicion_is_probed_at_once_and_then_once_a_second)
{
    struct breaker breaker = {0};

    ck_assert(breaker_suspect(&breaker, REDIS_ERROR_TIMEOUT, 3 * S));
    ck_assert(!breaker_suspect(&breaker, REDIS_ERROR_TIMEOUT, 3 * S));
    ck_assert_int_eq(breaker_ask(&breaker, 3 * S), BREAKER_PROBE);
    ck_assert_int_eq(breaker_ask(&breaker, 3 * S), BREAKER_REFUSE);
    ck_assert(!breaker_failed(&breaker, REDIS_ERROR_TIMEOUT, 3 * S + S / 2));
    ck_assert_int_eq(breaker_ask(&breaker, 4 * S - 1), BREAKER_REFUSE);
    ck_assert_int_eq(breaker_ask(&breaker, 4 * S), BREAKER_PROBE);
}
END_TEST

START_TEST(a_probe_that_learned_nothing_makes_way_for_the_next)
{
    struct breaker breaker = {0};

    ck_assert(breaker_failed(&breaker, REDIS_ERROR_UNAVAILABLE, 0));
    ck_assert_int_eq(breaker_ask(&breaker, S), BREAKER_PROBE);
    breaker_unknown(&breaker);
    ck_assert_int_eq(breaker_ask(&breaker, S + S / 2), BREAKER_REFUSE);
    ck_assert_int_eq(breaker_ask(&breaker, 2 * S), BREAKER_PROBE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("breaker");
    TCase *tcase = tcase_create("breaker");

    tcase_add_test(tcase, closed_lets_everybody_pass);
    tcase_add_test(tcase, after_a_failure_one_probe_a_second);
    tcase_add_test(tcase, one_probe_at_a_time_however_long_it_takes);
    tcase_add_test(tcase, a_success_closes_it);
    tcase_add_test(tcase, a_suspicion_is_probed_at_once_and_then_once_a_second);
    tcase_add_test(tcase, a_probe_that_learned_nothing_makes_way_for_the_next);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
