/* What the gateway passes on, both ways, and what it does not. */
#include "gateway_case.h"

#include "cachewarden/clock.h"

static void open_stand(void)
{
    static const char routes[] =
        "{ prefix = \"/open\"; scope = \"public\"; timeout_ms = 600000; UPSTREAM },\n"
        "{ prefix = \"/mine\"; UPSTREAM },\n"
        "{ prefix = \"/bare\"; scope = \"public\"; strip_prefix = true; pass_credentials = "
        "false; UPSTREAM },\n"
        "{ prefix = \"/one\"; scope = \"public\"; max_connections = 1; UPSTREAM },\n"
        "{ prefix = \"/hasty\"; scope = \"public\"; timeout_ms = 1000; UPSTREAM },\n"
        "{ prefix = \"/dead\"; scope = \"public\"; upstream = \"unix:/nonexistent/app\"; },\n"
        "{ prefix = \"/\"; scope = \"public\"; UPSTREAM }";

    gateway_stand_open(routes, "server: { max_body = 1000; };");
}

static const struct http_reply *send_raw(struct raw *raw, const char *text)
{
    raw_print(raw, "%s", text);
    return raw_reply(raw, PATIENCE_MS);
}

/* ---- answers ---- */

START_TEST(an_answer_comes_as_the_origin_said_it)
{
    ORIGIN_SAY(origin, "HTTP/1.1 226 Whatever\r\nContent-Length: 3\r\nX-Thing: 1\r\nX-Thing: 2\r\n"
                       "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nETag: W/\"x\"\r\n"
                       "Cache-Control: private\r\nContent-Type: text/html\r\n"
                       "Content-Encoding: gzip\r\nAccess-Control-Allow-Origin: *\r\n"
                       "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: app\r\n\r\nabc");
    const struct http_reply *reply = http_get(stand.http, "/open/x", NULL);
    expect_body(reply, 226, "abc");
    expect_header(reply, "Content-Length", "3");
    ck_assert_int_eq(http_header_count(reply, "X-Thing"), 2);
    ck_assert_int_eq(http_header_count(reply, "Set-Cookie"), 2);
    expect_header(reply, "ETag", "W/\"x\"");
    expect_header(reply, "Cache-Control", "private");
    expect_header(reply, "Content-Type", "text/html");
    expect_header(reply, "Content-Encoding", "gzip");
    expect_header(reply, "Access-Control-Allow-Origin", "*");
    expect_header(reply, "Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    expect_header(reply, "Server", "app");
    /* Nothing of ours that says what the page may do. */
    expect_header(reply, "Content-Security-Policy", NULL);
    expect_header(reply, "X-Content-Type-Options", NULL);
}
END_TEST

START_TEST(what_is_for_us_or_for_one_connection_stays_here)
{
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nConnection: X-Drop, keep-alive\r\nX-Drop: 1\r\n"
                       "Keep-Alive: timeout=5\r\nCache-Tag: a,b\r\nSurrogate-Key: c\r\n"
                       "X-Cache-Version: 99\r\nX-Request-Id: theirs\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n");
    const struct http_reply *reply = http_get(stand.http, "/open/x", NULL);
    expect_body(reply, 200, "abc");
    expect_header(reply, "X-Drop", NULL);
    expect_header(reply, "Keep-Alive", NULL);
    expect_header(reply, "Cache-Tag", NULL);
    expect_header(reply, "Surrogate-Key", NULL);
    expect_header(reply, "X-Cache-Version", NULL);
    expect_header(reply, "X-Trailer", NULL);
    ck_assert_int_eq(http_header_count(reply, "X-Request-Id"), 1);
    ck_assert_str_ne(http_header(reply, "X-Request-Id"), "theirs");
}
END_TEST

START_TEST(answers_without_a_body)
{
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n");
    const struct http_reply *reply = http_call(stand.http, "HEAD", "/open/x", NULL);
    expect_body(reply, 200, "");
    expect_header(reply, "Content-Length", "12345");
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    reply = http_call(stand.http, "HEAD", "/open/x", NULL);
    expect_body(reply, 200, "");
    expect_header(reply, "Content-Length", NULL);
    ORIGIN_SAY(origin, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
    reply = http_get(stand.http, "/open/x", "If-None-Match: \"a\"");
    expect_body(reply, 304, "");
    expect_header(reply, "ETag", "\"a\"");
    ORIGIN_SAY(origin, "HTTP/1.1 204 No Content\r\n\r\n");
    expect_body(http_call(stand.http, "DELETE", "/open/x", NULL), 204, "");
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect_body(http_get(stand.http, "/open/x", NULL), 200, "");
    /* The connection is in step still. */
    expect_body(http_get(stand.http, "/open/x", NULL), 200, "hello");
}
END_TEST

/* Before the answer, without what is for one connection; to a client that knows such. */
START_TEST(interim_answers_go_on)
{
    struct raw *raw = raw_open(stand.server.port);
    const char *answer = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X-Drop\r\n"
                         "X-Drop: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    ORIGIN_SAY(origin, answer);
    const struct http_reply *reply =
        send_raw(raw, "GET /open/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_status(reply, 103);
    expect_header(reply, "Link", "</a.css>");
    expect_header(reply, "X-Drop", NULL);
    reply = raw_reply(raw, PATIENCE_MS);
    expect_body(reply, 200, "ok");
    expect_header(reply, "Link", NULL);
    /* The connection is in step still. */
    expect_body(send_raw(raw, "GET /open/x HTTP/1.1\r\nHost: localhost\r\n\r\n"), 200, "hello");
    raw_close(&raw);
}
END_TEST

START_TEST(a_redirect_is_the_clients_to_follow)
{
    ORIGIN_SAY(origin, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n"
                       "Content-Length: 0\r\n\r\n");
    const struct http_reply *reply = http_get(stand.http, "/open/x", NULL);
    expect_status(reply, 302);
    expect_header(reply, "Location", "http://169.254.169.254/");
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

/* ---- requests ---- */

START_TEST(a_request_goes_on_as_it_came)
{
    http_send(stand.http, "PROPFIND", "/open/a//%41?b=%2F&&c",
              (const char *const[]){"X-Thing: 1", "Accept: a/b", "Cookie: a=b",
                                    "Authorization: Basic eDp5", NULL},
              NULL, 0);
    const char *head = head_at(0);
    ck_assert_msg(strncmp(head, "PROPFIND /open/a//%41?b=%2F&&c HTTP/1.1\r\n", 40) == 0, "%s",
                  head);
    expect_line(head, "X-Thing: 1");
    expect_line(head, "Accept: a/b");
    expect_line(head, "Cookie: a=b");
    expect_line(head, "Authorization: Basic eDp5");
    expect_line(head, "Via: 1.1 cachewarden");
    expect_line(head, "X-Forwarded-For: 127.0.0.1");
    expect_line(head, "X-Forwarded-Proto: http");
    expect_no_text(head, "X-User-Id");
}
END_TEST

/* No key of a cache holds these, and they would tell the origin something untrue. */
START_TEST(what_nobody_verified_goes_no_further)
{
    http_send(stand.http, "GET", "/open/x",
              (const char *const[]){"X-User-Id: 666", "X_User_Id: 666", "X-Forwarded-Host: evil",
                                    "X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6",
                                    "X-Original-URL: /evil", "X-HTTP-Method-Override: DELETE",
                                    NULL},
              NULL, 0);
    expect_no_text(head_at(0), "666");
    expect_no_text(head_at(0), "evil");
    expect_no_text(head_at(0), "6.6.6.6");
    expect_no_text(head_at(0), "DELETE");
}
END_TEST

START_TEST(a_route_of_users_takes_nobody_else)
{
    expect_answer(http_get(stand.http, "/mine/x", NULL), 401, SAYS_401);
    expect_status(http_get(stand.http, "/mine/x", "Authorization: Bearer nonsense"), 401);
    char line[128];
    expect_status(http_send(stand.http, "GET", "/mine/x",
                            (const char *const[]){stand.alice.bearer, "X-User-Id: 666", NULL}, NULL,
                            0),
                  200);
    const char *head = head_at(0); /* the first that came */
    snprintf(line, sizeof line, "X-User-Id: %lld", (long long)stand.alice.id);
    expect_line(head, line);
    expect_no_text(head, "666");
    snprintf(line, sizeof line, "X-User-Name: %s", stand.alice.name);
    expect_line(head, line);
    expect_line(head, stand.alice.bearer);
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

START_TEST(credentials_stay_here_where_the_route_says_so)
{
    http_send(stand.http, "GET", "/bare/a/b?c",
              (const char *const[]){"Authorization: Basic eDp5", "Cookie: a=b", "X-Thing: 1", NULL},
              NULL, 0);
    const char *head = head_at(0);
    ck_assert_msg(strncmp(head, "GET /a/b?c HTTP/1.1\r\n", 21) == 0, "%s", head);
    expect_no_text(head, "eDp5");
    expect_no_text(head, "Cookie");
    expect_line(head, "X-Thing: 1");
}
END_TEST

/* A browser asks for a page of another origin without any credential. */
START_TEST(a_preflight_is_the_origins_to_answer)
{
    ORIGIN_SAY(origin, "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: https://a\r\n\r\n");
    const struct http_reply *reply =
        http_send(stand.http, "OPTIONS", "/mine/x",
                  (const char *const[]){"Origin: https://a", "Access-Control-Request-Method: PUT",
                                        "X-User-Id: 666", NULL},
                  NULL, 0);
    expect_status(reply, 204);
    expect_header(reply, "Access-Control-Allow-Origin", "https://a");
    expect_no_text(head_at(0), "X-User-Id");
    expect_status(http_call(stand.http, "OPTIONS", "/mine/x", NULL), 401);
}
END_TEST

START_TEST(own_paths_win)
{
    expect_status(http_get(stand.http, "/health", NULL), 200);
    expect_answer(http_get(stand.http, "/api/cache/status/", NULL), 401, SAYS_401);
    expect_status(http_get(stand.http, "/auth/login", NULL), 405);
    ck_assert_uint_eq(scripted_origin_count(origin), 0);
    expect_body(http_get(stand.http, "/api/cache/other", NULL), 200, "hello");
    expect_body(http_get(stand.http, "/", NULL), 200, "hello");
}
END_TEST

/* ---- bodies of requests ---- */

/* As it was sent: larger than server.max_body, and in a coding that our own routes do not take. */
START_TEST(a_body_is_not_looked_at)
{
    enum { SIZE = 300000 };
    static char body[SIZE];

    memset(body, 'x', sizeof body);
    expect_status(
        http_send(stand.http, "POST", "/open/x",
                  (const char *const[]){"Content-Encoding: gzip", "Content-Type: a/b", NULL}, body,
                  sizeof body),
        200);
    const struct origin_request *request = scripted_origin_request(origin, 0);
    ck_assert_int_eq(request->body_size, SIZE);
    expect_line(request->head, "Content-Length: 300000");
    expect_line(request->head, "Content-Encoding: gzip");
    expect_line(request->head, "Content-Type: a/b");
    expect_no_text(request->head, "Expect");
}
END_TEST

START_TEST(a_chunked_body_goes_on)
{
    struct raw *raw = raw_open(stand.server.port);
    expect_status(send_raw(raw, "POST /open/x HTTP/1.1\r\nHost: localhost\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n"
                                "0\r\nX-Trailer: 1\r\n\r\n"),
                  200);
    const struct origin_request *request = scripted_origin_request(origin, 0);
    ck_assert_str_eq(request->body, "abcdefg");
    expect_line(request->head, "Transfer-Encoding: chunked");
    raw_close(&raw);
}
END_TEST

START_TEST(an_empty_body_is_announced_as_one)
{
    expect_status(http_post(stand.http, "/open/x", NULL), 200);
    expect_line(head_at(0), "Content-Length: 0");
    expect_status(http_call(stand.http, "DELETE", "/open/x", NULL), 200);
    expect_no_text(head_at(1), "Content-Length");
}
END_TEST

START_TEST(an_answer_that_comes_before_the_body_was_read_is_whole)
{
    enum { SIZE = 3000000 };
    char *body = calloc(1, SIZE);

    scripted_origin_say(origin, &(struct origin_answer){
                                    .bytes = "HTTP/1.1 413 Content Too Large\r\n"
                                             "Content-Length: 4\r\nConnection: close\r\n\r\nmuch",
                                    .skips_body = true,
                                    .then = ORIGIN_CLOSES});
    expect_body(http_send(stand.http, "POST", "/open/x", NULL, body, SIZE), 413, "much");
    free(body);
}
END_TEST

/* ---- what is not passed on ---- */

static void expect_refused(const char *request, int status)
{
    struct raw *raw = raw_open(stand.server.port);
    expect_status(send_raw(raw, request), status);
    raw_close(&raw);
    ck_assert_msg(scripted_origin_count(origin) == 0, "the origin was sent\n%s", head_at(0));
}

START_TEST(what_two_readers_could_read_in_two_ways_is_refused)
{
#define HEAD "POST /open/x HTTP/1.1\r\nHost: localhost\r\n"
    expect_refused(HEAD "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    expect_refused(HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400);
    expect_refused(HEAD "Transfer-Encoding: xchunked\r\n\r\n", 400);
    expect_refused(HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", 400);
    expect_refused(HEAD "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400);
    expect_refused(HEAD "Content-Length: +4\r\n\r\nabcd", 400);
    expect_refused(HEAD "Connection: Authorization\r\nContent-Length: 0\r\n\r\n", 400);
    expect_refused("GET /open/x HTTP/1.1\r\nHost: localhost\r\nX: a\nY: b\r\n\r\n", 400);
    expect_refused("GET /open/x HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n", 400);
    expect_refused("GET http://evil/open/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 421);
    expect_refused("CONNECT /open/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 501);
#undef HEAD
}
END_TEST

START_TEST(a_path_that_may_lead_elsewhere_is_refused)
{
    static const char *const paths[] = {"/open/../mine/x", "/open/%2e%2e/mine", "/open/..%2fmine",
                                        "/open/..;/mine", "/open/a%00b"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        expect_status(http_get(stand.http, paths[i], NULL), 400);
    ck_assert_uint_eq(scripted_origin_count(origin), 0);
}
END_TEST

START_TEST(another_protocol_is_not_spoken)
{
#define GET "GET /open/x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    expect_refused(GET "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                   501);
    expect_refused("TRACE /open/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 501);
    /* It may be left out, and those who offer it go on without. */
    struct raw *raw = raw_open(stand.server.port);
    expect_status(send_raw(raw, GET "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"), 200);
    expect_no_text(head_at(0), "h2c");
    raw_close(&raw);
#undef GET
}
END_TEST

/* ---- upstreams that fail ---- */

static void expect_failure(const char *path, int status)
{
    const struct http_reply *reply = http_get(stand.http, path, NULL);

    expect_status(reply, status);
    expect_header(reply, "Content-Type", "application/json");
    expect_header(reply, "Cache-Control", "no-store");
    ck_assert_msg(strncmp(reply->body, "{\"detail\":\"", 11) == 0, "%s", reply->body);
}

START_TEST(an_upstream_that_fails)
{
    expect_failure("/dead/x", 502);
    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_CLOSES});
    expect_status(http_call(stand.http, "POST", "/open/x", NULL), 502);
    scripted_origin_say(
        origin, &(struct origin_answer){.bytes = "nonsense\r\n\r\n", .then = ORIGIN_CLOSES});
    expect_failure("/open/x", 502);
    scripted_origin_say(origin, &(struct origin_answer){.bytes = "HTTP/1.1 200 OK\r\nX-A: b\001\r\n"
                                                                 "Content-Length: 0\r\n\r\n"});
    expect_failure("/open/x", 502);
    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    expect_failure("/hasty/x", 504);
}
END_TEST

START_TEST(an_answer_that_is_cut_short_does_not_look_whole)
{
    scripted_origin_say(origin,
                        &(struct origin_answer){.bytes = OK_WITH("Content-Length: 10\r\n", "abc"),
                                                .then = ORIGIN_CLOSES});
    ck_assert_int_eq(http_get(stand.http, "/open/x", NULL)->status, 0);
    scripted_origin_say(
        origin,
        &(struct origin_answer){.bytes = OK_WITH("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n"),
                                .then = ORIGIN_CLOSES});
    ck_assert_int_eq(http_get(stand.http, "/open/x", NULL)->status, 0);
    expect_body(http_get(stand.http, "/open/x", NULL), 200, "hello");
}
END_TEST

START_TEST(a_route_has_so_many_connections_and_no_more)
{
    scripted_origin_say(
        origin,
        &(struct origin_answer){.bytes = OK_WITH("Content-Length: 2\r\n", "ok"), .is_held = true});
    struct raw *first = raw_open(stand.server.port);
    raw_print(first, "GET /one/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    scripted_origin_wait_count(origin, 1);
    const struct http_reply *reply = http_get(stand.http, "/one/y", NULL);
    expect_status(reply, 503);
    ck_assert_ptr_nonnull(http_header(reply, "Retry-After"));
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
    expect_status(http_get(stand.http, "/open/x", NULL), 200); /* others have their own */
    expect_status(http_get(stand.http, "/health", NULL), 200);
    scripted_origin_release(origin);
    expect_body(raw_reply(first, PATIENCE_MS), 200, "ok");
    raw_close(&first);
    /* The client has the last byte a moment before the connection is free again. */
    int64_t end_ns = clock_deadline_ns(PATIENCE_MS);
    do
        reply = http_get(stand.http, "/one/y", NULL);
    while (reply->status == 503 && clock_mono_ns() < end_ns);
    expect_status(reply, 200);
}
END_TEST

/* ---- bodies that come little by little, and clients that go ---- */

/* The event is written as a head, so that it can be waited for as one. */
START_TEST(an_event_goes_out_when_it_came)
{
#define EVENT "HTTP/1.1 299 data\r\n\r\n"
    scripted_origin_say(
        origin, &(struct origin_answer){.early = OK_WITH("Content-Type: text/event-stream\r\n"
                                                         "Content-Length: 1000\r\n",
                                                         EVENT),
                                        .is_held = true});
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "GET /open/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_status(raw_reply_to_head(raw, PATIENCE_MS), 200);
    expect_status(raw_reply(raw, PATIENCE_MS), 299);
    raw_close(&raw);
#undef EVENT
}
END_TEST

START_TEST(who_goes_away_ends_the_request_upstream)
{
    scripted_origin_say(
        origin, &(struct origin_answer){.bytes = OK_WITH("Content-Length: 1073741824\r\n", ""),
                                        .filler_size = 1073741824});
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "GET /open/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    int connection = scripted_origin_request(origin, 0)->connection;
    raw_close(&raw);
    scripted_origin_wait_closed(origin, connection);
}
END_TEST

START_TEST(who_goes_away_is_not_waited_for)
{
    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "GET /open/waits HTTP/1.1\r\nHost: localhost\r\n\r\n");
    int connection = scripted_origin_request(origin, 0)->connection;
    raw_close(&raw);
    scripted_origin_wait_closed(origin, connection);
    cw_server_wait_log(&stand.server, "path=/open/waits route=gateway:/open status=400");
}
END_TEST

/* Behind the head, too: while it is read ahead, to be stored, and while it streams. */
START_TEST(who_goes_away_is_not_waited_for_behind_the_head)
{
    static const struct {
        const char *path, *answer, *logged;
    } cases[] = {
        {"/open/kept", OK_WITH("Cache-Control: max-age=60\r\nContent-Length: 900\r\n", "ab"),
         "path=/open/kept route=gateway:/open status=400"},
        {"/open/streamed", OK_WITH("Content-Length: 9000\r\n", "ab"), " cut=not_taken"},
    };

    for (size_t i = 0; i < 2; i++) {
        scripted_origin_say(
            origin, &(struct origin_answer){.bytes = cases[i].answer, .then = ORIGIN_IS_SILENT});
        struct raw *raw = raw_open(stand.server.port);
        raw_print(raw, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", cases[i].path);
        int connection = scripted_origin_request(origin, i)->connection;
        raw_close(&raw);
        scripted_origin_wait_closed(origin, connection);
        cw_server_wait_log(&stand.server, cases[i].logged);
    }
}
END_TEST

START_TEST(the_log_names_the_route)
{
    expect_status(http_get(stand.http, "/open/logged", NULL), 200);
    cw_server_wait_log(&stand.server, "path=/open/logged route=gateway:/open status=200");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_passing");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, open_stand, gateway_stand_close);
    tcase_add_checked_fixture(all, origin_open, origin_close);
    tcase_add_test(all, an_answer_comes_as_the_origin_said_it);
    tcase_add_test(all, what_is_for_us_or_for_one_connection_stays_here);
    tcase_add_test(all, answers_without_a_body);
    tcase_add_test(all, interim_answers_go_on);
    tcase_add_test(all, a_redirect_is_the_clients_to_follow);
    tcase_add_test(all, a_request_goes_on_as_it_came);
    tcase_add_test(all, what_nobody_verified_goes_no_further);
    tcase_add_test(all, a_route_of_users_takes_nobody_else);
    tcase_add_test(all, credentials_stay_here_where_the_route_says_so);
    tcase_add_test(all, a_preflight_is_the_origins_to_answer);
    tcase_add_test(all, own_paths_win);
    tcase_add_test(all, a_body_is_not_looked_at);
    tcase_add_test(all, a_chunked_body_goes_on);
    tcase_add_test(all, an_empty_body_is_announced_as_one);
    tcase_add_test(all, an_answer_that_comes_before_the_body_was_read_is_whole);
    tcase_add_test(all, what_two_readers_could_read_in_two_ways_is_refused);
    tcase_add_test(all, a_path_that_may_lead_elsewhere_is_refused);
    tcase_add_test(all, another_protocol_is_not_spoken);
    tcase_add_test(all, an_upstream_that_fails);
    tcase_add_test(all, an_answer_that_is_cut_short_does_not_look_whole);
    tcase_add_test(all, a_route_has_so_many_connections_and_no_more);
    tcase_add_test(all, an_event_goes_out_when_it_came);
    tcase_add_test(all, who_goes_away_ends_the_request_upstream);
    tcase_add_test(all, who_goes_away_is_not_waited_for);
    tcase_add_test(all, who_goes_away_is_not_waited_for_behind_the_head);
    tcase_add_test(all, the_log_names_the_route);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
