/* When a draining server may stop: nobody watches, somebody does, was told, is gone. */
#include "edge.h"
#include "expect.h"
#include "http_client.h"
#include "process/drain.h"
#include "suite.h"

#include "cachewarden/clock.h"
#include "patience.h"

#define BEGAN_NS (1000 * NS_PER_S)

static struct app *app;

static void open_edge(void)
{
    struct http_options options = edge_options();

    edge_open(&options);
    app = calloc(1, sizeof *app);
}

static void close_edge(void)
{
    free(app);
    edge_close();
}

static struct drain begin(bool at_once)
{
    struct drain drain;

    drain_begin(&drain, app, at_once, 5, 3, BEGAN_NS);
    return drain;
}

static bool may_end(int64_t after_ms)
{
    struct drain drain = begin(false);

    return drain_may_end(&drain, edge_http(), app, BEGAN_NS + after_ms * NS_PER_MS);
}

static void ask(int64_t before_drain_ms)
{
    app->ready_asked_before_ns = app->ready_asked_ns;
    app->ready_asked_ns = BEGAN_NS - before_drain_ms * NS_PER_MS;
}

static int64_t deadline_s(bool at_once)
{
    return (begin(at_once).deadline_ns - BEGAN_NS) / NS_PER_S;
}

START_TEST(where_nobody_asks_nobody_waits)
{
    ck_assert(may_end(0));
    ck_assert_int_eq(deadline_s(false), 3);
    ask(61000);
    ck_assert(may_end(0));
    ck_assert_int_eq(deadline_s(false), 3);
}
END_TEST

START_TEST(where_somebody_asked_it_serves_on)
{
    ask(59000);
    ck_assert(!may_end(0));
    ck_assert(!may_end(4999));
    ck_assert(may_end(5000));
    ck_assert_int_eq(deadline_s(false), 8);
}
END_TEST

/* It asks every ten seconds, say: told or not, that was long enough. */
START_TEST(who_asks_now_and_then_is_not_waited_for_longer)
{
    ask(30000);
    ask(1000);
    ck_assert(!may_end(4999));
    ck_assert(may_end(5000));
}
END_TEST

START_TEST(who_sits_before_it_does_not_wait)
{
    struct drain drain;

    ask(1200);
    ask(200);
    drain = begin(true);
    ck_assert(drain_may_end(&drain, edge_http(), app, BEGAN_NS));
    ck_assert_int_eq(deadline_s(true), 3);
}
END_TEST

/* In time to answer, and late enough for what is nearly done. */
START_TEST(what_takes_long_gives_up_in_between)
{
    ask(59000);
    struct drain drain = begin(false);
    ck_assert_int_eq((drain.gives_up_ns - BEGAN_NS) / NS_PER_MS, 6500);
    ck_assert_int_eq((drain.deadline_ns - BEGAN_NS) / NS_PER_MS, 8000);
}
END_TEST

START_TEST(a_watcher_has_to_be_told)
{
    ask(1200);
    ask(200);
    ck_assert(!may_end(5000));
    ck_assert(!may_end(60000));
    app->ready_refused_ns = BEGAN_NS - 1; /* while it started, say */
    ck_assert(!may_end(60000));
    app->ready_refused_ns = BEGAN_NS + 50 * NS_PER_MS;
    ck_assert(!may_end(4999)); /* there may be another who asks more seldom */
    ck_assert(may_end(5000));
}
END_TEST

static bool has_ended_one(void *unused)
{
    (void)unused;
    return http_last_request_ns(edge_http()) != 0;
}

START_TEST(and_requests_have_to_cease)
{
    struct raw *raw = raw_open(edge_port());

    ck_assert_int_eq(http_last_request_ns(edge_http()), 0);
    raw_print(raw, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_status(raw_reply(raw, PATIENCE_MS), 200);
    raw_close(&raw);
    edge_wait(has_ended_one, NULL, "the end of the request is noted");
    int64_t last_ns = http_last_request_ns(edge_http()), began_ns = last_ns - NS_PER_S;
    app->ready_asked_before_ns = began_ns - 2000;
    app->ready_asked_ns = began_ns - 1000;
    app->ready_refused_ns = began_ns + 1000;
    struct drain drain;
    drain_begin(&drain, app, false, 0, 3, began_ns);
    ck_assert(!drain_may_end(&drain, edge_http(), app, last_ns + 100 * NS_PER_MS));
    ck_assert(drain_may_end(&drain, edge_http(), app, last_ns + 400 * NS_PER_MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/drain");
    TCase *tcase = tcase_create("drain");

    tcase_add_checked_fixture(tcase, open_edge, close_edge);
    tcase_add_test(tcase, where_nobody_asks_nobody_waits);
    tcase_add_test(tcase, where_somebody_asked_it_serves_on);
    tcase_add_test(tcase, who_asks_now_and_then_is_not_waited_for_longer);
    tcase_add_test(tcase, who_sits_before_it_does_not_wait);
    tcase_add_test(tcase, what_takes_long_gives_up_in_between);
    tcase_add_test(tcase, a_watcher_has_to_be_told);
    tcase_add_test(tcase, and_requests_have_to_cease);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
