#include "gateway/rules/freshness.h"

#include "cachewarden/clock.h"
#include "fields_of.h"
#include "suite.h"

#include <stdio.h>

#define NOW_S  INT64_C(1780000000)
#define NOW_MS (NOW_S * 1000)

static const struct cache_policy nothing;

static struct cache_terms terms_at(const char *lines, const struct cache_policy *policy, int status)
{
    const struct response_head head = {status, fields_of(lines), NOW_MS, NOW_MS};
    struct cache_terms terms;

    cache_terms_of(&head, policy, &terms);
    return terms;
}

static struct cache_terms terms(const char *lines)
{
    return terms_at(lines, &nothing, 200);
}

/* "Name: <date>" for a time beside the present. */
static const char *dated(const char *format, int64_t first_s, int64_t second_s)
{
    static char lines[256];
    char first[CLOCK_RFC3339_SIZE], second[CLOCK_RFC3339_SIZE];

    clock_http_date(NOW_S + first_s, first);
    clock_http_date(NOW_S + second_s, second);
    snprintf(lines, sizeof lines, format, first, second);
    return lines;
}

static void expect_lifetime(const char *lines, enum freshness_source source, int64_t lifetime_s)
{
    const struct cache_terms found = terms(lines);

    ck_assert_msg(found.source == source && found.lifetime_s == lifetime_s, "%s: %d, %lld", lines,
                  found.source, (long long)found.lifetime_s);
}

START_TEST(the_first_that_is_told)
{
    expect_lifetime("Cache-Control: max-age=1, s-maxage=3600", FRESHNESS_S_MAXAGE, 3600);
    expect_lifetime("Cache-Control: s-maxage=1\nCache-Control: max-age=3600", FRESHNESS_S_MAXAGE,
                    1);
    expect_lifetime("Cache-Control: max-age=3600\nExpires: 0", FRESHNESS_MAX_AGE, 3600);
    expect_lifetime(dated("Cache-Control: max-age=0\nExpires: %s\nDate: %s", 3600, 0),
                    FRESHNESS_MAX_AGE, 0);
    expect_lifetime(dated("Expires: %s\nDate: %s", 3600, 0), FRESHNESS_EXPIRES, 3600);
    expect_lifetime(
        dated("Cache-Control: max-age=1\nCDN-Cache-Control: max-age=60\nExpires: %s", -5, 0),
        FRESHNESS_MAX_AGE, 60);
    expect_lifetime(dated("CDN-Cache-Control: public\nExpires: %s", 500, 0), FRESHNESS_NONE, 0);
    expect_lifetime("X: y", FRESHNESS_NONE, 0);
}
END_TEST

START_TEST(expires_is_measured_from_date)
{
    expect_lifetime(dated("Expires: %s\nDate: %s", 300, 400), FRESHNESS_EXPIRES, 0);
    expect_lifetime(dated("Expires: %s\nDate: %s", 0, 0), FRESHNESS_EXPIRES, 0);
    expect_lifetime(dated("Expires: %s\nDate: %s", 20, 10), FRESHNESS_EXPIRES, 10);
    expect_lifetime(dated("Expires: %s\nDate: foo", 10, 0), FRESHNESS_EXPIRES, 10);
    expect_lifetime("Expires: 0", FRESHNESS_EXPIRES, 0);
    expect_lifetime("Expires: ", FRESHNESS_EXPIRES, 0);
    expect_lifetime(dated("Expires: %s\nExpires: %s", 10, 11), FRESHNESS_EXPIRES, 0);
    expect_lifetime("Expires: Fri, 31 Dec 9999 23:59:59 GMT", FRESHNESS_EXPIRES, CACHE_SECONDS_MAX);
}
END_TEST

START_TEST(a_route_speaks_for_what_states_nothing)
{
    const struct cache_policy policy = {.ttl_s = 60};

    ck_assert_int_eq(terms_at("X: y", &policy, 200).lifetime_s, 60);
    ck_assert_int_eq(terms_at("X: y", &policy, 404).source, FRESHNESS_ROUTE);
    ck_assert_int_eq(terms_at("Cache-Control: must-revalidate", &policy, 200).lifetime_s, 60);
    ck_assert_int_eq(terms_at("Cache-Control: max-age=5", &policy, 200).lifetime_s, 5);
    ck_assert_int_eq(terms_at("Cache-Control: max-age=x", &policy, 200).lifetime_s, 0);
    ck_assert_int_eq(terms_at("Expires: x", &policy, 200).lifetime_s, 0);
    /* Not for what is an error, or made for one caller. */
    ck_assert_int_eq(terms_at("X: y", &policy, 500).source, FRESHNESS_NONE);
    ck_assert_int_eq(terms_at("X: y", &policy, 201).source, FRESHNESS_NONE);
    ck_assert_int_eq(terms_at("X: y", &policy, 302).source, FRESHNESS_NONE);
    ck_assert_int_eq(terms_at("X: y", &policy, 206).source, FRESHNESS_NONE);
    ck_assert_int_eq(terms_at("Set-Cookie: a=b", &policy, 200).source, FRESHNESS_NONE);
    ck_assert_int_eq(terms_at("Pragma: no-cache", &policy, 200).source, FRESHNESS_NONE);
    ck_assert_int_eq(terms_at("Cache-Control: public", &policy, 599).lifetime_s, 60);
}
END_TEST

START_TEST(guesses_are_off_unless_asked_for)
{
    const struct cache_policy guess = {.heuristic_percent = 10};
    const char *lines = dated("Last-Modified: %s\nDate: %s", -5000, 0);

    ck_assert_int_eq(terms(lines).source, FRESHNESS_NONE);
    ck_assert_int_eq(terms_at(lines, &guess, 200).lifetime_s, 500);
    ck_assert_int_eq(terms_at(lines, &guess, 200).source, FRESHNESS_HEURISTIC);
    ck_assert_int_eq(terms_at(lines, &guess, 403).source, FRESHNESS_NONE);
    ck_assert_int_eq(terms_at("X: y", &guess, 200).source, FRESHNESS_NONE);
    lines = dated("Last-Modified: %s\nDate: %s", -100000000, 0);
    ck_assert_int_eq(terms_at(lines, &guess, 200).lifetime_s, 86400);
    lines = dated("Last-Modified: %s\nDate: %s", 50, 0);
    ck_assert_int_eq(terms_at(lines, &guess, 200).source, FRESHNESS_NONE);
}
END_TEST

static void expect_age(const char *lines, int64_t age_s)
{
    const struct cache_terms found = terms(lines);

    ck_assert_msg(cache_age_ms(&found, NOW_MS) == age_s * 1000, "%s: %lld", lines,
                  (long long)cache_age_ms(&found, NOW_MS));
}

START_TEST(age_is_the_first_number)
{
    expect_age("X: y", 0);
    expect_age("Age: 30", 30);
    expect_age("Age: 7200, 0", 7200);
    expect_age("Age: 0, 7200", 0);
    expect_age("Age: 7200\nAge: 0", 7200);
    expect_age("Age: 0\nAge: 7200", 0);
    expect_age("Age: abc", 0);
    expect_age("Age: -7200", 0);
    expect_age("Age: 7200.0", 0);
    expect_age("Age: 7200;foo=bar", 0);
    expect_age("Age: 2147483647", 2147483647);
    expect_age("Age: 2147483649", CACHE_SECONDS_MAX);
    expect_age("Age: 99999999999999999999", CACHE_SECONDS_MAX);
}
END_TEST

START_TEST(age_counts_all_that_is_known)
{
    expect_age(dated("Date: %s", -7200, 0), 7200);
    expect_age(dated("Date: %s", 7200, 0), 0);
    expect_age(dated("Date: %s\nAge: 10", -7200, 0), 7200);
    expect_age(dated("Date: %s\nAge: 8000", -7200, 0), 8000);

    /* The time that the response took, and the time since. */
    const struct response_head head = {200, fields_of("Age: 30"), NOW_MS - 2500, NOW_MS};
    struct cache_terms found;
    cache_terms_of(&head, &nothing, &found);
    ck_assert_int_eq(cache_age_ms(&found, NOW_MS), 32500);
    ck_assert_int_eq(cache_age_ms(&found, NOW_MS + 1500), 34000);
    /* A clock that was put back makes nothing younger. */
    ck_assert_int_eq(cache_age_ms(&found, NOW_MS - 100000), 32500);
    ck_assert_int_eq(cache_age_ms(&found, INT64_MAX), CACHE_SECONDS_MAX * 1000);
}
END_TEST

START_TEST(stale_windows)
{
    const struct cache_policy policy = {.stale_while_revalidate_s = 7, .stale_if_error_s = 8};
    struct cache_terms found =
        terms("Cache-Control: max-age=1, stale-while-revalidate=4, stale-if-error=5");

    ck_assert_int_eq(found.stale_while_revalidate_s, 4);
    ck_assert_int_eq(found.stale_if_error_s, 5);
    found = terms_at("Cache-Control: max-age=1", &policy, 200);
    ck_assert_int_eq(found.stale_while_revalidate_s, 7);
    ck_assert_int_eq(found.stale_if_error_s, 8);
    found = terms_at("Cache-Control: max-age=1, stale-if-error=0", &policy, 200);
    ck_assert_int_eq(found.stale_if_error_s, 0);
    ck_assert_int_eq(terms("Cache-Control: max-age=1").stale_if_error_s, 0);
}
END_TEST

/* What forbids stale answers does so whoever allows them. */
START_TEST(forbidden_is_forbidden)
{
    static const char *const words[] = {"must-revalidate", "proxy-revalidate", "s-maxage=2",
                                        "no-cache"};
    const struct cache_policy policy = {.stale_while_revalidate_s = 7, .stale_if_error_s = 8};
    char line[128];

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        snprintf(line, sizeof line,
                 "Cache-Control: max-age=2, stale-if-error=9, stale-while-revalidate=9, %s",
                 words[i]);
        const struct cache_terms found = terms_at(line, &policy, 200);
        ck_assert_msg(found.stale_forbidden || found.validate_always, "%s", line);
        ck_assert_int_eq(found.stale_while_revalidate_s, 0);
        ck_assert_int_eq(found.stale_if_error_s, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("freshness");
    TCase *tests = tcase_create("freshness");

    tcase_add_test(tests, the_first_that_is_told);
    tcase_add_test(tests, expires_is_measured_from_date);
    tcase_add_test(tests, a_route_speaks_for_what_states_nothing);
    tcase_add_test(tests, guesses_are_off_unless_asked_for);
    tcase_add_test(tests, age_is_the_first_number);
    tcase_add_test(tests, age_counts_all_that_is_known);
    tcase_add_test(tests, stale_windows);
    tcase_add_test(tests, forbidden_is_forbidden);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
