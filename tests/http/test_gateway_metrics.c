/* What GET /metrics tells of the gateway, route by route, against what was done. */
#include "gateway_case.h"

static char *metrics;

static void open_stand(void)
{
    gateway_stand_open(
        "{ prefix = \"/open\"; scope = \"public\"; timeout_ms = 600000; UPSTREAM },\n"
        "{ prefix = \"/mine\"; UPSTREAM },\n"
        "{ prefix = \"/away\"; scope = \"public\"; upstream = "
        "\"unix:/nonexistent/origin.sock\" },\n"
        "{ prefix = \"/full\"; scope = \"public\"; max_connections = 1; timeout_ms = "
        "600000; UPSTREAM }",
        "limits: { enabled = false; };");
}

static void read_metrics(void)
{
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);

    expect_status(reply, 200);
    free(metrics);
    metrics = strdup(reply->body);
}

/* -1: no such line. */
static double value_of(const char *name, const char *labels)
{
    char line[256];

    snprintf(line, sizeof line, "\ncachewarden_gateway_%s%s%s%s ", name, *labels ? "{" : "", labels,
             *labels ? "}" : "");
    const char *at = strstr(metrics, line);
    return at ? strtod(at + strlen(line), NULL) : -1;
}

static void expect_value(const char *name, const char *labels, double value)
{
    double is = value_of(name, labels);

    ck_assert_msg(is >= value && is <= value, "%s{%s} is %g, not %g", name, labels, is, value);
}

static void expect_result(const char *route, const char *result, double value)
{
    char labels[128];

    snprintf(labels, sizeof labels, "route=\"%s\",result=\"%s\"", route, result);
    expect_value("requests_total", labels, value);
}

/* The worker that sent an answer lets go of its upstream a moment later. */
static bool is_nobody_there(const void *labels)
{
    read_metrics();
    return (int)value_of("upstream_requests", labels) == 0;
}

#define CACHED "Cache-Control: max-age=3600\r\nContent-Length: 5\r\n"

START_TEST(what_the_cache_did)
{
    ORIGIN_SAY(origin, OK_WITH(CACHED, "hello"));
    ORIGIN_SAY(origin, OK_WITH("Cache-Control: no-store\r\nContent-Length: 1\r\n", "x"));
    expect_body(http_get(stand.http, "/open/a", NULL), 200, "hello");
    for (int i = 0; i < 3; i++)
        expect_header(http_get(stand.http, "/open/a", NULL), "X-Cache", "HIT");
    expect_body(http_get(stand.http, "/open/b", NULL), 200, "x");
    ORIGIN_SAY(origin, OK_WITH("Content-Length: 1\r\n", "y"));
    expect_body(http_post(stand.http, "/open/c", NULL), 200, "y");
    read_metrics();
    expect_result("/open", "hit", 3);
    expect_result("/open", "miss", 2);
    expect_result("/open", "bypass", 1);
    expect_result("/open", "stale", 0);
    expect_result("/open", "failed", 0);
    expect_result("/mine", "hit", 0);
    expect_value("stored_total", "route=\"/open\"", 1);
    expect_value("cache_bytes_total", "route=\"/open\"", 15);
    expect_value("coalesced_total", "route=\"/open\"", 0);
    expect_value("memory_responses", "", 1);
    ck_assert(value_of("memory_bytes", "") >= 5);
    expect_value("memory_evicted_total", "", 0);
    /* Three quarters of the threads of a stand. */
    expect_value("waiting_max", "", 6);
    stand_wait(is_nobody_there, "route=\"/open\"", "no request is with the upstream");
}
END_TEST

/* A hit saves what the upstream took for what it answers with. */
START_TEST(time_that_was_saved)
{
    enum { TOOK_MS = 300 };
    char labels[] = "route=\"/mine\"";
    int64_t began_ms = stand_now_ms();

    scripted_origin_say(
        origin, &(struct origin_answer){.bytes = OK_WITH(CACHED, "hello"), .delay_ms = TOOK_MS});
    expect_body(http_get(stand.http, "/mine/a", stand.alice.bearer), 200, "hello");
    double at_most = (double)(stand_now_ms() - began_ms) / 1000;
    read_metrics();
    expect_value("saved_seconds_total", labels, 0);
    expect_header(http_get(stand.http, "/mine/a", stand.alice.bearer), "X-Cache", "HIT");
    expect_header(http_get(stand.http, "/mine/a", stand.alice.bearer), "X-Cache", "HIT");
    read_metrics();
    double saved = value_of("saved_seconds_total", labels);
    ck_assert_msg(saved >= 2 * TOOK_MS / 1000.0 - 0.01 && saved <= 2 * at_most + 0.01, "%g s",
                  saved);
}
END_TEST

START_TEST(what_failed)
{
    expect_status(http_get(stand.http, "/away/a", NULL), 502);
    expect_status(http_get(stand.http, "/away/a", NULL), 502);
    /* One is under way; the route has no place for another. */
    scripted_origin_always(
        origin, &(struct origin_answer){.bytes = OK_WITH(CACHED, "hello"), .is_held = true});
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "GET /full/a HTTP/1.1\r\nHost: a\r\n\r\n");
    scripted_origin_wait_count(origin, 1);
    expect_status(http_get(stand.http, "/full/b", NULL), 503);
    read_metrics();
    expect_value("upstream_requests", "route=\"/full\"", 1);
    expect_value("waiting", "", 1);
    scripted_origin_release(origin);
    expect_status(raw_reply(raw, PATIENCE_MS), 200);
    raw_close(&raw);
    read_metrics();
    expect_result("/away", "failed", 2);
    expect_result("/away", "miss", 0);
    expect_result("/full", "busy", 1);
    expect_result("/full", "miss", 1);
    stand_wait(is_nobody_there, "route=\"/full\"", "no request is with the upstream");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway metrics");
    TCase *tcase = tcase_create("gateway metrics");

    tcase_add_unchecked_fixture(tcase, open_stand, gateway_stand_close);
    tcase_add_checked_fixture(tcase, origin_open, origin_close);
    tcase_add_test(tcase, what_the_cache_did);
    tcase_add_test(tcase, time_that_was_saved);
    tcase_add_test(tcase, what_failed);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
