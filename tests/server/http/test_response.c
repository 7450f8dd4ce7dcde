#include "http/response.h"

#include "suite.h"

#include "cachewarden/arena.h"

#include <stdio.h>

/* 2026-01-31T12:00:00Z. */
#define NOON_S INT64_C(1769860800)
#define DATE   "Date: Sat, 31 Jan 2026 12:00:00 GMT\r\n"

static struct arena *arena;
static struct exchange exchange;
static struct response_date date;

static void open_exchange(void)
{
    arena = arena_new(4096, 0);
    memset(&date, 0, sizeof date);
    memset(&exchange, 0, sizeof exchange);
    call_init(&exchange.call, NULL, NULL, arena);
    exchange.request.id = STR("0123456789abcdef");
    exchange.request.method = METHOD_GET;
    exchange.response = (struct http_response){.status = 200,
                                               .media_type = STR("application/json"),
                                               .body = STR("{\"a\":1}"),
                                               .cache_enabled = UNKNOWN};
}

static void close_exchange(void)
{
    arena_free(&arena);
}

static void expect_message(bool keep, const char *expected)
{
    struct str message = response_compose(&exchange, &date, NOON_S, keep);

    ck_assert_msg(str_eq(message, str_from(expected)), "%.*s\nexpected\n%s", STR_ARG(message),
                  expected);
}

START_TEST(head_and_body_are_one_piece)
{
    expect_message(
        true, "HTTP/1.1 200 OK\r\n" DATE "Content-Type: application/json\r\nContent-Length: 7\r\n"
              "Connection: keep-alive\r\nX-Request-Id: 0123456789abcdef\r\n\r\n{\"a\":1}");
}
END_TEST

START_TEST(head_has_the_length_but_no_body)
{
    exchange.request.method = METHOD_HEAD;
    expect_message(true, "HTTP/1.1 200 OK\r\n" DATE
                         "Content-Type: application/json\r\nContent-Length: 7\r\n"
                         "Connection: keep-alive\r\nX-Request-Id: 0123456789abcdef\r\n\r\n");
}
END_TEST

/* Its bytes come later; only their length is known, or not even that. */
START_TEST(a_source_is_announced_or_chunked)
{
    static const struct {
        enum http_method method;
        int minor_version;
        int64_t length;
        const char *framing;
    } rows[] = {{METHOD_GET, 1, 12345678901, "Content-Length: 12345678901\r\n"},
                {METHOD_HEAD, 0, 0, "Content-Length: 0\r\n"},
                {METHOD_GET, 1, BODY_LENGTH_UNKNOWN, "Transfer-Encoding: chunked\r\n"},
                {METHOD_HEAD, 1, BODY_LENGTH_UNKNOWN, ""},
                {METHOD_GET, 0, BODY_LENGTH_UNKNOWN, ""}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        exchange.request.method = rows[i].method;
        exchange.request.minor_version = rows[i].minor_version;
        exchange.response = (struct http_response){.status = 200,
                                                   .media_type = STR("text/plain"),
                                                   .has_source = true,
                                                   .source_length = rows[i].length,
                                                   .cache_enabled = UNKNOWN};
        snprintf(text, sizeof text,
                 "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/plain\r\n%sConnection: close\r\n"
                 "X-Request-Id: 0123456789abcdef\r\n\r\n",
                 rows[i].framing);
        expect_message(false, text);
    }
}
END_TEST

/* As an answer of others has them; its date is the time that it was made. */
START_TEST(fields_that_an_operation_added)
{
    const struct http_field fields[] = {{STR("Vary"), STR("Accept")},
                                        {STR("date"), STR("Sat, 31 Jan 2026 11:00:00 GMT")},
                                        {STR("X-Empty"), STR("")}};

    exchange.response.body = STR_NONE;
    exchange.response.fields = fields;
    exchange.response.field_count = 3;
    expect_message(true,
                   "HTTP/1.1 200 OK\r\n"
                   "Content-Type: application/json\r\nContent-Length: 0\r\n"
                   "Connection: keep-alive\r\nX-Request-Id: 0123456789abcdef\r\n"
                   "Vary: Accept\r\ndate: Sat, 31 Jan 2026 11:00:00 GMT\r\nX-Empty: \r\n\r\n");
    exchange.response.field_count = 1;
    expect_message(true, "HTTP/1.1 200 OK\r\n" DATE
                         "Content-Type: application/json\r\nContent-Length: 0\r\n"
                         "Connection: keep-alive\r\nX-Request-Id: 0123456789abcdef\r\n"
                         "Vary: Accept\r\n\r\n");
}
END_TEST

START_TEST(no_content_has_neither)
{
    exchange.response.status = 204;
    exchange.response.body = STR_NONE;
    exchange.response.no_store = true;
    exchange.response.cache_enabled = NO;
    exchange.response.user_id = 42;
    expect_message(false,
                   "HTTP/1.1 204 No Content\r\n" DATE
                   "Connection: close\r\nX-Request-Id: 0123456789abcdef\r\n"
                   "Cache-Control: no-store\r\nX-Cache-Enabled: false\r\nX-User-Id: 42\r\n\r\n");
}
END_TEST

START_TEST(every_optional_line)
{
    exchange.response = (struct http_response){
        .status = 401,
        .media_type = STR("application/problem+json"),
        .body = STR("{}"),
        .no_store = true,
        .cache_version = 9007199254740993,
        .cache_enabled = YES,
        .allow = STR("GET, HEAD, OPTIONS"),
        .retry_after_s = 3,
        .rate_limit = 10,
        .rate_remaining = 0,
        .rate_reset_s = 41,
        .challenge = true,
        .location = STR("/api/v1/jobs/1"),
    };
    expect_message(
        true,
        "HTTP/1.1 401 Unauthorized\r\n" DATE
        "Content-Type: application/problem+json\r\nContent-Length: 2\r\n"
        "Connection: keep-alive\r\nX-Request-Id: 0123456789abcdef\r\nCache-Control: no-store\r\n"
        "X-Cache-Version: 9007199254740993\r\nX-Cache-Enabled: true\r\nAllow: GET, HEAD, "
        "OPTIONS\r\n"
        "Retry-After: 3\r\nRateLimit-Limit: 10\r\nRateLimit-Remaining: 0\r\n"
        "RateLimit-Reset: 41\r\nWWW-Authenticate: Bearer\r\nLocation: /api/v1/jobs/1\r\n\r\n{}");
}
END_TEST

#define BEGINS(status) "HTTP/1.1 " status "\r\n" DATE
#define KEEPS          "Connection: keep-alive\r\nX-Request-Id: 0123456789abcdef\r\n"

START_TEST(a_hit_and_all_that_is_known_of_it)
{
    exchange.response = (struct http_response){.status = 200,
                                               .media_type = STR("text/html"),
                                               .body = STR("a\0b"),
                                               .cache_version = 5,
                                               .cache_enabled = YES,
                                               .cache_result = CACHE_RESULT_HIT,
                                               .age_s = 0,
                                               .ttl_s = 3600,
                                               .is_refresh = true,
                                               .lease = STR("abc-_"),
                                               .etag = STR("0f"),
                                               .is_content = true};
    struct str message = response_compose(&exchange, &date, NOON_S, true);
    const struct str head =
        STR(BEGINS("200 OK") "Content-Type: text/html\r\nContent-Length: 3\r\n" KEEPS
                             "X-Cache-Version: 5\r\nX-Cache-Enabled: true\r\n"
                             "X-Cache: HIT\r\nAge: 0\r\nX-Cache-TTL: 3600\r\n"
                             "X-Cache-Refresh: 1\r\nX-Cache-Lease: abc-_\r\nETag: \"0f\"\r\n"
                             "X-Content-Type-Options: nosniff\r\n"
                             "Content-Security-Policy: sandbox\r\n\r\n");
    ck_assert_msg(str_starts(message, head), "%.*s", STR_ARG(message));
    ck_assert(str_eq(str_sub(message, head.len, message.len), STR("a\0b")));
}
END_TEST

/* It is sent from where it lies. */
START_TEST(a_large_body_stands_apart)
{
    static char large[100000];

    memset(large, 'x', sizeof large);
    exchange.response.body = (struct str){large, sizeof large};
    struct str message = response_compose(&exchange, &date, NOON_S, true);
    ck_assert(str_ends(message, STR("\r\n\r\n")));
    ck_assert_ptr_nonnull(strstr(message.ptr, "Content-Length: 100000\r\n"));
    ck_assert_ptr_eq(response_body_apart(&exchange).ptr, large);
    ck_assert_uint_eq(response_body_apart(&exchange).len, sizeof large);
    exchange.request.method = METHOD_HEAD;
    ck_assert_uint_eq(response_body_apart(&exchange).len, 0);
    exchange.request.method = METHOD_GET;
    exchange.response.body = STR("small");
    ck_assert(str_ends(response_compose(&exchange, &date, NOON_S, true), STR("\r\n\r\nsmall")));
    ck_assert_uint_eq(response_body_apart(&exchange).len, 0);
}
END_TEST

START_TEST(a_miss_and_its_lease)
{
    exchange.response = (struct http_response){.status = 404,
                                               .media_type = STR("application/json"),
                                               .body = STR("{}"),
                                               .cache_enabled = UNKNOWN,
                                               .cache_result = CACHE_RESULT_MISS,
                                               .age_s = -1,
                                               .ttl_s = -1,
                                               .lease = STR("abc")};
    expect_message(true, BEGINS("404 Not Found") "Content-Type: application/json\r\n"
                                                 "Content-Length: 2\r\n" KEEPS
                                                 "X-Cache: MISS\r\nX-Cache-Lease: abc\r\n\r\n{}");
}
END_TEST

START_TEST(not_modified_has_no_body_and_no_length)
{
    exchange.response = (struct http_response){.status = 304,
                                               .cache_enabled = UNKNOWN,
                                               .cache_result = CACHE_RESULT_HIT,
                                               .age_s = 7,
                                               .ttl_s = -1,
                                               .etag = STR("0f")};
    expect_message(true, BEGINS("304 Not Modified") KEEPS
                   "X-Cache: HIT\r\nAge: 7\r\nETag: \"0f\"\r\n\r\n");
}
END_TEST

START_TEST(an_empty_answer_has_no_type)
{
    exchange.response = (struct http_response){.status = 201, .cache_enabled = UNKNOWN};
    expect_message(true, BEGINS("201 Created") "Content-Length: 0\r\n" KEEPS "\r\n");
}
END_TEST

START_TEST(the_date_changes_with_the_second)
{
    struct str later;

    response_compose(&exchange, &date, NOON_S, true);
    later = response_compose(&exchange, &date, NOON_S + 1, true);
    ck_assert(
        str_starts(str_sub(later, 17, later.len), STR("Date: Sat, 31 Jan 2026 12:00:01 GMT\r\n")));
}
END_TEST

START_TEST(listed_origins_may_read)
{
    static const char *const origins[] = {"https://app.example", "http://localhost:3000"};

    exchange.request.known[FIELD_ORIGIN] = STR("http://localhost:3000");
    response_allow_origin(&exchange, origins, 2);
    expect_message(true, "HTTP/1.1 200 OK\r\n" DATE
                         "Content-Type: application/json\r\nContent-Length: 7\r\n"
                         "Connection: keep-alive\r\nX-Request-Id: 0123456789abcdef\r\n"
                         "Access-Control-Allow-Origin: http://localhost:3000\r\nVary: Origin\r\n"
                         "Access-Control-Expose-Headers: X-Cache-Version, X-Cache-Enabled, "
                         "X-User-Id, X-Request-Id, Retry-After, "
                         "Location, RateLimit-Limit, RateLimit-Remaining, "
                         "RateLimit-Reset, X-Cache, X-Cache-TTL, X-Cache-Lease, "
                         "X-Cache-Refresh, Age, ETag\r\n\r\n{\"a\":1}");
}
END_TEST

START_TEST(a_preflight_is_told_methods_and_headers)
{
    static const char *const origins[] = {"https://app.example"};

    exchange.request.method = METHOD_OPTIONS;
    exchange.request.known[FIELD_ORIGIN] = STR("https://app.example");
    exchange.request.known[FIELD_PREFLIGHT_METHOD] = STR("POST");
    exchange.request.known_count[FIELD_PREFLIGHT_METHOD] = 1;
    exchange.response = (struct http_response){
        .status = 204, .allow = STR("OPTIONS, POST"), .cache_enabled = UNKNOWN};
    response_allow_origin(&exchange, origins, 1);
    expect_message(
        true, "HTTP/1.1 204 No Content\r\n" DATE
              "Connection: keep-alive\r\nX-Request-Id: 0123456789abcdef\r\n"
              "Allow: OPTIONS, POST\r\nAccess-Control-Allow-Origin: https://app.example\r\nVary: "
              "Origin\r\n"
              "Access-Control-Allow-Methods: OPTIONS, POST\r\n"
              "Access-Control-Allow-Headers: Authorization, Content-Type, X-Api-Key, X-Request-Id, "
              "If-None-Match, X-Cache-Lease\r\n"
              "Access-Control-Max-Age: 600\r\n\r\n");
}
END_TEST

START_TEST(other_origins_may_not)
{
    static const char *const origins[] = {"https://app.example"};
    static const char *const strangers[] = {"",
                                            "null",
                                            "https://app.example.evil",
                                            "https://APP.example",
                                            "http://app.example",
                                            "https://app.example:443",
                                            "*"};

    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        exchange.request.known[FIELD_ORIGIN] = str_from(strangers[i]);
        response_allow_origin(&exchange, origins, 1);
        ck_assert_msg(exchange.response.cors_origin.len == 0, "%s", strangers[i]);
    }
    exchange.request.known[FIELD_ORIGIN] = STR("https://app.example");
    response_allow_origin(&exchange, NULL, 0);
    ck_assert_uint_eq(exchange.response.cors_origin.len, 0);
}
END_TEST

START_TEST(without_memory_there_is_still_an_answer)
{
    struct arena *tiny = arena_new(256, 256);

    exchange.call.arena = tiny;
    struct str message = response_compose(&exchange, &date, NOON_S, true);
    ck_assert(str_starts(message, STR("HTTP/1.1 500 Internal Server Error\r\n")));
    ck_assert(str_ends(message, STR("\r\n\r\n")));
    ck_assert_int_eq(exchange.response.status, 500);
    ck_assert(exchange.response.close);
    arena_free(&tiny);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/response");
    TCase *tcase = tcase_create("response");

    tcase_add_checked_fixture(tcase, open_exchange, close_exchange);
    tcase_add_test(tcase, head_and_body_are_one_piece);
    tcase_add_test(tcase, head_has_the_length_but_no_body);
    tcase_add_test(tcase, a_source_is_announced_or_chunked);
    tcase_add_test(tcase, fields_that_an_operation_added);
    tcase_add_test(tcase, no_content_has_neither);
    tcase_add_test(tcase, every_optional_line);
    tcase_add_test(tcase, a_hit_and_all_that_is_known_of_it);
    tcase_add_test(tcase, a_large_body_stands_apart);
    tcase_add_test(tcase, a_miss_and_its_lease);
    tcase_add_test(tcase, not_modified_has_no_body_and_no_length);
    tcase_add_test(tcase, an_empty_answer_has_no_type);
    tcase_add_test(tcase, the_date_changes_with_the_second);
    tcase_add_test(tcase, listed_origins_may_read);
    tcase_add_test(tcase, a_preflight_is_told_methods_and_headers);
    tcase_add_test(tcase, other_origins_may_not);
    tcase_add_test(tcase, without_memory_there_is_still_an_answer);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
