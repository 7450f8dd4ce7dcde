#include "gateway/rules/http_date.h"

#include "fields_of.h"
#include "suite.h"

#include <stdio.h>

#define NOW_S INT64_C(1780000000) /* May 2026 */

static void expect(const char *text, int64_t wanted)
{
    int64_t seconds = -1;

    ck_assert_msg(http_date_parse(str_from(text), NOW_S, &seconds), "%s", text);
    ck_assert_msg(seconds == wanted, "%s is %lld, not %lld", text, (long long)seconds,
                  (long long)wanted);
}

static void expect_none(const char *text)
{
    int64_t seconds = -1;

    ck_assert_msg(!http_date_parse(str_from(text), NOW_S, &seconds), "%s", text);
    ck_assert_int_eq(seconds, -1);
}

START_TEST(three_forms)
{
    expect("Sun, 06 Nov 1994 08:49:37 GMT", 784111777);
    expect("Sunday, 06-Nov-94 08:49:37 GMT", 784111777);
    expect("Sun Nov  6 08:49:37 1994", 784111777);
    expect("Sun Nov 16 08:49:37 1994", 784111777 + 10 * 86400);
    expect("Thu, 01 Jan 1970 00:00:00 GMT", 0);
    expect("Tue, 19 Jan 2038 03:14:08 GMT", INT64_C(2147483648));
    expect("Sun, 21 Nov 2286 04:46:39 GMT", INT64_C(10000039599));
    expect("Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799));
    expect("Tue, 29 Feb 2000 00:00:00 GMT", 951782400);
    expect("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800);
}
END_TEST

START_TEST(names_in_any_case)
{
    expect("SUN, 06 nov 1994 08:49:37 gMT", 784111777);
    expect("sunday, 06-NOV-94 08:49:37 gmt", 784111777);
    expect("sun nOV  6 08:49:37 1994", 784111777);
}
END_TEST

START_TEST(two_digits_of_a_year)
{
    expect("Thursday, 18-Aug-50 02:01:18 GMT", INT64_C(2544400878));
    expect("Friday, 01-Jan-76 00:00:00 GMT", INT64_C(3345062400)); /* 2076: 49 years and a half */
    expect("Saturday, 01-Jan-77 00:00:00 GMT", 220924800);         /* 1977 */
    expect("Friday, 01-Jan-99 00:00:00 GMT", 915148800);
    expect("Saturday, 01-Jan-00 00:00:00 GMT", 946684800);
}
END_TEST

START_TEST(nothing_else)
{
    expect_none("");
    expect_none("0");
    expect_none("784111777");
    expect_none("Thu, 18 Aug 2050 02:01:18 UTC");
    expect_none("Thu, 18 Aug 2050 02:01:18 AEST");
    expect_none("Thu, 18 Aug 2050 02:01:18");
    expect_none("Thu, 18 Aug 50 02:01:18 GMT");
    expect_none("Thu 18 Aug 2050 02:01:18 GMT");
    expect_none("Thu, 18  Aug  2050 02:01:18 GMT");
    expect_none("Thu, 18-Aug-2050 02:01:18 GMT");
    expect_none("Thu, 18 Aug 2050 02.01.18 GMT");
    expect_none("Thu, 18 Aug 2050 2:01:18 GMT");
    expect_none("Thu, 8 Aug 2050 02:01:18 GMT");
    expect_none("Thu, 18 Aug 2050 02:01:18 GMT ");
    expect_none(" Thu, 18 Aug 2050 02:01:18 GMT");
    expect_none("Thu, 18 Aug 2050 24:01:18 GMT");
    expect_none("Thu, 18 Aug 2050 02:60:18 GMT");
    expect_none("Thu, 18 Aug 2050 02:01:61 GMT");
    expect_none("Thu, 00 Aug 2050 02:01:18 GMT");
    expect_none("Thu, 31 Sep 2050 02:01:18 GMT");
    expect_none("Mon, 29 Feb 2100 02:01:18 GMT");
    expect_none("Xyz, 18 Aug 2050 02:01:18 GMT");
    expect_none("Thu, 18 Xyz 2050 02:01:18 GMT");
    expect_none("Thu, -8 Aug 2050 02:01:18 GMT");
    expect_none("Thu Aug 8 02:01:18 2050");
}
END_TEST

START_TEST(a_field_with_one_date)
{
    const char *date = "Sun, 06 Nov 1994 08:49:37 GMT";
    char lines[256];
    struct http_fields fields = fields_of("Date: Sun, 06 Nov 1994 08:49:37 GMT ");
    int64_t seconds = 0;

    ck_assert(fields_date(&fields, STR("date"), NOW_S, &seconds));
    ck_assert_int_eq(seconds, 784111777);
    ck_assert(!fields_date(&fields, STR("expires"), NOW_S, &seconds));
    snprintf(lines, sizeof lines, "Date: %s\nDate: %s", date, date);
    fields = fields_of(lines);
    ck_assert(fields_date(&fields, STR("date"), NOW_S, &seconds));
    snprintf(lines, sizeof lines, "Date: %s\nDate: Sun, 06 Nov 1994 08:49:38 GMT", date);
    fields = fields_of(lines);
    ck_assert(!fields_date(&fields, STR("date"), NOW_S, &seconds));
    snprintf(lines, sizeof lines, "Date: %s\nDate: 0", date);
    fields = fields_of(lines);
    ck_assert(!fields_date(&fields, STR("date"), NOW_S, &seconds));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_date");
    TCase *tests = tcase_create("http_date");

    tcase_add_test(tests, three_forms);
    tcase_add_test(tests, names_in_any_case);
    tcase_add_test(tests, two_digits_of_a_year);
    tcase_add_test(tests, nothing_else);
    tcase_add_test(tests, a_field_with_one_date);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
