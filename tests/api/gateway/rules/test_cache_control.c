#include "gateway/rules/cache_control.h"

#include "fields_of.h"
#include "suite.h"

#include <stdio.h>

static struct response_directives response(const char *lines)
{
    const struct http_fields fields = fields_of(lines);
    struct response_directives directives;

    response_directives_parse(&fields, &directives);
    return directives;
}

static struct request_directives request(const char *lines)
{
    const struct http_fields fields = fields_of(lines);
    struct request_directives directives;

    request_directives_parse(&fields, &directives);
    return directives;
}

static void expect_max_age(const char *lines, int64_t wanted)
{
    const int64_t max_age_s = response(lines).max_age_s;

    ck_assert_msg(max_age_s == wanted, "%s: %lld", lines, (long long)max_age_s);
}

START_TEST(numbers)
{
    expect_max_age("Cache-Control: max-age=3600", 3600);
    expect_max_age("Cache-Control: MaX-aGe=3600", 3600);
    expect_max_age("Cache-Control: max-age=003600", 3600);
    expect_max_age("Cache-Control: max-age=\"3600\"", 3600);
    expect_max_age("Cache-Control: foobar, max-age=3600", 3600);
    expect_max_age("Cache-Control: public\nCache-Control: max-age=5", 5);
    expect_max_age("Cache-Control: max-age=2147483647", 2147483647);
    expect_max_age("Cache-Control: max-age=2147483648", CACHE_SECONDS_MAX);
    expect_max_age("Cache-Control: max-age=99999999999", CACHE_SECONDS_MAX);
    expect_max_age("Cache-Control: max-age=999999999999999999999999999999", CACHE_SECONDS_MAX);
    expect_max_age("Cache-Control: public", CACHE_NOT_TOLD);
    expect_max_age("Cache-Control: ", CACHE_NOT_TOLD);
    expect_max_age("", CACHE_NOT_TOLD);
}
END_TEST

START_TEST(malformed_numbers_keep_nothing)
{
    static const char *const values[] = {
        "-3600", "'3600'", "3600.0", "a3600", "3600a",    "",
        "\"\"",  "\"3600", " 3600",  "+1",    "\"36\"00",
    };
    char line[64];

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(line, sizeof line, "Cache-Control: max-age=%s", values[i]);
        expect_max_age(line, 0);
    }
    expect_max_age("Cache-Control: max-age =3600", 0);
    expect_max_age("Cache-Control: max-age", 0);
    ck_assert_int_eq(response("Cache-Control: s-maxage=x").s_maxage_s, 0);
    ck_assert_int_eq(response("Cache-Control: stale-if-error=x").stale_if_error_s, 0);
    ck_assert_int_eq(response("Cache-Control: stale-while-revalidate").stale_while_revalidate_s, 0);
}
END_TEST

START_TEST(what_is_quoted_is_no_directive)
{
    expect_max_age("Cache-Control: extension=\"max-age=3600\", max-age=1", 1);
    expect_max_age("Cache-Control: max-age=1, extension=\"max-age=3600\"", 1);
    expect_max_age("Cache-Control: extension=\"a, max-age=3600\"", CACHE_NOT_TOLD);
    ck_assert(!response("Cache-Control: extension=\"x, no-store\"").no_store);
}
END_TEST

START_TEST(twice_the_same_or_nothing)
{
    expect_max_age("Cache-Control: max-age=5, max-age=5", 5);
    expect_max_age("Cache-Control: max-age=1800, max-age=1", 0);
    expect_max_age("Cache-Control: max-age=1\nCache-Control: max-age=1800", 0);
}
END_TEST

START_TEST(flags)
{
    struct response_directives all =
        response("Cache-Control: No-StOrE, no-cache, private, public, must-revalidate,"
                 "proxy-revalidate, must-understand, s-maxage=1, stale-while-revalidate=2, "
                 "stale-if-error=3");

    ck_assert(all.no_store && all.no_cache && all.is_private && all.is_public);
    ck_assert(all.must_revalidate && all.proxy_revalidate && all.must_understand && !all.targeted);
    ck_assert_int_eq(all.s_maxage_s, 1);
    ck_assert_int_eq(all.stale_while_revalidate_s, 2);
    ck_assert_int_eq(all.stale_if_error_s, 3);
    /* Whatever is written behind what forbids, it forbids. */
    all = response("Cache-Control: no-store=x, no-cache=\"\", private =\"a\", must-revalidate=1");
    ck_assert(all.no_store && all.no_cache && all.is_private && all.must_revalidate);
    all = response("Cache-Control: no-stor, xprivate, no_cache");
    ck_assert(!all.no_store && !all.is_private && !all.no_cache);
}
END_TEST

START_TEST(names_of_fields)
{
    const char *lines = "Cache-Control: no-cache=\"a, b\", max-age=1\nCache-Control: private=C";
    const struct http_fields fields = fields_of(lines);
    const struct response_directives all = response(lines);

    ck_assert(!all.no_cache && !all.is_private);
    ck_assert_int_eq(all.max_age_s, 1);
    ck_assert(response_directives_name(&fields, STR("A")));
    ck_assert(response_directives_name(&fields, STR("b")));
    ck_assert(response_directives_name(&fields, STR("c")));
    ck_assert(!response_directives_name(&fields, STR("max-age")));
    /* No names: it is about all of the response. */
    ck_assert(response("Cache-Control: private=\"a b\"").is_private);
    ck_assert(response("Cache-Control: private=\",\"").is_private);
    ck_assert(response("Cache-Control: no-cache=\"a\", no-cache").no_cache);
    ck_assert(response("Cache-Control: no-cache=\"a").no_cache);
}
END_TEST

START_TEST(a_targeted_field_stands_alone)
{
    struct response_directives all = response(
        "Cache-Control: no-store, s-maxage=9\nCDN-Cache-Control: foobar, max-age=3600, private=?0");

    ck_assert(all.targeted && !all.no_store && !all.is_private);
    ck_assert_int_eq(all.max_age_s, 3600);
    ck_assert_int_eq(all.s_maxage_s, CACHE_NOT_TOLD);
    all = response("CDN-Cache-Control: private\nCache-Control: max-age=10000");
    ck_assert(all.is_private);
    ck_assert_int_eq(all.max_age_s, CACHE_NOT_TOLD);
    all = response("CDN-Cache-Control: no-cache, no-store;x, max-age=99999999999");
    ck_assert(all.no_cache && all.no_store);
    ck_assert_int_eq(all.max_age_s, CACHE_SECONDS_MAX);
    ck_assert_int_eq(response("CDN-Cache-Control: max-age=-1").max_age_s, 0);
    all = response("CDN-Cache-Control: private=\"a\", no-cache=\"a b\"");
    ck_assert(!all.is_private && all.no_cache);
}
END_TEST

START_TEST(a_targeted_field_that_is_wrong_is_none)
{
    static const char *const values[] = {
        "max-age=10000, &&&&&",
        "max-age=\"10000\"",
        "max-age=1.5",
        "max-age =100",
        "max-age= 100",
        "MaX-aGe=3600",
        "no-store=1",
        "private=(1)",
        "",
        "max-age",
    };
    char lines[128];

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(lines, sizeof lines, "CDN-Cache-Control: %s\nCache-Control: no-store", values[i]);
        ck_assert_msg(response(lines).no_store && !response(lines).targeted, "%s", values[i]);
        ck_assert_int_eq(response(lines).max_age_s, CACHE_NOT_TOLD);
    }
}
END_TEST

START_TEST(requests)
{
    struct request_directives all = request(
        "Cache-Control: no-store, no-cache, only-if-cached, max-age=1, min-fresh=2, max-stale=3, "
        "stale-if-error=4");

    ck_assert(all.no_store && all.no_cache && all.only_if_cached);
    ck_assert_int_eq(all.max_age_s, 1);
    ck_assert_int_eq(all.min_fresh_s, 2);
    ck_assert_int_eq(all.max_stale_s, 3);
    ck_assert_int_eq(all.stale_if_error_s, 4);
    ck_assert_int_eq(request("Cache-Control: max-stale").max_stale_s, CACHE_SECONDS_MAX);
    /* Malformed ones ask for what is freshest. */
    all = request("Cache-Control: max-age=x, min-fresh=x, max-stale=x, stale-if-error");
    ck_assert_int_eq(all.max_age_s, 0);
    ck_assert_int_eq(all.min_fresh_s, CACHE_SECONDS_MAX);
    ck_assert_int_eq(all.max_stale_s, 0);
    ck_assert_int_eq(all.stale_if_error_s, 0);
    ck_assert_int_eq(request("").max_age_s, CACHE_NOT_TOLD);
}
END_TEST

START_TEST(pragma_counts_where_nothing_newer_does)
{
    ck_assert(request("Pragma: No-Cache").no_cache);
    ck_assert(!request("Pragma: foo").no_cache);
    ck_assert(!request("Pragma: no-cache\nCache-Control: foo").no_cache);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache_control");
    TCase *tests = tcase_create("cache_control");

    tcase_add_test(tests, numbers);
    tcase_add_test(tests, malformed_numbers_keep_nothing);
    tcase_add_test(tests, what_is_quoted_is_no_directive);
    tcase_add_test(tests, twice_the_same_or_nothing);
    tcase_add_test(tests, flags);
    tcase_add_test(tests, names_of_fields);
    tcase_add_test(tests, a_targeted_field_stands_alone);
    tcase_add_test(tests, a_targeted_field_that_is_wrong_is_none);
    tcase_add_test(tests, requests);
    tcase_add_test(tests, pragma_counts_where_nothing_newer_does);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
