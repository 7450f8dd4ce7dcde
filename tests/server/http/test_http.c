/* The edge from outside: answers, proxies, origins, counters. Bodies and deadlines, framing, fairness
 * and draining have files of their own. */
#include "http_case.h"
#include "log_capture.h"

#include "cachewarden/log.h"

#include <stdio.h>

/* ---- answers ---- */

START_TEST(an_answer_has_all_its_fields)
{
    raw_print(raw, "GET /status/ HTTP/1.1\r\n" H "\r\n");
    const struct http_reply *got = reply();
    expect_answer(got, 200, "{\"enabled\":true}");
    expect_header(got, "X-Cache-Version", "5");
    expect_header(got, "X-Cache-Enabled", "true");
    expect_header(got, "Connection", "keep-alive");
    expect_header(got, "X-User-Id", NULL);
    expect_header(got, "Server", NULL);
    ck_assert_msg(strncmp(got->head, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", got->head);

    const char *id = http_header(got, "X-Request-Id");
    ck_assert_uint_eq(strlen(id), 16);
    ck_assert_uint_eq(strspn(id, "0123456789abcdef"), 16);
    expect_kept();
}
END_TEST

START_TEST(every_request_has_an_id_of_its_own)
{
    char ids[100][17];

    for (int i = 0; i < 100; i++) {
        raw_print(raw, "GET /plain HTTP/1.1\r\n" H "\r\n");
        snprintf(ids[i], sizeof ids[i], "%s", http_header(reply(), "X-Request-Id"));
        for (int before = 0; before < i; before++)
            ck_assert_str_ne(ids[i], ids[before]);
    }
}
END_TEST

START_TEST(head_sends_no_body)
{
    raw_print(raw, "HEAD /status/ HTTP/1.1\r\n" H "\r\n");
    const struct http_reply *got = raw_reply_to_head(raw, SOON_MS);
    expect_status(got, 200);
    expect_header(got, "Content-Length", "16");
    ck_assert_int_eq(edge_calls(), 1); /* it is run, so that its headers are true */
    raw_print(raw, "HEAD /nowhere HTTP/1.1\r\n" H "\r\n");
    expect_status(raw_reply_to_head(raw, SOON_MS), 404);
    expect_kept();
}
END_TEST

START_TEST(paths_and_methods_that_are_not_there)
{
    static const struct {
        const char *line;
        int status;
        const char *allow, *body;
    } rows[] = {
        {"GET /nowhere", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET /status//", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET //status/", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET /x/../status/", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET /./status/", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET /stat%75s/", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET /status%00", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET /status/%0d%0a", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET /status;x", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET /Status/", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET /status\\", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"GET /.htpasswd", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"BREW /nowhere", 404, NULL, "{\"detail\":\"Not found.\"}"},
        {"POST /status/", 405, "GET, HEAD, OPTIONS",
         "{\"detail\":\"Method \\\"POST\\\" not allowed.\"}"},
        {"TRACE /status/", 405, "GET, HEAD, OPTIONS",
         "{\"detail\":\"Method \\\"TRACE\\\" not allowed.\"}"},
        {"get /status/", 405, "GET, HEAD, OPTIONS",
         "{\"detail\":\"Method \\\"get\\\" not allowed.\"}"},
        {"PROPFIND /echo", 405, "OPTIONS, POST",
         "{\"detail\":\"Method \\\"PROPFIND\\\" not allowed.\"}"},
        {"OPTIONS /status/", 204, "GET, HEAD, OPTIONS", ""},
        {"OPTIONS *", 204, "GET, HEAD, OPTIONS, POST", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        raw_print(raw, "%s HTTP/1.1\r\n" H "\r\n", rows[i].line);
        const struct http_reply *got = reply();
        expect_body(got, rows[i].status, rows[i].body);
        expect_header(got, "Allow", rows[i].allow);
    }
    ck_assert_int_eq(edge_calls(), 0);
    expect_kept();
}
END_TEST

START_TEST(a_method_override_is_ignored)
{
    raw_print(raw, "GET /echo HTTP/1.1\r\n" H
                   "X-HTTP-Method-Override: POST\r\nX-Original-URL: /plain\r\n\r\n");
    expect_status(reply(), 405);
    ck_assert_int_eq(edge_calls(), 0);
}
END_TEST

START_TEST(an_upgrade_is_ignored)
{
    raw_print(
        raw, "GET /plain HTTP/1.1\r\n" H "Connection: Upgrade, keep-alive\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    expect_body(reply(), 200, "{\"plain\":true}");
    raw_print(raw, "GET /plain HTTP/1.1\r\n" H
                   "Connection: Upgrade, HTTP2-Settings, keep-alive\r\nUpgrade: h2c\r\n"
                   "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
    expect_body(reply(), 200, "{\"plain\":true}");
    expect_kept();
}
END_TEST

START_TEST(our_own_mistake_is_a_500_without_words)
{
    raw_print(raw, "GET /fail HTTP/1.1\r\n" H "\r\n");
    expect_body(reply(), 500, "{\"detail\":\"Internal server error.\"}");
    expect_kept();
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\none"
                   "GET /plain HTTP/1.1\r\n" H "\r\n"
                   "POST /echo HTTP/1.1\r\n" H
                   "Transfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n"
                   "HEAD /plain HTTP/1.1\r\n" H "\r\n"
                   "GET /nowhere HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
    expect_body(reply(), 200, "one");
    expect_body(reply(), 200, "{\"plain\":true}");
    expect_body(reply(), 200, "three");
    expect_status(raw_reply_to_head(raw, SOON_MS), 200);
    const struct http_reply *last = reply();
    expect_status(last, 404);
    expect_header(last, "Connection", "close");
    expect_closed();
}
END_TEST

START_TEST(http_1_0_closes_unless_asked)
{
    raw_print(raw, "GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const struct http_reply *got = reply();
    expect_body(got, 200, "{\"plain\":true}");
    expect_header(got, "Connection", "keep-alive");
    raw_print(raw, "GET /plain HTTP/1.0\r\n\r\n");
    got = reply();
    expect_body(got, 200, "{\"plain\":true}");
    expect_header(got, "Connection", "close");
    expect_closed();
}
END_TEST

/* A list in several lines is the list of them all, whichever comes first. */
START_TEST(close_counts_in_every_line_of_connection)
{
    raw_print(raw, "GET /plain HTTP/1.1\r\n" H "Connection: TE\r\nTE: trailers\r\n"
                   "connection: keep-alive, close\r\n\r\n");
    const struct http_reply *got = reply();
    expect_body(got, 200, "{\"plain\":true}");
    expect_header(got, "Connection", "close");
    expect_closed();
}
END_TEST

START_TEST(keep_alive_counts_in_every_line_of_connection)
{
    raw_print(raw, "GET /plain HTTP/1.0\r\nConnection: TE\r\nConnection: keep-alive\r\n\r\n");
    const struct http_reply *got = reply();
    expect_body(got, 200, "{\"plain\":true}");
    expect_header(got, "Connection", "keep-alive");
}
END_TEST

/* Not through the raw client, which keeps what it receives and is slow with much of it. */
START_TEST(a_big_answer_arrives_whole)
{
    static const char request[] = "GET /big HTTP/1.1\r\n" H "Connection: close\r\n\r\n";
    static char chunk[65536];
    int fd = connect_to_edge(0);
    ssize_t size;
    size_t total = 0, bodies = 0;

    ck_assert_int_eq(send(fd, request, sizeof request - 1, 0), (ssize_t)sizeof request - 1);
    while ((size = recv(fd, chunk, sizeof chunk, 0)) > 0) {
        total += (size_t)size;
        for (ssize_t i = 0; i < size; i++)
            bodies += chunk[i] == EDGE_BIG_BYTE;
    }
    close(fd);
    ck_assert_uint_ge(bodies, EDGE_BIG_SIZE);
    ck_assert_uint_gt(total, EDGE_BIG_SIZE);
    ck_assert_uint_lt(total, EDGE_BIG_SIZE + 1024);
}
END_TEST

/* ---- proxies and origins ---- */

static struct cidr loopback(void)
{
    struct cidr block = {.bits = 96 + 8};

    memset(block.bytes + 10, 0xff, 2);
    block.bytes[12] = 127;
    return block;
}

static void expect_client(const char *headers, const char *client, const char *id)
{
    raw_print(raw, "GET /client HTTP/1.1\r\n" H "%s\r\n", headers);
    const struct http_reply *got = reply();
    char expected[256];

    snprintf(expected, sizeof expected, "{\"client\":\"%s\",\"id\":\"%s\"}", client,
             id ? id : http_header(got, "X-Request-Id"));
    expect_body(got, 200, expected);
    if (id)
        expect_header(got, "X-Request-Id", id);
    else
        ck_assert_uint_eq(strlen(http_header(got, "X-Request-Id")), 16);
}

START_TEST(strangers_are_not_believed)
{
    expect_client("", "127.0.0.1", NULL);
    expect_client("X-Forwarded-For: 1.2.3.4\r\nX-Request-Id: mine\r\n", "127.0.0.1", NULL);
}
END_TEST

START_TEST(trusted_proxies_are)
{
    const struct cidr proxies[] = {loopback()};
    struct http_options options = edge_options();

    options.trusted_proxies = proxies;
    options.trusted_proxy_count = 1;
    reopen_edge(&options);
    expect_client("", "127.0.0.1", NULL);
    expect_client("X-Forwarded-For: 6.6.6.6, 1.2.3.4, 127.0.0.9\r\nX-Request-Id: a.B_c-9\r\n",
                  "1.2.3.4", "a.B_c-9");
    expect_client("X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7", NULL);
    /* ids that are none */
    expect_client("X-Request-Id: a b\r\n", "127.0.0.1", NULL);
    expect_client("X-Request-Id:\r\n", "127.0.0.1", NULL);
    expect_client("X-Request-Id: a\r\nX-Request-Id: b\r\n", "127.0.0.1", NULL);
    expect_client(
        "X-Request-Id: 01234567890123456789012345678901234567890123456789012345678901234\r\n",
        "127.0.0.1", NULL);
}
END_TEST

START_TEST(cors_is_for_listed_origins)
{
    static const char *const origins[] = {"https://app.example"};
    struct http_options options = edge_options();

    options.cors_origins = origins;
    options.cors_origin_count = 1;
    reopen_edge(&options);
    raw_print(raw, "GET /plain HTTP/1.1\r\n" H "Origin: https://app.example\r\n\r\n");
    const struct http_reply *got = reply();
    expect_header(got, "Access-Control-Allow-Origin", "https://app.example");
    expect_header(got, "Vary", "Origin");
    raw_print(raw, "OPTIONS /echo HTTP/1.1\r\n" H
                   "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
                   "Access-Control-Request-Headers: authorization\r\n\r\n");
    got = reply();
    expect_body(got, 204, "");
    expect_header(got, "Access-Control-Allow-Methods", "OPTIONS, POST");
    raw_print(raw, "OPTIONS /echo HTTP/1.1\r\n" H
                   "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n");
    got = reply();
    expect_body(got, 204, "");
    expect_header(got, "Access-Control-Allow-Origin", NULL);
    expect_header(got, "Access-Control-Allow-Methods", NULL);
    expect_kept();
}
END_TEST

START_TEST(foreign_hosts_are_misdirected)
{
    static const char *const hosts[] = {"cache.example"};
    struct http_options options = edge_options();

    options.allowed_hosts = hosts;
    options.allowed_host_count = 1;
    reopen_edge(&options);
    raw_print(raw, "GET /plain HTTP/1.1\r\nHost: cache.example:8000\r\n\r\n");
    expect_status(reply(), 200);
    raw_print(raw, "GET /plain HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    expect_body(reply(), 421, "{\"detail\":\"This host is not served here.\"}");
    expect_closed();
}
END_TEST

/* ---- counters ---- */

static bool is_quiet(void *arg)
{
    struct http_stats *stats = arg;

    http_stats_read(edge_http(), stats);
    return stats->requests_under_way == 0 && stats->active_connections == 0;
}

START_TEST(counters_count)
{
    struct http_stats stats;

    expect_kept();
    http_stats_read(edge_http(), &stats);
    ck_assert_int_eq(stats.active_connections, 1);
    raw_print(raw,
              "GET /nowhere HTTP/1.1\r\n" H "\r\nGET /fail HTTP/1.1\r\n" H "\r\nnonsense\r\n\r\n");
    expect_status(reply(), 404);
    expect_status(reply(), 500);
    expect_status(reply(), 400);
    raw_close(&raw);
    edge_wait(is_quiet, &stats, "the connection to end");
    ck_assert_uint_eq(stats.requests, 4);
    ck_assert_uint_eq(stats.connections, 1);
    ck_assert_uint_eq(stats.answers_by_class[2], 1);
    ck_assert_uint_eq(stats.answers_by_class[4], 2);
    ck_assert_uint_eq(stats.answers_by_class[5], 1);
}
END_TEST

static bool is_one_cut(void *arg)
{
    struct http_stats *stats = arg;

    http_stats_read(edge_http(), stats);
    return stats->answers_by_class[0] == 1;
}

/* The client has gone while its request was under way: that counts as no answer, not as a good one. */
START_TEST(an_answer_that_did_not_go_out_is_none)
{
    static const char request[] = "GET /gate HTTP/1.1\r\n" H "\r\n";
    const struct linger reset = {.l_onoff = 1};
    struct http_stats stats;
    int fd = connect_to_edge(0);

    ck_assert_int_eq(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    edge_wait_gate(1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_capture_start();
    edge_open_gate();
    edge_wait(is_one_cut, &stats, "the request to end");
    ck_assert_uint_eq(stats.answers_by_class[2], 0);
    edge_close(); /* all lines are written */
    char *log = log_capture_end();
    ck_assert_ptr_nonnull(strstr(log, " cut=client_gone"));
    free(log);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/http");
    TCase *tcase = tcase_create("http");

    tcase_add_checked_fixture(tcase, open_edge, close_edge);
    tcase_add_test(tcase, an_answer_has_all_its_fields);
    tcase_add_test(tcase, every_request_has_an_id_of_its_own);
    tcase_add_test(tcase, head_sends_no_body);
    tcase_add_test(tcase, paths_and_methods_that_are_not_there);
    tcase_add_test(tcase, a_method_override_is_ignored);
    tcase_add_test(tcase, an_upgrade_is_ignored);
    tcase_add_test(tcase, our_own_mistake_is_a_500_without_words);
    tcase_add_test(tcase, pipelined_requests_are_answered_in_order);
    tcase_add_test(tcase, http_1_0_closes_unless_asked);
    tcase_add_test(tcase, close_counts_in_every_line_of_connection);
    tcase_add_test(tcase, keep_alive_counts_in_every_line_of_connection);
    tcase_add_test(tcase, a_big_answer_arrives_whole);
    tcase_add_test(tcase, strangers_are_not_believed);
    tcase_add_test(tcase, trusted_proxies_are);
    tcase_add_test(tcase, cors_is_for_listed_origins);
    tcase_add_test(tcase, foreign_hosts_are_misdirected);
    tcase_add_test(tcase, counters_count);
    tcase_add_test(tcase, an_answer_that_did_not_go_out_is_none);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
