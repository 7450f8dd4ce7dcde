/*
 * Paths match byte by byte and methods by name: whatever only looks like a route
 * is 404 or 400, a wrong method is 405 with Allow, and none of it does anything.
 */
#include "patience.h"
#include "redis_snapshot.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand, NULL);
    redis_server_do(stand.redis, "HSET cw:dataset epoch 4");
    redis_server_do(stand.redis, "SET whatsapp:development:in x");
}

static void close_stand(void)
{
    stand_close(&stand);
}

#define CLEAR "/api/server-management/clear-cache"

/* With an admin's credential, by POST. Each is close to a route that would clear or flush something. */
static const char *const no_paths[] = {
    "/api//server-management/clear-cache/",
    "//api/server-management/clear-cache/",
    "/api/server-management//clear-cache/",
    CLEAR "//",
    CLEAR "/x",
    CLEAR "x",
    CLEAR "/.",
    CLEAR "/..",
    CLEAR "/./",
    "/./api/server-management/clear-cache/",
    "/api/./server-management/clear-cache/",
    "/api/x/../server-management/clear-cache/",
    "/../api/server-management/clear-cache/",
    "/api/..;/api/server-management/clear-cache/",
    "/api;x/server-management/clear-cache/",
    CLEAR ";x",
    CLEAR "/;x",
    CLEAR ";",
    CLEAR "%2f",
    CLEAR "%2F",
    "/api%2fserver-management%2fclear-cache/",
    "%2fapi/server-management/clear-cache/",
    "/api/server-management%2fclear-cache/",
    "/api/%2e/server-management/clear-cache/",
    "/api/%2e%2e/api/server-management/clear-cache/",
    "/x/..%2fapi/server-management/clear-cache/",
    CLEAR "%00",
    CLEAR "/%00",
    CLEAR "%00/",
    CLEAR "%00.css",
    CLEAR "/x.css",
    CLEAR ".json",
    "/%61pi/server-management/clear-cache/",
    "/api/server%2dmanagement/clear-cache/",
    "/api/server-management/clear%2Dcache/",
    "\\api\\server-management\\clear-cache\\",
    "/api\\server-management\\clear-cache/",
    CLEAR "\\",
    CLEAR "%5c",
    CLEAR "/%5c",
    "/API/server-management/clear-cache/",
    "/Api/Server-Management/Clear-Cache/",
    "/api/server-management/CLEAR-CACHE/",
    CLEAR "%20",
    CLEAR "/%20",
    CLEAR "/%0a",
    CLEAR "%0d%0aX-Injected:%201",
    CLEAR "/%ff",
    CLEAR "/%c0%af",
    CLEAR "/%",
    CLEAR "/%2",
    CLEAR "/%zz",
    "/api/server-management",
    "/api/server-management/",
    "/api/",
    "/api",
    "/",
    "/index.html",
    "/favicon.ico",
    "/.htpasswd",
    "/.git/config",
    "/server-management/clear-cache/",
    "/api/v1/caches//flush",
    "/api/v1/caches/messages/flush/",
    "/api/v1/caches/messages/flush/x",
    "/api/v1/caches/messages%2fflush",
    "/api/v1/caches/messages/%66lush",
    "/api/v1/caches/nosuch/flush",
    "/api/v1/caches/Messages/flush",
    "/api/v1/caches/./flush",
    "/api/v1/caches/../flush",
    "/api/v1/caches/%6dessages/flush",
    "/api/v1/caches/messages;x/flush",
    "/api/v1/caches/messages%00/flush",
    "/api/v1/caches/messages%0a/flush",
    "/api/v1/caches/messages,search/flush",
    "/api/v1/caches/*/flush",
    "/api/v1/analytics/cache/clear/",
    "/api/v1/analytics/cache/clear/x",
    "/API/V1/analytics/cache/clear",
    "/auth/login/",
    "/auth//login",
    "/AUTH/login",
    "/cgi-bin/x.cgi",
    "/x.php",
    "/x.shtml",
    "/~root/",
};

START_TEST(near_misses_are_not_found)
{
    char *before = redis_snapshot(stand.redis, "cw:audit");
    for (size_t i = 0; i < sizeof no_paths / sizeof *no_paths; i++) {
        struct raw *raw = raw_open(stand.server.port);
        raw_print(raw, "POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: 0\r\n\r\n",
                  no_paths[i], stand.root.bearer);
        const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
        ck_assert_msg(reply && (reply->status == 404 || reply->status == 400), "%s: %d %s",
                      no_paths[i], reply ? reply->status : -1, reply ? reply->body : "closed");
        ck_assert_msg(strstr(reply->head, "X-Injected") == NULL, "%s", reply->head);
        ck_assert_msg(strstr(reply->body, "<") == NULL &&
                          strstr(reply->body, "clear-cache") == NULL,
                      "%s echoed: %s", no_paths[i], reply->body);
        raw_close(&raw);
    }
    char *after = redis_snapshot(stand.redis, "cw:audit");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

START_TEST(not_found_says_so)
{
    expect_answer(http_get(stand.http, "/nosuch", NULL), 404, "{\"detail\":\"Not found.\"}");
    expect_answer(http_get(stand.http, "/nosuch", stand.root.bearer), 404,
                  "{\"detail\":\"Not found.\"}");
    expect_answer(http_call(stand.http, "DELETE", "/api/v1/nosuch", NULL), 404,
                  "{\"detail\":\"Not found.\"}");
}
END_TEST

/* Whether the comma list `allow` names the method. */
static bool allows(const char *allow, const char *method)
{
    size_t size = strlen(method);
    for (const char *at = allow; at && *at;) {
        at += strspn(at, ", ");
        if (strcspn(at, ", ") == size && strncmp(at, method, size) == 0)
            return true;
        at += strcspn(at, ", ");
    }
    return false;
}

static const struct {
    const char *method, *path, *allowed;
} wrong_methods[] = {
    {"POST", "/api/cache/status/", "GET"},
    {"GET", "/api/cache/enable/", "POST"},
    {"GET", "/api/cache/disable/", "POST"},
    {"GET", "/api/cache/clear/", "POST"},
    {"PUT", "/api/cache/clear/", "POST"},
    {"DELETE", "/api/cache/clear/", "POST"},
    {"PATCH", "/api/cache/clear/", "POST"},
    {"GET", CLEAR "/", "POST"},
    {"DELETE", CLEAR "/?user_id=123", "POST"},
    {"GET", "/api/v1/cache", "DELETE"},
    {"POST", "/api/v1/cache", "DELETE"},
    {"GET", "/api/v1/analytics/cache/clear", "POST"},
    {"DELETE", "/api/v1/caches", "GET"},
    {"GET", "/api/v1/caches/messages/flush", "POST"},
    {"POST", "/api/v1/audit", "GET"},
    {"GET", "/auth/login", "POST"},
    {"DELETE", "/auth/me", "GET"},
    {"POST", "/health", "GET"},
    {"PROPFIND", "/api/cache/status/", "GET"},
    {"FROBNICATE", "/api/cache/status/", "GET"},
    {"TRACE", "/api/cache/status/", "GET"},
};

START_TEST(wrong_methods_are_told_the_right_ones)
{
    char *before = redis_snapshot(stand.redis, NULL);
    for (size_t i = 0; i < sizeof wrong_methods / sizeof *wrong_methods; i++) {
        const struct http_reply *reply = http_call(stand.http, wrong_methods[i].method,
                                                   wrong_methods[i].path, stand.root.bearer);
        ck_assert_msg(reply->status == 405, "%s %s: %d %s", wrong_methods[i].method,
                      wrong_methods[i].path, reply->status, reply->body);
        const char *allow = http_header(reply, "Allow");
        ck_assert_msg(allows(allow, wrong_methods[i].allowed) &&
                          !allows(allow, wrong_methods[i].method),
                      "%s %s: Allow: %s", wrong_methods[i].method, wrong_methods[i].path, allow);
    }
    char *after = redis_snapshot(stand.redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

/* Methods we would never serve, some of which a front proxy or the library takes for something else. */
START_TEST(odd_methods_are_refused)
{
    static const char *const lines[] = {
        "TRACE / HTTP/1.1",         "TRACE /health HTTP/1.1",    "CONNECT localhost:6379 HTTP/1.1",
        "CONNECT /health HTTP/1.1", "get /health HTTP/1.1",      "Get /health HTTP/1.1",
        "GETX /health HTTP/1.1",    "post " CLEAR "/ HTTP/1.1",  "M-SEARCH * HTTP/1.1",
        "BREW /health HTTP/1.1",    "PROPFIND / HTTP/1.1",       "MKCOL /x HTTP/1.1",
        "GET * HTTP/1.1",           "OPTIONS nonsense HTTP/1.1",
    };
    char *before = redis_snapshot(stand.redis, NULL);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct raw *raw = raw_open(stand.server.port);
        raw_print(raw, "%s\r\nHost: localhost\r\n%s\r\nContent-Length: 0\r\n\r\n", lines[i],
                  stand.root.bearer);
        const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
        int status = reply ? reply->status : -1;
        ck_assert_msg(status == 400 || status == 404 || status == 405 || status == 421 ||
                          status == 501,
                      "%s: %d", lines[i], status);
        /* TRACE would hand the credential back. */
        ck_assert_msg(strstr(reply->body, "Bearer") == NULL, "%s: %s", lines[i], reply->body);
        raw_close(&raw);
    }
    char *after = redis_snapshot(stand.redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

START_TEST(no_header_changes_the_method)
{
    static const char *const names[] = {"X-HTTP-Method-Override", "X-HTTP-Method",
                                        "X-Method-Override", "_method"};
    char *before = redis_snapshot(stand.redis, NULL), line[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(line, sizeof line, "%s: DELETE", names[i]);
        const char *headers[] = {stand.root.bearer, line, NULL};
        const struct http_reply *reply =
            http_send(stand.http, "POST", "/api/v1/cache", headers, NULL, 0);
        expect_status(reply, 405);
        ck_assert_msg(allows(http_header(reply, "Allow"), "DELETE"), "%s", reply->head);
        expect_status(http_send(stand.http, "GET", "/api/v1/cache", headers, NULL, 0), 405);
        snprintf(line, sizeof line, "%s: POST", names[i]);
        expect_status(http_send(stand.http, "GET", CLEAR "/", headers, NULL, 0), 405);
    }
    char *after = redis_snapshot(stand.redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

START_TEST(no_header_changes_the_path)
{
    static const char *const lines[] = {
        "X-Original-URL: " CLEAR "/",     "X-Rewrite-URL: " CLEAR "/", "X-Forwarded-Prefix: /x",
        "X-Forwarded-Host: evil.example", "Upgrade: websocket",        "Upgrade: h2c"};
    char *before = redis_snapshot(stand.redis, NULL);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *headers[] = {stand.root.bearer, lines[i], NULL};
        const struct http_reply *reply =
            http_send(stand.http, "GET", "/health/live", headers, NULL, 0);
        expect_status(reply, 200);
        ck_assert(strstr(reply->head, "evil.example") == NULL &&
                  strstr(reply->body, "evil.example") == NULL);
    }
    char *after = redis_snapshot(stand.redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

/* A HEAD that carried a body would be read as the next answer. */
START_TEST(head_has_no_body)
{
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "HEAD /api/cache/status/ HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n",
              stand.alice.bearer);
    expect_status(raw_reply_to_head(raw, PATIENCE_MS), 200);
    raw_print(raw, "HEAD /nosuch HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_status(raw_reply_to_head(raw, PATIENCE_MS), 404);
    raw_print(raw, "HEAD /api/cache/clear/ HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n",
              stand.alice.bearer);
    expect_status(raw_reply_to_head(raw, PATIENCE_MS), 405);
    raw_print(raw, "GET /api/cache/check/ HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n",
              stand.alice.bearer);
    expect_status(raw_reply(raw, PATIENCE_MS), 204);
    raw_print(raw, "GET /nosuch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    expect_body(raw_reply(raw, PATIENCE_MS), 404, "{\"detail\":\"Not found.\"}");
    ck_assert(raw_is_closed(raw, PATIENCE_MS));
    raw_close(&raw);
}
END_TEST

/* The library would answer preflights itself, with `*`. */
START_TEST(options_gives_nothing_away)
{
    const char *headers[] = {"Origin: https://evil.example", "Access-Control-Request-Method: POST",
                             NULL};
    const struct http_reply *reply = http_send(stand.http, "OPTIONS", CLEAR "/", headers, NULL, 0);
    ck_assert_msg(reply->status == 204 || reply->status == 405, "%d", reply->status);
    ck_assert_int_eq(http_header_count(reply, "Access-Control-Allow-Origin"), 0);
    ck_assert_int_eq(http_header_count(reply, "Access-Control-Allow-Methods"), 0);
    reply =
        http_send(stand.http, "GET", "/health", (const char *const[]){headers[0], NULL}, NULL, 0);
    ck_assert_int_eq(http_header_count(reply, "Access-Control-Allow-Origin"), 0);
}
END_TEST

START_TEST(request_ids_are_clean)
{
    const struct http_reply *reply = http_get(stand.http, "/health/live", NULL);
    char first[128];
    snprintf(first, sizeof first, "%s", http_header(reply, "X-Request-Id"));
    ck_assert_uint_ge(strlen(first), 8);
    reply = http_get(stand.http, "/health/live", NULL);
    ck_assert_str_ne(first, http_header(reply, "X-Request-Id"));
    /* What a client sends in its place may be taken or not; it must never carry anything else along. */
    const char *headers[] = {"X-Request-Id: abc\x80 def\"<x>", NULL};
    reply = http_send(stand.http, "GET", "/health/live", headers, NULL, 0);
    expect_status(reply, 200);
    const char *id = http_header(reply, "X-Request-Id");
    ck_assert_msg(strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
                      strlen(id),
                  "%s", id);
}
END_TEST

/* Whatever can be got, can be asked about. */
START_TEST(every_get_answers_head)
{
    struct cw_result result;
    const char *at;
    int count = 0;

    stand_cli(&stand, NULL, (const char *const[]){"routes", "--json", NULL}, &result);
    ck_assert_int_eq(result.status, 0);
    for (at = result.out; (at = strstr(at, "\"method\":\"GET\",\"path\":\"")) != NULL; count++) {
        char path[128], type[128];
        at += strlen("\"method\":\"GET\",\"path\":\"");
        snprintf(path, sizeof path, "%.*s", (int)strcspn(at, "\""), at);
        char *open = strchr(path, '{');
        if (open) /* what may be there or not */
            snprintf(open, sizeof path - (size_t)(open - path), "x");
        const struct http_reply *reply = http_get(stand.http, path, stand.root.bearer);
        int status = reply->status;
        snprintf(type, sizeof type, "%s",
                 http_header(reply, "Content-Type") ? http_header(reply, "Content-Type") : "none");
        reply = http_call(stand.http, "HEAD", path, stand.root.bearer);
        ck_assert_msg(reply->status == status && reply->body_size == 0, "%s: %d, not %d", path,
                      reply->status, status);
        ck_assert_msg(strcmp(type, "none") == 0 ||
                          strcmp(http_header(reply, "Content-Type"), type) == 0,
                      "%s: %s", path, reply->head);
    }
    ck_assert_int_ge(count, 12);
    cw_result_fini(&result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paths and methods");
    TCase *shared = tcase_create("all");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, near_misses_are_not_found);
    tcase_add_test(shared, not_found_says_so);
    tcase_add_test(shared, wrong_methods_are_told_the_right_ones);
    tcase_add_test(shared, odd_methods_are_refused);
    tcase_add_test(shared, no_header_changes_the_method);
    tcase_add_test(shared, no_header_changes_the_path);
    tcase_add_test(shared, head_has_no_body);
    tcase_add_test(shared, options_gives_nothing_away);
    tcase_add_test(shared, request_ids_are_clean);
    tcase_add_test(shared, every_get_answers_head);
    suite_add_tcase(suite, shared);
    return suite_run(suite);
}
