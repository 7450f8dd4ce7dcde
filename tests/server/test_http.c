/* The edge from outside: answers, bodies, limits, deadlines, proxies. Framing, fairness and draining
 * have files of their own. */
#include "edge.h"
#include "expect.h"
#include "http_client.h"

#include "suite.h"

#include "cachewarden/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOON_MS = 5000 };

#define H "Host: a\r\n"

static struct raw *raw;

static void open_edge(void)
{
    struct http_options options = edge_options();

    edge_open(&options);
    raw = raw_open(edge_port());
}

static void close_edge(void)
{
    raw_close(&raw);
    edge_close();
}

/* Another server than the fixture's. */
static void reopen_edge(const struct http_options *options)
{
    close_edge();
    edge_open(options);
    raw = raw_open(edge_port());
}

static const struct http_reply *reply(void)
{
    const struct http_reply *got = raw_reply(raw, SOON_MS);

    ck_assert_msg(got != NULL, "the connection was closed without an answer");
    return got;
}

static void expect_closed(void)
{
    ck_assert_msg(raw_is_closed(raw, SOON_MS), "the connection was kept");
}

/* The connection is still good for a request. */
static void expect_kept(void)
{
    raw_print(raw, "GET /plain HTTP/1.1\r\n" H "\r\n");
    expect_body(reply(), 200, "{\"plain\":true}");
}

/* A bare socket; receive_room in bytes, 0: the system's default. */
static int connect_to_edge(int receive_room)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)edge_port()),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (receive_room > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_room, sizeof receive_room);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

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

/* ---- bodies ---- */

START_TEST(bodies_come_in_both_codings)
{
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello");
    expect_body(reply(), 200, "hello");
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H
                   "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n, worlds!!\r\n0\r\n\r\n");
    expect_body(reply(), 200, "hello, worlds!!");
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    expect_body(reply(), 200, "");
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "\r\n");
    expect_body(reply(), 200, "");
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n");
    expect_body(reply(), 200, "");
    raw_print(raw, "GET /plain HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nfat");
    expect_body(reply(), 200, "{\"plain\":true}");
    expect_kept();
}
END_TEST

START_TEST(a_body_may_come_in_pieces)
{
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Content-Len");
    raw_print(raw, "gth: 10\r\n\r\n01234");
    raw_print(raw, "56789");
    expect_body(reply(), 200, "0123456789");
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1");
    raw_print(raw, "0\r\n0123456789");
    raw_print(raw, "abcdef\r\n0\r");
    raw_print(raw, "\n\r\n");
    expect_body(reply(), 200, "0123456789abcdef");
    expect_kept();
}
END_TEST

/* Sends a body of `size` bytes to /echo, in chunks of `chunk` (0: announced). */
static void send_body(const char *path, size_t size, size_t chunk)
{
    char *bytes = malloc(size + 1);

    ck_assert_ptr_nonnull(bytes);
    memset(bytes, 'b', size);
    if (chunk == 0) {
        raw_print(raw, "POST %s HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n", path, size);
        raw_send(raw, bytes, size);
    } else {
        raw_print(raw, "POST %s HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", path);
        for (size_t sent = 0; sent < size; sent += chunk) {
            size_t part = size - sent < chunk ? size - sent : chunk;
            raw_print(raw, "%zx\r\n", part);
            raw_send(raw, bytes, part);
            raw_print(raw, "\r\n");
        }
        raw_print(raw, "0\r\n\r\n");
    }
    free(bytes);
}

START_TEST(a_body_up_to_the_limit_is_taken)
{
    static const size_t sizes[] = {4095, 4096, 4097, 65535, 65536};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        send_body("/echo", sizes[i], 0);
        ck_assert_uint_eq(reply()->body_size, sizes[i]);
        send_body("/echo", sizes[i], 1000);
        ck_assert_uint_eq(reply()->body_size, sizes[i]);
    }
    send_body("/small", 16, 0);
    ck_assert_uint_eq(reply()->body_size, 16);
    send_body("/small", 16, 3);
    ck_assert_uint_eq(reply()->body_size, 16);
    expect_kept();
}
END_TEST

START_TEST(one_byte_more_is_413)
{
    static const struct {
        const char *path;
        size_t size, chunk;
    } rows[] = {{"/echo", 65537, 0},
                {"/echo", 65537, 1000},
                {"/echo", 65537, 65537},
                {"/small", 17, 0},
                {"/small", 17, 1}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        raw_close(&raw);
        raw = raw_open(edge_port());
        send_body(rows[i].path, rows[i].size, rows[i].chunk);
        const struct http_reply *got = reply();
        expect_body(got, 413, "{\"detail\":\"Request body is too large.\"}");
        expect_header(got, "Connection", "close");
        expect_closed();
    }
    ck_assert_int_eq(edge_calls(), 0);
}
END_TEST

START_TEST(an_announced_giant_is_refused_before_it_comes)
{
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Content-Length: 9223372036854775807\r\n\r\n");
    expect_status(reply(), 413);
    expect_closed();
}
END_TEST

START_TEST(a_client_that_keeps_sending_still_gets_its_413)
{
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Content-Length: 600000\r\n\r\n");
    for (int i = 0; i < 600; i++)
        raw_print(raw, "%01000d", i);
    expect_status(reply(), 413);
}
END_TEST

START_TEST(a_waiting_client_is_told_to_continue)
{
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    expect_status(reply(), 100);
    raw_print(raw, "hello");
    expect_body(reply(), 200, "hello");
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H
                   "Transfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n");
    expect_status(reply(), 100);
    raw_print(raw, "2\r\nhi\r\n0\r\n\r\n");
    expect_body(reply(), 200, "hi");
    raw_print(raw,
              "GET /plain HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n"); /* nothing to wait for */
    expect_body(reply(), 200, "{\"plain\":true}");
    expect_kept();
}
END_TEST

START_TEST(a_waiting_client_is_refused_at_once)
{
    static const struct {
        const char *head;
        int status;
    } rows[] = {
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 70000\r\nExpect: 100-continue\r\n\r\n", 413},
        {"POST /nowhere HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 404},
        {"PUT /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 405},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 42-whatever\r\n\r\n", 417},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        raw_close(&raw);
        raw = raw_open(edge_port());
        raw_print(raw, "%s", rows[i].head);
        expect_status(reply(), rows[i].status);
        expect_closed(); /* the body may come or not: only closing is unambiguous */
    }
    ck_assert_int_eq(edge_calls(), 0);
}
END_TEST

START_TEST(a_small_body_nobody_wanted_does_not_cost_the_connection)
{
    send_body("/nowhere", 5, 0);
    expect_status(reply(), 404);
    send_body("/nowhere", 65536, 0);
    expect_status(reply(), 404);
    send_body("/plain", 5, 0);
    expect_status(reply(), 405);
    expect_kept();
    send_body("/nowhere", 65537, 0);
    const struct http_reply *got = reply();
    expect_status(got, 404);
    expect_header(got, "Connection", "close");
    expect_closed();
}
END_TEST

START_TEST(a_body_cut_short_is_never_dispatched)
{
    static const char *const requests[] = {
        "POST /echo HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nhello",
        "POST /ignored HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    };

    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        raw_close(&raw);
        raw = raw_open(edge_port());
        raw_print(raw, "%s", requests[i]);
        raw_finish(raw);
        expect_body(reply(), 400,
                    "{\"detail\":\"The request body is cut short or its chunks are broken.\"}");
        expect_closed();
    }
    ck_assert_int_eq(edge_calls(), 0);
}
END_TEST

/* ---- deadlines ---- */

/* Sends one byte every 20 ms until an answer comes. */
static const struct http_reply *drip(const char *head, char byte)
{
    const struct http_reply *got = NULL;
    int64_t deadline_ns = clock_deadline_ns(SOON_MS);

    raw_print(raw, "%s", head);
    do {
        raw_send(raw, &byte, 1);
        got = raw_reply(raw, 20);
        ck_assert_msg(clock_mono_ns() < deadline_ns, "the dripping was never cut");
    } while (got && got->status == 0);
    return got;
}

START_TEST(a_dripping_body_has_a_deadline)
{
    struct http_options options = edge_options();

    options.body_timeout_ms = 300;
    reopen_edge(&options);
    int64_t start_ns = clock_mono_ns();
    expect_status(drip("POST /echo HTTP/1.1\r\n" H "Content-Length: 50000\r\n\r\n", 'x'), 408);
    ck_assert_int_ge(clock_mono_ns() - start_ns, 300 * NS_PER_MS);
    expect_closed();

    raw_close(&raw);
    raw = raw_open(edge_port());
    expect_status(
        drip("POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nFFFF\r\n", 'x'), 408);
    expect_closed();
    ck_assert_int_eq(edge_calls(), 0);
}
END_TEST

START_TEST(a_body_that_never_comes_has_a_deadline)
{
    struct http_options options = edge_options();

    options.body_timeout_ms = 200;
    reopen_edge(&options);
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n");
    expect_body(reply(), 408, "{\"detail\":\"The request body did not arrive in time.\"}");
    expect_closed();
    ck_assert_int_eq(edge_calls(), 0);
}
END_TEST

START_TEST(a_dripping_head_has_a_deadline)
{
    struct http_options options = edge_options();

    options.header_timeout_ms = 300;
    reopen_edge(&options);
    const struct http_reply *got = drip("GET /plain HTTP/1.1\r\n" H "X-Drip: ", 'x');
    expect_body(got, 408, "{\"detail\":\"The request head did not arrive in time.\"}");
    expect_header(got, "Connection", "close");
    ck_assert_ptr_nonnull(http_header(got, "X-Request-Id"));
    expect_closed();
}
END_TEST

START_TEST(a_silent_client_is_closed)
{
    struct http_options options = edge_options();

    options.header_timeout_ms = 200;
    options.keep_alive_timeout_ms = 200;
    reopen_edge(&options);
    expect_closed(); /* without a word: there is no request to answer */

    raw_close(&raw);
    raw = raw_open(edge_port());
    expect_kept();
    expect_closed();
}
END_TEST

static bool is_answered(void *arg)
{
    struct http_stats stats;

    (void)arg;
    http_stats_read(edge_http(), &stats);
    return stats.requests > 0 && stats.requests_under_way == 0;
}

START_TEST(a_slow_reader_does_not_hold_its_worker)
{
    static const char request[] = "GET /big HTTP/1.1\r\n" H "\r\n";
    struct http_options options = edge_options();

    options.threads = 1;
    options.header_timeout_ms = 60000;
    options.body_timeout_ms = 300;
    reopen_edge(&options);
    raw_close(&raw);
    int fd = connect_to_edge(4096); /* next to no room: the answer cannot leave the server */
    ck_assert_int_eq(send(fd, request, sizeof request - 1, 0), (ssize_t)sizeof request - 1);
    edge_wait(is_answered, NULL, "the worker to give up the reader that does not read");
    raw = raw_open(edge_port());
    expect_kept();
    close(fd);
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
    tcase_add_test(tcase, a_big_answer_arrives_whole);
    tcase_add_test(tcase, bodies_come_in_both_codings);
    tcase_add_test(tcase, a_body_may_come_in_pieces);
    tcase_add_test(tcase, a_body_up_to_the_limit_is_taken);
    tcase_add_test(tcase, one_byte_more_is_413);
    tcase_add_test(tcase, an_announced_giant_is_refused_before_it_comes);
    tcase_add_test(tcase, a_client_that_keeps_sending_still_gets_its_413);
    tcase_add_test(tcase, a_waiting_client_is_told_to_continue);
    tcase_add_test(tcase, a_waiting_client_is_refused_at_once);
    tcase_add_test(tcase, a_small_body_nobody_wanted_does_not_cost_the_connection);
    tcase_add_test(tcase, a_body_cut_short_is_never_dispatched);
    tcase_add_test(tcase, a_dripping_body_has_a_deadline);
    tcase_add_test(tcase, a_body_that_never_comes_has_a_deadline);
    tcase_add_test(tcase, a_dripping_head_has_a_deadline);
    tcase_add_test(tcase, a_silent_client_is_closed);
    tcase_add_test(tcase, a_slow_reader_does_not_hold_its_worker);
    tcase_add_test(tcase, strangers_are_not_believed);
    tcase_add_test(tcase, trusted_proxies_are);
    tcase_add_test(tcase, cors_is_for_listed_origins);
    tcase_add_test(tcase, foreign_hosts_are_misdirected);
    tcase_add_test(tcase, counters_count);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
