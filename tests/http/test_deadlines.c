/* Slow and idle clients: each is cut at an absolute deadline, and none of them keeps others waiting. */
#include "control_data.h"
#include "patience.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLACK_MS 2500

static struct stand stand;
/* Much shorter than the defaults, so that the test need not wait, and long enough for who does not dally. */
static int header_ms, body_ms;

static void open_stand(void)
{
    char header[64], body[64];
    header_ms = (int)slowness_stretch_ms(500);
    body_ms = (int)slowness_stretch_ms(700);
    snprintf(header, sizeof header, "CACHEWARDEN_SERVER_HEADER_TIMEOUT_MS=%d", header_ms);
    snprintf(body, sizeof body, "CACHEWARDEN_SERVER_BODY_TIMEOUT_MS=%d", body_ms);
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   "CACHEWARDEN_SERVER_THREADS=4", header, body,
                                                   "CACHEWARDEN_SERVER_KEEP_ALIVE_TIMEOUT_MS=60000",
                                                   NULL}});
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* Sends `text` again and again, a piece every 20 ms, until the peer closes, and not long before or after the
 * deadline, which began after `start`. */
static void drip_until_closed(struct raw *raw, const char *text, int64_t start, int deadline_ms)
{
    const struct timespec between = {0, 20000000};
    while (!raw_is_closed(raw, 0)) {
        ck_assert_msg(stand_now_ms() - start < PATIENCE_MS, "still open after %d s", PATIENCE_S);
        const struct http_reply *reply = raw_reply(raw, 0);
        if (reply && reply->status != 0) {
            /* It may say why before it closes. */
            ck_assert_msg(reply->status == 408 || reply->status == 400, "%d %s", reply->status,
                          reply->body);
            ck_assert(raw_is_closed(raw, PATIENCE_MS));
            break;
        }
        raw_send(raw, text, strlen(text));
        nanosleep(&between, NULL);
    }
    int took_ms = (int)(stand_now_ms() - start);
    expect_within_ms(took_ms, deadline_ms + SLACK_MS);
    ck_assert_msg(took_ms >= deadline_ms / 2, "cut after %d ms already", took_ms);
}

START_TEST(a_head_in_drips_is_cut)
{
    static const char *const begins[] = {"GET /health/live HTTP/1.1\r\nHost: localhost\r\n", "G",
                                         "GET /health/live HTTP/1.1\r\nHost: "};
    static const char *const drips[] = {"X-A: b\r\n", "E", "a"};
    for (size_t i = 0; i < 3; i++) {
        int64_t start = stand_now_ms();
        struct raw *raw = raw_open(stand.server.port);
        raw_print(raw, "%s", begins[i]);
        drip_until_closed(raw, drips[i], start, header_ms);
        raw_close(&raw);
    }
}
END_TEST

START_TEST(a_body_in_drips_is_cut)
{
    static const char *const lengths[] = {"Content-Length: 100000", "Transfer-Encoding: chunked"};
    static const char *const drips[] = {"x", "1\r\nx\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct raw *raw = raw_open(stand.server.port);
        int64_t version = control_clears(stand.redis, stand.alice.id), start = stand_now_ms();
        raw_print(raw, "POST /api/cache/clear/ HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s\r\n\r\n",
                  stand.alice.bearer, lengths[i]);
        drip_until_closed(raw, drips[i], start, body_ms);
        /* A request that never became whole has done nothing. */
        ck_assert_int_eq(control_clears(stand.redis, stand.alice.id), version);
        raw_close(&raw);
    }
}
END_TEST

START_TEST(a_silent_body_is_cut)
{
    struct raw *raw = raw_open(stand.server.port);
    raw_print(
        raw,
        "POST /api/cache/clear/ HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: 10\r\n\r\nabc",
        stand.alice.bearer);
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    expect_status(reply, 408);
    ck_assert(raw_is_closed(raw, PATIENCE_MS));
    raw_close(&raw);
    /* And one that ends before its time was up is no request either. */
    raw = raw_open(stand.server.port);
    raw_print(
        raw,
        "POST /api/cache/clear/ HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: 10\r\n\r\nabc",
        stand.alice.bearer);
    raw_finish(raw);
    reply = raw_reply(raw, PATIENCE_MS);
    ck_assert_msg(!reply || reply->status == 400 || reply->status == 408 || reply->status == 0,
                  "%d", reply ? reply->status : -1);
    raw_close(&raw);
    ck_assert_int_eq(control_clears(stand.redis, stand.alice.id), 0);
}
END_TEST

/* A client that asks and does not take the answer holds its worker only as long as its deadline. */
START_TEST(a_client_that_does_not_read)
{
    enum { GREEDY = 6 };
    struct raw *greedy[GREEDY];
    for (int i = 0; i < GREEDY; i++) {
        greedy[i] = raw_open(stand.server.port);
        for (int n = 0; n < 200; n++)
            raw_print(greedy[i], "GET /nosuch HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    http_client_keep_alive(stand.http, false);
    const struct http_reply *reply = http_get(stand.http, "/health/live", NULL);
    expect_status(reply, 200);
    expect_within_ms(reply->elapsed_ms, 5000);
    for (int i = 0; i < GREEDY; i++)
        raw_close(&greedy[i]);
}
END_TEST

/* Four workers, thirty clients that keep their connections for a minute: the next one is served at once. */
START_TEST(idle_clients_starve_nobody)
{
    enum { IDLE = 30 };
    struct http_client *idle[IDLE];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < IDLE; i++) {
            if (round == 0)
                idle[i] = http_client_new(stand.server.base_url);
            const struct http_reply *reply =
                http_get(idle[i], "/api/cache/status/", stand.alice.bearer);
            ck_assert_msg(reply->status == 200, "client %d, round %d: %d %s", i, round,
                          reply->status, reply->failure);
            expect_within_ms(reply->elapsed_ms, SLACK_MS);
        }
    for (int i = 0; i < IDLE; i++)
        http_client_free(&idle[i]);
}
END_TEST

/* Connections that never say a word are no better than idle ones. */
START_TEST(silent_connections_starve_nobody)
{
    enum { SILENT = 12 };
    struct raw *silent[SILENT];
    for (int i = 0; i < SILENT; i++)
        silent[i] = raw_open(stand.server.port);
    const struct http_reply *reply = http_get(stand.http, "/health/live", NULL);
    expect_status(reply, 200);
    /* Three rounds of the header deadline over four workers, at most. */
    expect_within_ms(reply->elapsed_ms, 3 * header_ms + SLACK_MS);
    for (int i = 0; i < SILENT; i++)
        raw_close(&silent[i]);
}
END_TEST

START_TEST(a_connection_is_kept_while_there_is_room)
{
    struct http_client *one = http_client_new(stand.server.base_url);
    expect_status(http_get(one, "/health/live", NULL), 200);
    for (int i = 0; i < 50; i++) {
        const struct http_reply *reply = http_get(one, "/health/live", NULL);
        expect_status(reply, 200);
        ck_assert_msg(reply->is_reused, "request %d needed a new connection", i);
    }
    http_client_free(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deadlines");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, open_stand, close_stand);
    tcase_add_test(each, a_head_in_drips_is_cut);
    tcase_add_test(each, a_body_in_drips_is_cut);
    tcase_add_test(each, a_silent_body_is_cut);
    tcase_add_test(each, a_client_that_does_not_read);
    tcase_add_test(each, idle_clients_starve_nobody);
    tcase_add_test(each, silent_connections_starve_nobody);
    tcase_add_test(each, a_connection_is_kept_while_there_is_room);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
