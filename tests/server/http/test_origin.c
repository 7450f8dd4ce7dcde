#include "http/origin.h"

#include "http/guard.h"
#include "suite.h"

static const struct origin_policy by_host;

static bool is_own(const char *origin, const char *host, const struct origin_policy *policy,
                   bool is_secure)
{
    const struct http_field fields[] = {{STR("Host"), str_from(host)},
                                        {STR("Origin"), str_from(origin)}};
    struct http_request request = {.fields = fields, .field_count = origin ? 2 : 1};

    guard_index(&request);
    return origin_is_own(&request, policy, is_secure);
}

static const struct {
    const char *origin, *host;
    bool is_own, is_own_secure;
} rows[] = {
    {"http://cache.example", "cache.example", true, false},
    {"http://cache.example", "cache.example:80", true, false},
    {"http://cache.example:80", "cache.example", true, false},
    {"http://127.0.0.1:8000", "127.0.0.1:8000", true, false},
    {"http://[::1]:8000", "[::1]:8000", true, false},
    {"http://[::1]", "[::1]", true, false},
    {"http://cache.example", "Cache.EXAMPLE", true, false},
    /* TLS may end in front of us. */
    {"https://cache.example", "cache.example", true, true},
    {"https://cache.example", "cache.example:443", true, true},
    {"https://cache.example:8443", "cache.example:8443", true, true},
    {"https://cache.example", "cache.example:8443", false, false},
    {"https://cache.example", "cache.example:80", false, false},
    {"http://cache.example", "cache.example:443", false, false},
    {"http://[::1]:8000", "[::1]", false, false},
    {"http://[::1]", "[::2]", false, false},
    {"https://evil.example", "cache.example", false, false},
    {"https://cache.example.evil", "cache.example", false, false},
    {"https://sub.cache.example", "cache.example", false, false},
    {"https://evil@cache.example", "cache.example", false, false},
    {"https://cache.example/", "cache.example", false, false},
    {"https://cache.example:", "cache.example", false, false},
    {"https://cache.example:0443", "cache.example", false, false},
    {"https://cache.example https://evil.example", "cache.example", false, false},
    {"HTTPS://cache.example", "cache.example", false, false},
    {"https://", "", false, false},
    {"https://:443", ":443", false, false},
    {"cache.example", "cache.example", false, false},
    {"null", "null", false, false},
    {"", "", false, false},
    {NULL, "cache.example", false, false},
};

START_TEST(by_the_host_of_the_request)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *name = rows[i].origin ? rows[i].origin : "(none)";
        ck_assert_msg(is_own(rows[i].origin, rows[i].host, &by_host, false) == rows[i].is_own,
                      "%s at %s", name, rows[i].host);
        ck_assert_msg(is_own(rows[i].origin, rows[i].host, &by_host, true) == rows[i].is_own_secure,
                      "%s at %s, by TLS", name, rows[i].host);
    }
}
END_TEST

START_TEST(by_the_settings)
{
    static const char *const origins[] = {"https://a.example", "http://localhost:4200"};
    const struct origin_policy policy = {origins, 2};

    ck_assert(is_own("https://a.example", "internal:8000", &policy, false));
    ck_assert(is_own("http://localhost:4200", "internal:8000", &policy, true));
    ck_assert(!is_own("http://internal:8000", "internal:8000", &policy, false));
    ck_assert(!is_own("https://A.example", "A.example", &policy, false));
    ck_assert(!is_own("null", "null", &policy, false));
    ck_assert(!is_own(NULL, "a.example", &policy, false));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("origin");
    TCase *tcase = tcase_create("origin");
    tcase_add_test(tcase, by_the_host_of_the_request);
    tcase_add_test(tcase, by_the_settings);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
