/* Answers that are made while they are sent: from the operation's source to the client's socket. */
#include "http_case.h"
#include "log_capture.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/routes.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { MUCH = 5000000, ENDLESS = 0 };

/* `size` bytes in pieces of `piece` at most, and then the end, or what went wrong. */
struct made {
    size_t at, size, piece;
    enum err end;
};

static atomic_int sources_open;

static char made_byte(size_t at)
{
    return (char)('a' + at % 23);
}

static enum err next_of(void *with, const struct work *work, char *buffer, size_t size,
                        size_t *len_out)
{
    struct made *made = with;
    char *text =
        arena_alloc(work->arena, 1); /* there is memory for a piece, and it is given back */
    size_t len = made->piece < size ? made->piece : size;

    if (made->size != ENDLESS && len > made->size - made->at)
        len = made->size - made->at;
    *len_out = len;
    if (!text || (len == 0 && made->end != ERR_OK))
        return error_set(work->error, made->end, "the upstream went away");
    for (size_t i = 0; i < len; i++)
        buffer[i] = made_byte(made->at++);
    return ERR_OK;
}

static void close_of(void *with)
{
    free(with);
    atomic_fetch_sub(&sources_open, 1);
}

static void give(struct call *call, int64_t length, struct made what)
{
    struct made *made = malloc(sizeof *made);
    const struct body_source source = {
        .length = length, .next = next_of, .close = close_of, .with = made};

    ck_assert_ptr_nonnull(made);
    *made = what;
    atomic_fetch_add(&sources_open, 1);
    call_give_source(call, &source, STR("text/plain"));
}

static enum err op_announced(struct call *call)
{
    give(call, MUCH, (struct made){.size = MUCH, .piece = 10007});
    return call_finish(call);
}

static enum err op_unannounced(struct call *call)
{
    give(call, BODY_LENGTH_UNKNOWN, (struct made){.size = MUCH, .piece = 100000});
    return call_finish(call);
}

static enum err op_little(struct call *call)
{
    give(call, BODY_LENGTH_UNKNOWN, (struct made){.size = 18, .piece = 17});
    return call_finish(call);
}

static enum err op_empty(struct call *call)
{
    give(call, 0, (struct made){.size = 1, .piece = 1});
    return call_finish(call);
}

static enum err op_endless(struct call *call)
{
    give(call, BODY_LENGTH_UNKNOWN, (struct made){.size = ENDLESS, .piece = 100000});
    return call_finish(call);
}

static enum err op_short(struct call *call)
{
    give(call, 1001, (struct made){.size = 1000, .piece = 1000});
    return call_finish(call);
}

static enum err op_failing(struct call *call)
{
    give(call, BODY_LENGTH_UNKNOWN,
         (struct made){.size = 1000, .piece = 1000, .end = ERR_UPSTREAM_DOWN});
    return call_finish(call);
}

static enum err op_refused(struct call *call)
{
    give(call, 1000, (struct made){.size = 1000, .piece = 1000});
    return error_set(&call->error, ERR_CONFLICT, "not now");
}

static enum err op_unmodified(struct call *call)
{
    give(call, 1000, (struct made){.size = 1000, .piece = 1000});
    call->reply.outcome = OUTCOME_NOT_MODIFIED;
    return call_finish(call);
}

enum { SLOW_PIECES = 500, SLOW_PIECE = 100 };

static atomic_int pieces_made, pieces_before_plain;
static atomic_bool is_asked, may_go_on;

static bool is_set(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

/* Each piece takes its time, the first as long as the test wants. */
static enum err next_of_slow(void *with, const struct work *work, char *buffer, size_t size,
                             size_t *len_out)
{
    (void)with;
    (void)work;
    atomic_store(&is_asked, true);
    edge_wait(is_set, &may_go_on, "the other client's request to be there");
    int64_t end_ns = clock_mono_ns() + 2 * NS_PER_MS;
    while (clock_mono_ns() < end_ns)
        poll(NULL, 0, 1);
    *len_out = size < SLOW_PIECE ? size : SLOW_PIECE;
    memset(buffer, 'x', *len_out);
    atomic_fetch_add(&pieces_made, 1);
    return ERR_OK;
}

static enum err op_slow(struct call *call)
{
    const struct body_source source = {.length = SLOW_PIECES * SLOW_PIECE,
                                       .next = next_of_slow,
                                       .close = close_of,
                                       .with = malloc(1)};

    atomic_fetch_add(&sources_open, 1);
    call_give_source(call, &source, STR("text/plain"));
    return call_finish(call);
}

static enum err op_plain(struct call *call)
{
    atomic_store(&pieces_before_plain, atomic_load(&pieces_made));
    json_open_object(&call->reply.json);
    json_add_bool(&call->reply.json, "plain", true);
    json_close_object(&call->reply.json);
    return call_finish(call);
}

#define ROW(row_path, function)                                                                \
    {                                                                                          \
        .method = METHOD_GET, .path = "/" row_path, .name = row_path, .operation = (function), \
        .permit = PERMIT_PUBLIC, .effect = EFFECT_READ                                         \
    }

static const struct route routes[] = {
    ROW("announced", op_announced),
    ROW("unannounced", op_unannounced),
    ROW("little", op_little),
    ROW("empty", op_empty),
    ROW("endless", op_endless),
    ROW("short", op_short),
    ROW("failing", op_failing),
    ROW("refused", op_refused),
    ROW("unmodified", op_unmodified),
    ROW("plain", op_plain),
    ROW("slow", op_slow),
};

static void open_streams(void)
{
    struct http_options options = edge_options();

    options.routes = routes;
    options.route_count = sizeof routes / sizeof *routes;
    edge_open(&options);
    raw = raw_open(edge_port());
}

static bool are_closed(void *arg)
{
    (void)arg;
    return atomic_load(&sources_open) == 0;
}

static void await_closed(void)
{
    edge_wait(are_closed, NULL, "every source to be closed");
}

/* All bytes up to the end of the connection; errno: how it ended. */
static size_t take_all(int fd, char *bytes, size_t size)
{
    size_t taken = 0;
    ssize_t n;

    errno = 0;
    while (taken < size - 1 && (n = recv(fd, bytes + taken, size - 1 - taken, 0)) > 0)
        taken += (size_t)n;
    bytes[taken] = '\0';
    return taken;
}

static int ask(int receive_room, const char *request)
{
    int fd = connect_to_edge(receive_room);

    ck_assert_int_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    return fd;
}

/* ---- whole ones ---- */

START_TEST(a_large_body_arrives_whole_and_its_connection_is_kept)
{
    static const char *const paths[] = {"/announced", "/unannounced"};
    struct http_client *client = http_client_new(edge_url());
    struct http_stats stats;
    size_t wrong = 0;

    for (int i = 0; i < 4; i++) {
        const struct http_reply *got = http_get(client, paths[i % 2], NULL);
        ck_assert_msg(got->status == 200, "%s", got->failure);
        ck_assert_uint_eq(got->body_size, MUCH);
        ck_assert_int_eq(got->is_reused, i > 0);
        for (size_t at = 0; at < MUCH; at++)
            wrong += got->body[at] != made_byte(at);
        ck_assert_uint_eq(wrong, 0);
        expect_header(got, "Content-Length", i % 2 == 0 ? "5000000" : NULL);
        expect_header(got, "Transfer-Encoding", i % 2 == 0 ? NULL : "chunked");
    }
    http_client_free(&client);
    await_closed();
    http_stats_read(edge_http(), &stats);
    ck_assert_uint_ge(stats.pieces, 4 * MUCH / (32 * 1024)); /* which the watchdog counts */
}
END_TEST

START_TEST(chunks_to_the_byte_and_the_next_request_behind_them)
{
    static char bytes[4096];
    int fd = ask(0, "GET /little HTTP/1.1\r\n" H "\r\nGET /empty HTTP/1.1\r\n" H
                    "\r\nGET /plain HTTP/1.1\r\n" H "Connection: close\r\n\r\n");

    take_all(fd, bytes, sizeof bytes);
    ck_assert_ptr_nonnull(strstr(bytes,
                                 "\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
                                 "Connection: keep-alive\r\n"));
    ck_assert_ptr_nonnull(strstr(bytes,
                                 "\r\n\r\n0011\r\nabcdefghijklmnopq\r\n0001\r\nr\r\n0\r\n\r\n"
                                 "HTTP/1.1 200 OK\r\n"));
    ck_assert_ptr_nonnull(strstr(bytes, "Content-Length: 0\r\n"));
    ck_assert_ptr_nonnull(strstr(bytes, "{\"plain\":true}"));
    close(fd);
    await_closed();
}
END_TEST

START_TEST(an_old_client_gets_it_up_to_the_end_of_the_connection)
{
    static char bytes[4096];
    int fd = ask(0, "GET /little HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n");

    take_all(fd, bytes, sizeof bytes);
    ck_assert_int_eq(errno, 0);
    ck_assert_ptr_null(strstr(bytes, "Transfer-Encoding"));
    ck_assert_ptr_null(strstr(bytes, "Content-Length"));
    ck_assert_ptr_nonnull(strstr(bytes, "\r\nConnection: close\r\n"));
    ck_assert_str_eq(strstr(bytes, "\r\n\r\n") + 4, "abcdefghijklmnopqr");
    close(fd);
}
END_TEST

START_TEST(a_head_alone_makes_nothing)
{
    raw_print(raw, "HEAD /announced HTTP/1.1\r\n" H "\r\n");
    const struct http_reply *got = raw_reply_to_head(raw, SOON_MS);
    expect_status(got, 200);
    expect_header(got, "Content-Length", "5000000");
    raw_print(raw, "HEAD /unannounced HTTP/1.1\r\n" H "\r\n");
    got = raw_reply_to_head(raw, SOON_MS);
    expect_status(got, 200);
    expect_header(got, "Content-Length", NULL);
    expect_header(got, "Transfer-Encoding", NULL);
    expect_header(got, "Connection", "keep-alive");
    await_closed();
    expect_kept();
}
END_TEST

START_TEST(what_is_not_sent_is_closed)
{
    raw_print(raw, "GET /refused HTTP/1.1\r\n" H "\r\n");
    expect_body(reply(), 409, "{\"detail\":\"not now\"}");
    raw_print(raw, "GET /unmodified HTTP/1.1\r\n" H "\r\n");
    expect_body(reply(), 304, "");
    await_closed();
    expect_kept();
}
END_TEST

/* However few bytes it gives: who waits for the only worker gets it between two pieces. */
START_TEST(a_slow_source_lets_others_have_the_worker)
{
    struct http_options options = edge_options();

    options.routes = routes;
    options.route_count = sizeof routes / sizeof *routes;
    options.threads = 1;
    reopen_edge(&options);
    struct raw *slow = raw_open(edge_port());
    raw_print(slow, "GET /slow HTTP/1.1\r\n" H "\r\n");
    edge_wait(is_set, &is_asked, "the first piece to be asked for");
    raw_print(raw, "GET /plain HTTP/1.1\r\n" H "\r\n");
    atomic_store(&may_go_on, true);
    const struct http_reply *got = raw_reply(slow, SOON_MS);
    expect_status(got, 200);
    ck_assert_uint_eq(got->body_size, SLOW_PIECES * SLOW_PIECE);
    expect_body(reply(), 200, "{\"plain\":true}");
    ck_assert_int_lt(atomic_load(&pieces_before_plain), SLOW_PIECES);
    raw_close(&slow);
}
END_TEST

/* ---- those that are cut ---- */

static char *await_line(const char *text)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    for (;;) {
        char *lines = log_capture_read();
        if (strstr(lines, text))
            return lines;
        ck_assert_msg(clock_mono_ns() < deadline_ns, "no \"%s\" in \"%s\"", text, lines);
        free(lines);
        poll(NULL, 0, 2);
    }
}

START_TEST(a_body_that_fails_never_looks_whole)
{
    static const struct {
        const char *request, *cause;
    } rows[] = {
        {"GET /failing HTTP/1.1\r\n" H "\r\n",
         " error=upstream_down cut=source_failed detail=\"the upstream went away\""},
        {"GET /failing HTTP/1.0\r\n" H "\r\n", " error=upstream_down cut=source_failed"},
        {"GET /short HTTP/1.1\r\n" H "\r\n",
         " error=internal cut=source_failed detail=\"1 bytes of the body are missing\""},
    };
    static char bytes[4096];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        log_capture_start();
        int fd = ask(0, rows[i].request);
        take_all(fd, bytes, sizeof bytes);
        ck_assert_int_eq(errno, ECONNRESET);
        ck_assert_ptr_nonnull(strstr(bytes, "HTTP/1.1 200 OK\r\n"));
        ck_assert_ptr_nonnull(strstr(bytes, "abcdefghij"));
        ck_assert_ptr_null(strstr(bytes, "\r\n0\r\n"));
        close(fd);
        free(await_line(rows[i].cause));
        await_closed();
        free(log_capture_end());
    }
}
END_TEST

START_TEST(who_does_not_take_it_costs_no_worker_and_ends_it_by_leaving)
{
    enum { CLIENTS = 8 }; /* of a server with four threads */
    int fds[CLIENTS];

    log_capture_start();
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = ask(4096, "GET /endless HTTP/1.1\r\n" H "\r\n");
    while (atomic_load(&sources_open) < CLIENTS)
        expect_kept();
    expect_kept();
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    await_closed();
    char *lines = await_line(" cut=not_taken");
    ck_assert_ptr_nonnull(strstr(lines, " route=endless status=200 bytes="));
    free(lines);
    free(log_capture_end());
}
END_TEST

/* When it has ended, and once. */
START_TEST(the_log_tells_its_bytes)
{
    static char bytes[4096];

    log_capture_start();
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    int fd = ask(0, "GET /little HTTP/1.1\r\n" H "X-Request-Id: x\r\nConnection: close\r\n\r\n");
    size_t size = take_all(fd, bytes, sizeof bytes);
    char expected[64];
    snprintf(expected, sizeof expected, " path=/little route=little status=200 bytes=%zu ", size);
    char *lines = await_line(expected);
    ck_assert_ptr_null(strstr(strstr(lines, expected) + strlen(expected), "route=little"));
    ck_assert_ptr_null(strstr(lines, "cut="));
    free(lines);
    free(log_capture_end());
    close(fd);
}
END_TEST

/* Those under way are waited for, up to a deadline, and closed by a stop. */
START_TEST(a_drain_waits_for_it)
{
    int fd = ask(4096, "GET /endless HTTP/1.1\r\n" H "\r\n");

    while (atomic_load(&sources_open) < 1)
        expect_kept();
    http_drain(edge_http());
    ck_assert_int_eq(http_wait_idle(edge_http(), clock_mono_ns()), ERR_TIMEOUT);
    ck_assert_int_eq(atomic_load(&sources_open), 1);
    edge_close();
    ck_assert_int_eq(atomic_load(&sources_open), 0);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/http/streams");
    TCase *tcase = tcase_create("streams");

    tcase_add_checked_fixture(tcase, open_streams, close_edge);
    tcase_add_test(tcase, a_slow_source_lets_others_have_the_worker);
    tcase_add_test(tcase, a_large_body_arrives_whole_and_its_connection_is_kept);
    tcase_add_test(tcase, chunks_to_the_byte_and_the_next_request_behind_them);
    tcase_add_test(tcase, an_old_client_gets_it_up_to_the_end_of_the_connection);
    tcase_add_test(tcase, a_head_alone_makes_nothing);
    tcase_add_test(tcase, what_is_not_sent_is_closed);
    tcase_add_test(tcase, a_body_that_fails_never_looks_whole);
    tcase_add_test(tcase, who_does_not_take_it_costs_no_worker_and_ends_it_by_leaving);
    tcase_add_test(tcase, the_log_tells_its_bytes);
    tcase_add_test(tcase, a_drain_waits_for_it);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
