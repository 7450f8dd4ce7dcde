/* The gateway without Redis: the application goes on. */
#include "gateway_case.h"

#include <arpa/inet.h>
#include <signal.h>

/* An address that answers nobody who connects: nobody accepts, and no more may wait. */
static int hole_fds[4];

static int open_hole(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *any = (struct sockaddr *)&address;
    socklen_t size = sizeof address;

    for (int i = 0; i < 4; i++) {
        hole_fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(hole_fds[i], 0);
        if (i > 0) {
            (void)!connect(hole_fds[i], any, size);
            continue;
        }
        ck_assert_int_eq(bind(hole_fds[0], any, size), 0);
        ck_assert_int_eq(listen(hole_fds[0], 0), 0);
        ck_assert_int_eq(getsockname(hole_fds[0], any, &size), 0);
    }
    return ntohs(address.sin_port);
}

static void open_stand_with_hole(void)
{
    char routes[256];

    snprintf(routes, sizeof routes,
             "{ prefix = \"/open\"; scope = \"public\"; timeout_ms = 600000; UPSTREAM },\n"
             "{ prefix = \"/hole\"; scope = \"public\"; timeout_ms = 600000; "
             "upstream = \"http://127.0.0.1:%d\" }",
             open_hole());
    gateway_stand_open(routes, "");
    origin_open();
}

static void open_stand_that_drains(void)
{
    gateway_stand_open_in(
        (const char *const[]){"CACHEWARDEN_SERVER_DRAIN_S=6", NULL},
        "{ prefix = \"/open\"; scope = \"public\"; timeout_ms = 600000; UPSTREAM }", "");
    origin_open();
}

static void open_all(void)
{
    gateway_stand_open(
        "{ prefix = \"/open\"; scope = \"public\"; models = [ \"m\" ]; timeout_ms = 600000; "
        "UPSTREAM },\n"
        "{ prefix = \"/near\"; scope = \"public\"; models = [ \"n\", \"m\" ]; UPSTREAM },\n"
        "{ prefix = \"/far\"; scope = \"public\"; UPSTREAM },\n"
        "{ prefix = \"/mine\"; UPSTREAM }",
        "limits: { enabled = false; };");
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

/* Asks until something else than BYPASS comes: what was owed is done. */
static const char *result_when_settled(const char *path, const char *credential)
{
    const char *result;

    do
        result = http_header(http_get(stand.http, path, credential), "X-Cache");
    while (strcmp(result, "BYPASS") == 0);
    return result;
}

/* Asks until it is stored: a Redis that was full a moment ago may be taken for full a while longer. */
static void await_hit(const char *path, const char *credential)
{
    const char *result;

    do
        result = http_header(http_get(stand.http, path, credential), "X-Cache");
    while (strcmp(result, "MISS") == 0);
    ck_assert_str_eq(result, "HIT");
}

/* Redis refuses what writes, and answers what reads. */
START_TEST(a_clear_that_failed_is_made_up_for)
{
#define SAY(body) \
    ORIGIN_SAY(origin, OK_WITH("Cache-Control: max-age=3600\r\nContent-Length: 1\r\n", body))

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
    ck_assert_str_eq(result_when_settled("/open/owed", NULL), "MISS");
    await_hit("/open/owed", NULL);
    expect_body(http_get(stand.http, "/open/owed", NULL), 200, "c");
    cw_server_wait_log(&stand.server, "gateway.clears_made_up");
#undef SAY
}
END_TEST

static bool does_connect(const void *with)
{
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);
    char line[96];

    snprintf(line, sizeof line, "cachewarden_gateway_upstream_requests{route=\"/hole\"} %d\n",
             *(const int *)with);
    return strstr(reply->body, line) != NULL;
}

static struct raw *ask_hole(void)
{
    struct raw *raw = raw_open(stand.server.port);

    raw_print(raw, "GET /hole/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stand_wait(does_connect, &(const int){1}, "it connects");
    return raw;
}

START_TEST(who_goes_away_ends_connecting)
{
    struct raw *raw = ask_hole();

    raw_close(&raw);
    stand_wait(does_connect, &(const int){0}, "it connects no more");
    gateway_stand_close();
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
    struct raw *connecting = ask_hole();
    gateway_stand_close();
    raw_close(&raw);
    raw_close(&connecting);
}
END_TEST

enum { MANY = 20 /* more than there are threads */ };

/* The leader has a thread, and who reads this. */
static bool do_others_wait(const void *with)
{
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);

    (void)with;
    return strstr(reply->body, "\ncachewarden_http_requests_under_way 21\n") != NULL &&
           strstr(reply->body, "\ncachewarden_http_connections 2\n") != NULL;
}

/* Those who wait without a thread, for what the server does not wait for. */
START_TEST(a_stop_answers_who_waits_for_another_request)
{
    struct raw *raws[MANY];

    scripted_origin_always(origin, &(struct origin_answer){.then = ORIGIN_IS_SILENT});
    for (int i = 0; i < MANY; i++) {
        raws[i] = raw_open(stand.server.port);
        raw_print(raws[i], "GET /open/silent HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if (i == 0)
            scripted_origin_wait_count(origin, 1);
    }
    stand_wait(do_others_wait, NULL, "the others wait without a thread");
    cw_server_signal(&stand.server, SIGTERM);
    for (int i = 1; i < MANY; i++) {
        const struct http_reply *reply = raw_reply(raws[i], PATIENCE_MS);
        expect_status(reply, 503);
        ck_assert_ptr_nonnull(http_header(reply, "Retry-After"));
    }
    for (int i = 0; i < MANY; i++)
        raw_close(&raws[i]);
    gateway_stand_close();
}
END_TEST

#define OWED_ANSWER(fields) \
    OK_WITH("Cache-Control: max-age=3600\r\n" fields "Content-Length: 1\r\n", "a")

static void store(const char *path, const char *answer)
{
    ORIGIN_SAY(origin, answer);
    expect_header(http_get(stand.http, path, NULL), "X-Cache", "MISS");
    expect_header(http_get(stand.http, path, NULL), "X-Cache", "HIT");
}

static int times_logged(const char *text)
{
    char *log = cw_server_log(&stand.server);
    int count = 0;

    for (const char *at = log; (at = strstr(at, text)) != NULL; at += strlen(text))
        count++;
    free(log);
    return count;
}

/* Other nodes know nothing of it, so nobody may have to ask this one. */
START_TEST(what_is_owed_needs_no_request)
{
    redis_server_do(stand.redis, "CONFIG SET maxmemory 1");
    expect_status(http_post(stand.http, "/open/change", NULL), 200);
    cw_server_wait_log(&stand.server, "gateway.clear_failed");
    redis_server_do(stand.redis, "CONFIG SET maxmemory 0");
    cw_server_wait_log(&stand.server, "gateway.clears_made_up");
}
END_TEST

/* What a clear is not about is served all the while, however much is owed. */
START_TEST(what_is_owed_concerns_what_it_would_drop)
{
    static const char *const dropped[] = {"/near/x", "/far/tagged", "/open/1", "/open/39"};
    char path[32];

    store("/open/1", OWED_ANSWER(""));
    store("/open/39", OWED_ANSWER(""));
    store("/near/x", OWED_ANSWER(""));
    store("/far/x", OWED_ANSWER(""));
    store("/far/tagged", OWED_ANSWER("Cache-Tag: m\r\n"));
    scripted_origin_always(origin, &(struct origin_answer){.bytes = OWED_ANSWER("")});
    redis_server_do(stand.redis, "CONFIG SET maxmemory 1");
    for (int i = 0; i < 40; i++) {
        snprintf(path, sizeof path, "/open/%d", i);
        expect_status(http_post(stand.http, path, NULL), 200);
    }
    for (int i = 0; i < 4; i++)
        expect_uncached(dropped[i], NULL);
    expect_header(http_get(stand.http, "/far/x", NULL), "X-Cache", "HIT");
    cw_server_wait_log(&stand.server, "gateway.clear_failed");
    ck_assert_int_eq(times_logged("gateway.clear_failed"), 1);
    redis_server_do(stand.redis, "CONFIG SET maxmemory 0");
    ck_assert_str_eq(result_when_settled("/open/1", NULL), "MISS");
    await_hit("/open/1", NULL);
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(result_when_settled(dropped[i], NULL), i == 2 ? "HIT" : "MISS");
    cw_server_wait_log(&stand.server, "gateway.clears_made_up");
    ck_assert_int_eq(times_logged("gateway.clears_made_up"), 1);
}
END_TEST

/* Of a route without models: its path alone. */
static void expect_owed(const char *path, const char *refuse, const char *accept)
{
    const char *alice = stand.alice.bearer;

    await_hit(path, alice);
    redis_server_do(stand.redis, refuse);
    expect_status(http_post(stand.http, path, alice), 200);
    expect_uncached(path, alice);
    redis_server_do(stand.redis, accept);
    ck_assert_str_eq(result_when_settled(path, alice), "MISS");
}

START_TEST(a_path_that_was_not_dropped_is_made_up_for)
{
    const char *alice = stand.alice.bearer;

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OWED_ANSWER("")});
    http_get(stand.http, "/mine/other", alice);
    expect_owed("/mine/full", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0");
    expect_header(http_get(stand.http, "/mine/other", alice), "X-Cache", "HIT");
    expect_owed("/mine/replica", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE");
}
END_TEST

/* ---- all drops of a request ---- */

#define NAMES "Location: /mine/named\r\nContent-Location: /mine/content\r\n"
static const char *const named[] = {"/mine/itself", "/mine/named", "/mine/content"};

static void store_named(const char *body)
{
    char answer[200];

    snprintf(answer, sizeof answer,
             OK_WITH("Cache-Control: max-age=3600\r\nContent-Length: 1\r\n", "%s"), body);
    for (int i = 0; i < 3; i++) {
        ORIGIN_SAY(origin, answer);
        expect_header(http_get(stand.http, named[i], stand.alice.bearer), "X-Cache", "MISS");
        expect_header(http_get(stand.http, named[i], stand.alice.bearer), "X-Cache", "HIT");
    }
}

static int64_t round_trips(void)
{
    static const char name[] = "\ncachewarden_redis_round_trips_total{pool=\"control\"} ";
    const char *at = strstr(http_get(stand.http, "/metrics", stand.root.bearer)->body, name);

    ck_assert_ptr_nonnull(at);
    return (int64_t)strtod(at + strlen(name), NULL);
}

/* The fewest that such a change takes, of some: what goes on in the background only adds to them. */
static int64_t trips_of_change(const char *answer)
{
    int64_t fewest = INT64_MAX;

    for (int i = 0; i < 10; i++) {
        ORIGIN_SAY(origin, answer);
        int64_t before = round_trips();
        expect_status(http_post(stand.http, named[0], stand.alice.bearer), 200);
        int64_t took = round_trips() - before;
        fewest = took < fewest ? took : fewest;
    }
    return fewest;
}

START_TEST(drops_of_a_request_share_a_round_trip)
{
    store_named("a");
    int64_t with = trips_of_change(OK_WITH(NAMES "Content-Length: 1\r\n", "x")),
            without = trips_of_change(OK_WITH("Content-Length: 1\r\n", "x"));
    ck_assert_int_lt(with, without + 2);
    store_named("b"); /* all of them are misses */
}
END_TEST

START_TEST(all_that_a_change_names_is_owed)
{
    store_named("a");
    redis_server_do(stand.redis, "CONFIG SET maxmemory 1");
    ORIGIN_SAY(origin, OK_WITH(NAMES "Content-Length: 1\r\n", "x"));
    expect_status(http_post(stand.http, named[0], stand.alice.bearer), 200);
    redis_server_do(stand.redis, "CONFIG SET maxmemory 0");
    scripted_origin_always(origin, &(struct origin_answer){.bytes = OWED_ANSWER("")});
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(result_when_settled(named[i], stand.alice.bearer), "MISS");
    ck_assert_int_eq(times_logged("gateway.clear_failed"), 1);
}
END_TEST

/* An answer to HEAD has told that what is stored for GET is out of date. */
START_TEST(what_head_has_told_is_owed)
{
    const char *const fresh[] = {stand.alice.bearer, "Cache-Control: no-cache", NULL};

    ORIGIN_SAY(origin,
               OK_WITH("Cache-Control: max-age=3600\r\nETag: \"1\"\r\nContent-Length: 1\r\n", "a"));
    http_get(stand.http, "/mine/head", stand.alice.bearer);
    expect_header(http_get(stand.http, "/mine/head", stand.alice.bearer), "X-Cache", "HIT");
    redis_server_do(stand.redis, "CONFIG SET maxmemory 1");
    ORIGIN_SAY(origin,
               OK_WITH("Cache-Control: max-age=3600\r\nETag: \"2\"\r\nContent-Length: 9\r\n", ""));
    expect_status(http_send(stand.http, "HEAD", "/mine/head", fresh, NULL, 0), 200);
    scripted_origin_always(origin, &(struct origin_answer){.bytes = OWED_ANSWER("")});
    expect_uncached("/mine/head", stand.alice.bearer);
    redis_server_do(stand.redis, "CONFIG SET maxmemory 0");
    ck_assert_str_eq(result_when_settled("/mine/head", stand.alice.bearer), "MISS");
}
END_TEST

/* What is older than what its user has seen while the cache was off. */
START_TEST(what_was_seen_without_a_cache_is_owed)
{
    const char *bob = stand.bob.bearer;

    ORIGIN_SAY(origin, OK_WITH("Cache-Control: max-age=3600\r\nContent-Length: 1\r\n", "a"));
    http_get(stand.http, "/mine/seen", bob);
    expect_header(http_get(stand.http, "/mine/seen", bob), "X-Cache", "HIT");
    expect_status(http_post(stand.http, "/api/cache/disable/", bob), 200);
    redis_server_do(stand.redis, "CONFIG SET maxmemory 1");
    ORIGIN_SAY(origin, OK_WITH("Cache-Control: max-age=3600\r\nContent-Length: 1\r\n", "b"));
    expect_body(http_get(stand.http, "/mine/seen", bob), 200, "b");
    redis_server_do(stand.redis, "CONFIG SET maxmemory 0");
    expect_status(http_post(stand.http, "/api/cache/enable/", bob), 200);
    scripted_origin_always(origin, &(struct origin_answer){.bytes = OWED_ANSWER("")});
    ck_assert_str_eq(result_when_settled("/mine/seen", bob), "MISS");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_faults");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_test(all, an_application_goes_on_without_redis);
    tcase_add_test(all, a_clear_that_failed_is_made_up_for);
    tcase_add_test(all, what_is_owed_needs_no_request);
    tcase_add_test(all, what_is_owed_concerns_what_it_would_drop);
    tcase_add_test(all, a_path_that_was_not_dropped_is_made_up_for);
    tcase_add_test(all, drops_of_a_request_share_a_round_trip);
    tcase_add_test(all, all_that_a_change_names_is_owed);
    tcase_add_test(all, what_head_has_told_is_owed);
    tcase_add_test(all, what_was_seen_without_a_cache_is_owed);
    suite_add_tcase(suite, all);
    TCase *ends = tcase_create("ends"); /* the tests close the stand */

    tcase_add_checked_fixture(ends, open_stand_with_hole, origin_close);
    tcase_add_test(ends, who_goes_away_ends_connecting);
    tcase_add_test(ends, a_stop_waits_for_no_upstream);
    suite_add_tcase(suite, ends);
    TCase *drains = tcase_create("drains"); /* and it, too */

    tcase_add_checked_fixture(drains, open_stand_that_drains, origin_close);
    tcase_add_test(drains, a_stop_answers_who_waits_for_another_request);
    suite_add_tcase(suite, drains);
    return suite_run(suite);
}
