#include "http/guard.h"

#include "suite.h"

#include <stdio.h>

enum { MAX_LINES = HTTP_MAX_FIELDS + 2 };

/* "Name: value" lines, ending with NULL, to fields. The first colon separates. */
static size_t read_lines(const char *const *lines, struct http_field fields[MAX_LINES])
{
    size_t count = 0;

    for (; lines[count]; count++) {
        struct str line = str_from(lines[count]);
        size_t colon = (size_t)str_find(line, ':');
        fields[count] = (struct http_field){str_sub(line, 0, colon),
                                            str_trim(str_sub(line, colon + 1, line.len))};
    }
    return count;
}

struct attempt {
    const char *method;
    const char *path;
    int minor_version;
    const char *lines[8];
};

static struct guard_verdict judge(const struct attempt *attempt, const struct guard_policy *policy)
{
    struct http_field fields[MAX_LINES];
    struct http_request request = {
        .method = attempt->method && strcmp(attempt->method, "OPTIONS") == 0 ? METHOD_OPTIONS
                                                                             : METHOD_GET,
        .path = str_from(attempt->path ? attempt->path : "/"),
        .minor_version = attempt->minor_version,
        .fields = fields,
        .field_count = read_lines(attempt->lines, fields),
    };

    guard_index(&request);
    return guard_check(&request, policy);
}

static const struct guard_policy any_host = {NULL, 0};

static void expect_verdict(const struct attempt *attempt, size_t index, int status)
{
    struct guard_verdict verdict = judge(attempt, &any_host);

    ck_assert_msg(verdict.status == status, "row %zu (%s): %d \"%.*s\", expected %d", index,
                  attempt->lines[0] ? attempt->lines[0] : "", verdict.status,
                  STR_ARG(verdict.detail), status);
    ck_assert_msg((verdict.detail.len > 0) == (status != 0), "row %zu has no sentence", index);
}

#define H "Host: a"

static const struct attempt good[] = {
    {.minor_version = 1, .lines = {H}},
    {.minor_version = 0},
    {.minor_version = 0, .lines = {H}},
    {.minor_version = 1, .lines = {H, "Content-Length: 0"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 9223372036854775807"}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding: chunked"}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding: Chunked"}},
    {.minor_version = 1, .lines = {H, "Connection: keep-alive, Upgrade", "Upgrade: websocket"}},
    {.minor_version = 1, .lines = {H, "Connection: close", "Connection: TE"}},
    {.minor_version = 1, .lines = {H, "X-Cache-Lease: a", "If-None-Match: W/\"a\", \"b,c\""}},
    {.minor_version = 1, .lines = {H, "If-None-Match: W/\"a\"", "if-none-match: \"b,c\""}},
    {.minor_version = 1, .lines = {H, "Expect: 100-continue", "Content-Length: 1"}},
    {.minor_version = 1, .lines = {H, "X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2"}},
    {.minor_version = 1, .lines = {H, "X-Tab: a\tb", "X-Latin: \xe9"}},
    {.minor_version = 1, .lines = {"Host: example.org:8000"}},
    {.minor_version = 1, .lines = {"Host: my_host.internal-1"}},
    {.minor_version = 1, .lines = {"Host: [::1]"}},
    {.minor_version = 1, .lines = {"Host: [2001:db8::1]:443"}},
    {.minor_version = 1, .lines = {"host: 127.0.0.1:65535"}},
    {.method = "OPTIONS", .path = "*", .minor_version = 1, .lines = {H}},
    {.path = "/a/%2e%2e/b", .minor_version = 1, .lines = {H}}, /* the router's to refuse */
};

START_TEST(sound_requests_pass)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        expect_verdict(&good[i], i, 0);
}
END_TEST

static const struct attempt bad[] = {
    /* where does the message end? */
    {.minor_version = 1, .lines = {H, "Content-Length: 3", "Content-Length: 3"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 3", "Content-Length: 4"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 3", "content-length: 3"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 3", "Transfer-Encoding: chunked"}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding: chunked", "Content-Length: 0"}},
    {.minor_version = 1, .lines = {H, "Content-Length: +3"}},
    {.minor_version = 1, .lines = {H, "Content-Length: -1"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 3x"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 0x5"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 3, 3"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 5,5"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 1 2"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 03"}},
    {.minor_version = 1, .lines = {H, "Content-Length:"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 9223372036854775808"}},
    {.minor_version = 1, .lines = {H, "Content-Length: 18446744073709551619"}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding: identity", "Transfer-Encoding: chunked"}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding: identity"}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding: gzip, chunked"}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding: xchunked"}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding: chunked, identity"}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding: \"chunked\""}},
    {.minor_version = 1, .lines = {H, "Transfer-Encoding:"}},
    {.minor_version = 0, .lines = {H, "Transfer-Encoding: chunked"}},
    /* who is it? */
    {.minor_version = 1, .lines = {H, "Authorization: Bearer a", "Authorization: Bearer b"}},
    {.minor_version = 1, .lines = {H, "Authorization: Bearer a", "authorization: Bearer a"}},
    {.minor_version = 1, .lines = {H, "x-api-key: a", "X-Api-Key: b"}},
    {.minor_version = 1, .lines = {H, "Origin: https://a", "Origin: https://b"}},
    {.minor_version = 1,
     .lines = {H, "Content-Type: application/json", "Content-Type: text/plain"}},
    {.minor_version = 1, .lines = {H, "Connection: Authorization", "Authorization: Bearer a"}},
    {.minor_version = 1, .lines = {H, "Connection: close, x-api-key"}},
    {.minor_version = 1, .lines = {H, "Connection: close", "Connection: content-length"}},
    {.minor_version = 1, .lines = {H, "Connection: ,,Host,"}},
    {.minor_version = 1, .lines = {H, "Connection: cookie"}},
    {.minor_version = 1, .lines = {H, "Connection: X-Forwarded-For"}},
    /* without these a value that a clear has made stale would be stored, or one that is there replaced */
    {.minor_version = 1, .lines = {H, "Connection: close, x-cache-lease"}},
    {.minor_version = 1, .lines = {H, "Connection: If-None-Match"}},
    {.minor_version = 1, .lines = {H, "X-Cache-Lease: a", "x-cache-lease: b"}},
    /* to whom? */
    {.minor_version = 1},
    {.minor_version = 1, .lines = {H, "Host: b"}},
    {.minor_version = 1, .lines = {H, H}},
    {.minor_version = 0, .lines = {H, "Host: b"}},
    {.minor_version = 1, .lines = {"Host:"}},
    {.minor_version = 1, .lines = {"Host: a b"}},
    {.minor_version = 1, .lines = {"Host: a, b"}},
    {.minor_version = 1, .lines = {"Host: user@a"}},
    {.minor_version = 1, .lines = {"Host: a/b"}},
    {.minor_version = 1, .lines = {"Host: :"}},
    {.minor_version = 1, .lines = {"Host: a:0"}},
    {.minor_version = 1, .lines = {"Host: a:65536"}},
    {.minor_version = 1, .lines = {"Host: a:80:80"}},
    {.minor_version = 1, .lines = {"Host: :80"}},
    {.minor_version = 1, .lines = {"Host: [::1"}},
    {.minor_version = 1, .lines = {"Host: []"}},
    {.minor_version = 1, .lines = {"Host: [::1]x"}},
    {.minor_version = 1, .lines = {"Host: [g::1]"}},
    {.minor_version = 1, .lines = {"Host: %61"}},
    {.minor_version = 1, .lines = {"Host: \xc3\xa9.example"}},
    /* of what form? */
    {.minor_version = 1, .lines = {H, "X-A: a\x01"}},
    {.minor_version = 1, .lines = {H, "X-A: a\rb"}},
    {.minor_version = 1, .lines = {H, "X-A: \x7f"}},
    {.minor_version = 1, .lines = {H, "X A: a"}},
    {.minor_version = 1, .lines = {H, "X-A : a"}},
    {.minor_version = 1, .lines = {H, ": a"}},
    {.path = "", .minor_version = 1, .lines = {H}},
    {.path = "*", .minor_version = 1, .lines = {H}},
    {.path = "health", .minor_version = 1, .lines = {H}},
    {.path = "example.org:443", .minor_version = 1, .lines = {H}},
    {.path = "/a b", .minor_version = 1, .lines = {H}},
    {.path = "/\xc3\xa9", .minor_version = 1, .lines = {H}},
    {.path = "/\x7f", .minor_version = 1, .lines = {H}},
};

START_TEST(ambiguous_requests_are_refused)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_verdict(&bad[i], i, 400);
}
END_TEST

START_TEST(a_host_has_a_limit)
{
    char line[6 + 260 + 1] = "Host: ";
    struct attempt attempt = {.minor_version = 1, .lines = {line}};

    memset(line + 6, 'a', 253);
    expect_verdict(&attempt, 0, 0);
    memset(line + 6, 'a', 260);
    expect_verdict(&attempt, 1, 400);
}
END_TEST

/* What is left of a target, and which host it was about. */
static void expect_target(const char *target, enum http_method method, const char *path,
                          const char *host)
{
    const char *const lines[] = {"Host: a:8000", NULL};
    struct http_field fields[MAX_LINES];
    struct http_request request = {.method = method,
                                   .path = str_from(target),
                                   .fields = fields,
                                   .field_count = read_lines(lines, fields)};

    guard_index(&request);
    ck_assert_msg(str_eq(request.path, str_from(path)), "%s: %.*s", target, STR_ARG(request.path));
    ck_assert_msg(str_eq(request.known[FIELD_HOST], str_from(host)), "%s: %.*s", target,
                  STR_ARG(request.known[FIELD_HOST]));
}

START_TEST(an_absolute_target_is_a_path_and_a_host)
{
    expect_target("http://b/health", METHOD_GET, "/health", "b");
    expect_target("HTTPS://B:8443/a/b", METHOD_GET, "/a/b", "B:8443");
    expect_target("http://[::1]:80//x", METHOD_GET, "//x", "[::1]:80");
    expect_target("http://b", METHOD_GET, "/", "b");
    expect_target("http://b", METHOD_OPTIONS, "*", "b");
    expect_target("http://b/", METHOD_OPTIONS, "/", "b");
    expect_target("http://u@b/x", METHOD_GET, "/x", "u@b");
    expect_target("http:///x", METHOD_GET, "/x", "");
    expect_target("/x", METHOD_GET, "/x", "a:8000");
    expect_target("/http://b/x", METHOD_GET, "/http://b/x", "a:8000");
    expect_target("ftp://b/x", METHOD_GET, "ftp://b/x", "a:8000");
    expect_target("http:/x", METHOD_GET, "http:/x", "a:8000");
    expect_target("http:x", METHOD_GET, "http:x", "a:8000");
    expect_target("*", METHOD_OPTIONS, "*", "a:8000");
}
END_TEST

START_TEST(an_absolute_target_may_name_a_host_of_ours)
{
    static const char *const hosts[] = {"cache.example", "::1"};
    const struct guard_policy named = {hosts, 2};
    static const struct {
        const char *target, *host;
        int any, named; /* without and with allowed hosts */
    } rows[] = {
        {"http://cache.example/x", "Host: cache.example", 0, 0},
        {"https://CACHE.example:443/x", "Host: cache.example", 0, 0},
        {"http://cache.example:80", "Host: cache.example:80", 0, 0},
        {"http://[::1]:8000/x", "Host: [::1]:8000", 0, 0},
        /* The target's host replaces the field's. */
        {"http://cache.example/x", "Host: evil.example", 421, 0},
        {"http://evil.example/x", "Host: cache.example", 421, 421},
        {"http://evil.example/x", "Host: evil.example", 0, 421},
        {"http://localhost:8000/x", "Host: cache.example", 0, 421},
        {"http://127.0.0.1/x", "Host: cache.example", 0, 421},
        {"http://cache.example.evil/x", "Host: cache.example", 421, 421},
        /* What is no host, or not only a host. */
        {"http://user@cache.example/x", "Host: cache.example", 400, 400},
        {"http://user:pw@cache.example/x", "Host: cache.example", 400, 400},
        {"http://cache.example:/x", "Host: cache.example", 0, 0},
        {"http://cache.example:0/x", "Host: cache.example", 400, 400},
        {"http://cache.example:99999/x", "Host: cache.example", 400, 400},
        {"http:///x", "Host: cache.example", 400, 400},
        {"http://", "Host: cache.example", 400, 400},
        {"http://cache.example#x", "Host: cache.example", 400, 400},
        {"http://cache.example\\@evil/x", "Host: cache.example", 400, 400},
        {"http://cache%2eexample/x", "Host: cache.example", 400, 400},
        {"http://cache.example/x", "Host: a b", 400, 400},
        {"http://cache.example/x", "X-None: 1", 400,
         400}, /* HTTP/1.1 needs its Host all the same */
        {"ftp://cache.example/x", "Host: cache.example", 421, 421},
        {"http:/cache.example/x", "Host: cache.example", 400, 400},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct attempt attempt = {
            .path = rows[i].target, .minor_version = 1, .lines = {rows[i].host}};
        ck_assert_msg(judge(&attempt, &any_host).status == rows[i].any, "%s, %s: %d",
                      rows[i].target, rows[i].host, judge(&attempt, &any_host).status);
        ck_assert_msg(judge(&attempt, &named).status == rows[i].named, "%s, %s: %d", rows[i].target,
                      rows[i].host, judge(&attempt, &named).status);
    }
}
END_TEST

START_TEST(a_target_of_http_1_0_needs_no_host_beside_it)
{
    static const char *const hosts[] = {"cache.example"};
    const struct guard_policy named = {hosts, 1};
    const struct attempt ours = {.path = "http://cache.example/x", .minor_version = 0};
    const struct attempt here = {.path = "http://localhost/x", .minor_version = 0};

    ck_assert_int_eq(judge(&ours, &named).status, 0);
    ck_assert_int_eq(judge(&ours, &any_host).status, 421);
    ck_assert_int_eq(judge(&here, &any_host).status, 0);
}
END_TEST

START_TEST(only_100_continue_may_be_expected)
{
    const struct attempt attempt = {.minor_version = 1, .lines = {H, "Expect: 200-ok"}};
    const struct attempt twice = {.minor_version = 1,
                                  .lines = {H, "Expect: 100-continue", "Expect: 100-continue"}};

    expect_verdict(&attempt, 0, 417);
    expect_verdict(&twice, 1, 400);
}
END_TEST

START_TEST(sixty_four_fields_and_no_more)
{
    const char *lines[MAX_LINES] = {H};
    struct http_field fields[MAX_LINES];
    struct http_request request = {
        .method = METHOD_GET, .path = STR("/"), .minor_version = 1, .fields = fields};

    for (size_t i = 1; i < HTTP_MAX_FIELDS; i++)
        lines[i] = "X-A: b";
    request.field_count = read_lines(lines, fields);
    guard_index(&request);
    ck_assert_int_eq(guard_check(&request, &any_host).status, 0);

    lines[HTTP_MAX_FIELDS] = "Content-Length: 5";
    request.field_count = read_lines(lines, fields);
    guard_index(&request);
    ck_assert_int_eq(guard_check(&request, &any_host).status, 431);
}
END_TEST

START_TEST(foreign_hosts_are_misdirected)
{
    static const char *const hosts[] = {"cache.example", "::1", "[fe80::1]"};
    const struct guard_policy policy = {hosts, 3};
    static const struct {
        const char *line;
        int minor_version, status;
    } rows[] = {
        {"Host: cache.example", 1, 0},    {"Host: CACHE.example:8000", 1, 0},
        {"Host: [::1]:8000", 1, 0},       {"Host: [fe80::1]", 1, 0},
        {"Host: evil.example", 1, 421},   {"Host: cache.example.evil", 1, 421},
        {"Host: xcache.example", 1, 421}, {"Host: cache.example.", 1, 421},
        {"Host: 127.0.0.1", 1, 421},      {"X-Forwarded-Host: cache.example", 0, 421},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct attempt attempt = {.minor_version = rows[i].minor_version, .lines = {rows[i].line}};
        ck_assert_msg(judge(&attempt, &policy).status == rows[i].status, "%s", rows[i].line);
    }
}
END_TEST

START_TEST(known_fields_are_found_whatever_their_case)
{
    const char *const lines[] = {"AUTHORIZATION: Bearer t", "x-API-key: k",  "X-Other: o",
                                 "Connection: a",           "connection: b", NULL};
    struct http_field fields[MAX_LINES];
    struct http_request request = {.fields = fields, .field_count = read_lines(lines, fields)};

    request.known_count[FIELD_HOST] = 7; /* of the request before */
    guard_index(&request);
    ck_assert(str_eq(request.known[FIELD_AUTHORIZATION], STR("Bearer t")));
    ck_assert(str_eq(request.known[FIELD_API_KEY], STR("k")));
    ck_assert_int_eq(request.known_count[FIELD_CONNECTION], 2);
    ck_assert_int_eq(request.known_count[FIELD_HOST], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/guard");
    TCase *tcase = tcase_create("guard");

    tcase_add_test(tcase, sound_requests_pass);
    tcase_add_test(tcase, ambiguous_requests_are_refused);
    tcase_add_test(tcase, a_host_has_a_limit);
    tcase_add_test(tcase, an_absolute_target_is_a_path_and_a_host);
    tcase_add_test(tcase, an_absolute_target_may_name_a_host_of_ours);
    tcase_add_test(tcase, a_target_of_http_1_0_needs_no_host_beside_it);
    tcase_add_test(tcase, only_100_continue_may_be_expected);
    tcase_add_test(tcase, sixty_four_fields_and_no_more);
    tcase_add_test(tcase, foreign_hosts_are_misdirected);
    tcase_add_test(tcase, known_fields_are_found_whatever_their_case);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
