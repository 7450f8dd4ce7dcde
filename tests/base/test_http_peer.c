#include "cachewarden/clock.h"

#include "peer_case.h"
#include "slowness.h"
#include "suite.h"

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
                     str_format(work.arena,
                                "GET * HTTP/1.1\r\nHost: %s\r\nEmpty: \r\nAccept: a\tb\r\n\r\n",
                                scripted_origin_url(origin) + strlen("http://"))
                         .ptr);
    request.field_count = 5;
    ck_assert_int_eq(http_peer_send(peer, &request, &work, &response, &is_unreached),
                     ERR_BAD_INPUT);
    request.field_count = 0;
    static const struct str targets[] = {{"/a b", 4},      {"/a#b", 4}, {"/a\r\nX: y", 8}, {"", 0},
                                         {"http://x/", 9}, {"/\0", 2},  {"**", 2}};
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

static bool is_first_at_hand(const char *answer, int64_t filler_size)
{
    struct str body;

    scripted_origin_say(origin,
                        &(struct origin_answer){.bytes = answer, .filler_size = filler_size});
    ck_assert_msg(ask("GET") == ERR_OK, "%s", error.detail);
    bool is_at_hand = response.body.is_at_hand;
    ck_assert_int_eq(read_body(&body), ERR_OK);
    return is_at_hand;
}

/* Of what came with the head, or is nothing. What only a server that says more could give is not at hand. */
START_TEST(what_is_at_hand_of_a_body)
{
    ck_assert(is_first_at_hand("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0));
    ck_assert(is_first_at_hand("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "2\r\nok\r\n0\r\n\r\n",
                               0));
    ck_assert(is_first_at_hand("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "0\r\n\r\n",
                               0));
    ck_assert_int_eq(scripted_origin_connections(origin), 1);
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", .then = ORIGIN_IS_SILENT);
    open_peer(scripted_origin_url(origin), NULL, SHORT_MS);
    ck_assert_int_eq(ask("GET"), ERR_OK);
    ck_assert(!response.body.is_at_hand);
    struct str body;
    ck_assert_int_eq(read_body(&body), ERR_TIMEOUT);
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

/* The server closes an idle connection: that is seen before what may not be sent twice goes over it. */
START_TEST(an_idle_connection_that_was_closed)
{
    struct str body;

    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", .then = ORIGIN_CLOSES);
    expect("GET", 200, "ok");
    scripted_origin_wait_closed(origin, 0);
    ck_assert_msg(send_with("POST", NULL, false) == ERR_OK, "%s", error.detail);
    ck_assert_int_eq(read_body(&body), ERR_OK);
    ck_assert(str_eq(body, STR("hello")));
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

/* A head that comes a byte at a time is no sign of life for ever; a body may take its time. */
START_TEST(a_head_that_drips)
{
    struct str body;

    open_peer(scripted_origin_url(origin), NULL, SHORT_MS);
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .drip_ms = SHORT_MS / 4);
    expect_failure(ERR_TIMEOUT, "silence");
    scripted_origin_wait_count(origin, 1);
    open_peer(scripted_origin_url(origin), NULL, PATIENCE_MS);
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", .drip_ms = 1);
    ck_assert_int_eq(ask("GET"), ERR_OK);
    ck_assert_int_eq(read_body(&body), ERR_OK);
    ck_assert(str_eq(body, STR("hello")));
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

/* Time in which the response's reader is slow is not the server's: its silence begins when it is waited for. */
START_TEST(a_slow_reader)
{
    int timeout_ms = (int)slowness_stretch_ms(2 * SHORT_MS);
    struct str body;

    open_peer(scripted_origin_url(origin), NULL, timeout_ms);
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", .then = ORIGIN_IS_SILENT);
    ck_assert_int_eq(ask("GET"), ERR_OK);
    poll(NULL, 0, timeout_ms + SHORT_MS);
    int64_t began_ns = clock_mono_ns();
    ck_assert_int_eq(read_body(&body), ERR_TIMEOUT);
    ck_assert_int_ge(clock_mono_ns() - began_ns, timeout_ms * NS_PER_MS);
}
END_TEST

static bool is_unwanted(void *with)
{
    return ++*(int *)with == 2;
}

/* The client is gone: nobody waits for the server any longer. */
START_TEST(an_answer_that_nobody_wants)
{
    int asked = 0;
    const struct http_peer_request request = {.method = STR("GET"),
                                              .target = STR("/"),
                                              .is_unwanted = is_unwanted,
                                              .unwanted_with = &asked};

    scripted_origin_say(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    ck_assert_int_eq(http_peer_send(peer, &request, &work, &response, &is_unreached),
                     ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(asked, 2);
    ck_assert(!is_unreached);
    scripted_origin_wait_closed(origin, 0);
}
END_TEST

/* ---- pieces that are waited for ---- */

static enum err read_piece(struct body_watch *watch, char piece[16], size_t *len_out)
{
    return body_source_next(&response.body, watch, &work, piece, 16, len_out);
}

static void ask_for_held(const char *early, const char *rest)
{
    scripted_origin_say(origin,
                        &(struct origin_answer){.early = early, .bytes = rest, .is_held = true});
    ck_assert_msg(ask("GET") == ERR_OK, "%s", error.detail);
}

/* Whoever has waited long enough gets what came, and the rest when it comes. */
START_TEST(a_piece_that_does_not_come_in_time)
{
    static const char *const framings[][2] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", "cd"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
         "c\r\n1\r\nd\r\n0\r\n\r\n"},
    };
    char piece[16];
    size_t len;

    ask_for_held(framings[_i][0], framings[_i][1]);
    struct body_watch none = {0}, late = {.until_ns = clock_mono_ns()}, soon;
    ck_assert_int_eq(read_piece(&none, piece, &len), ERR_OK);
    ck_assert_uint_eq(len, 2);
    ck_assert(!none.is_over);
    soon = (struct body_watch){.until_ns = clock_deadline_ns(SHORT_MS)};
    ck_assert_int_eq(read_piece(&soon, piece, &len), ERR_OK);
    ck_assert(soon.is_over && len == 0);
    ck_assert_int_eq(clock_left_ms(soon.until_ns), 0);
    ck_assert_int_eq(read_piece(&late, piece, &len), ERR_OK);
    ck_assert(late.is_over && len == 0);
    scripted_origin_release(origin);
    struct str rest;
    ck_assert_int_eq(read_body(&rest), ERR_OK);
    ck_assert(str_eq(rest, STR("cd")));
    expect("GET", 200, "hello");
    ck_assert_int_eq(scripted_origin_connections(origin), 1);
}
END_TEST

/* However often it is asked: the server is silent all the while. */
START_TEST(silence_goes_on_between_two_askers)
{
    enum err err;
    char piece[16];
    size_t len;

    open_peer(scripted_origin_url(origin), NULL, (int)slowness_stretch_ms(3 * SHORT_MS));
    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", .then = ORIGIN_IS_SILENT);
    ck_assert_int_eq(ask("GET"), ERR_OK);
    do {
        struct body_watch watch = {.until_ns = clock_deadline_ns(SHORT_MS)};
        err = read_piece(&watch, piece, &len);
        ck_assert(watch.is_over == (err == ERR_OK));
    } while (err == ERR_OK);
    ck_assert_int_eq(err, ERR_TIMEOUT);
    response.body.close(response.body.with);
    scripted_origin_wait_closed(origin, 0);
}
END_TEST

START_TEST(a_body_that_nobody_wants)
{
    int asked = 0;
    struct body_watch watch = {.is_unwanted = is_unwanted, .with = &asked};
    char piece[16];
    size_t len;

    ORIGIN_SAY(origin, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", .then = ORIGIN_IS_SILENT);
    ck_assert_int_eq(ask("GET"), ERR_OK);
    ck_assert_int_eq(read_piece(&watch, piece, &len), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(asked, 2);
    response.body.close(response.body.with);
    scripted_origin_wait_closed(origin, 0);
}
END_TEST

/* Bytes that come again and again, and are no piece, do not keep whoever waits from being asked. */
START_TEST(a_chunk_that_drips_for_nobody)
{
    int asked = 0;
    struct body_watch watch = {.is_unwanted = is_unwanted, .with = &asked};
    char head[4096], piece[16];
    size_t len;

    memset(head, '0', sizeof head);
    head[sizeof head - 1] = '\0';
    scripted_origin_say(
        origin,
        &(struct origin_answer){.early = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
                                .bytes = head,
                                .drip_ms = SHORT_MS});
    ck_assert_msg(ask("GET") == ERR_OK, "%s", error.detail);
    ck_assert_int_eq(read_piece(&watch, piece, &len), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(asked, 2);
    response.body.close(response.body.with);
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

int main(void)
{
    Suite *suite = suite_create("base/http_peer");
    TCase *tcase = tcase_create("http_peer");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_request_as_it_is_sent);
    tcase_add_test(tcase, fields_and_lines);
    tcase_add_test(tcase, how_bodies_end);
    tcase_add_test(tcase, what_is_at_hand_of_a_body);
    tcase_add_test(tcase, interim_responses);
    tcase_add_test(tcase, heads_that_are_refused);
    tcase_add_test(tcase, bodies_that_are_cut);
    tcase_add_test(tcase, bytes_behind_the_answer);
    tcase_add_test(tcase, a_body_that_is_not_wanted);
    tcase_add_test(tcase, an_idle_connection_that_was_closed);
    tcase_add_test(tcase, what_may_be_sent_again);
    tcase_add_test(tcase, what_may_not);
    tcase_add_test(tcase, silence);
    tcase_add_test(tcase, an_answer_that_nobody_wants);
    tcase_add_test(tcase, a_head_that_drips);
    tcase_add_test(tcase, silence_is_not_repeated);
    tcase_add_test(tcase, a_slow_reader);
    tcase_add_test(tcase, a_deadline_of_all_of_it);
    tcase_add_loop_test(tcase, a_piece_that_does_not_come_in_time, 0, 2);
    tcase_add_test(tcase, silence_goes_on_between_two_askers);
    tcase_add_test(tcase, a_body_that_nobody_wants);
    tcase_add_test(tcase, a_chunk_that_drips_for_nobody);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
