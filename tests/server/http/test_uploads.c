/* Bodies that an operation reads while they come: from the client's socket to the operation. */
#include "http_case.h"
#include "log_capture.h"
#include "self_signed.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/routes.h"

#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* FIRST: what is there before an operation begins. Places: of the edge's four threads. */
enum { MUCH = 20 * 1024 * 1024, LITTLE = 1000, FIRST = 64 * 1024, PLACES = 3 };

static atomic_int called;
static atomic_size_t bytes_read; /* by the last operation, so far */
static size_t most_memory;       /* beside what there was when the body was opened */

static char sent_byte(size_t at)
{
    return (char)('a' + at % 23);
}

static void note_memory(size_t before)
{
    size_t now = mallinfo2().uordblks;

    if (now > before && now - before > most_memory)
        most_memory = now - before;
}

static void answer(struct call *call, int64_t bytes, bool is_right)
{
    struct json_writer *json = &call->reply.json;

    json_open_object(json);
    json_add_integer(json, "bytes", bytes);
    json_add_bool(json, "right", is_right);
    json_add_integer(json, "announced", call->body_source->length);
    json_add_string(json, "type", call->content_type);
    json_close_object(json);
}

static enum err op_read(struct call *call)
{
    size_t at = 0, len, before = mallinfo2().uordblks;
    bool is_right = true;
    char piece[5000];

    atomic_fetch_add(&called, 1);
    do {
        enum err err = call_read_body(call, piece, sizeof piece, &len);
        if (err != ERR_OK)
            return err;
        for (size_t i = 0; i < len; i++)
            is_right = is_right && piece[i] == sent_byte(at + i);
        at += len;
        atomic_store(&bytes_read, at);
        note_memory(before);
    } while (len > 0);
    answer(call, (int64_t)at, is_right);
    return call_finish(call);
}

/* Takes what came for all there is. */
static enum err op_careless(struct call *call)
{
    size_t len;
    char piece[5000];

    atomic_fetch_add(&called, 1);
    while (call_read_body(call, piece, sizeof piece, &len) == ERR_OK && len > 0)
        ;
    answer(call, 0, true);
    return call_finish(call);
}

enum { BUDGET_LEFT_MS = 200 };

/* After a body that was long awaited: how much time it has left is the answer. */
static enum err op_budget(struct call *call)
{
    size_t len;
    char piece[5000];

    call->deadline_ns = clock_deadline_ns(BUDGET_LEFT_MS);
    int64_t given_ns = call->deadline_ns, begun_ns = clock_mono_ns();
    do {
        enum err err = call_read_body(call, piece, sizeof piece, &len);
        if (err != ERR_OK)
            return err;
        atomic_fetch_add(&bytes_read, len);
    } while (len > 0);
    int64_t waited_ns = clock_mono_ns() - begun_ns;
    json_open_object(&call->reply.json);
    json_add_bool(&call->reply.json, "waited", waited_ns > BUDGET_LEFT_MS * NS_PER_MS);
    json_add_bool(&call->reply.json, "has_time", call->deadline_ns - given_ns > waited_ns / 2);
    json_close_object(&call->reply.json);
    return call_finish(call);
}

static enum err op_leave(struct call *call)
{
    atomic_fetch_add(&called, 1);
    answer(call, 0, true);
    return call_finish(call);
}

static enum err op_plain(struct call *call)
{
    json_open_object(&call->reply.json);
    json_add_bool(&call->reply.json, "plain", true);
    json_close_object(&call->reply.json);
    return call_finish(call);
}

#define POST_ROW(row_path, function, limit)                                                     \
    {                                                                                           \
        .method = METHOD_POST, .path = "/" row_path, .name = row_path, .operation = (function), \
        .permit = PERMIT_PUBLIC, .effect = EFFECT_WRITE, .body = BODY_STREAM,                   \
        .body_limit = (limit)                                                                   \
    }

static const struct route routes[] = {
    POST_ROW("read", op_read, 2 * MUCH),
    POST_ROW("few", op_read, LITTLE),
    POST_ROW("some", op_read, FIRST + LITTLE),
    POST_ROW("careless", op_careless, 2 * MUCH),
    POST_ROW("leave", op_leave, 2 * MUCH),
    POST_ROW("budget", op_budget, 2 * MUCH),
    {.method = METHOD_GET,
     .path = "/plain",
     .name = "plain",
     .operation = op_plain,
     .permit = PERMIT_PUBLIC,
     .effect = EFFECT_READ},
};

static struct http_options upload_options(void)
{
    struct http_options options = edge_options();

    options.routes = routes;
    options.route_count = sizeof routes / sizeof *routes;
    return options;
}

static void open_uploads(void)
{
    struct http_options options = upload_options();

    edge_open(&options);
    raw = raw_open(edge_port());
}

static void open_hasty_uploads(void)
{
    struct http_options options = upload_options();

    options.body_timeout_ms = 200;
    edge_open(&options);
    raw = raw_open(edge_port());
}

/* What /read answers to so many bytes as they should be. */
static void expect_read(const struct http_reply *got, int64_t bytes, int64_t announced)
{
    char body[128];

    snprintf(body, sizeof body,
             "{\"bytes\":%" PRId64 ",\"right\":true,\"announced\":%" PRId64 ",\"type\":\"\"}",
             bytes, announced);
    expect_body(got, 200, body);
}

/* As one piece, or in chunks of that size. False: the server closed before it had all. */
static bool send_bytes(size_t size, size_t chunk)
{
    static char bytes[23 * 4096];
    bool is_taken = true;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = sent_byte(i);
    for (size_t at = 0, part; at < size && is_taken; at += part) {
        part = chunk > 0 ? chunk : sizeof bytes;
        part = part < size - at ? part : size - at;
        part = part < sizeof bytes - at % 23 ? part : sizeof bytes - at % 23;
        if (chunk > 0)
            raw_print(raw, "%zx\r\n", part);
        is_taken = raw_send(raw, bytes + at % 23, part);
        if (chunk > 0)
            raw_print(raw, "\r\n");
    }
    return is_taken;
}

static void post(const char *path, size_t size, size_t chunk)
{
    if (chunk == 0) {
        raw_print(raw, "POST %s HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n", path, size);
        (void)send_bytes(size, 0);
    } else {
        raw_print(raw, "POST %s HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", path);
        (void)send_bytes(size, chunk);
        raw_print(raw, "0\r\n\r\n");
    }
}

#define EXPECTS "Expect: 100-continue\r\n"

static bool are_called(void *arg)
{
    return atomic_load(&called) == *(int *)arg;
}

static bool are_read(void *arg)
{
    return atomic_load(&bytes_read) == *(size_t *)arg;
}

/* An operation that has read all that came, and waits for the rest of so many bytes. */
static void begin_reading(const char *path, size_t size)
{
    raw_print(raw, "POST %s HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n", path, size);
    (void)send_bytes(FIRST, 0);
    edge_wait(are_read, &(size_t){FIRST}, "the first part to be read");
}

/* ---- whole ones ---- */

START_TEST(an_operation_reads_what_came)
{
    static const size_t sizes[] = {0, 1, 4999, 5000, 5001, 65535, 65536, 65537, 300000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        post("/read", sizes[i], 0);
        expect_read(reply(), (int64_t)sizes[i], (int64_t)sizes[i]);
        post("/read", sizes[i], 1000);
        expect_read(reply(), (int64_t)sizes[i], BODY_LENGTH_UNKNOWN);
    }
    raw_print(raw, "POST /read HTTP/1.1\r\n" H "\r\n");
    expect_read(reply(), 0, 0);
    raw_print(raw,
              "POST /read HTTP/1.1\r\n" H "Content-Type: text/x\r\nContent-Length: 2\r\n\r\nab");
    expect_body(reply(), 200, "{\"bytes\":2,\"right\":true,\"announced\":2,\"type\":\"text/x\"}");
    expect_kept();
}
END_TEST

START_TEST(requests_behind_it_are_requests)
{
    raw_print(raw, "POST /read HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"
                   "POST /read HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
                   "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
                   "POST /leave HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
                   "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
                   "POST /leave HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"
                   "GET /plain HTTP/1.1\r\n" H "\r\n");
    expect_read(reply(), 3, 3);
    expect_read(reply(), 3, BODY_LENGTH_UNKNOWN);
    expect_read(reply(), 0, BODY_LENGTH_UNKNOWN);
    expect_read(reply(), 0, 3);
    expect_body(reply(), 200, "{\"plain\":true}");
}
END_TEST

START_TEST(a_large_one_needs_no_more_memory_than_a_small_one)
{
    struct http_stats stats;

    for (int chunked = 0; chunked < 2; chunked++) {
        post("/read", MUCH, chunked ? 30000 : 0);
        expect_read(reply(), MUCH, chunked ? BODY_LENGTH_UNKNOWN : MUCH);
        ck_assert_uint_lt(most_memory, 1024 * 1024);
    }
    http_stats_read(edge_http(), &stats);
    ck_assert_uint_ge(stats.pieces, 2 * MUCH / 5000); /* which the watchdog counts */
    expect_kept();
}
END_TEST

START_TEST(a_body_passes_tls)
{
    struct http_options options = upload_options();
    struct listen_address listen = {"127.0.0.1", 0, true};
    char folder[] = "/tmp/cw-uploads-XXXXXX", certificate[64], key[64], url[64];
    char *bytes = malloc(MUCH);

    ck_assert_ptr_nonnull(bytes);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    self_signed_write(folder, "server");
    snprintf(certificate, sizeof certificate, "%s/server.pem", folder);
    snprintf(key, sizeof key, "%s/server.key", folder);
    options.listen = &listen;
    options.tls_certificate = certificate;
    options.tls_key = key;
    edge_close();
    edge_open(&options);
    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = sent_byte(i);
    snprintf(url, sizeof url, "https://127.0.0.1:%d", edge_port());
    struct http_client *client = http_client_new(url);
    const char *const fields[] = {"Content-Type:", NULL};
    http_client_trust(client, NULL);
    expect_read(http_send(client, "POST", "/read", fields, bytes, MUCH), MUCH, MUCH);
    expect_read(http_send(client, "POST", "/read", fields, bytes, 10), 10, 10);
    http_client_free(&client);
    free(bytes);
    unlink(certificate);
    unlink(key);
    rmdir(folder);
}
END_TEST

/* ---- continue ---- */

START_TEST(who_waits_is_told_to_continue_before_the_operation)
{
    raw_print(raw, "POST /read HTTP/1.1\r\n" H "Content-Length: 3\r\n" EXPECTS "\r\n");
    expect_status(reply(), 100);
    ck_assert_int_eq(atomic_load(&called), 0);
    raw_print(raw, "abc");
    expect_read(reply(), 3, 3);
    raw_print(raw, "POST /leave HTTP/1.1\r\n" H "Content-Length: 3\r\n" EXPECTS "\r\nabc");
    expect_read(reply(), 0, 3); /* who did not wait need not be told */
    expect_kept();
    raw_print(raw, "POST /read HTTP/1.1\r\n" H "Content-Length: %d\r\n" EXPECTS "\r\n", FIRST + 3);
    expect_status(reply(), 100);
    (void)send_bytes(FIRST + 3, 0);
    expect_read(reply(), FIRST + 3, FIRST + 3); /* and nobody is told twice */
    expect_kept();
}
END_TEST

START_TEST(what_is_left_unread_ends_the_connection_where_it_is_large)
{
    post("/leave", 50000, 0);
    expect_read(reply(), 0, 50000);
    expect_kept();
    raw_print(raw, "POST /leave HTTP/1.1\r\n" H "Content-Length: 1000000\r\n\r\n");
    (void)send_bytes(100000, 0);
    expect_header(reply(), "Connection", "close");
}
END_TEST

static void pass(int64_t ms)
{
    int64_t end_ns = clock_deadline_ns(ms);

    while (clock_mono_ns() < end_ns)
        poll(NULL, 0, 10);
}

/* The client's time is not the operation's. */
START_TEST(a_slow_body_leaves_the_operation_its_time)
{
    begin_reading("/budget", FIRST + 2);
    raw_print(raw, "a");
    pass(2 * BUDGET_LEFT_MS);
    raw_print(raw, "b");
    expect_body(reply(), 200, "{\"waited\":true,\"has_time\":true}");
}
END_TEST

/* ---- refusals ---- */

#define SAYS_413 "{\"detail\":\"Request body is too large.\"}"

START_TEST(too_much_is_refused_before_it_is_read_or_where_the_limit_is)
{
    raw_print(raw, "POST /few HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\n");
    expect_body(reply(), 413, SAYS_413);
    expect_closed();
    raw_close(&raw);
    raw = raw_open(edge_port());
    raw_print(raw,
              "POST /few HTTP/1.1\r\n" H "Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
    expect_body(reply(), 413, SAYS_413);
    ck_assert_int_eq(atomic_load(&called), 0);

    raw_close(&raw);
    raw = raw_open(edge_port());
    raw_print(raw, "POST /some HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n%x\r\n",
              FIRST + LITTLE - 1);
    (void)send_bytes(FIRST + LITTLE - 1, 0);
    edge_wait(are_read, &(size_t){FIRST + LITTLE - 1}, "all but one byte to be read");
    raw_print(raw, "\r\n2\r\nab\r\n");
    expect_body(reply(), 413, SAYS_413);
    expect_closed();
    ck_assert_int_eq(atomic_load(&called), 1);
}
END_TEST

/* Also where the operation does not say so. */
START_TEST(broken_chunks_are_400)
{
    raw_print(raw, "POST %s HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n%x\r\n",
              _i == 0 ? "/read" : "/careless", FIRST);
    (void)send_bytes(FIRST, 0);
    edge_wait(are_called, &(int){1}, "the operation to begin");
    raw_print(raw, "\r\nno number\r\n");
    expect_body(reply(), 400,
                "{\"detail\":\"The request body is cut short or its chunks are broken.\"}");
    expect_closed();
}
END_TEST

#define SAYS_408 "{\"detail\":\"The request body did not arrive in time.\"}"

START_TEST(a_client_that_sends_nothing_more_is_late)
{
    raw_print(raw, "POST /read HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\na");
    expect_body(reply(), 408, SAYS_408);
    expect_closed();
    ck_assert_int_eq(atomic_load(&called), 0); /* no worker has waited for it */

    raw_close(&raw);
    raw = raw_open(edge_port());
    raw_print(raw, "POST /read HTTP/1.1\r\n" H "Content-Length: 3\r\n" EXPECTS "\r\n");
    expect_status(reply(), 100);
    expect_body(reply(), 408, SAYS_408);
    expect_closed();
    ck_assert_int_eq(atomic_load(&called), 0);
}
END_TEST

enum { FIRST_TIMEOUT_MS = 1000 };

/* Each byte of the first part gives it time, as each of the rest does. */
START_TEST(a_first_part_that_comes_slowly_is_not_late)
{
    struct http_options options = upload_options();
    static char part[20000], message[21000];

    options.body_timeout_ms = FIRST_TIMEOUT_MS;
    reopen_edge(&options);
    memset(part, 'x', sizeof part);
    int head =
        snprintf(message, sizeof message,
                 "POST /leave HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n", 2 * sizeof part);
    memcpy(message + head, part, sizeof part);
    ck_assert(raw_send(raw, message, (size_t)head + sizeof part));
    pass(2 * FIRST_TIMEOUT_MS);
    ck_assert(raw_send(raw, part, sizeof part));
    expect_read(reply(), 0, 2 * sizeof part);
}
END_TEST

static void begin_slowly(struct raw *slow, int number)
{
    static const char part[FIRST];

    raw_print(slow, "POST /careless HTTP/1.1\r\n" H "Content-Length: %d\r\n\r\n", FIRST + 3);
    ck_assert(raw_send(slow, part, sizeof part));
    edge_wait(are_called, &number, "the operation to begin");
}

/* Each of these may have a worker wait for it: others have theirs. */
START_TEST(slow_bodies_do_not_take_all_workers)
{
    struct raw *slow[PLACES];

    for (int i = 0; i < PLACES; i++) {
        slow[i] = raw_open(edge_port());
        begin_slowly(slow[i], i + 1);
    }
    raw_print(raw, "POST /read HTTP/1.1\r\n" H "Content-Length: %d\r\n\r\n", FIRST + 3);
    (void)send_bytes(FIRST, 0);
    const struct http_reply *got = reply();
    expect_status(got, 503);
    expect_header(got, "Retry-After", "1");
    expect_closed();
    raw_close(&raw);
    raw = raw_open(edge_port());
    expect_kept();
    post("/read", 50000, 0);
    expect_read(reply(), 50000, 50000);

    raw_print(slow[0], "abc");
    expect_status(raw_reply(slow[0], SOON_MS), 200);
    post("/read", FIRST + 3, 0);
    expect_read(reply(), FIRST + 3, FIRST + 3);
    for (int i = 0; i < PLACES; i++)
        raw_close(&slow[i]);
}
END_TEST

/* Who was told to continue and sends nothing keeps nobody out. */
START_TEST(a_head_alone_takes_no_place)
{
    struct raw *heads[2 * PLACES];

    for (int i = 0; i < 2 * PLACES; i++) {
        heads[i] = raw_open(edge_port());
        raw_print(heads[i], "POST /read HTTP/1.1\r\n" H "Content-Length: %d\r\n" EXPECTS "\r\n",
                  MUCH);
        expect_status(raw_reply(heads[i], SOON_MS), 100);
    }
    ck_assert_int_eq(atomic_load(&called), 0);
    begin_reading("/read", FIRST + 3);
    (void)send_bytes(3, 0);
    expect_status(reply(), 200);
    for (int i = 0; i < 2 * PLACES; i++)
        raw_close(&heads[i]);
}
END_TEST

/* A stop does not wait for who does not send. */
START_TEST(a_stop_ends_the_reading)
{
    begin_reading("/read", FIRST + 3);
    log_capture_start();
    edge_close();
    ck_assert_int_eq(atomic_load(&called), 1);
    char *lines = log_capture_end();
    ck_assert_msg(strstr(lines, "the server stops"), "%s", lines);
    ck_assert_msg(!strstr(lines, "made room"), "%s", lines);
    free(lines);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/http/uploads");
    TCase *tcase = tcase_create("uploads");
    TCase *hasty = tcase_create("hasty");

    tcase_add_checked_fixture(tcase, open_uploads, close_edge);
    tcase_add_test(tcase, an_operation_reads_what_came);
    tcase_add_test(tcase, requests_behind_it_are_requests);
    tcase_add_test(tcase, a_large_one_needs_no_more_memory_than_a_small_one);
    tcase_add_test(tcase, a_body_passes_tls);
    tcase_add_test(tcase, who_waits_is_told_to_continue_before_the_operation);
    tcase_add_test(tcase, what_is_left_unread_ends_the_connection_where_it_is_large);
    tcase_add_test(tcase, too_much_is_refused_before_it_is_read_or_where_the_limit_is);
    tcase_add_loop_test(tcase, broken_chunks_are_400, 0, 2);
    tcase_add_test(tcase, slow_bodies_do_not_take_all_workers);
    tcase_add_test(tcase, a_head_alone_takes_no_place);
    tcase_add_test(tcase, a_stop_ends_the_reading);
    tcase_add_test(tcase, a_slow_body_leaves_the_operation_its_time);
    tcase_add_test(tcase, a_first_part_that_comes_slowly_is_not_late);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(hasty, open_hasty_uploads, close_edge);
    tcase_add_test(hasty, a_client_that_sends_nothing_more_is_late);
    suite_add_tcase(suite, hasty);
    return suite_run(suite);
}
