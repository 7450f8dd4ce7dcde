/* More clients than workers, and the end of a server: nobody starves, nothing under way is lost. */
#include "edge.h"
#include "expect.h"
#include "http_client.h"

#include "suite.h"

#include "cachewarden/clock.h"
#include "patience.h"
#include "slowness.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

enum { SOON_MS = PATIENCE_MS, WORKERS = 4, BUSY_CLIENTS = 40 };

#define GET_PLAIN "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"

static void open_edge(void)
{
    struct http_options options = edge_options();

    options.threads = WORKERS;
    edge_open(&options);
}

static void expect_plain(struct raw *raw)
{
    const struct http_reply *got = raw_reply(raw, SOON_MS);

    ck_assert_msg(got != NULL, "the connection was closed without an answer");
    expect_body(got, 200, "{\"plain\":true}");
}

/* ---- fairness ---- */

START_TEST(idle_connections_give_way)
{
    struct http_options options = edge_options();
    struct raw *idle[WORKERS];

    edge_close();
    edge_open(&options);
    for (int i = 0; i < WORKERS; i++) {
        idle[i] = raw_open(edge_port());
        raw_print(idle[i], GET_PLAIN);
        expect_plain(idle[i]);
    }
    int64_t start_ns = clock_mono_ns();
    struct raw *fifth = raw_open(edge_port());
    raw_print(fifth, GET_PLAIN);
    expect_plain(fifth);
    expect_within_ms((clock_mono_ns() - start_ns) / NS_PER_MS, 1000);
    raw_close(&fifth);
    for (int i = 0; i < WORKERS; i++)
        raw_close(&idle[i]);
}
END_TEST

static atomic_bool is_over;

struct busy_client {
    pthread_t thread;
    atomic_int answers;
    int reconnects;
    int failures; /* connections that closed on a request that was not the first */
};

/* Asks again and again, reconnecting where the server says close, as any client does. */
static void *keep_asking(void *arg)
{
    struct busy_client *client = arg;
    struct raw *raw = NULL;

    while (!atomic_load(&is_over)) {
        if (!raw) {
            raw = raw_open(edge_port());
            client->reconnects++;
        }
        raw_print(raw, GET_PLAIN);
        const struct http_reply *got = raw_reply(raw, 4 * SOON_MS);
        if (!got || got->status != 200) {
            client->failures++;
            raw_close(&raw);
            continue;
        }
        atomic_fetch_add(&client->answers, 1);
        if (strcmp(http_header(got, "Connection"), "close") == 0)
            raw_close(&raw);
    }
    raw_close(&raw);
    return NULL;
}

enum { ENOUGH = 20 };

static bool have_enough(void *arg)
{
    struct busy_client *clients = arg;

    for (int i = 0; i < BUSY_CLIENTS; i++)
        if (atomic_load(&clients[i].answers) < ENOUGH)
            return false;
    return true;
}

START_TEST(busy_connections_take_turns)
{
    static struct busy_client clients[BUSY_CLIENTS];
    int answers = 0, reconnects = 0;

    for (int i = 0; i < BUSY_CLIENTS; i++)
        ck_assert_int_eq(pthread_create(&clients[i].thread, NULL, keep_asking, &clients[i]), 0);
    edge_wait(have_enough, clients, "every one of 40 busy clients to be served by 4 workers");
    atomic_store(&is_over, true);
    for (int i = 0; i < BUSY_CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        ck_assert_int_eq(clients[i].failures,
                         0); /* an answer says so before its connection closes */
        answers += atomic_load(&clients[i].answers);
        reconnects += clients[i].reconnects;
    }
    /* A turn is more than one request: else most of the work would be connecting. */
    ck_assert_int_gt(answers, 3 * reconnects);
}
END_TEST

START_TEST(without_a_queue_connections_are_kept)
{
    struct raw *raws[WORKERS];
    int64_t end_ns = clock_deadline_ns(200);
    int rounds = 0;

    for (int i = 0; i < WORKERS; i++)
        raws[i] = raw_open(edge_port());
    do {
        for (int i = 0; i < WORKERS; i++) {
            raw_print(raws[i], GET_PLAIN);
            const struct http_reply *got = raw_reply(raws[i], SOON_MS);
            expect_header(got, "Connection", "keep-alive");
        }
        rounds++;
    } while (clock_mono_ns() < end_ns || rounds < 10);
    for (int i = 0; i < WORKERS; i++)
        raw_close(&raws[i]);
}
END_TEST

START_TEST(descriptors_are_asked_for)
{
    struct rlimit few = {.rlim_cur = 256}, limit;
    struct http_options options = edge_options();

    edge_close();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few.rlim_max = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    edge_open(&options);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_ge(limit.rlim_cur, 512); /* the queue alone */
}
END_TEST

static int64_t cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* A queue longer than the descriptors last would make accept(2) fail at once, again and again. */
START_TEST(with_few_descriptors_the_queue_is_short)
{
    const struct rlimit few = {.rlim_cur = 320, .rlim_max = 320};
    struct http_options options = edge_options();
    struct raw *raws[200]; /* both ends are in this process: some 100 are left for the server */
    const int count = sizeof raws / sizeof *raws;

    edge_close();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    options.threads = 1;
    edge_open(&options);
    raws[0] = raw_open(edge_port());
    raw_print(raws[0], "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    edge_wait_gate(1);
    for (int i = 1; i < count; i++) {
        raws[i] = raw_open(edge_port());
        raw_print(raws[i], GET_PLAIN);
    }
    int64_t before_us = cpu_us();
    poll(NULL, 0, 300);
    ck_assert_int_lt(cpu_us() - before_us, 60000);

    edge_open_gate();
    expect_status(raw_reply(raws[0], SOON_MS), 200);
    raw_close(&raws[0]);
    for (int i = 1; i < count; i++) {
        expect_plain(raws[i]);
        raw_close(&raws[i]);
    }
}
END_TEST

/* ---- draining ---- */

START_TEST(a_drain_says_close_and_waits)
{
    struct raw *before = raw_open(edge_port());
    struct raw *slow = raw_open(edge_port());

    raw_print(before, GET_PLAIN);
    expect_plain(before);
    raw_print(slow, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    edge_wait_gate(1);
    http_drain(edge_http());
    ck_assert_int_eq(http_wait_idle(edge_http(), clock_deadline_ns(50)), ERR_TIMEOUT);

    /* Who is connected, and who comes now, is served once more. */
    raw_print(before, GET_PLAIN);
    const struct http_reply *got = raw_reply(before, SOON_MS);
    expect_body(got, 200, "{\"plain\":true}");
    expect_header(got, "Connection", "close");
    ck_assert(raw_is_closed(before, SOON_MS));
    struct raw *later = raw_open(edge_port());
    raw_print(later, GET_PLAIN);
    expect_header(raw_reply(later, SOON_MS), "Connection", "close");

    edge_open_gate();
    ck_assert_int_eq(http_wait_idle(edge_http(), clock_deadline_ns(SOON_MS)), ERR_OK);
    got = raw_reply(slow, SOON_MS);
    expect_body(got, 200, "{\"passed\":true}");
    expect_header(got, "Connection", "close");
    raw_close(&before);
    raw_close(&slow);
    raw_close(&later);
}
END_TEST

static void *open_gate_soon(void *arg)
{
    poll(NULL, 0, *(int *)arg);
    edge_open_gate();
    return NULL;
}

START_TEST(the_last_request_ends_the_wait)
{
    struct raw *slow = raw_open(edge_port());
    pthread_t thread;
    int delay_ms = 100;

    raw_print(slow, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    edge_wait_gate(1);
    http_drain(edge_http());
    int64_t start_ns = clock_mono_ns();
    ck_assert_int_eq(pthread_create(&thread, NULL, open_gate_soon, &delay_ms), 0);
    ck_assert_int_eq(http_wait_idle(edge_http(), clock_deadline_ns(20 * SOON_MS)), ERR_OK);
    expect_within_ms((clock_mono_ns() - start_ns) / NS_PER_MS, 5 * 1000);
    pthread_join(thread, NULL);
    expect_status(raw_reply(slow, SOON_MS), 200);
    raw_close(&slow);
}
END_TEST

START_TEST(an_idle_server_is_idle_at_once)
{
    http_drain(edge_http());
    ck_assert_int_eq(http_wait_idle(edge_http(), clock_mono_ns()), ERR_OK);
}
END_TEST

START_TEST(stopping_does_not_wait_for_idle_clients)
{
    struct raw *idle = raw_open(edge_port());
    struct raw *silent = raw_open(edge_port());

    raw_print(idle, GET_PLAIN);
    expect_plain(idle);
    int64_t start_ns = clock_mono_ns();
    edge_close();
    expect_within_ms((clock_mono_ns() - start_ns) / NS_PER_MS, 3 * 1000); /* its head has 600 s */
    ck_assert(raw_is_closed(idle, SOON_MS));
    ck_assert(raw_is_closed(silent, SOON_MS));
    raw_close(&idle);
    raw_close(&silent);
}
END_TEST

START_TEST(a_server_starts_and_stops_many_times)
{
    for (int i = 0; i < 10; i++) {
        struct raw *raw = raw_open(edge_port());
        raw_print(raw, GET_PLAIN);
        expect_plain(raw);
        raw_close(&raw);
        edge_close();
        struct http_options options = edge_options();
        edge_open(&options);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/http_fairness");
    TCase *tcase = tcase_create("fairness");

    tcase_add_checked_fixture(tcase, open_edge, edge_close);
    tcase_add_test(tcase, idle_connections_give_way);
    tcase_add_test(tcase, busy_connections_take_turns);
    tcase_add_test(tcase, without_a_queue_connections_are_kept);
    tcase_add_test(tcase, descriptors_are_asked_for);
    tcase_add_test(tcase, with_few_descriptors_the_queue_is_short);
    tcase_add_test(tcase, a_drain_says_close_and_waits);
    tcase_add_test(tcase, the_last_request_ends_the_wait);
    tcase_add_test(tcase, an_idle_server_is_idle_at_once);
    tcase_add_test(tcase, stopping_does_not_wait_for_idle_clients);
    tcase_add_test(tcase, a_server_starts_and_stops_many_times);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
