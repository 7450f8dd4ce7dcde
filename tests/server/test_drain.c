/* When a draining server may stop: nobody watches, somebody does, was told, is gone. */
#include "drain.h"
#include "edge.h"
#include "expect.h"
#include "http_client.h"
#include "suite.h"

#include "cachewarden/clock.h"

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

static bool may_end(int64_t after_ms)
{
    return drain_may_end(edge_http(), app, BEGAN_NS, BEGAN_NS + after_ms * NS_PER_MS);
}

static void ask(int64_t before_drain_ms)
{
    app->ready_asked_before_ns = app->ready_asked_ns;
    app->ready_asked_ns = BEGAN_NS - before_drain_ms * NS_PER_MS;
}

START_TEST(nobody_watches)
{
    ck_assert(may_end(0));
    ask(1000); /* once is no watching */
    ck_assert(may_end(0));
}
END_TEST

START_TEST(who_watched_long_ago_does_not_any_more)
{
    ask(60000);
    ask(59000);
    ck_assert(may_end(0));
}
END_TEST

START_TEST(who_asks_now_and_then_is_no_load_balancer)
{
    ask(3600 * 1000);
    ask(1000);
    ck_assert(may_end(0));
}
END_TEST

START_TEST(a_watcher_has_to_be_told)
{
    ask(1200);
    ask(200);
    ck_assert(!may_end(0));
    ck_assert(!may_end(60000));
    app->ready_refused_ns = BEGAN_NS - 1; /* while it started, say */
    ck_assert(!may_end(60000));
    app->ready_refused_ns = BEGAN_NS + 50 * NS_PER_MS;
    ck_assert(may_end(60));
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
    expect_status(raw_reply(raw, 10000), 200);
    raw_close(&raw);
    edge_wait(has_ended_one, NULL, "the end of the request is noted");
    int64_t last_ns = http_last_request_ns(edge_http()), began_ns = last_ns - NS_PER_S;
    app->ready_asked_before_ns = began_ns - 2000;
    app->ready_asked_ns = began_ns - 1000;
    app->ready_refused_ns = began_ns + 1000;
    ck_assert(!drain_may_end(edge_http(), app, began_ns, last_ns + 100 * NS_PER_MS));
    ck_assert(drain_may_end(edge_http(), app, began_ns, last_ns + 400 * NS_PER_MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/drain");
    TCase *tcase = tcase_create("drain");

    tcase_add_checked_fixture(tcase, open_edge, close_edge);
    tcase_add_test(tcase, nobody_watches);
    tcase_add_test(tcase, who_watched_long_ago_does_not_any_more);
    tcase_add_test(tcase, who_asks_now_and_then_is_no_load_balancer);
    tcase_add_test(tcase, a_watcher_has_to_be_told);
    tcase_add_test(tcase, and_requests_have_to_cease);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
