#include "cachewarden/clock.h"

#include "peer_case.h"
#include "sanitized.h"
#include "slowness.h"
#include "suite.h"

#include <malloc.h>
#include <poll.h>
#include <stdlib.h>

static void expect_failure(enum err err, const char *why)
{
    enum err got = ask("GET");

    ck_assert_msg(got == err, "%s: %s", err_name(got), error.detail);
    ck_assert_msg(strstr(error.detail, why) != NULL, "%s", error.detail);
    ck_assert(!is_unreached);
}

START_TEST(a_request_as_it_is_sent)
{
    expect("GET", 200, "hello");
    ck_assert_str_eq(scripted_origin_request(origin, 0)->head,
                     "GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    ck_assert_uint_eq(response.field_count, 1);
    ck_assert(str_eq(response.fields[0].name, STR("Content-Length")));
    ck_assert_int_le(response.request_time_ms, response.response_time_ms);
    ck_assert_int_ge(response.request_time_ms, clock_wall_ms() - PATIENCE_MS);
    expect("POST", 200, "hello");
    ck_assert_str_eq(scripted_origin_request(origin, 1)->head,
                     "POST /a?b=c HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n");
    ck_assert_int_eq(scripted_origin_connections(origin), 1);
}
END_TEST

/* What the caller may not say is where the body ends, or more than one request. */
START_TEST(fields_and_lines)
{
    const struct http_field fields[] = {{STR("Transfer-Encoding"), STR("chunked")},
                                        {STR("content-length"), STR("9")},
                                        {STR("Empty"), STR("")},
                                        {STR("Accept"), STR("a\tb")},
                                        {STR("Bad"), STR("x\r\nEvil: 1")}};
    struct http_peer_request request = {
        .method = STR("GET"), .target = STR("*"), .fields = fields, .field_count = 4};
    struct str body;

    ck_assert_int_eq(http_peer_send(peer, &request, &work, &response, &is_unreached), ERR_OK);
    ck_assert_int_eq(read_body(&body), ERR_OK);
    ck_assert_str_eq(scripted_origin_request(origin, 0)->head,
                     "GET * HTTP/1.1\r\nEmpty: \r\nAccept: a\tb\r\n\r\n");
    request.field_count = 5;
    ck_assert_int_eq(http_peer_send(peer, &request, &work, &response, &is_unreached),
                     ERR_BAD_INPUT);
    request.field_count = 0;
    static const struct str targets[] = {{"/a b", 4},      {"/a\r\nX: y", 8}, {"", 0},
                                         {"http://x/", 9}, {"/\0", 2},        {"**", 2}};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        request.target = targets[i];
        ck_assert_int_eq(http_peer_send(peer, &request, &work, &response, &is_unreached),
                         ERR_BAD_INPUT);
    }
    request.target = STR("/");
    request.method = STR("GET /x HTTP/1.1\r\nA:");
    ck_assert_int_eq(http_peer_send(peer, &request, &work, &response, &is_unreached),
                     ERR_BAD_INPUT);
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

START_TEST(how_bodies_end)
{
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: dropped\r\n\r\n");
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ORIGIN_SAY(origin, "HTTP/1.1 204 No Content\r\n\r\n");
    ORIGIN_SAY(origin, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\n\r\nuntil the end", .then = ORIGIN_CLOSES);
    ORIGIN_SAY(origin, "HTTP/1.0 200 OK\r\n\r\nold", .then = ORIGIN_CLOSES);
    expect("GET", 200, "hello");
    ck_assert_uint_eq(response.field_count, 1);
    expect("GET", 200, "");
    expect("GET", 204, NULL);
    expect("GET", 304, NULL);
    expect("HEAD", 200, NULL);
    ck_assert_int_eq(scripted_origin_connections(origin), 1);
    expect("GET", 200, "until the end");
    expect("GET", 200, "old");
    ck_assert_int_eq(response.minor_version, 0);
    expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_connections(origin), 3);
}
END_TEST

START_TEST(interim_responses)
{
    ORIGIN_SAY(origin, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    expect("GET", 200, "ok");
    ck_assert_uint_eq(response.field_count, 1);
    ORIGIN_SAY(origin, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
    expect_failure(ERR_UPSTREAM_DOWN, "switched protocols");
    struct strbuf many;
    strbuf_init(&many, work.arena, 0);
    for (int i = 0; i < 100; i++)
        strbuf_add(&many, STR("HTTP/1.1 102 Processing\r\n\r\n"));
    strbuf_add_char(&many, '\0');
    ORIGIN_SAY(origin, many.ptr);
    expect_failure(ERR_UPSTREAM_DOWN, "too many");
}
END_TEST

/* ---- what is not HTTP, or not whole ---- */

START_TEST(heads_that_are_refused)
{
    ORIGIN_SAY(origin, "SSH-2.0-OpenSSH_9.2\r\n", .then = ORIGIN_IS_SILENT);
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello");
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n");
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent", .then = ORIGIN_CLOSES);
    expect_failure(ERR_UPSTREAM_DOWN, "does not speak HTTP/1");
    expect_failure(ERR_UPSTREAM_DOWN, "two Content-Lengths");
    expect_failure(ERR_UPSTREAM_DOWN, "second line");
    expect_failure(ERR_UPSTREAM_DOWN, "closed the connection too early");
    struct strbuf huge;
    strbuf_init(&huge, work.arena, 0);
    strbuf_add(&huge, STR("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < 70; i++)
        strbuf_addf(&huge, "F: %01000d\r\n", i);
    strbuf_add(&huge, STR("Content-Length: 0\r\n\r\n"));
    strbuf_add_char(&huge, '\0');
    ORIGIN_SAY(origin, huge.ptr, .then = ORIGIN_CLOSES);
    expect_failure(ERR_UPSTREAM_DOWN, "too long");
    /* Long, but not too long. */
    strbuf_init(&huge, work.arena, 0);
    strbuf_add(&huge, STR("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < 60; i++)
        strbuf_addf(&huge, "F: %01000d\r\n", i);
    strbuf_add(&huge, STR("Content-Length: 1\r\n\r\nx"));
    strbuf_add_char(&huge, '\0');
    ORIGIN_SAY(origin, huge.ptr);
    expect("GET", 200, "x");
    ck_assert_uint_eq(response.field_count, 61);
}
END_TEST

static void expect_cut(const char *answer, enum origin_then then, const char *why)
{
    struct str body;

    ORIGIN_SAY(origin, answer, .then = then);
    ck_assert_int_eq(ask("GET"), ERR_OK);
    ck_assert_int_eq(read_body(&body), ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.detail, why) != NULL, "%s", error.detail);
}

START_TEST(bodies_that_are_cut)
{
    int connections = scripted_origin_connections(origin);

    expect_cut("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", ORIGIN_CLOSES, "too early");
    expect_cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ORIGIN_CLOSES,
               "too early");
    expect_cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", ORIGIN_CLOSES,
               "too early");
    expect_cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
               ORIGIN_CLOSES, "too early");
    expect_cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
               ORIGIN_KEEPS, "a chunk");
    expect_cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello", ORIGIN_KEEPS,
               "a chunk");
    ck_assert_int_eq(scripted_origin_connections(origin), connections + 6);
    /* A reset is no end, where the end of the connection is that of the body. */
    struct str body;
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\n\r\nhello", .then = ORIGIN_RESETS);
    enum err err = ask("GET");
    if (!err)
        err = read_body(&body);
    ck_assert_int_eq(err, ERR_UPSTREAM_DOWN);
}
END_TEST

/* ---- kept connections ---- */

/* Bytes that nobody asked for would be the answer to the next request, of somebody else. */
START_TEST(bytes_behind_the_answer)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: "
        "4\r\n\r\nevil",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    };

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        ORIGIN_SAY(origin, answers[i]);
        expect("GET", 200, "ok");
        expect("GET", 200, "hello");
        ck_assert_int_eq(scripted_origin_connections(origin), 2 * (int)i + 2);
        http_peer_free(&peer);
        open_peer(scripted_origin_url(origin), NULL, PATIENCE_MS);
    }
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    expect("HEAD", 200, NULL);
    expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_connections(origin), 6);
}
END_TEST

START_TEST(a_body_that_is_not_wanted)
{
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n",
               .filler_size = 10000000);
    ck_assert_int_eq(ask("GET"), ERR_OK);
    response.body.close(response.body.with);
    scripted_origin_wait_closed(origin, 0);
    expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_connections(origin), 2);
}
END_TEST

/* The server closes an idle connection: that is seen before a request goes over it. */
START_TEST(an_idle_connection_that_was_closed)
{
    expect("GET", 200, "hello");
    scripted_origin_stop(&origin);
    ck_assert_int_eq(ask("GET"), ERR_UPSTREAM_DOWN);
    ck_assert(is_unreached);
}
END_TEST

/* A kept connection that breaks as the request comes. */
static void break_kept(enum origin_then then)
{
    expect("GET", 200, "hello");
    scripted_origin_say(origin, &(struct origin_answer){.then = then});
}

START_TEST(what_may_be_sent_again)
{
    break_kept(ORIGIN_CLOSES);
    expect("GET", 200, "hello");
    ck_assert_uint_eq(scripted_origin_count(origin), 3);
    break_kept(ORIGIN_RESETS);
    expect("GET", 200, "hello");
    ck_assert_uint_eq(scripted_origin_count(origin), 6);
    /* Only once: the second connection is new. */
    break_kept(ORIGIN_CLOSES);
    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_CLOSES});
    ck_assert_int_eq(ask("GET"), ERR_UPSTREAM_DOWN);
    ck_assert(!is_unreached);
    ck_assert_uint_eq(scripted_origin_count(origin), 9);
}
END_TEST

START_TEST(what_may_not)
{
    break_kept(ORIGIN_CLOSES);
    ck_assert_int_eq(send_with("POST", NULL, false), ERR_UPSTREAM_DOWN);
    ck_assert_uint_eq(scripted_origin_count(origin), 2);
    /* Nor what was answered in part. */
    expect("GET", 200, "hello");
    ORIGIN_SAY(origin, "HTTP/1.1 2", .then = ORIGIN_CLOSES);
    ck_assert_int_eq(ask("GET"), ERR_UPSTREAM_DOWN);
    ck_assert_uint_eq(scripted_origin_count(origin), 4);
}
END_TEST

/* ---- bodies of requests ---- */

static const char *const hello[] = {"he", "llo", NULL};

START_TEST(a_body_is_sent)
{
    struct pieces known = {.texts = hello}, unknown = {.texts = hello}, none = {0}, empty = {0};
    struct body_source sources[] = {source_of(&known, 5), source_of(&unknown, BODY_LENGTH_UNKNOWN),
                                    source_of(&none, BODY_LENGTH_UNKNOWN), source_of(&empty, 0)};
    static const char *const framings[] = {
        "\r\nContent-Length: 5\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n",
        "\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"};

    for (size_t i = 0; i < 4; i++) {
        struct str body;
        ck_assert_msg(send_with("PUT", &sources[i], false) == ERR_OK, "%s", error.detail);
        ck_assert_int_eq(read_body(&body), ERR_OK);
        const struct origin_request *request = scripted_origin_request(origin, 2 * i);
        ck_assert_ptr_nonnull(strstr(request->head, framings[i]));
        ck_assert_str_eq(request->body, i < 2 ? "hello" : "");
        /* The connection is good for more. */
        expect("GET", 200, "hello");
        ck_assert_int_eq(scripted_origin_request(origin, 2 * i + 1)->connection,
                         request->connection);
    }
    ck_assert_int_eq(empty.asked, 0);
}
END_TEST

/* Whoever sends it is gone: so is the connection, and the server does not take the body for whole. */
START_TEST(a_body_that_fails)
{
    for (int i = 0; i < 2; i++) {
        struct pieces pieces = {.texts = hello, .failure = ERR_THROTTLED};
        struct body_source source = source_of(&pieces, i == 0 ? BODY_LENGTH_UNKNOWN : 100);
        ck_assert_int_eq(send_with("PUT", &source, false), ERR_THROTTLED);
        ck_assert(!is_unreached);
        scripted_origin_wait_closed(origin, i);
        ck_assert(scripted_origin_request(origin, (size_t)i)->is_cut);
    }
    struct pieces pieces = {.texts = hello};
    struct body_source source = source_of(&pieces, 6);
    ck_assert_int_eq(send_with("PUT", &source, false), ERR_INTERNAL);
}
END_TEST

/* It is refused before it is read: what is left of it is of no use, and its sender is not waited for. */
START_TEST(an_early_refusal)
{
    struct pieces pieces = {.filler_size = INT64_C(1) << 50};
    struct body_source source = source_of(&pieces, BODY_LENGTH_UNKNOWN);
    struct str body;

    scripted_origin_say(origin, &(struct origin_answer){
                                    .early = "HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig"});
    ck_assert_msg(send_with("POST", &source, false) == ERR_OK, "%s", error.detail);
    ck_assert_int_eq(response.status, 413);
    ck_assert_int_eq(read_body(&body), ERR_OK);
    ck_assert(str_eq(body, STR("big")));
    scripted_origin_wait_closed(origin, 0);
}
END_TEST

/* It is refused, and the connection closed, while it is sent. */
START_TEST(an_early_refusal_that_closes)
{
    struct pieces pieces = {.filler_size = INT64_C(1) << 50};
    struct body_source source = source_of(&pieces, BODY_LENGTH_UNKNOWN);

    scripted_origin_say(
        origin, &(struct origin_answer){.early = "HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig",
                                        .skips_body = true,
                                        .then = ORIGIN_CLOSES});
    enum err err = send_with("POST", &source, false);
    /* A reset may take the answer away that was on its way. */
    ck_assert(err == ERR_OK || err == ERR_UPSTREAM_DOWN);
    if (!err)
        response.body.close(response.body.with);
}
END_TEST

/* The answer begins before the request has ended, and takes its rest along. */
START_TEST(an_early_answer)
{
    struct pieces pieces = {.filler_size = 50000000};
    struct body_source source = source_of(&pieces, 50000000);
    struct str body;

    scripted_origin_say(
        origin, &(struct origin_answer){
                    .early = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
                    .bytes = "1\r\nb\r\n0\r\n\r\n"});
    ck_assert_msg(send_with("POST", &source, false) == ERR_OK, "%s", error.detail);
    ck_assert_msg(read_body(&body) == ERR_OK, "%s", error.detail);
    ck_assert(str_eq(body, STR("ab")));
    ck_assert_int_eq(scripted_origin_request(origin, 0)->body_size, 50000000);
    /* Both went to their ends: the connection is good for more. */
    expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_connections(origin), 1);
}
END_TEST

/* ---- time ---- */

START_TEST(silence)
{
    struct str body;

    open_peer(scripted_origin_url(origin), NULL, SHORT_MS);
    scripted_origin_always(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    expect_failure(ERR_TIMEOUT, "silence");
    scripted_origin_always(origin, &(struct origin_answer){.bytes = "HTTP/1.1 200 OK\r\nConten",
                                                           .then = ORIGIN_IS_SILENT});
    expect_failure(ERR_TIMEOUT, "silence");
    scripted_origin_always(origin, &(struct origin_answer){
                                       .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
                                       .then = ORIGIN_IS_SILENT});
    open_peer(scripted_origin_url(origin), NULL, (int)slowness_stretch_ms(2 * SHORT_MS));
    ck_assert_int_eq(ask("GET"), ERR_OK);
    ck_assert_int_eq(read_body(&body), ERR_TIMEOUT);
}
END_TEST

/* A server that lets a kept connection live and says nothing is not asked once more. */
START_TEST(silence_is_not_repeated)
{
    open_peer(scripted_origin_url(origin), NULL, (int)slowness_stretch_ms(2 * SHORT_MS));
    expect("GET", 200, "hello");
    scripted_origin_always(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    expect_failure(ERR_TIMEOUT, "silence");
    ck_assert_int_eq(scripted_origin_connections(origin), 1);
}
END_TEST

/* Time in which the response's reader is slow is not the server's. */
START_TEST(others_may_be_slow)
{
    int timeout_ms = (int)slowness_stretch_ms(2 * SHORT_MS);
    struct str body;

    open_peer(scripted_origin_url(origin), NULL, timeout_ms);
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", .filler_size = 60000);
    ck_assert_int_eq(ask("GET"), ERR_OK);
    poll(NULL, 0, timeout_ms + SHORT_MS);
    ck_assert_msg(read_body(&body) == ERR_OK, "%s", error.detail);
    ck_assert_uint_eq(body.len, 60000);
}
END_TEST

START_TEST(a_deadline_of_all_of_it)
{
    const struct http_peer_request request = {
        .method = STR("GET"), .target = STR("/"), .deadline_ns = clock_deadline_ns(SHORT_MS)};

    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    ck_assert_int_eq(http_peer_send(peer, &request, &work, &response, &is_unreached), ERR_TIMEOUT);
    ck_assert_int_eq(http_peer_send(peer, &request, &work, &response, &is_unreached), ERR_TIMEOUT);
    ck_assert(is_unreached);
}
END_TEST

/* ---- much of it ---- */

static int64_t used_memory(void)
{
    struct mallinfo2 info = mallinfo2();

    return (int64_t)(info.uordblks + info.hblkhd);
}

START_TEST(a_gigabyte_down)
{
    int64_t size = IS_SANITIZED ? 64 << 20 : 1 << 30, got = 0, peak = 0;
    char head[100];
    size_t len = 1;

    for (int i = 0; i < 2; i++) {
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%s%lld\r\n\r\n",
                 i == 0 ? "Content-Length: " : "X: ", (long long)size);
        scripted_origin_say(origin, &(struct origin_answer){
                                        .bytes = head, .filler_size = size, .then = ORIGIN_CLOSES});
        ck_assert_int_eq(ask("GET"), ERR_OK);
        int64_t before = used_memory();
        for (got = 0, len = 1; len > 0; got += (int64_t)len) {
            static char buffer[65536];
            ck_assert_int_eq(
                response.body.next(response.body.with, &work, buffer, sizeof buffer, &len), ERR_OK);
            if (used_memory() - before > peak)
                peak = used_memory() - before;
        }
        ck_assert_int_eq(got, size);
        response.body.close(response.body.with);
    }
    /* The origin's own, in this process, is a part of it. */
    ck_assert_int_lt(peak, 1 << 20);
}
END_TEST

START_TEST(a_gigabyte_up)
{
    int64_t size = IS_SANITIZED ? 64 << 20 : 1 << 30, before = used_memory();
    struct pieces pieces = {.filler_size = size};
    struct body_source source = source_of(&pieces, BODY_LENGTH_UNKNOWN);

    ck_assert_msg(send_with("PUT", &source, false) == ERR_OK, "%s", error.detail);
    response.body.close(response.body.with);
    ck_assert_int_eq(scripted_origin_request(origin, 0)->body_size, size);
    ck_assert_int_lt(used_memory() - before, 4 << 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/http_peer");
    TCase *tcase = tcase_create("http_peer");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_request_as_it_is_sent);
    tcase_add_test(tcase, fields_and_lines);
    tcase_add_test(tcase, how_bodies_end);
    tcase_add_test(tcase, interim_responses);
    tcase_add_test(tcase, heads_that_are_refused);
    tcase_add_test(tcase, bodies_that_are_cut);
    tcase_add_test(tcase, bytes_behind_the_answer);
    tcase_add_test(tcase, a_body_that_is_not_wanted);
    tcase_add_test(tcase, an_idle_connection_that_was_closed);
    tcase_add_test(tcase, what_may_be_sent_again);
    tcase_add_test(tcase, what_may_not);
    tcase_add_test(tcase, a_body_is_sent);
    tcase_add_test(tcase, a_body_that_fails);
    tcase_add_test(tcase, an_early_refusal);
    tcase_add_test(tcase, an_early_refusal_that_closes);
    tcase_add_test(tcase, an_early_answer);
    tcase_add_test(tcase, silence);
    tcase_add_test(tcase, silence_is_not_repeated);
    tcase_add_test(tcase, others_may_be_slow);
    tcase_add_test(tcase, a_deadline_of_all_of_it);
    tcase_add_test(tcase, a_gigabyte_down);
    tcase_add_test(tcase, a_gigabyte_up);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
