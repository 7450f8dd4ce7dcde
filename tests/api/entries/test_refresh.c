#include "entries/refresh.h"

#include "suite.h"

START_TEST(it_is_rarer_the_longer_there_is_left)
{
    /* u = 1: never before the end; the smallest u: 36.7 times the fill's time before it */
    ck_assert(!refresh_is_due(100, 1, UINT64_MAX));
    ck_assert(refresh_is_due(100, 0, UINT64_MAX));
    ck_assert(refresh_is_due(100, 3670, 0));
    ck_assert(!refresh_is_due(100, 3700, 0));
    /* u = 1/2: 0.693 times */
    ck_assert(refresh_is_due(1000, 693, UINT64_MAX / 2));
    ck_assert(!refresh_is_due(1000, 694, UINT64_MAX / 2));
    ck_assert(!refresh_is_due(0, 0, 0));
}
END_TEST

/* Of a thousand draws, evenly spread, as many are due as the formula says: e^(-left/fill). */
START_TEST(as_often_as_the_formula_says)
{
    static const struct {
        int64_t fill_ms, left_ms;
        int expected;
    } rows[] = {{100, 100, 368}, {100, 200, 135}, {100, 10, 905}, {5, 3600000, 0}, {2000, 0, 1000}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int due = 0;
        for (uint64_t k = 0; k < 1000; k++)
            due += refresh_is_due(rows[i].fill_ms, rows[i].left_ms, k * (UINT64_MAX / 1000));
        ck_assert_int_ge(due, rows[i].expected - 1);
        ck_assert_int_le(due, rows[i].expected + 1);
    }
}
END_TEST

START_TEST(where_there_is_no_chance_none_is_drawn)
{
    ck_assert(!refresh_may_be_due(0, 0));
    ck_assert(!refresh_may_be_due(5, 3600000));
    ck_assert(refresh_may_be_due(100, 3670));
    for (int64_t left_ms = 0; left_ms < 10000; left_ms++)
        ck_assert(refresh_may_be_due(100, left_ms) || !refresh_is_due(100, left_ms, 0));
}
END_TEST

START_TEST(a_promise_lasts_twice_as_long_within_bounds)
{
    ck_assert_int_eq(refresh_promise_ms(1), 1000);
    ck_assert_int_eq(refresh_promise_ms(500), 1000);
    ck_assert_int_eq(refresh_promise_ms(2000), 4000);
    ck_assert_int_eq(refresh_promise_ms(INT64_MAX), 60000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/refresh");
    TCase *all = tcase_create("all");

    tcase_add_test(all, it_is_rarer_the_longer_there_is_left);
    tcase_add_test(all, as_often_as_the_formula_says);
    tcase_add_test(all, where_there_is_no_chance_none_is_drawn);
    tcase_add_test(all, a_promise_lasts_twice_as_long_within_bounds);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
