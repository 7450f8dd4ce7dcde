/*
 * Messages two parsers could read in two ways. Each carries an admin's credential
 * and would clear everybody's cache if it were taken: as a request of its own, or smuggled behind
 * another. All are refused, the connection is closed, and nothing in Redis has moved.
 */
#include "control_data.h"
#include "patience.h"
#include "redis_snapshot.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLEAR "/api/server-management/clear-cache/"

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand, NULL);
    redis_server_do(stand.redis, "HSET cw:dataset epoch 4");
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* A string that may hold NUL bytes. */
struct text {
    const char *bytes;
    size_t size;
};
#define TEXT(literal)                   \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }

/* `lines` are header lines; "POST … HTTP/1.1", Host and the credential stand before them. */
struct bad_fields {
    int status;
    struct text lines, rest; /* rest: what follows the empty line */
};

/* A whole request that would be served if the bad one before it were read to end too early. */
#define SMUGGLED \
    "POST " CLEAR " HTTP/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n"

static const struct bad_fields bad_fields[] = {
    /* Where does the body end? */
    {400, TEXT("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), TEXT("0\r\n\r\n" SMUGGLED)},
    {400,
     TEXT("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n"),
     TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Content-Length: 0\r\nContent-Length: 5\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 5\r\nContent-Length: 5\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 5, 5\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 5,5\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: +5\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: -5\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 0x5\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 5x\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 5 5\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 5.0\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 5e0\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: \r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Content-Length:\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Content-Length: five\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: \"5\"\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 9223372036854775808\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Content-Length: 18446744073709551616\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Content-Length: 18446744073709551621\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 99999999999999999999999999999999\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Content-Length : 5\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length\t: 5\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Content-Length: 5\r\nContent-Length : 0\r\n"), TEXT("abcde" SMUGGLED)},
    {400, TEXT("Transfer-Encoding : chunked\r\n"), TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: xchunked\r\n"), TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunkedx\r\n"), TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: gzip, chunked\r\n"), TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked, identity\r\n"), TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked, chunked\r\n"), TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
     TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: identity\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Transfer-Encoding:\r\n"), TEXT(SMUGGLED)},
    {400,
     TEXT("Transfer-Encoding: \x0b"
          "chunked\r\n"),
     TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: \"chunked\"\r\n"), TEXT("0\r\n\r\n" SMUGGLED)},
    /* Where does a line end, and where a name? */
    {400, TEXT("X-A: b\n"), TEXT(SMUGGLED)},
    {400, TEXT("X-A: b\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("X-A: b\rContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("X-A: b\r\n continued\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("X-A: b\r\n\tcontinued\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Transfer-Encoding:\r\n chunked\r\n"), TEXT("0\r\n\r\n" SMUGGLED)},
    {400, TEXT(": no name\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("no colon\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("X A: b\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT(" X-A: b\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("X(A): b\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("X\xc3\xa4: b\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("X-A: a\0b\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("X\0A: b\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("X-A: a\x7f\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("X-A: a\x1b[31m\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    /* Who is asked for, and who asks? */
    {400, TEXT("Host: localhost\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Host: other\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Authorization: Bearer x\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Connection: Authorization\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {400, TEXT("Connection: close, content-length\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    {417, TEXT("Expect: something-else\r\nContent-Length: 0\r\n"), TEXT(SMUGGLED)},
    /* Chunks. */
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("0x5\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("+5\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("-5\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT(" 5\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("g\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("5g\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("5\nabcde\n0\n\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("5\r\nabcdeX0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("5\r\nabcdefgh\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("5\r\nabcde\r0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"),
     TEXT("FFFFFFFFFFFFFFFF\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"),
     TEXT("10000000000000005\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"),
     TEXT("8000000000000000\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
    {400, TEXT("Transfer-Encoding: chunked\r\n"), TEXT("5\0\r\nabcde\r\n0\r\n\r\n" SMUGGLED)},
};

/* Instead of the whole head. */
static const struct {
    int status, or_status;
    struct text head;
} bad_heads[] = {
    {400, 505,
     TEXT("POST " CLEAR
          " HTTP/1.1x\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR
          " HTTP/1.10\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR
          " HTTP/1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR
          " HTTP/2.0\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR
          " HTTP/0.9\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR
          " HTTP/9.9\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR " HTTP/1.1<script>\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: "
          "0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR " HTTP/1.1 X-Injected\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: "
          "0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR
          " http/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR
          " HTTPS/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR
          " ICY/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 505,
     TEXT("POST " CLEAR "\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("POST  " CLEAR
          " HTTP/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("POST " CLEAR
          "  HTTP/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("POST\t" CLEAR
          " HTTP/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT(" POST " CLEAR
          " HTTP/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("POST " CLEAR " HTTP/1.1\nHost: localhost\nAUTHORIZED\nContent-Length: 0\n\n" SMUGGLED)},
    {400, 400, TEXT("POST " CLEAR " HTTP/1.1\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("POST " CLEAR " HTTP/1.1\r\nHost:\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("POST " CLEAR
          " HTTP/1.1\r\nHost: local host\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("POST " CLEAR
          " HTTP/1.1\r\nHost: user@localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("POST " CLEAR
          " HTTP/1.1\r\nHost: localhost/x\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT(
         "POST " CLEAR
         " HTTP/1.1\r\nHost: localhost:99999\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("POST " CLEAR " HTTP/1.0\r\nHost: localhost\r\nAUTHORIZED\r\nTransfer-Encoding: "
          "chunked\r\n\r\n0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("POST http://root@localhost" CLEAR
          " HTTP/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {421, 400,
     TEXT("POST http://other" CLEAR
          " HTTP/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 421,
     TEXT("POST api/server-management/clear-cache/ HTTP/1.1\r\nHost: "
          "localhost\r\nAUTHORIZED\r\nContent-Length: 0\r\n\r\n" SMUGGLED)},
    {400, 400,
     TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting\r\n\r\n" SMUGGLED)},
    {400, 505, TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" SMUGGLED)},
};

/* Sends bytes with AUTHORIZED replaced by an admin's header line. */
static void send_authorized(struct raw *raw, struct text text)
{
    static const char mark[] = "AUTHORIZED";
    for (const char *found; (found = memmem(text.bytes, text.size, mark, sizeof mark - 1));) {
        size_t before = (size_t)(found - text.bytes);
        raw_send(raw, text.bytes, before);
        raw_send(raw, stand.root.bearer, strlen(stand.root.bearer));
        text.bytes += before + sizeof mark - 1;
        text.size -= before + sizeof mark - 1;
    }
    raw_send(raw, text.bytes, text.size);
}

/* One refusal, the connection closed behind it, and never a second reply. */
static void expect_refused(struct raw *raw, int status, int or_status, const char *what)
{
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    ck_assert_msg(reply && reply->status != 0, "no whole answer to: %s", what);
    ck_assert_msg(reply->status == status || reply->status == or_status, "wanted %d: %s\n%s%s",
                  status, what, reply->head, reply->body);
    ck_assert_msg(http_header(reply, "Connection") &&
                      strcmp(http_header(reply, "Connection"), "close") == 0,
                  "%s\n%s", what, reply->head);
    ck_assert_msg(strstr(reply->head, "X-Injected") == NULL &&
                      strstr(reply->body, "<script>") == NULL,
                  "%s\n%s", reply->head, reply->body);
    ck_assert_msg(strncmp(reply->body, "{\"detail\":\"", 11) == 0, "%s: %s", what, reply->body);
    ck_assert_msg(raw_is_closed(raw, PATIENCE_MS), "not closed, or a second reply: %s", what);
}

static void expect_alive_and_unchanged(char *before)
{
    char *after = redis_snapshot(stand.redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    expect_status(http_get(stand.http, "/health/live", NULL), 200);
}

START_TEST(ambiguous_fields)
{
    char *before = redis_snapshot(stand.redis, NULL);
    for (size_t i = 0; i < sizeof bad_fields / sizeof *bad_fields; i++) {
        struct raw *raw = raw_open(stand.server.port);
        static const struct text head = TEXT("POST " CLEAR
                                             " HTTP/1.1\r\nHost: localhost\r\nAUTHORIZED\r\n"),
                                 end = TEXT("\r\n");
        send_authorized(raw, head);
        send_authorized(raw, bad_fields[i].lines);
        send_authorized(raw, end);
        send_authorized(raw, bad_fields[i].rest);
        char what[256];
        snprintf(what, sizeof what, "%.100s %.40s", bad_fields[i].lines.bytes,
                 bad_fields[i].rest.bytes);
        expect_refused(raw, bad_fields[i].status, bad_fields[i].status, what);
        raw_close(&raw);
    }
    expect_alive_and_unchanged(before);
}
END_TEST

START_TEST(ambiguous_heads)
{
    char *before = redis_snapshot(stand.redis, NULL);
    for (size_t i = 0; i < sizeof bad_heads / sizeof *bad_heads; i++) {
        struct raw *raw = raw_open(stand.server.port);
        send_authorized(raw, bad_heads[i].head);
        expect_refused(raw, bad_heads[i].status, bad_heads[i].or_status, bad_heads[i].head.bytes);
        raw_close(&raw);
    }
    expect_alive_and_unchanged(before);
}
END_TEST

/* The library stores 64 fields; what it drops behind them could be the one that says how long the body is. */
START_TEST(the_65th_field_is_refused)
{
    static const char *const last[] = {"Content-Length: 5", "Transfer-Encoding: chunked",
                                       "X-Forwarded-For: 1.2.3.4", "X-Last: 1", NULL};
    char *before = redis_snapshot(stand.redis, NULL);
    for (int i = 0; i <= 4; i++) {
        struct raw *raw = raw_open(stand.server.port);
        raw_print(raw, "POST " CLEAR " HTTP/1.1\r\nHost: localhost\r\n");
        if (last[i])
            raw_print(raw, "%s\r\n", stand.root.bearer);
        for (int n = 0; n < (last[i] ? 62 : 63); n++)
            raw_print(raw, "X-Field-%d: %d\r\n", n, n);
        raw_print(raw, "%s\r\n\r\nabcde", last[i] ? last[i] : stand.root.bearer);
        static const struct text smuggled = TEXT(SMUGGLED);
        send_authorized(raw, smuggled);
        expect_refused(raw, 431, 431, last[i] ? last[i] : "Authorization");
        raw_close(&raw);
    }
    expect_alive_and_unchanged(before);
}
END_TEST

START_TEST(the_64th_field_counts)
{
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "GET /api/cache/status/ HTTP/1.1\r\nHost: localhost\r\n");
    for (int n = 0; n < 62; n++)
        raw_print(raw, "X-Field-%d: %d\r\n", n, n);
    raw_print(raw, "%s\r\n\r\n", stand.alice.bearer);
    expect_status(raw_reply(raw, PATIENCE_MS), 200);
    raw_close(&raw);
}
END_TEST

START_TEST(a_head_beyond_the_buffer_is_refused)
{
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Long: %0*d\r\n\r\n", 70000,
              1);
    expect_refused(raw, 431, 400, "a field of 70,000 bytes");
    raw_close(&raw);
    raw = raw_open(stand.server.port);
    raw_print(raw, "GET /%0*d HTTP/1.1\r\nHost: localhost\r\n\r\n", 70000, 1);
    expect_refused(raw, 414, 431, "a path of 70,000 bytes");
    raw_close(&raw);
}
END_TEST

/* The tests above would pass on a server that closes after everything. */
START_TEST(good_framing_is_served)
{
    static const struct text good[] = {
        TEXT("POST " CLEAR
             " HTTP/1.1\r\nHost: localhost\r\nAUTHORIZED\r\nContent-Length: 5\r\n\r\nabcde"),
        TEXT("POST " CLEAR
             " HTTP/1.1\r\nhost:localhost:8000\r\nAUTHORIZED\r\ncontent-length:  5 \r\n\r\nabcde"),
        TEXT("POST " CLEAR " HTTP/1.1\r\nHost: [::1]:80\r\nAUTHORIZED\r\nTransfer-Encoding: "
             "Chunked\r\n\r\n3\r\nabc\r\n0000a\r\n0123456789\r\n0\r\n\r\n"),
        TEXT("\r\nPOST " CLEAR " HTTP/1.1\r\nHost: localhost\r\nAUTHORIZED\r\n\r\n"),
        TEXT("POST http://localhost:8000" CLEAR
             " HTTP/1.1\r\nHost: localhost:8000\r\nAUTHORIZED\r\nContent-Length: 2\r\n\r\n{}"),
    };
    struct raw *raw = raw_open(stand.server.port);
    int64_t epoch = control_epoch(stand.redis);
    const size_t count = sizeof good / sizeof *good;
    /* All in one go, over one connection: each is answered, in order, none eats from the next. */
    for (size_t i = 0; i < count; i++)
        send_authorized(raw, good[i]);
    for (size_t i = 0; i < count; i++)
        expect_body(raw_reply(raw, PATIENCE_MS), 200,
                    "{\"ok\":true,\"message\":\"Cache cleared\"}");
    ck_assert_int_eq(control_epoch(stand.redis), epoch + (int64_t)count);
    raw_close(&raw);
}
END_TEST

START_TEST(a_foreign_host_is_misdirected)
{
    struct stand picky;
    stand_open(&picky, &(struct stand_options){
                           .config = "server: { allowed_hosts = [ \"cache.example\" ]; };\n"});
    struct raw *raw = raw_open(picky.server.port);
    raw_print(raw, "GET /health/live HTTP/1.1\r\nHost: Cache.Example:8000\r\n\r\n");
    expect_status(raw_reply(raw, PATIENCE_MS), 200);
    raw_print(raw, "GET https://CACHE.example/health/live HTTP/1.1\r\nHost: cache.example\r\n\r\n");
    expect_status(raw_reply(raw, PATIENCE_MS), 200);
    /* The target's host counts, whatever the field says. */
    raw_print(raw,
              "GET http://cache.example:8000/health/live HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    expect_status(raw_reply(raw, PATIENCE_MS), 200);
    /* A port without digits is the scheme's; and who only watches asks by address. */
    static const char *const probes[] = {
        "GET /health/live HTTP/1.1\r\nHost: cache.example:\r\n\r\n",
        "GET /health/ready HTTP/1.1\r\nHost: 10.0.0.7:8000\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: [2001:db8::7]\r\n\r\n",
        "GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"};
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        raw_print(raw, "%s", probes[i]);
        expect_status(raw_reply(raw, PATIENCE_MS), 200);
    }
    static const char *const foreign[] = {
        "GET /metrics HTTP/1.1\r\nHost: 10.0.0.7:8000\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET http://evil.example/health/live HTTP/1.1\r\nHost: cache.example\r\n\r\n",
        "GET http://localhost/health/live HTTP/1.1\r\nHost: cache.example\r\n\r\n"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        raw_close(&raw);
        raw = raw_open(picky.server.port);
        raw_print(raw, "%s", foreign[i]);
        expect_refused(raw, 421, 421, foreign[i]);
    }
    raw_close(&raw);
    stand_close(&picky);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("framing");
    TCase *shared = tcase_create("all");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, ambiguous_fields);
    tcase_add_test(shared, ambiguous_heads);
    tcase_add_test(shared, the_65th_field_is_refused);
    tcase_add_test(shared, the_64th_field_counts);
    tcase_add_test(shared, a_head_beyond_the_buffer_is_refused);
    tcase_add_test(shared, good_framing_is_served);
    suite_add_tcase(suite, shared);
    TCase *own = tcase_create("a stand of its own");
    tcase_add_test(own, a_foreign_host_is_misdirected);
    suite_add_tcase(suite, own);
    return suite_run(suite);
}
