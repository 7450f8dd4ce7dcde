/* How fast jobs go and how far they are: numbers only. */
#include "jobs/pace.h"

#include "suite.h"

#include <check.h>

#define US 1000
#define MS (1000 * US)

START_TEST(steps_grow_while_they_are_short)
{
    int64_t keys = PACE_KEYS_START;
    for (int i = 0; i < 20; i++)
        keys = pace_next_keys(keys, 100 * US);
    ck_assert_int_eq(keys, PACE_KEYS_MAX);
    ck_assert_int_eq(pace_next_keys(keys, 500 * US), PACE_KEYS_MAX);
    for (int i = 0; i < 20; i++)
        keys = pace_next_keys(keys, 50 * MS);
    ck_assert_int_eq(keys, PACE_KEYS_MIN);
    ck_assert_int_eq(pace_next_keys(keys, 500 * US), PACE_KEYS_MIN);
    ck_assert_int_eq(pace_next_keys(256, 100 * US), 512);
    ck_assert_int_eq(pace_next_keys(512, 2 * MS), 256);
}
END_TEST

START_TEST(rest_makes_the_share)
{
    ck_assert_int_eq(pace_rest_ns(MS, 20), 4 * MS);
    ck_assert_int_eq(pace_rest_ns(MS, 50), MS);
    ck_assert_int_eq(pace_rest_ns(MS, 1), 99 * MS);
    ck_assert_int_eq(pace_rest_ns(MS, 100), 0);
    ck_assert_int_eq(pace_rest_ns(0, 20), 0);
    ck_assert_int_eq(pace_rest_ns(-5, 20), 0);
    ck_assert_int_gt(pace_rest_ns(INT64_MAX, 1), 0);
}
END_TEST

/* As Redis moves its cursor: the bits above the table's are set, the mirrored number is raised by one. */
static uint64_t mirrored(uint64_t bits)
{
    uint64_t out = 0;
    for (int i = 0; i < 64; i++)
        if (bits & UINT64_C(1) << i)
            out |= UINT64_C(1) << (63 - i);
    return out;
}

static uint64_t next_cursor(uint64_t cursor, unsigned table_bits)
{
    uint64_t mask = (UINT64_C(1) << table_bits) - 1;
    return mirrored(mirrored(cursor | ~mask) + 1);
}

START_TEST(progress_is_the_mirrored_cursor)
{
    uint64_t cursor = 0;
    int64_t last = 0, steps = 0;
    while ((cursor = next_cursor(cursor, 10)) != 0) {
        int64_t progress = pace_progress(cursor);
        steps++;
        ck_assert_int_gt(progress, last);
        ck_assert_int_lt(progress, PACE_WHOLE);
        /* The part of the 1024 places that were visited. */
        ck_assert_int_le(llabs(progress - steps * PACE_WHOLE / 1024), 1);
        last = progress;
    }
    ck_assert_int_eq(steps, 1023);
    ck_assert_int_eq(pace_progress(0), 0);
    ck_assert_int_lt(pace_progress(UINT64_MAX), PACE_WHOLE);
}
END_TEST

START_TEST(progress_rises_while_the_table_changes)
{
    static const unsigned bits[] = {4, 4, 6, 6, 6, 5, 3, 3, 8, 8, 8, 8, 4, 4, 4, 4, 4, 4};
    uint64_t cursor = 0;
    int64_t last = 0;
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        cursor = next_cursor(cursor, bits[i]);
        if (cursor == 0)
            break;
        ck_assert_int_ge(pace_progress(cursor), last);
        last = pace_progress(cursor);
    }
    ck_assert_int_gt(last, PACE_WHOLE / 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *all = tcase_create("pace");
    tcase_add_test(all, steps_grow_while_they_are_short);
    tcase_add_test(all, rest_makes_the_share);
    tcase_add_test(all, progress_is_the_mirrored_cursor);
    tcase_add_test(all, progress_rises_while_the_table_changes);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
