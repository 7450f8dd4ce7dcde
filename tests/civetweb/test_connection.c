/*
 * CivetWeb as patched, without the program around it: an echo of what it made of a request. What a
 * slow, greedy or malicious peer can make a worker thread do, and for how long.
 *
 * Times are bounded from both sides, and generously from above, beside a control: a deadline that starts
 * again with every byte would never be reached at all.
 */
#include "echo_server.h"
#include "slowness.h"

/* ---- what reaches the application ---- */

START_TEST(every_method_and_target_reaches_the_application)
{
    static const char *const requests[][2] = {
        {"TRACE /a HTTP/1.1\r\n" HOST "\r\n", "TRACE /a body=0"},
        {"BREW /a HTTP/1.1\r\n" HOST "\r\n", "BREW /a body=0"},
        {"get /a HTTP/1.1\r\n" HOST "\r\n", "get /a body=0"},
        {"CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", "CONNECT a:443 body=0"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS * body=0"},
        {"GET http://other/a?b HTTP/1.1\r\n" HOST "\r\n", "GET http://other/a body=0"},
        {"GET /a HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
         "GET /a body=0"},
    };
    struct raw *raw = raw_open(port);

    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        expect(raw, requests[i][0], 200, requests[i][1]);
    raw_close(&raw);
}
END_TEST

START_TEST(a_bad_head_gets_one_answer_and_is_closed)
{
    static const struct {
        int status;
        const char *request;
    } cases[] = {
        {400, "GET /a HTTP/1.1\nHost: x\n\n"},
        {400, "GET /a HTTP/1.1\r\n" HOST "A : b\r\n\r\n"},
        {400, "GET /a HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n"},
        {400, "POST /a HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\na"},
        {400, "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n"},
        {505, "GET /a HTTP/2.0\r\n" HOST "\r\n"},
        {400, "\x16\x03\x01\x02"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raw *raw = raw_open(port);

        expect(raw, cases[i].request, cases[i].status, "");
        expect_closed(&raw);
    }
}
END_TEST

/* "fields" many, or one that is `size` long. */
static void expect_head(int status, int fields, size_t size, const char *before, const char *after)
{
    struct raw *raw = raw_open(port);
    char *filler = malloc(size + 1);

    memset(filler, 'a', size);
    filler[size] = '\0';
    raw_print(raw, "%s%s%s", before, filler, after);
    for (int i = 0; i < fields; i++)
        raw_print(raw, "F: %d\r\n", i);
    expect(raw, "\r\n", status, "");
    if (status != 200)
        expect_closed(&raw);
    else
        raw_close(&raw);
    free(filler);
}

START_TEST(limits_of_a_head)
{
    expect_head(200, 64, 0, "GET /a HTTP/1.1\r\n", "");
    expect_head(431, 65, 0, "GET /a HTTP/1.1\r\n", "");
    expect_head(200, 0, 15000, "GET /a HTTP/1.1\r\nF: ", "\r\n");
    expect_head(431, 0, 20000, "GET /a HTTP/1.1\r\nF: ", "\r\n");
    expect_head(414, 0, 20000, "GET /", " HTTP/1.1\r\n");
}
END_TEST

/*
 * The buffer of a worker keeps the bytes of the connection before. An empty line in place of a
 * request used to make the parser run on into them; here a whole request lies there.
 */
START_TEST(nothing_of_another_connection_is_read)
{
    for (int round = 0; round < 4; round++) {
        struct raw *raw;

        /* Workers take turns, so this fills the buffers of all. */
        for (int worker = 0; worker < WORKERS; worker++) {
            raw = raw_open(port);
            expect(raw, "\x01\x01\x01\x01GET /stale HTTP/1.1\r\n" HOST "\r\n", 400, "");
            expect_closed(&raw);
        }
        raw = raw_open(port);
        expect(raw, "\r\n\r\n", 400, "");
        expect_closed(&raw);
    }
}
END_TEST

/* ---- bodies ---- */

#define CHUNKED "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

START_TEST(reads_chunks)
{
    struct raw *raw = raw_open(port);

    /* Three, and the connection is good for the next each time. */
    expect(raw, CHUNKED "5\r\nhello\r\n0000A\r\n0123456789\r\n0\r\n\r\n", 200,
           "POST /a body=15 whole \"hello0123456789\"");
    expect(raw, CHUNKED "000000000000001\r\nx\r\n00\r\n\r\n", 200, "POST /a body=1 whole \"x\"");
    expect(raw, CHUNKED "0\r\n\r\n", 200, "POST /a body=0 whole");
    raw_close(&raw);
}
END_TEST

/* In every piece that framing and body can be cut into. */
START_TEST(reads_chunks_in_pieces)
{
    static const char body[] = "5\r\nhello\r\na\r\n0123456789\r\n0\r\n\r\n";

    for (size_t cut = 1; cut < sizeof body - 1; cut++) {
        struct raw *raw = raw_open(port);

        raw_print(raw, CHUNKED "%.*s", (int)cut, body);
        await_unfinished(1);
        expect(raw, body + cut, 200, "POST /a body=15 whole \"hello0123456789\"");
        expect(raw, "GET /next HTTP/1.1\r\n" HOST "\r\n", 200, "GET /next");
        raw_close(&raw);
        await_waiting(0);
    }
}
END_TEST

/* The callback is called twice, and what it has written down is still there. */
START_TEST(a_body_is_awaited_once)
{
    struct raw *raw = raw_open(port);

    raw_print(raw, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhel");
    await_unfinished(1);
    raw_print(raw, "lo");
    await_unfinished(1);
    expect(raw,
           "world"
           "GET /next HTTP/1.1\r\n" HOST "\r\n",
           200, "POST /a body=10 whole \"helloworld\" fields=2 from=127.0.0.1 begun=2");
    expect(raw, "", 200, "GET /next body=0 whole \"\" fields=1 from=127.0.0.1 begun=1");
    raw_close(&raw);
}
END_TEST

START_TEST(a_body_over_the_limit_is_refused_at_once)
{
    struct raw *raw = raw_open(port);

    expect(raw, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 100001\r\n\r\n", 200,
           "POST /a body=0 too large");
    expect_closed(&raw);
    raw = raw_open(port);
    raw_print(raw, CHUNKED "1ffff\r\n");
    for (int i = 0; i < 101; i++)
        raw_print(raw, "%01000d", i);
    expect(raw, "", 200, "POST /a body=0 too large");
    expect_closed(&raw);
}
END_TEST

START_TEST(says_continue_once_and_only_to_who_waits)
{
    struct raw *raw = raw_open(port);
    static const char head[] =
        "POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n";

    expect(raw, head, 100, "");
    raw_print(raw, "he");
    await_unfinished(1);
    expect(raw, "llo", 200, "POST /a body=5 whole \"hello\"");
    raw_print(raw, "%shello", head);
    expect(raw, "", 200, "POST /a body=5 whole \"hello\"");
    raw_close(&raw);
}
END_TEST

START_TEST(forgets_a_body_when_the_request_is_over)
{
    struct raw *raw = raw_open(port);

    expect(raw, "POST /look HTTP/1.1\r\nContent-Length: 20\r\n" HOST "\r\ncanary canary canary",
           200, "seen");
    expect(raw, "GET /look-back HTTP/1.1\r\n" HOST "\r\n", 200, "forgotten");
    raw_close(&raw);
}
END_TEST

/* Nor is anything left where a request lay that came together with another one. */
START_TEST(forgets_a_body_that_was_moved)
{
    struct raw *raw = raw_open(port);

    raw_print(raw, "GET /first HTTP/1.1\r\n" HOST "\r\n"
                   "POST /look HTTP/1.1\r\nContent-Length: 20\r\n" HOST "\r\ncanary canary canary");
    expect(raw, "", 200, "GET /first");
    expect(raw, "", 200, "seen");
    expect(raw, "GET /look-back HTTP/1.1\r\n" HOST "\r\n", 200, "forgotten");
    raw_close(&raw);
}
END_TEST

START_TEST(refuses_bad_chunks)
{
    static const char *const bad[] = {
        "0x5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "5;a=b\r\nhello\r\n",
        "\r\nhello\r\n",
        "g\r\nhello\r\n",
        "5\nhello\n",
        "5\r\nhelloX\r\n",
        "0000000000000005\r\nhello\r\n",
        "ffffffffffffffff\r\nhello\r\n",
        "10000000000000005\r\nhello\r\n",
        "7fffffffffffffff\r\nhello\r\n",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct raw *raw = raw_open(port);

        raw_print(raw, CHUNKED "%s0\r\n\r\nGET /smuggled HTTP/1.1\r\n" HOST "\r\n", bad[i]);
        expect(raw, "", 200, "POST /a body=0 broken");
        expect_closed(&raw);
    }
}
END_TEST

START_TEST(trailer_fields_end_the_connection)
{
    struct raw *raw = raw_open(port);

    expect(raw, CHUNKED "1\r\nx\r\n0\r\nA: b\r\n\r\nGET /smuggled HTTP/1.1\r\n" HOST "\r\n", 200,
           "POST /a body=1 whole \"x\"");
    expect_closed(&raw);
}
END_TEST

START_TEST(a_small_unread_body_keeps_the_connection)
{
    struct raw *raw = raw_open(port);

    expect(raw, "POST /unread HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 200, "unread");
    expect(raw, "GET /next HTTP/1.1\r\n" HOST "\r\n", 200, "GET /next");
    raw_close(&raw);
}
END_TEST

static void send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

        ck_assert_msg(n > 0, "the peer was cut off with %zu bytes to go", size);
        bytes += n;
        size -= (size_t)n;
    }
}

/* The peer is still sending when it is refused; it must see why, not a reset. */
START_TEST(a_refusal_reaches_a_peer_that_is_still_sending)
{
    enum { BODY = 600000 };
    static const char head[] = "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 600000\r\n\r\n";
    char *body = calloc(1, BODY);
    char answered[200];
    int fd = connect_socket(0);

    send_all(fd, head, sizeof head - 1);
    /* The refusal is here before the body is sent. */
    ck_assert_int_gt(recv(fd, answered, sizeof answered, MSG_PEEK), 0);
    send_all(fd, body, BODY);
    ck_assert_int_gt(recv(fd, answered, sizeof answered, 0), 0);
    ck_assert_ptr_nonnull(strstr(answered, "HTTP/1.1 413 "));
    ck_assert_int_eq(recv(fd, answered, sizeof answered, 0), 0);
    close(fd);
    free(body);
}
END_TEST

/* ---- time ---- */

/* Sends `first`, then `drip` again and again until the peer has closed; how long that took. */
static int drip(const char *first, const char *byte, char *answer_out, size_t size)
{
    int64_t start_ms = now_ms();
    int fd = connect_socket(0);
    size_t got = 0;

    send_all(fd, first, strlen(first));
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};

        ck_assert_int_lt(now_ms() - start_ms, PATIENCE_MS);
        if (poll(&ready, 1, 40) > 0) {
            ssize_t n = recv(fd, answer_out + got, size - 1 - got, 0);

            if (n <= 0)
                break;
            got += (size_t)n;
        }
        if (*byte != '\0')
            send(fd, byte, strlen(byte), MSG_NOSIGNAL);
    }
    answer_out[got] = '\0';
    close(fd);
    return (int)(now_ms() - start_ms);
}

START_TEST(time_is_bounded_however_bytes_drip)
{
    static const struct {
        const char *name, *first, *byte;
        int at_least_ms;
        const char *answer; /* what the answer holds */
    } cases[] = {
        {"silence", "", "", HEAD_TIMEOUT_MS, ""},
        {"a head in bytes", "GET /a HTTP/1.1\r\nF: ", "a", HEAD_TIMEOUT_MS, "HTTP/1.1 408 "},
        {"half a head", "GET /a HTT", "", HEAD_TIMEOUT_MS, "HTTP/1.1 408 "},
        {"idle after an answer", "GET /a HTTP/1.1\r\n" HOST "\r\n", "", IDLE_TIMEOUT_MS,
         "/a body=0"},
        {"a second head in bytes", "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\nF: ", "a",
         HEAD_TIMEOUT_MS, "HTTP/1.1 408 "},
        {"a body in bytes", "POST /a HTTP/1.1\r\n" HOST "Content-Length: 9999\r\n\r\n", "a",
         DEADLINE_MS, "body=0 late"},
        {"half a body", "POST /a HTTP/1.1\r\n" HOST "Content-Length: 9999\r\n\r\nabc", "",
         DEADLINE_MS, "body=0 late"},
        {"chunks in bytes", CHUNKED, "1\r\na\r\n", DEADLINE_MS, "body=0 late"},
        {"an unread body in bytes", "POST /unread HTTP/1.1\r\n" HOST "Content-Length: 9999\r\n\r\n",
         "a", 0, "unread"},
    };
    char answered[4096];
    int took_ms = drip(cases[_i].first, cases[_i].byte, answered, sizeof answered);

    ck_assert_msg(strstr(answered, cases[_i].answer) != NULL, "%s: got \"%s\"", cases[_i].name,
                  answered);
    ck_assert_msg(took_ms >= cases[_i].at_least_ms, "%s: %d ms", cases[_i].name, took_ms);
    /* A deadline, and a second in which the rest of the body is taken in. */
    expect_within_ms(took_ms, cases[_i].at_least_ms + 1000 + 4000);
}
END_TEST

/* A peer that takes its answer not at all, in sips, or steadily but too slowly, is cut off. */
START_TEST(a_slow_reader_is_cut_off)
{
    static const struct {
        int receive_buffer;
        size_t gulp;
        int pause_ms;
    } readers[] = {{4096, 0, 10}, {4096, 2000, 10}, {0, 65536, 20}};
    static const char request[] = "GET /flood HTTP/1.1\r\n" HOST "\r\n";
    static char bytes[65536];
    int64_t start_ms = now_ms();
    int fd = connect_socket(readers[_i].receive_buffer);

    send_all(fd, request, sizeof request - 1);
    while (waiting_stats().cut == 0) {
        ck_assert_int_lt(now_ms() - start_ms, PATIENCE_MS);
        if (readers[_i].gulp > 0)
            recv(fd, bytes, readers[_i].gulp, MSG_DONTWAIT);
        poll(NULL, 0, readers[_i].pause_ms);
    }
    ck_assert_int_ge(now_ms() - start_ms, DEADLINE_MS);
    await_nothing();
    close(fd);
}
END_TEST

START_TEST(a_large_answer_arrives_whole)
{
    static const char request[] =
        "GET /flood/patient HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n" HOST "\r\n";
    static char bytes[65536];
    size_t total = 0;
    int fd = connect_socket(4096);

    send_all(fd, request, sizeof request - 1);
    await_unfinished(1);
    while (total < FLOOD) {
        size_t left = FLOOD - total;
        ssize_t n = recv(fd, bytes, left < sizeof bytes ? left : sizeof bytes, 0);
        ck_assert_int_gt(n, 0);
        total += (size_t)n;
    }
    ck_assert_int_gt(recv(fd, bytes, sizeof bytes, 0), 0);
    ck_assert_ptr_nonnull(strstr(bytes, "GET /next body=0"));
    close(fd);
}
END_TEST

/* The memory of all sockets of a machine is bounded: those who take nothing must not use it up. */
/* Whatever the client takes of them at once. */
START_TEST(two_pieces_arrive_as_one)
{
    static const size_t sizes[] = {1, 5, 20000, 5000000, FLOOD / 2 + 1, FLOOD - 1};
    static char bytes[65536];

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char request[200];
        int fd = connect_socket(i % 2 == 0 ? 4096 : 0);
        size_t at = 0, wrong = 0;
        ssize_t n;
        snprintf(request, sizeof request,
                 "GET /both/patient?%zu HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", sizes[i]);
        ck_assert_int_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
        while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) {
            for (ssize_t k = 0; k < n; k++, at++)
                wrong += bytes[k] != both_byte(at);
        }
        ck_assert_uint_eq(wrong, 0);
        ck_assert_uint_eq(at, sizes[i]);
        close(fd);
    }
    await_nothing();
}
END_TEST

START_TEST(the_kernel_keeps_little_of_what_is_not_taken)
{
    static const char request[] = "GET /flood/patient HTTP/1.1\r\n" HOST "\r\n";
    int fd = connect_socket(4096);

    send_all(fd, request, sizeof request - 1);
    await_unfinished(1);
    ck_assert_int_gt(waiting_stats().bytes, FLOOD - (256 << 10));
    close(fd);
}
END_TEST

/* Clients that do not take it hold no memory, so that none of them has to make room for others. */
START_TEST(an_answer_that_lasts_is_not_copied)
{
    enum { CLIENTS = 4 };
    static const char request[] =
        "GET /lasting/patient HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n" HOST "\r\n";
    static char bytes[65536];
    const size_t whole = strlen(lasting) + LASTING;
    int fds[CLIENTS];

    mg_limit_waiting(server, MG_CONNECTIONS_MAX, CLIENTS * 1024);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = connect_socket(4096);
        send_all(fds[i], request, sizeof request - 1);
        await_unfinished(i + 1);
    }
    ck_assert_int_eq(waiting_stats().evicted, 0);
    for (int i = 0; i < CLIENTS; i++) {
        size_t total = 0;
        while (total < whole) {
            size_t left = whole - total;
            ssize_t n = recv(fds[i], bytes, left < sizeof bytes ? left : sizeof bytes, 0);
            ck_assert_int_gt(n, 0);
            if (total == 0)
                ck_assert_mem_eq(bytes, "it lasts", 8);
            total += (size_t)n;
        }
        ck_assert_int_gt(recv(fds[i], bytes, sizeof bytes, 0), 0);
        ck_assert_ptr_nonnull(strstr(bytes, "GET /next body=0"));
        close(fds[i]);
    }
}
END_TEST

/* Nor one that closes its connection, nor one that is not taken in time. */
START_TEST(an_answer_that_lasts_ends_with_its_connection)
{
    static const char request[] =
        "GET /lasting/patient HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    static const char hasty[] = "GET /lasting HTTP/1.1\r\n" HOST "\r\n";
    static char bytes[65536];
    const size_t whole = strlen(lasting) + LASTING;
    size_t total = 0;
    ssize_t n;
    int taker = connect_socket(0), idler = connect_socket(4096);

    send_all(taker, request, sizeof request - 1);
    while ((n = recv(taker, bytes, sizeof bytes, 0)) > 0)
        total += (size_t)n;
    ck_assert_int_eq(n, 0);
    ck_assert_uint_eq(total, whole);
    close(taker);
    send_all(idler, hasty, sizeof hasty - 1);
    AWAIT(stats.cut == 1);
    await_nothing();
    close(idler);
}
END_TEST

START_TEST(stops_with_connections_in_every_state)
{
    /* Silent, in the middle of a head, and waiting for a worker; the fixture measures how long stopping takes. */
    static struct raw *left_open[WORKERS + 3];

    for (int i = 0; i < WORKERS + 3; i++) {
        left_open[i] = raw_open(port);
        if (i % 2 == 0)
            raw_print(left_open[i], "GET /a HT");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("civetweb/connection");
    TCase *tcase = tcase_create("connection");

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, every_method_and_target_reaches_the_application);
    tcase_add_test(tcase, a_bad_head_gets_one_answer_and_is_closed);
    tcase_add_test(tcase, limits_of_a_head);
    tcase_add_test(tcase, nothing_of_another_connection_is_read);
    tcase_add_test(tcase, reads_chunks);
    tcase_add_test(tcase, reads_chunks_in_pieces);
    tcase_add_test(tcase, a_body_is_awaited_once);
    tcase_add_test(tcase, a_body_over_the_limit_is_refused_at_once);
    tcase_add_test(tcase, says_continue_once_and_only_to_who_waits);
    tcase_add_test(tcase, forgets_a_body_when_the_request_is_over);
    tcase_add_test(tcase, forgets_a_body_that_was_moved);
    tcase_add_test(tcase, refuses_bad_chunks);
    tcase_add_test(tcase, trailer_fields_end_the_connection);
    tcase_add_test(tcase, a_small_unread_body_keeps_the_connection);
    tcase_add_test(tcase, a_refusal_reaches_a_peer_that_is_still_sending);
    tcase_add_loop_test(tcase, time_is_bounded_however_bytes_drip, 0, 9);
    tcase_add_loop_test(tcase, a_slow_reader_is_cut_off, 0, 3);
    tcase_add_test(tcase, a_large_answer_arrives_whole);
    tcase_add_test(tcase, two_pieces_arrive_as_one);
    tcase_add_test(tcase, the_kernel_keeps_little_of_what_is_not_taken);
    tcase_add_test(tcase, an_answer_that_lasts_is_not_copied);
    tcase_add_test(tcase, an_answer_that_lasts_ends_with_its_connection);
    tcase_add_test(tcase, stops_with_connections_in_every_state);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
