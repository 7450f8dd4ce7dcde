#include "gateway/rules/reuse.h"

#include "fields_of.h"
#include "suite.h"

#define NOW_MS INT64_C(1780000000000)

/* A response of max-age=100 that came `age_s` ago; NULL: none. */
static struct reuse_verdict judge(const char *request, const char *response, int64_t age_s)
{
    const struct http_fields fields = fields_of(request);
    const struct response_head head = {200, response ? fields_of(response) : fields, NOW_MS,
                                       NOW_MS};
    static const struct cache_policy policy;
    struct cache_terms terms;
    struct reuse_verdict verdict;

    cache_terms_of(&head, &policy, &terms);
    reuse_judge(&fields, response ? &terms : NULL, NOW_MS + age_s * 1000, &verdict);
    return verdict;
}

static void expect(const char *request, const char *response, int64_t age_s, enum reuse wanted)
{
    const struct reuse_verdict verdict = judge(request, response, age_s);

    ck_assert_msg(verdict.reuse == wanted, "%s, %s, %lld s: %d", request, response ? response : "-",
                  (long long)age_s, verdict.reuse);
}

static const char *const hundred = "Cache-Control: max-age=100";

START_TEST(fresh_until_its_last_moment)
{
    expect("", hundred, 0, REUSE_FRESH);
    expect("", hundred, 99, REUSE_FRESH);
    expect("", hundred, 100, REUSE_VALIDATE);
    expect("", "Cache-Control: max-age=100\nAge: 99", 1, REUSE_VALIDATE);
    expect("", "Cache-Control: max-age=2147483648", 1000000, REUSE_FRESH);
    expect("", "Cache-Control: max-age=100, no-cache", 0, REUSE_VALIDATE);
    expect("", NULL, 0, REUSE_MISS);
    ck_assert_int_eq(judge("", hundred, 40).age_s, 40);
    ck_assert_int_eq(judge("", hundred, 40).ttl_s, 60);
    ck_assert_int_eq(judge("", hundred, 140).ttl_s, -40);
}
END_TEST

START_TEST(a_request_may_want_it_fresher)
{
    expect("Cache-Control: max-age=0", hundred, 0, REUSE_VALIDATE);
    expect("Cache-Control: max-age=10", hundred, 10, REUSE_FRESH);
    expect("Cache-Control: max-age=10", hundred, 11, REUSE_VALIDATE);
    expect("Cache-Control: max-age=600", "Cache-Control: max-age=9000\nAge: 1800", 0,
           REUSE_VALIDATE);
    expect("Cache-Control: min-fresh=60", hundred, 40, REUSE_FRESH);
    expect("Cache-Control: min-fresh=61", hundred, 40, REUSE_VALIDATE);
    expect("Cache-Control: no-cache", hundred, 0, REUSE_VALIDATE);
    expect("Pragma: no-cache", hundred, 0, REUSE_VALIDATE);
    ck_assert(judge("Cache-Control: no-cache", hundred, 0).by_request);
    ck_assert(!judge("", hundred, 100).by_request);
}
END_TEST

START_TEST(a_request_may_take_it_stale)
{
    expect("Cache-Control: max-stale=50", hundred, 150, REUSE_STALE);
    expect("Cache-Control: max-stale=50", hundred, 151, REUSE_VALIDATE);
    expect("Cache-Control: max-stale", hundred, 1000000, REUSE_STALE);
    expect("Cache-Control: max-stale, max-age=500", hundred, 150, REUSE_STALE);
    expect("Cache-Control: max-stale, min-fresh=1", hundred, 150, REUSE_VALIDATE);
    expect("Cache-Control: max-stale", "Cache-Control: max-age=100, must-revalidate", 101,
           REUSE_VALIDATE);
    expect("Cache-Control: max-stale", "Cache-Control: s-maxage=100", 101, REUSE_VALIDATE);
    expect("Cache-Control: max-stale", "Cache-Control: no-cache", 101, REUSE_VALIDATE);
}
END_TEST

START_TEST(stale_while_it_is_refreshed)
{
    const char *response = "Cache-Control: max-age=100, stale-while-revalidate=4";

    expect("", response, 104, REUSE_STALE_WHILE_REVALIDATE);
    expect("", response, 105, REUSE_VALIDATE);
    expect("Cache-Control: max-age=500", response, 101, REUSE_VALIDATE);
    expect("Cache-Control: min-fresh=0", response, 101, REUSE_VALIDATE);
    expect("Cache-Control: no-cache", response, 101, REUSE_VALIDATE);
    expect("", "Cache-Control: max-age=100, stale-while-revalidate=4, must-revalidate", 101,
           REUSE_VALIDATE);
}
END_TEST

/* Cleared softly: good until it is replaced, but not for who forbids stale answers, or wants it fresher. */
START_TEST(outdated_by_a_soft_clear)
{
    static const struct {
        const char *request;
        bool stale_forbidden, validate_always;
        enum reuse wanted;
    } cases[] = {
        {"", false, false, REUSE_STALE_WHILE_REVALIDATE},
        {"", true, false, REUSE_VALIDATE},
        {"", false, true, REUSE_VALIDATE},
        {"Cache-Control: no-cache", false, false, REUSE_VALIDATE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct http_fields request = fields_of(cases[i].request);
        const struct cache_terms terms = {.lifetime_s = 100,
                                          .response_time_ms = NOW_MS,
                                          .stale_forbidden = cases[i].stale_forbidden,
                                          .validate_always = cases[i].validate_always,
                                          .outdated = true};
        struct reuse_verdict verdict;

        reuse_judge(&request, &terms, NOW_MS, &verdict);
        ck_assert_msg(verdict.reuse == cases[i].wanted, "case %zu: %d", i, verdict.reuse);
    }
}
END_TEST

static bool on_error(const char *request, const char *response, int64_t age_s)
{
    return judge(request, response, age_s).serve_on_error;
}

START_TEST(stale_when_the_upstream_fails)
{
    const char *response = "Cache-Control: max-age=100, stale-if-error=60";

    ck_assert(on_error("", response, 160));
    ck_assert(!on_error("", response, 161));
    ck_assert(!on_error("", hundred, 101));
    ck_assert(on_error("Cache-Control: stale-if-error=60", hundred, 160));
    ck_assert(!on_error("Cache-Control: stale-if-error=60",
                        "Cache-Control: max-age=100, proxy-revalidate", 101));
    ck_assert(!on_error("Cache-Control: stale-if-error=60", "Cache-Control: no-cache", 0));
    ck_assert(!on_error("Cache-Control: no-cache", response, 10));
    ck_assert(on_error("Cache-Control: max-age=0", response, 10));
    ck_assert(!on_error("", NULL, 0));
    ck_assert(status_is_error(503) && status_is_error(500) && !status_is_error(501));
}
END_TEST

START_TEST(only_if_cached)
{
    expect("Cache-Control: only-if-cached", NULL, 0, REUSE_GATEWAY_TIMEOUT);
    expect("Cache-Control: only-if-cached", hundred, 10, REUSE_FRESH);
    expect("Cache-Control: only-if-cached", hundred, 110, REUSE_GATEWAY_TIMEOUT);
    expect("Cache-Control: only-if-cached, max-stale", hundred, 110, REUSE_STALE);
    expect("Cache-Control: only-if-cached, no-cache", hundred, 0, REUSE_GATEWAY_TIMEOUT);
    expect("Cache-Control: only-if-cached, no-store", hundred, 0, REUSE_GATEWAY_TIMEOUT);
}
END_TEST

START_TEST(questions_for_the_upstream)
{
    expect("Cache-Control: no-store", hundred, 0, REUSE_BYPASS);
    expect("If-Match: \"a\"", hundred, 0, REUSE_BYPASS);
    expect("If-Unmodified-Since: x", hundred, 0, REUSE_BYPASS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reuse");
    TCase *tests = tcase_create("reuse");

    tcase_add_test(tests, fresh_until_its_last_moment);
    tcase_add_test(tests, a_request_may_want_it_fresher);
    tcase_add_test(tests, a_request_may_take_it_stale);
    tcase_add_test(tests, stale_while_it_is_refreshed);
    tcase_add_test(tests, outdated_by_a_soft_clear);
    tcase_add_test(tests, stale_when_the_upstream_fails);
    tcase_add_test(tests, only_if_cached);
    tcase_add_test(tests, questions_for_the_upstream);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
