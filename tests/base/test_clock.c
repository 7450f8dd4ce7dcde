#include "cachewarden/clock.h"

#include "noise.h"
#include "suite.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

START_TEST(rfc3339_of_known_times)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {999, "1970-01-01T00:00:00.999Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59.000Z"},
        {-1001, "1969-12-31T23:59:58.999Z"},
        {INT64_C(951782399999), "2000-02-28T23:59:59.999Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"}, /* 2000 is a leap year */
        {INT64_C(951868800000), "2000-03-01T00:00:00.000Z"},
        {INT64_C(4107542400000), "2100-03-01T00:00:00.000Z"}, /* 2100 is none */
        {INT64_C(4107542399000), "2100-02-28T23:59:59.000Z"},
        {INT64_C(1769860800123), "2026-01-31T12:00:00.123Z"},
        {INT64_C(2147483648000), "2038-01-19T03:14:08.000Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buffer[CLOCK_RFC3339_SIZE];
        struct str text = clock_rfc3339(cases[i].wall_ms, buffer);
        ck_assert_ptr_eq(text.ptr, buffer);
        ck_assert_str_eq(buffer, cases[i].text);
        ck_assert_uint_eq(text.len, strlen(cases[i].text));
    }
}
END_TEST

START_TEST(years_that_cannot_be_written_show_the_nearest)
{
    char buffer[CLOCK_RFC3339_SIZE];

    clock_rfc3339(INT64_C(253402300800000), buffer);
    ck_assert_str_eq(buffer, "9999-12-31T23:59:59.999Z");
    clock_rfc3339(INT64_MAX, buffer);
    ck_assert_str_eq(buffer, "9999-12-31T23:59:59.999Z");
    clock_rfc3339(INT64_C(-62167219200001), buffer);
    ck_assert_str_eq(buffer, "0000-01-01T00:00:00.000Z");
    clock_rfc3339(INT64_MIN, buffer);
    ck_assert_str_eq(buffer, "0000-01-01T00:00:00.000Z");
    clock_http_date(INT64_MAX, buffer);
    ck_assert_str_eq(buffer, "Fri, 31 Dec 9999 23:59:59 GMT");
    clock_http_date(INT64_MIN, buffer);
    ck_assert_str_eq(buffer, "Sat, 01 Jan 0000 00:00:00 GMT");
}
END_TEST

START_TEST(http_date_of_known_times)
{
    char buffer[CLOCK_RFC3339_SIZE];
    struct str text = clock_http_date(784111777, buffer);

    /* The example of RFC 9110 section 5.6.7. */
    ck_assert_str_eq(buffer, "Sun, 06 Nov 1994 08:49:37 GMT");
    ck_assert_uint_eq(text.len, 29);
    clock_http_date(0, buffer);
    ck_assert_str_eq(buffer, "Thu, 01 Jan 1970 00:00:00 GMT");
    clock_http_date(1769860800, buffer);
    ck_assert_str_eq(buffer, "Sat, 31 Jan 2026 12:00:00 GMT");
}
END_TEST

static void compare_with_the_system(int64_t wall_s)
{
    char buffer[CLOCK_RFC3339_SIZE], expected[64];
    time_t time = (time_t)wall_s;
    struct tm tm;

    ck_assert_ptr_nonnull(gmtime_r(&time, &tm));
    /* "%Y" has no leading zeros; year 0 is tm_year -1900. */
    snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.000Z", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    clock_rfc3339(wall_s * 1000, buffer);
    if (strcmp(buffer, expected) != 0)
        ck_abort_msg("%s, not %s", buffer, expected);

    size_t len = strftime(expected, sizeof expected, "%a, %d %b ", &tm);
    snprintf(expected + len, sizeof expected - len, "%04d %02d:%02d:%02d GMT", tm.tm_year + 1900,
             tm.tm_hour, tm.tm_min, tm.tm_sec);
    clock_http_date(wall_s, buffer);
    if (strcmp(buffer, expected) != 0)
        ck_abort_msg("%s, not %s", buffer, expected);
}

START_TEST(every_day_of_four_centuries_agrees_with_the_system)
{
    /* 1800-01-01 to 2200-01-01: the calendar repeats after that. */
    for (int64_t day = -62091; day <= 84006; day++)
        compare_with_the_system(day * 86400 + 43200);
}
END_TEST

START_TEST(seconds_anywhere_agree_with_the_system)
{
    struct noise noise = {5};

    for (int i = 0; i < 50000; i++) {
        uint64_t bits = (uint64_t)noise_next(&noise) << 32 | noise_next(&noise);
        compare_with_the_system((int64_t)(bits % UINT64_C(315569520000)) - INT64_C(62167219200));
    }
}
END_TEST

START_TEST(the_monotonic_clock_does_not_go_back)
{
    int64_t last_ns = clock_mono_ns();

    ck_assert_int_gt(last_ns, 0);
    for (int i = 0; i < 10000; i++) {
        int64_t now_ns = clock_mono_ns();
        ck_assert_int_ge(now_ns, last_ns);
        last_ns = now_ns;
    }
}
END_TEST

START_TEST(the_wall_clock_is_the_system_s)
{
    time_t before_s = time(NULL);
    int64_t s = clock_wall_s(), ms = clock_wall_ms();
    time_t after_s = time(NULL);

    /* time(2) may read a clock that is one tick behind. */
    ck_assert_int_ge(s, before_s);
    ck_assert_int_le(s, after_s + 1);
    ck_assert_int_ge(ms / 1000, before_s);
    ck_assert_int_le(ms / 1000, after_s + 1);
}
END_TEST

START_TEST(time_left_is_rounded_up_and_never_negative)
{
    int64_t now_ns = clock_mono_ns();

    ck_assert_int_eq(clock_left_ms(now_ns), 0);
    ck_assert_int_eq(clock_left_ms(now_ns - 1), 0);
    ck_assert_int_eq(clock_left_ms(0), 0);
    ck_assert_int_eq(clock_left_ms(-1), 0);
    ck_assert_int_eq(clock_left_ms(INT64_MIN), 0);
    ck_assert_int_eq(clock_left_ms(INT64_MAX), INT_MAX);

    int left_ms = clock_left_ms(clock_deadline_ns(60000));
    ck_assert_int_le(left_ms, 60000);
    ck_assert_int_gt(left_ms, 30000);

    /* Less than a millisecond is a millisecond, until it is over: poll(2) may then wait once. */
    int64_t deadline_ns = clock_mono_ns() + NS_PER_MS / 2;
    int left = clock_left_ms(deadline_ns);
    if (left == 0)
        ck_assert_int_ge(clock_mono_ns(), deadline_ns);
    else
        ck_assert_int_eq(left, 1);
}
END_TEST

static void expect_read(const char *text, int64_t wanted_ms)
{
    int64_t wall_ms = -1;

    ck_assert_msg(clock_read(str_from(text), &wall_ms), "%s", text);
    ck_assert_msg(wall_ms == wanted_ms, "%s: %lld", text, (long long)wall_ms);
}

START_TEST(times_that_people_write)
{
    expect_read("0", 0);
    expect_read("1769860800", INT64_C(1769860800000));
    expect_read("1970-01-01T00:00:00Z", 0);
    expect_read("2026-01-31T12:00:00Z", INT64_C(1769860800000));
    expect_read("2026-01-31t12:00:00z", INT64_C(1769860800000));
    expect_read("2026-01-31T12:00:00.1Z", INT64_C(1769860800100));
    expect_read("2026-01-31T12:00:00.123456789Z", INT64_C(1769860800123));
    expect_read("2026-01-31T13:30:00+01:30", INT64_C(1769860800000));
    expect_read("2026-01-30T23:00:00.5-13:00", INT64_C(1769860800500));
    expect_read("2024-02-29T00:00:00Z", INT64_C(1709164800000));
    expect_read("9999-12-31T23:59:59Z", INT64_C(253402300799000));
}
END_TEST

START_TEST(what_is_no_time)
{
    static const char *const cases[] = {"",
                                        " ",
                                        "-1",
                                        "+1",
                                        "01",
                                        "1.5",
                                        "123456789012",
                                        "now",
                                        "2026-01-31",
                                        "2026-01-31T12:00Z",
                                        "2026-01-31T12:00:00",
                                        "2026-01-31 12:00:00Z",
                                        "2026-01-31T12:00:00.Z",
                                        "2026-01-31T12:00:00+0100",
                                        "2026-01-31T12:00:00+01:60",
                                        "2026-01-31T12:00:00+24:00",
                                        "2026-01-31T12:00:00+01:00 ",
                                        "2026-02-29T00:00:00Z",
                                        "2026-13-01T00:00:00Z",
                                        "2026-00-01T00:00:00Z",
                                        "2026-01-31T24:00:00Z",
                                        "2026-01-31T12:60:00Z",
                                        "2026-01-31T12:00:60Z",
                                        "1969-12-31T23:59:59Z",
                                        "1970-01-01T00:00:00+00:01",
                                        "2026-1-31T12:00:00Z",
                                        "2026/01/31T12:00:00Z",
                                        "2026-01-31T12:00:00ZZ",
                                        "2026-01-31T12"};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t wall_ms;
        ck_assert_msg(!clock_read(str_from(cases[i]), &wall_ms), "%s", cases[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/clock");
    TCase *tcase = tcase_create("clock");

    tcase_add_test(tcase, rfc3339_of_known_times);
    tcase_add_test(tcase, years_that_cannot_be_written_show_the_nearest);
    tcase_add_test(tcase, http_date_of_known_times);
    tcase_add_test(tcase, times_that_people_write);
    tcase_add_test(tcase, what_is_no_time);
    tcase_add_test(tcase, every_day_of_four_centuries_agrees_with_the_system);
    tcase_add_test(tcase, seconds_anywhere_agree_with_the_system);
    tcase_add_test(tcase, the_monotonic_clock_does_not_go_back);
    tcase_add_test(tcase, the_wall_clock_is_the_system_s);
    tcase_add_test(tcase, time_left_is_rounded_up_and_never_negative);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
