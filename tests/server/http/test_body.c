/* Bodies through the edge, and the deadlines of everything a client can be slow with. */
#include "http_case.h"

#include "cachewarden/clock.h"

#include <stdio.h>
#include <stdlib.h>

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

/* The answer to who looks for it only when all is sent. Of who is refused the server takes in more for a
 * second; a busy machine may need longer to send it, and then tries again. */
static const struct http_reply *send_too_much(const char *path, size_t size, size_t chunk)
{
    const struct http_reply *got;
    int64_t start_ns;

    do {
        raw_close(&raw);
        raw = raw_open(edge_port());
        start_ns = clock_mono_ns();
        send_body(path, size, chunk);
        got = raw_reply(raw, SOON_MS);
    } while ((!got || got->status == 0) && clock_mono_ns() - start_ns >= NS_PER_S);
    ck_assert_msg(got != NULL, "the connection was closed without an answer");
    return got;
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
        const struct http_reply *got = send_too_much(rows[i].path, rows[i].size, rows[i].chunk);
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

/* More than the buffers of both sockets hold, so it is not done before somebody takes it in. */
START_TEST(a_client_that_keeps_sending_still_gets_its_413)
{
    expect_status(send_too_much("/echo", 16 * 1024 * 1024, 0), 413);
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

/* It has come with its head. */
START_TEST(a_small_body_nobody_wanted_does_not_cost_the_connection)
{
    raw_print(raw, "POST /nowhere HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello");
    expect_status(reply(), 404);
    raw_print(raw, "POST /nowhere HTTP/1.1\r\n" H "Content-Length: 8192\r\n\r\n%08192d", 1);
    expect_status(reply(), 404);
    raw_print(raw, "POST /plain HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello");
    expect_status(reply(), 405);
    raw_print(raw, "GET /plain HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello");
    expect_status(reply(), 200);
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

/* Answered without the body that was announced, and closed, so that nothing is read in its place. */
static void expect_answered_and_closed(const char *request, int status)
{
    raw_close(&raw);
    raw = raw_open(edge_port());
    raw_print(raw, "%s", request);
    const struct http_reply *got = reply();
    ck_assert_msg(got->status == status, "%s: %d", request, got->status);
    expect_header(got, "Connection", "close");
    expect_closed();
}

START_TEST(a_body_that_nobody_waits_for)
{
    /* As nginx's auth_request: the length of somebody else's body, which never comes. */
    expect_answered_and_closed("GET /plain HTTP/1.1\r\n" H "Content-Length: 20\r\n\r\n", 200);
    expect_answered_and_closed("GET /plain HTTP/1.1\r\n" H "Content-Length: 20\r\n\r\nonly a part",
                               200);
    expect_answered_and_closed("GET /plain HTTP/1.1\r\n" H "Content-Length: 999999999999\r\n\r\n",
                               200);
    expect_answered_and_closed(
        "GET /plain HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 20\r\n\r\n", 200);
    expect_answered_and_closed("GET /plain HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n",
                               200);
    expect_answered_and_closed(
        "GET /plain HTTP/1.1\r\n" H "Content-Length: 20\r\nExpect: 100-continue\r\n\r\n", 200);
    expect_answered_and_closed(
        "GET /plain HTTP/1.1\r\n" H "Content-Length: 20\r\nContent-Encoding: gzip\r\n\r\n", 200);
    /* Refused before anybody needed it. */
    expect_answered_and_closed("POST /nowhere HTTP/1.1\r\n" H "Content-Length: 20\r\n\r\n", 404);
    expect_answered_and_closed("PUT /echo HTTP/1.1\r\n" H "Content-Length: 20\r\n\r\n", 405);
}
END_TEST

START_TEST(what_comes_in_place_of_a_body_is_no_request)
{
    static const char smuggled[] = "GET /plain HTTP/1.1\r\n" H "\r\n";

    for (int i = 0; i < 2; i++) {
        raw_close(&raw);
        raw = raw_open(edge_port());
        raw_print(raw, "GET /plain HTTP/1.1\r\n" H "Content-Length: 200\r\n\r\n");
        if (i == 0)
            raw_print(raw, smuggled);
        expect_status(reply(), 200);
        raw_print(raw, smuggled);
        expect_closed();
    }
    ck_assert_int_eq(edge_calls(), 2);
}
END_TEST

START_TEST(a_coded_body_is_refused)
{
    static const char *const refused[] = {"Content-Encoding: gzip\r\n", "content-encoding: BR\r\n",
                                          "Content-Encoding: identity, deflate\r\n",
                                          "Content-Encoding: x\r\nContent-Encoding: identity\r\n"};
    static const char *const taken[] = {"Content-Encoding: identity\r\n",
                                        "Content-Encoding: Identity\r\n", "Content-Encoding:\r\n"};
    static const char *const bodies[] = {"Content-Length: 2\r\n\r\nhi",
                                         "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"};
    static const char *const paths[] = {"/echo", "/ignored"};

    for (size_t i = 0; i < 16; i++) {
        raw_close(&raw);
        raw = raw_open(edge_port());
        raw_print(raw, "POST %s HTTP/1.1\r\n" H "%s%s", paths[i / 8], refused[i / 2 % 4],
                  bodies[i % 2]);
        const struct http_reply *got = reply();
        expect_body(
            got, 415,
            "{\"detail\":\"Send the body as it is: a Content-Encoding is not taken here.\"}");
        expect_header(got, "Accept-Encoding", "identity");
        expect_closed();
    }
    ck_assert_int_eq(edge_calls(), 0);
    raw_close(&raw);
    raw = raw_open(edge_port());
    for (size_t i = 0; i < 6; i++) {
        raw_print(raw, "POST /echo HTTP/1.1\r\n" H "%s%s", taken[i / 2], bodies[i % 2]);
        expect_body(reply(), 200, "hi");
    }
    /* Nothing is coded where nothing is sent. */
    raw_print(raw,
              "POST /echo HTTP/1.1\r\n" H "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n");
    expect_body(reply(), 200, "");
    raw_print(raw, "POST /echo HTTP/1.1\r\n" H "Content-Encoding: gzip\r\n\r\n");
    expect_body(reply(), 200, "");
    expect_kept();
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

int main(void)
{
    Suite *suite = suite_create("server/http_body");
    TCase *tcase = tcase_create("body");

    tcase_add_checked_fixture(tcase, open_edge, close_edge);
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
    tcase_add_test(tcase, a_body_that_nobody_waits_for);
    tcase_add_test(tcase, what_comes_in_place_of_a_body_is_no_request);
    tcase_add_test(tcase, a_coded_body_is_refused);
    tcase_add_test(tcase, a_dripping_body_has_a_deadline);
    tcase_add_test(tcase, a_body_that_never_comes_has_a_deadline);
    tcase_add_test(tcase, a_dripping_head_has_a_deadline);
    tcase_add_test(tcase, a_silent_client_is_closed);
    tcase_add_test(tcase, a_slow_reader_does_not_hold_its_worker);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
