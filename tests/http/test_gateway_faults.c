/* The gateway without Redis: the application goes on. */
#include "gateway_case.h"

static void open_all(void)
{
    gateway_stand_open(
        "{ prefix = \"/open\"; scope = \"public\"; models = [ \"m\" ]; timeout_ms = 600000; "
        "UPSTREAM },\n"
        "{ prefix = \"/mine\"; UPSTREAM }",
        "");
    origin_open();
}

static void close_all(void)
{
    origin_close();
    gateway_stand_close();
}

static void expect_uncached(const char *path, const char *credential)
{
    const struct http_reply *reply = http_get(stand.http, path, credential);

    expect_body(reply, 200, "a");
    expect_header(reply, "X-Cache", "BYPASS");
    expect_header(reply, "X-Cache-Enabled", "false");
    expect_header(reply, "X-Cache-Version", NULL);
}

START_TEST(an_application_goes_on_without_redis)
{
    scripted_origin_always(
        origin, &(struct origin_answer){
                    .bytes = OK_WITH("Cache-Control: max-age=60\r\nContent-Length: 1\r\n", "a")});
    http_get(stand.http, "/open/x", NULL);
    http_get(stand.http, "/mine/x", stand.alice.bearer);
    expect_header(http_get(stand.http, "/open/x", NULL), "X-Cache", "HIT");
    redis_server_kill(stand.redis);
    /* What is in memory is not known to be good any more. */
    for (int i = 0; i < 2; i++) {
        expect_uncached("/open/x", NULL);
        expect_uncached("/mine/x", stand.alice.bearer);
    }
    expect_status(http_post(stand.http, "/open/x", NULL), 200);
    cw_server_wait_log(&stand.server, "gateway.clear_failed");
}
END_TEST

/* Redis refuses what writes, and answers what reads. */
START_TEST(a_clear_that_failed_is_made_up_for)
{
#define SAY(body) \
    ORIGIN_SAY(origin, OK_WITH("Cache-Control: max-age=3600\r\nContent-Length: 1\r\n", body))
    const struct http_reply *reply;

    SAY("a");
    http_get(stand.http, "/open/owed", NULL);
    expect_header(http_get(stand.http, "/open/owed", NULL), "X-Cache", "HIT");
    redis_server_do(stand.redis, "CONFIG SET maxmemory 1");
    expect_status(http_post(stand.http, "/open/change", NULL), 200);
    SAY("b");
    expect_body(http_get(stand.http, "/open/owed", NULL), 200, "b");
    redis_server_do(stand.redis, "CONFIG SET maxmemory 0");
    scripted_origin_always(
        origin, &(struct origin_answer){.bytes = OK_WITH("Cache-Control: max-age=3600\r\n"
                                                         "Content-Length: 1\r\n",
                                                         "c")});
    do {
        reply = http_get(stand.http, "/open/owed", NULL);
        expect_body(reply, 200, "c");
    } while (strcmp(http_header(reply, "X-Cache"), "BYPASS") == 0);
    expect_header(reply, "X-Cache", "MISS");
    expect_header(http_get(stand.http, "/open/owed", NULL), "X-Cache", "HIT");
    cw_server_wait_log(&stand.server, "gateway.clears_made_up");
#undef SAY
}
END_TEST

/* Neither a request nor a refresh: the server that is closed behind this has to end well. */
START_TEST(a_stop_waits_for_no_upstream)
{
    ORIGIN_SAY(origin, OK_WITH("Cache-Control: max-age=0, stale-while-revalidate=3600\r\n"
                               "Content-Length: 1\r\n",
                               "a"));
    http_get(stand.http, "/open/stale", NULL);
    scripted_origin_always(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    expect_header(http_get(stand.http, "/open/stale", NULL), "X-Cache", "STALE");
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "GET /open/silent HTTP/1.1\r\nHost: localhost\r\n\r\n");
    scripted_origin_wait_count(origin, 3);
    gateway_stand_close();
    raw_close(&raw);
    gateway_stand_open("", "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_faults");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_test(all, an_application_goes_on_without_redis);
    tcase_add_test(all, a_clear_that_failed_is_made_up_for);
    tcase_add_test(all, a_stop_waits_for_no_upstream);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
