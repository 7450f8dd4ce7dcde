/* Into which bucket of a histogram a number goes. */
#include "histogram.h"

#include "suite.h"

#include <check.h>

START_TEST(time_bounds)
{
    ck_assert_uint_eq(histogram_time_bound(-1), 0); /* two clocks of two processors */
    ck_assert_uint_eq(histogram_time_bound(0), 0);
    for (size_t i = 0; i < REDIS_TIME_BOUNDS; i++) {
        ck_assert_uint_eq(histogram_time_bound(redis_time_bounds_ns[i]), i);
        ck_assert_uint_eq(histogram_time_bound(redis_time_bounds_ns[i] + 1), i + 1);
    }
    ck_assert_uint_eq(histogram_time_bound(INT64_MAX), REDIS_TIME_BOUNDS);
}
END_TEST

START_TEST(times_add_up)
{
    struct redis_times times = {0};
    histogram_add_time(&times, 2, 300000);
    histogram_add_time(&times, 2, 400000);
    histogram_add_time(&times, 0, -7);
    ck_assert_uint_eq(times.counts[2], 2);
    ck_assert_uint_eq(times.counts[0], 1);
    ck_assert_uint_eq(times.sum_ns, 700000);
}
END_TEST

START_TEST(size_bounds)
{
    static const struct {
        size_t size, bound;
    } cases[] = {{0, 0}, {1, 0}, {2, 1},   {3, 2},    {4, 2},     {5, 3},
                 {8, 3}, {9, 4}, {512, 9}, {513, 10}, {1024, 10}, {SIZE_MAX, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(histogram_size_bound(cases[i].size) == cases[i].bound, "%zu", cases[i].size);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *each = tcase_create("all");
    tcase_add_test(each, time_bounds);
    tcase_add_test(each, times_add_up);
    tcase_add_test(each, size_bounds);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
