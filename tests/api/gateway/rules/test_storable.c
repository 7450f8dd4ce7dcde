#include "gateway/rules/storable.h"

#include "fields_of.h"
#include "suite.h"

struct exchange_of_test {
    const char *method, *request, *response;
    int status;
    enum storable wanted;
};

static void expect(const struct exchange_of_test *test, const struct cache_policy *policy)
{
    const struct http_fields request = fields_of(test->request);
    const struct response_head response = {test->status, fields_of(test->response),
                                           INT64_C(1780000000000), INT64_C(1780000000000)};
    struct arena *arena = arena_new(1024, 0);
    struct cache_terms terms;
    enum storable found = STORABLE;

    cache_terms_of(&response, policy, &terms);
    ck_assert_int_eq(
        storable_judge(arena, str_from(test->method), &request, &response, policy, &terms, &found),
        ERR_OK);
    ck_assert_msg(found == test->wanted, "%s, %s, %d %s: %s", test->method, test->request,
                  test->status, test->response, storable_name(found));
    arena_free(&arena);
}

static void expect_get(const char *request, int status, const char *response, enum storable wanted)
{
    static const struct cache_policy policy;

    expect(&(struct exchange_of_test){"GET", request, response, status, wanted}, &policy);
}

START_TEST(explicit_freshness_is_enough)
{
    static const int statuses[] = {200, 203, 204, 299, 301, 302, 303, 307, 308,
                                   400, 404, 410, 499, 500, 502, 503, 504, 599};

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        expect_get("", statuses[i], "Cache-Control: max-age=5", STORABLE);
    expect_get("", 206, "Cache-Control: max-age=5", UNSTORABLE_STATUS);
    expect_get("", 304, "Cache-Control: max-age=5", UNSTORABLE_STATUS);
    expect_get("", 103, "Cache-Control: max-age=5", UNSTORABLE_STATUS);
    expect_get("", 700, "Cache-Control: max-age=5", UNSTORABLE_STATUS);
}
END_TEST

START_TEST(nothing_told_is_not_enough)
{
    const struct cache_policy policy = {.ttl_s = 5};

    expect_get("", 200, "ETag: \"a\"", UNSTORABLE_NO_FRESHNESS);
    expect_get("", 200, "Cache-Control: public", UNSTORABLE_NO_FRESHNESS);
    expect(&(struct exchange_of_test){"GET", "", "A: b", 200, STORABLE}, &policy);
    expect(&(struct exchange_of_test){"GET", "", "A: b", 500, UNSTORABLE_NO_FRESHNESS}, &policy);
}
END_TEST

/* The page that comes with a cookie may be about its owner. */
START_TEST(who_is_given_a_cookie_is_alone)
{
    static const struct cache_policy of_users = {.keyed_by_user = true};

    expect_get("", 200, "Cache-Control: public, max-age=5\nset-cookie: a=b", UNSTORABLE_COOKIE);
    expect_get("", 200, "Cache-Control: s-maxage=5\nSet-Cookie2: a=b", UNSTORABLE_COOKIE);
    expect(&(struct exchange_of_test){"GET", "", "Cache-Control: max-age=5\nSet-Cookie: a=b", 200,
                                      STORABLE},
           &of_users);
}
END_TEST

START_TEST(only_answers_to_get)
{
    static const struct cache_policy policy;
    static const char *const methods[] = {"HEAD", "POST", "get", "DELETE", ""};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        expect(&(struct exchange_of_test){methods[i], "", "Cache-Control: max-age=5", 200,
                                          UNSTORABLE_METHOD},
               &policy);
}
END_TEST

START_TEST(forbidden)
{
    expect_get("", 200, "Cache-Control: max-age=5, no-store", UNSTORABLE_NO_STORE);
    expect_get("", 200, "Cache-Control: private, max-age=5", UNSTORABLE_PRIVATE);
    expect_get("", 200, "Cache-Control: private=\"a\", max-age=5", STORABLE);
    expect_get("Cache-Control: no-store", 200, "Cache-Control: max-age=5", UNSTORABLE_REQUEST);
    expect_get("", 200, "Cache-Control: max-age=5\nVary: a\nVary: *", UNSTORABLE_VARY);
    expect_get("", 200, "CDN-Cache-Control: private\nCache-Control: max-age=5", UNSTORABLE_PRIVATE);
    expect_get("", 200, "CDN-Cache-Control: max-age=5\nCache-Control: no-store", STORABLE);
    expect_get("", 200, "CDN-Cache-Control: max-age=5, &\nCache-Control: no-store",
               UNSTORABLE_NO_STORE);
}
END_TEST

START_TEST(what_must_be_understood)
{
    expect_get("", 200, "Cache-Control: max-age=5, no-store, must-understand", STORABLE);
    expect_get("", 599, "Cache-Control: max-age=5, no-store, must-understand", UNSTORABLE_STATUS);
    expect_get("", 599, "Cache-Control: max-age=5, must-understand", UNSTORABLE_STATUS);
}
END_TEST

START_TEST(authorised_requests)
{
    const struct cache_policy by_user = {.keyed_by_user = true};
    const char *request = "Authorization: Bearer a";

    expect_get(request, 200, "Cache-Control: max-age=5", UNSTORABLE_AUTHORIZATION);
    expect_get(request, 200, "Cache-Control: max-age=5, public", STORABLE);
    expect_get(request, 200, "Cache-Control: max-age=5, must-revalidate", STORABLE);
    expect_get(request, 200, "Cache-Control: s-maxage=5", STORABLE);
    expect(&(struct exchange_of_test){"GET", request, "Cache-Control: max-age=5", 200, STORABLE},
           &by_user);
    expect(&(struct exchange_of_test){"GET", request, "Cache-Control: max-age=5, private", 200,
                                      UNSTORABLE_PRIVATE},
           &by_user);
}
END_TEST

START_TEST(what_would_never_be_used)
{
    expect_get("", 200, "Cache-Control: max-age=0", UNSTORABLE_NO_USE);
    expect_get("", 200, "Cache-Control: no-cache, max-age=5", UNSTORABLE_NO_USE);
    expect_get("", 200, "Cache-Control: no-cache\nETag: \"a\"", STORABLE);
    expect_get("", 200, "Cache-Control: max-age=0\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
               STORABLE);
    expect_get("", 200, "Cache-Control: max-age=0, stale-if-error=5", STORABLE);
    /* It has been on its way for as long as it is fresh. */
    expect_get("", 200, "Cache-Control: max-age=5\nAge: 4", STORABLE);
    expect_get("", 200, "Cache-Control: max-age=5\nAge: 5", UNSTORABLE_NO_USE);
    expect_get("", 200, "Cache-Control: max-age=5\nDate: Thu, 28 May 2026 20:26:30 GMT",
               UNSTORABLE_NO_USE);
    expect_get("", 200, "Cache-Control: max-age=5\nAge: 5\nETag: \"a\"", STORABLE);
    expect_get("", 200, "Cache-Control: max-age=5, stale-if-error=5\nAge: 10", STORABLE);
    expect_get("", 200, "Cache-Control: max-age=5, stale-while-revalidate=5\nAge: 11",
               UNSTORABLE_NO_USE);
    expect_get("", 200, "Cache-Control: no-cache, stale-if-error=5", UNSTORABLE_NO_USE);
    /* A validator of an error is of no use. */
    expect_get("", 404, "Cache-Control: max-age=0\nETag: \"a\"", UNSTORABLE_NO_USE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("storable");
    TCase *tests = tcase_create("storable");

    tcase_add_test(tests, explicit_freshness_is_enough);
    tcase_add_test(tests, nothing_told_is_not_enough);
    tcase_add_test(tests, who_is_given_a_cookie_is_alone);
    tcase_add_test(tests, only_answers_to_get);
    tcase_add_test(tests, forbidden);
    tcase_add_test(tests, what_must_be_understood);
    tcase_add_test(tests, authorised_requests);
    tcase_add_test(tests, what_would_never_be_used);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
