/* What GET /metrics tells of the gateway, route by route, against what was done. */
#include "gateway_case.h"

static char *metrics;

static void open_stand(void)
{
    gateway_stand_open(
        "{ prefix = \"/open\"; scope = \"public\"; timeout_ms = 600000; UPSTREAM },\n"
        "{ prefix = \"/mine\"; UPSTREAM },\n"
        "{ prefix = \"/many\"; scope = \"public\"; timeout_ms = 600000; UPSTREAM },\n"
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

/* The words of the log about a path, one request after the other: what the cache did. */
static void expect_logged(const char *path, const char *const *words)
{
    char name[128], wanted[128];

    snprintf(name, sizeof name, " path=%s ", path);
    for (int tries = 0; *words; words++, tries++) {
        snprintf(wanted, sizeof wanted, " error=ok cache=%s", *words);
        char *log = cw_server_log(&stand.server), *at = log;
        for (int i = 0; at && i <= tries; i++)
            at = strstr(i ? at + 1 : at, name);
        ck_assert_ptr_nonnull(at);
        at[strcspn(at, "\n")] = '\0';
        ck_assert_msg(strstr(at, wanted) != NULL, "%s in %s", wanted, at);
        /* Only what an upstream was asked for took its time. */
        ck_assert_int_eq(strstr(at, " upstream_us=") != NULL,
                         strcmp(*words, "hit") != 0 && strcmp(*words, "coalesced") != 0);
        free(log);
    }
}

START_TEST(the_log_tells_what_the_cache_did)
{
    ORIGIN_SAY(origin, OK_WITH(CACHED, "hello"));
    ORIGIN_SAY(origin, OK_WITH("Content-Length: 1\r\n", "y"));
    for (int i = 0; i < 2; i++)
        expect_body(http_get(stand.http, "/open/log", NULL), 200, "hello");
    expect_body(http_post(stand.http, "/open/log", NULL), 200, "y");
    expect_status(http_get(stand.http, "/away/log", NULL), 502);
    cw_server_wait_log(&stand.server, " path=/away/log ");
    expect_logged("/open/log", (const char *const[]){"miss", "hit", "bypass", NULL});
    char *log = cw_server_log(&stand.server), *at = strstr(log, " path=/away/log ");
    ck_assert_ptr_nonnull(at);
    ck_assert_ptr_nonnull(strstr(at, " upstream_us="));
    free(log);
}
END_TEST

enum { MANY = 3 };

static bool tells(const char *family, int value)
{
    char line[96];

    snprintf(line, sizeof line, "\ncachewarden_%s %d\n", family, value);
    return strstr(metrics, line) != NULL;
}

/* All are under way; the leader has a thread, and who reads the metrics. */
static bool do_others_wait(const void *with)
{
    (void)with;
    read_metrics();
    return tells("http_requests_under_way", MANY + 1) && tells("http_connections", 2);
}

/* Several ask for one thing: one request is made, and the others are answered with its response. */
START_TEST(what_many_share)
{
    struct raw *raws[MANY];

    scripted_origin_always(
        origin, &(struct origin_answer){.bytes = OK_WITH(CACHED, "hello"), .is_held = true});
    for (int i = 0; i < MANY; i++) {
        raws[i] = raw_open(stand.server.port);
        raw_print(raws[i], "GET /many/a HTTP/1.1\r\nHost: a\r\n\r\n");
        if (i == 0)
            scripted_origin_wait_count(origin, 1);
    }
    stand_wait(do_others_wait, NULL, "the others wait without a thread");
    scripted_origin_release(origin);
    for (int i = 0; i < MANY; i++) {
        expect_body(raw_reply(raws[i], PATIENCE_MS), 200, "hello");
        raw_close(&raws[i]);
    }
    read_metrics();
    expect_result("/many", "miss", 1);
    expect_result("/many", "hit", MANY - 1);
    expect_value("coalesced_total", "route=\"/many\"", MANY - 1);
    expect_value("cache_bytes_total", "route=\"/many\"", 5 * (MANY - 1));
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

static bool have_all_left(const void *with)
{
    (void)with;
    read_metrics();
    return (int)value_of("requests_total", "route=\"/many\",result=\"left\"") == MANY;
}

/* Neither of the upstream, that they wait for, nor of the gateway: whether they hold a thread or not. */
START_TEST(who_goes_away_is_no_failure)
{
    struct raw *raws[MANY];

    scripted_origin_always(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    for (int i = 0; i < MANY; i++) {
        raws[i] = raw_open(stand.server.port);
        raw_print(raws[i], "GET /many/left HTTP/1.1\r\nHost: a\r\n\r\n");
        if (i == 0)
            scripted_origin_wait_count(origin, 1);
    }
    stand_wait(do_others_wait, NULL, "the others wait without a thread");
    for (int i = 0; i < MANY; i++)
        raw_close(&raws[i]);
    stand_wait(have_all_left, NULL, "all have left");
    expect_result("/many", "failed", 0);
    expect_result("/many", "busy", 0);
}
END_TEST

START_TEST(stale_answers_are_counted)
{
    scripted_origin_always(
        origin, &(struct origin_answer){
                    .bytes = OK_WITH("Cache-Control: max-age=0, stale-while-revalidate=600\r\n"
                                     "Content-Length: 5\r\n",
                                     "hello")});
    expect_header(http_get(stand.http, "/mine/s", stand.bob.bearer), "X-Cache", "MISS");
    expect_header(http_get(stand.http, "/mine/s", stand.bob.bearer), "X-Cache", "STALE");
    cw_server_wait_log(&stand.server, " cache=stale");
    scripted_origin_wait_count(origin, 2); /* or the next test's origin is asked */
    read_metrics();
    expect_result("/mine", "stale", 1);
}
END_TEST

static void expect_requests(const char *labels, bool is_there)
{
    char line[256];

    snprintf(line, sizeof line, "\ncachewarden_http_requests_total{route=\"%s", labels);
    ck_assert_msg((strstr(metrics, line) != NULL) == is_there, "%s", line);
}

/* Each by its prefix, and what another server answered by its class. */
START_TEST(requests_are_counted_by_route)
{
    ORIGIN_SAY(origin, "HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n");
    expect_status(http_get(stand.http, "/open/odd", NULL), 299);
    expect_status(http_get(stand.http, "/away/x", NULL), 502);
    read_metrics();
    expect_requests("gateway:/open\",class=\"2xx\",status=\"other\"} 1\n", true);
    expect_requests("gateway:/away\",class=\"5xx\",status=\"502\"}", true);
    expect_requests("none\",class=\"5xx\"", false);
    expect_requests("none\",class=\"2xx\"", false);
    ck_assert_ptr_nonnull(strstr(
        metrics, "\ncachewarden_http_request_duration_seconds_count{route=\"gateway:/open\"} "));
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
    tcase_add_test(tcase, the_log_tells_what_the_cache_did);
    tcase_add_test(tcase, what_many_share);
    tcase_add_test(tcase, who_goes_away_is_no_failure);
    tcase_add_test(tcase, stale_answers_are_counted);
    tcase_add_test(tcase, requests_are_counted_by_route);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
