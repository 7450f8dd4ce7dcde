/*
 * Messages two parsers could read in two ways, each with a second request behind it: it must get
 * one refusal, and what follows must never be taken for a request.
 */
#include "edge.h"
#include "expect.h"
#include "http_client.h"

#include "patience.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum { SOON_MS = PATIENCE_MS };

#define H        "Host: a\r\n"
#define SMUGGLED "GET /plain HTTP/1.1\r\n" H "\r\n"
#define POST     "POST /echo HTTP/1.1\r\n"

static void open_edge(void)
{
    struct http_options options = edge_options();

    edge_open(&options);
}

/* One answer with this status, in our own shape, and then the end; nothing was run. */
static void expect_refused(const char *what, const char *bytes, size_t size, int status)
{
    struct raw *raw = raw_open(edge_port());

    raw_send(raw, bytes, size);
    const struct http_reply *got = raw_reply(raw, SOON_MS);
    ck_assert_msg(got != NULL, "%s: closed without an answer", what);
    ck_assert_msg(got->status == status, "%s: %d, expected %d\n%s", what, got->status, status,
                  got->head ? got->head : "");
    ck_assert_msg(strncmp(got->body, "{\"detail\":\"", 11) == 0, "%s: %s", what, got->body);
    expect_header(got, "Content-Type", "application/json");
    expect_header(got, "Connection", "close");
    ck_assert_ptr_nonnull(http_header(got, "X-Request-Id"));
    ck_assert_ptr_nonnull(http_header(got, "Date"));
    ck_assert_msg(raw_is_closed(raw, SOON_MS), "%s: the connection was kept", what);
    ck_assert_msg(edge_calls() == 0, "%s: an operation was run", what);
    raw_close(&raw);
}

struct message {
    const char *bytes;
    int status;
};

static void expect_all_refused(const struct message *messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_refused(messages[i].bytes, messages[i].bytes, strlen(messages[i].bytes),
                       messages[i].status);
}

#define EXPECT_ALL_REFUSED(messages) \
    expect_all_refused(messages, sizeof messages / sizeof *messages)

START_TEST(two_lengths)
{
    static const struct message messages[] = {
        {POST H "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" SMUGGLED, 400},
        {POST H "Content-Length: 44\r\nContent-Length: 0\r\n\r\n" SMUGGLED, 400},
        {POST H "Content-Length: 3\r\ncontent-length: 3\r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: 3, 3\r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: 5,5\r\n\r\nabcde" SMUGGLED, 400},
        {POST H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H
         "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" SMUGGLED,
         400},
        {POST H "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\nContent-Length: "
                "5\r\n\r\n0\r\n\r\n" SMUGGLED,
         400},
    };

    EXPECT_ALL_REFUSED(messages);
}
END_TEST

START_TEST(lengths_that_are_none)
{
    static const struct message messages[] = {
        {POST H "Content-Length: +3\r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: -3\r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: 3x\r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: 0x3\r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: 3 \x0b\r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: \r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: 03\r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: 3.0\r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: 18446744073709551619\r\n\r\nabc" SMUGGLED, 400},
        {POST H "Content-Length: 9223372036854775808\r\n\r\nabc" SMUGGLED, 400},
    };

    EXPECT_ALL_REFUSED(messages);
}
END_TEST

START_TEST(codings_that_are_none)
{
    static const struct message messages[] = {
        {POST H "Transfer-Encoding: identity\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: \x0b"
                "chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
         400},
        {POST H "Transfer-Encoding:\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
        {"POST /echo HTTP/1.0\r\n" H
         "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n" SMUGGLED,
         400},
    };

    EXPECT_ALL_REFUSED(messages);
}
END_TEST

START_TEST(chunks_that_are_none)
{
    static const struct message messages[] = {
        {POST H "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n" SMUGGLED, 400},
        {POST H "Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n" SMUGGLED,
         400},
        {POST H "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n" SMUGGLED,
         400},
    };

    EXPECT_ALL_REFUSED(messages);
}
END_TEST

START_TEST(a_giant_chunk_is_too_large)
{
    struct raw *raw = raw_open(edge_port());
    static char filler[70000];

    memset(filler, 'x', sizeof filler);
    raw_print(raw, POST H "Transfer-Encoding: chunked\r\n\r\n7FFFFFFFFFFFFFF\r\n");
    raw_send(raw, filler, sizeof filler);
    expect_status(raw_reply(raw, SOON_MS), 413);
    ck_assert(raw_is_closed(raw, SOON_MS));
    raw_close(&raw);
}
END_TEST

/* The body is whole, but what follows cannot be told from a request: answered, then closed. */
START_TEST(trailer_fields_end_the_connection)
{
    struct raw *raw = raw_open(edge_port());

    raw_print(raw, POST H
              "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: y\r\n\r\n" SMUGGLED);
    expect_body(raw_reply(raw, SOON_MS), 200, "abc");
    ck_assert(raw_is_closed(raw, SOON_MS));
    ck_assert_int_eq(edge_calls(), 1);
    raw_close(&raw);
}
END_TEST

START_TEST(heads_that_are_none)
{
    static const struct message messages[] = {
        {"GET /plain HTTP/1.1\n"
         "Host: a\n\n" SMUGGLED,
         400},
        {"GET /plain HTTP/1.1\r\n"
         "Host: a\n\r\n" SMUGGLED,
         400},
        {"GET /plain HTTP/1.1\r\n" H "X-A: b\rX-B: c\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\n" H "X-A: b\r\n c\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\n" H "X-A : b\r\n\r\n" SMUGGLED, 400},
        {POST H "Content-Length : 3\r\n\r\nabc" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\n" H ": b\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\n" H "X-A\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\n" H "X A: b\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\n" H "X-A: b\x01\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\n" H "X-A: \x7f\r\n\r\n" SMUGGLED, 400},
        {"GET  /plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET /plain  HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET /pl ain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET\t/plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET /plain\r\n" H "\r\n" SMUGGLED, 400},
        {"GET /pl\xc3\xa4in HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"G(T /plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"/plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"\x16\x03\x01\x02\x01\x01\xfc\x03\x03 a TLS hello\r\n\r\n", 400},
    };

    EXPECT_ALL_REFUSED(messages);
}
END_TEST

START_TEST(a_nul_is_refused)
{
    static const char in_path[] = "GET /plain\0x HTTP/1.1\r\n" H "\r\n" SMUGGLED;
    static const char in_name[] = "GET /plain HTTP/1.1\r\n" H "X-\0A: b\r\n\r\n" SMUGGLED;
    static const char in_value[] =
        "GET /plain HTTP/1.1\r\n" H "Authorization: Bearer \0x\r\n\r\n" SMUGGLED;

    expect_refused("NUL in the path", in_path, sizeof in_path - 1, 400);
    expect_refused("NUL in a name", in_name, sizeof in_name - 1, 400);
    expect_refused("NUL in a value", in_value, sizeof in_value - 1, 400);
}
END_TEST

START_TEST(versions_that_are_none)
{
    static const struct message messages[] = {
        {"GET /plain HTTP/2.0\r\n" H "\r\n" SMUGGLED, 505},
        {"GET /plain HTTP/1.2\r\n" H "\r\n" SMUGGLED, 505},
        {"GET /plain HTTP/0.9\r\n" H "\r\n" SMUGGLED, 505},
        {"GET /plain HTTP/1.1x\r\n" H "\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/11\r\n" H "\r\n" SMUGGLED, 400},
        {"GET /plain http/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1<script>\r\n" H "\r\n" SMUGGLED, 400},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    };

    EXPECT_ALL_REFUSED(messages);
}
END_TEST

START_TEST(hosts_that_are_none)
{
    static const struct message messages[] = {
        {"GET /plain HTTP/1.1\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\nHost:\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\nHost: a, b\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\nHost: user@a\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\nHost: a/b\r\n\r\n" SMUGGLED, 400},
    };

    EXPECT_ALL_REFUSED(messages);
}
END_TEST

START_TEST(targets_that_are_none)
{
    static const struct message messages[] = {
        {"GET http://evil.example/plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 421},
        {"GET ftp://a/plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 421},
        {"GET http://u:p@a/plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET http://a@evil.example/plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET http:///plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET http:/plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET http://a/plain HTTP/1.1\r\n\r\n" SMUGGLED, 400},
        {"GET http://a/plain HTTP/1.1\r\n" H H "\r\n" SMUGGLED, 400},
        {"GET * HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"GET ?plain HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
        {"CONNECT a:443 HTTP/1.1\r\n" H "\r\n" SMUGGLED, 400},
    };

    EXPECT_ALL_REFUSED(messages);
}
END_TEST

/* As a client writes it that takes us for its proxy; the connection lives on (RFC 9112, section 3.2.2). */
START_TEST(absolute_targets_are_taken)
{
    static const struct {
        const char *line;
        int status;
    } rows[] = {
        {"GET http://a/plain HTTP/1.1", 200},
        {"GET HTTP://A:80/plain?x=1 HTTP/1.1", 200},
        {"GET https://a:443/plain HTTP/1.1", 200},
        {"GET http://localhost:1/plain HTTP/1.1", 200},
        {"GET http://a//plain HTTP/1.1", 404},
        {"GET http://a/plain/../plain HTTP/1.1", 404},
        {"GET http://a HTTP/1.1", 404},
        {"GET http://a?x=1 HTTP/1.1", 404},
        {"GET http://a/%70lain HTTP/1.1", 404},
        {"POST http://a/plain HTTP/1.1", 405},
        {"OPTIONS http://a/plain HTTP/1.1", 204},
        {"OPTIONS http://a HTTP/1.1", 204},
        {"OPTIONS http://a/nosuch HTTP/1.1", 404},
    };
    struct raw *raw = raw_open(edge_port());

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        raw_print(raw, "%s\r\n" H "\r\n", rows[i].line);
        const struct http_reply *got = raw_reply(raw, SOON_MS);
        ck_assert_msg(got && got->status == rows[i].status, "%s: %d", rows[i].line,
                      got ? got->status : -1);
        expect_header(got, "Connection", "keep-alive");
    }
    ck_assert_int_eq(edge_calls(), 4);
    raw_close(&raw);
}
END_TEST

START_TEST(fields_that_hide_others)
{
    static const struct message messages[] = {
        {"GET /plain HTTP/1.1\r\n" H
         "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n" SMUGGLED,
         400},
        {"GET /plain HTTP/1.1\r\n" H "x-api-key: a\r\nX-API-KEY: b\r\n\r\n" SMUGGLED, 400},
        {"GET /plain HTTP/1.1\r\n" H
         "Connection: Authorization\r\nAuthorization: Bearer a\r\n\r\n" SMUGGLED,
         400},
        {POST H "Connection: close, Content-Length\r\nContent-Length: 3\r\n\r\nabc" SMUGGLED, 400},
    };

    EXPECT_ALL_REFUSED(messages);
}
END_TEST

/* `fields` header fields in all, the last of which is `last`. */
static void expect_fields(int fields, const char *last, int status)
{
    static char message[8192];
    size_t size = (size_t)snprintf(message, sizeof message, POST H);

    for (int i = 1; i < fields - 1; i++)
        size += (size_t)snprintf(message + size, sizeof message - size, "X-%d: y\r\n", i);
    size += (size_t)snprintf(message + size, sizeof message - size, "%s\r\n\r\n" SMUGGLED, last);
    if (status != 200) {
        expect_refused(last, message, size, status);
        return;
    }
    struct raw *raw = raw_open(edge_port());
    raw_send(raw, message, size);
    expect_status(raw_reply(raw, SOON_MS), 200);
    raw_close(&raw);
}

START_TEST(the_65th_field_is_not_dropped_but_refused)
{
    static const char *const last[] = {"Content-Length: 38", "Transfer-Encoding: chunked",
                                       "Authorization: Bearer a", "X-Forwarded-For: 1.2.3.4",
                                       "X-Z: y"};

    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        expect_fields(65, last[i], 431);
    expect_fields(200, "X-Z: y", 431);
    expect_fields(64, "X-Z: y", 200);
}
END_TEST

START_TEST(heads_have_a_limit)
{
    static char message[40000];
    int size = snprintf(message, sizeof message,
                        "GET /plain HTTP/1.1\r\n" H "X-Long: %032800d\r\n\r\n", 1);

    expect_refused("a long head", message, (size_t)size, 431);
    size = snprintf(message, sizeof message, "GET /%032800d HTTP/1.1\r\n" H "\r\n", 1);
    expect_refused("a long target", message, (size_t)size, 414);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/http_framing");
    TCase *tcase = tcase_create("framing");

    tcase_add_checked_fixture(tcase, open_edge, edge_close);
    tcase_add_test(tcase, two_lengths);
    tcase_add_test(tcase, lengths_that_are_none);
    tcase_add_test(tcase, codings_that_are_none);
    tcase_add_test(tcase, chunks_that_are_none);
    tcase_add_test(tcase, a_giant_chunk_is_too_large);
    tcase_add_test(tcase, trailer_fields_end_the_connection);
    tcase_add_test(tcase, heads_that_are_none);
    tcase_add_test(tcase, a_nul_is_refused);
    tcase_add_test(tcase, versions_that_are_none);
    tcase_add_test(tcase, hosts_that_are_none);
    tcase_add_test(tcase, targets_that_are_none);
    tcase_add_test(tcase, absolute_targets_are_taken);
    tcase_add_test(tcase, fields_that_hide_others);
    tcase_add_test(tcase, the_65th_field_is_not_dropped_but_refused);
    tcase_add_test(tcase, heads_have_a_limit);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
