/* Many at once: no clear is lost, every one is one round trip, and nothing iterates over keys. */
#include "control_data.h"
#include "stand.h"
#include "suite.h"
#include "tcp_proxy.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLEARERS      50
#define CLEARS        40
#define FIRST_VERSION 5

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand, &(struct stand_options){
                           .environment = (const char *const[]){
                               CW_DEFAULT_THREADS, "CACHEWARDEN_LIMITS_ENABLED=false", NULL}});
    control_set_version(stand.redis, stand.alice.id, FIRST_VERSION);
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* One client's work in a thread of its own; check's assertions are for the main thread only. */
struct worker {
    pthread_t thread;
    int times;
    const char *method, *target;
    atomic_bool *stop; /* go on until it is set; NULL: `times` times */
    int *versions; /* counts of what X-Cache-Version said, by version - FIRST_VERSION; or NULL */
    int version_count;
    char failure[512];
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct http_client *http = http_client_new(stand.server.base_url);
    int last = 0;
    for (int i = 0;
         (worker->stop ? !atomic_load(worker->stop) : i < worker->times) && !worker->failure[0];
         i++) {
        const struct http_reply *reply =
            http_call(http, worker->method, worker->target, stand.alice.bearer);
        const char *shown = reply->status == 200 ? strstr(reply->body, "\"version\":") : NULL;
        int version = shown ? (int)strtol(shown + 10, NULL, 10) : 0,
            index = version - FIRST_VERSION;
        if (!shown || version < last || index < 0 || index >= worker->version_count)
            snprintf(worker->failure, sizeof worker->failure,
                     "%s %s: %d %.300s (version before: %d)", worker->method, worker->target,
                     reply->status, reply->status ? reply->body : reply->failure, last);
        else if (worker->versions)
            __atomic_fetch_add(&worker->versions[index], 1, __ATOMIC_RELAXED);
        last = version;
    }
    http_client_free(&http);
    return NULL;
}

static void start(struct worker *worker)
{
    ck_assert_int_eq(pthread_create(&worker->thread, NULL, work, worker), 0);
}

static void finish(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
    ck_assert_msg(!worker->failure[0], "%s", worker->failure);
}

static int64_t version_in_redis(void)
{
    return control_version(stand.redis, stand.alice.id);
}

START_TEST(no_clear_is_lost_or_shown_twice)
{
    static struct worker workers[CLEARERS];
    static int versions[CLEARERS * CLEARS + 1];
    for (int i = 0; i < CLEARERS; i++) {
        workers[i] = (struct worker){.times = CLEARS,
                                     .method = "POST",
                                     .target = "/api/cache/clear/",
                                     .versions = versions,
                                     .version_count = CLEARERS * CLEARS + 1};
        start(&workers[i]);
    }
    for (int i = 0; i < CLEARERS; i++)
        finish(&workers[i]);
    ck_assert_int_eq(version_in_redis(), FIRST_VERSION + CLEARERS * CLEARS);
    ck_assert_int_eq(versions[0], 0);
    for (int i = 1; i <= CLEARERS * CLEARS; i++)
        ck_assert_msg(versions[i] == 1, "version %d was shown %d times", FIRST_VERSION + i,
                      versions[i]);
}
END_TEST

START_TEST(switching_loses_no_clear)
{
    enum { CLEARING = 8, EACH = 60, SWITCHING = 4, TOTAL = CLEARING * EACH };
    static struct worker clearing[CLEARING], switching[SWITCHING];
    atomic_bool stop = false;
    for (int i = 0; i < SWITCHING; i++) {
        switching[i] =
            (struct worker){.stop = &stop,
                            .method = "POST",
                            .version_count = TOTAL + 1,
                            .target = i % 2 ? "/api/cache/enable/" : "/api/cache/disable/"};
        start(&switching[i]);
    }
    for (int i = 0; i < CLEARING; i++) {
        clearing[i] = (struct worker){.times = EACH,
                                      .method = "POST",
                                      .target = "/api/cache/clear/",
                                      .version_count = TOTAL + 1};
        start(&clearing[i]);
    }
    for (int i = 0; i < CLEARING; i++)
        pthread_join(clearing[i].thread, NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < SWITCHING; i++)
        finish(&switching[i]);
    for (int i = 0; i < CLEARING; i++)
        ck_assert_msg(!clearing[i].failure[0], "%s", clearing[i].failure);
    ck_assert_int_eq(version_in_redis(), FIRST_VERSION + TOTAL);

    expect_body_has(http_post(stand.http, "/api/cache/disable/", stand.alice.bearer), 200,
                    "\"enabled\":false");
    expect_body_has(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200,
                    "{\"enabled\":false,");
    expect_body_has(http_post(stand.http, "/api/cache/enable/", stand.alice.bearer), 200,
                    "\"enabled\":true");
    expect_body_has(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200,
                    "{\"enabled\":true,");
}
END_TEST

/* ---- what Redis is asked ---- */

static void call_all(void)
{
    char target[128];
    expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200);
    expect_status(http_post(stand.http, "/api/cache/disable/", stand.alice.bearer), 200);
    expect_status(http_post(stand.http, "/api/cache/enable/", stand.alice.bearer), 200);
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    expect_status(http_get(stand.http, "/api/cache/check/", stand.alice.bearer), 204);
    snprintf(target, sizeof target, "/api/server-management/clear-cache/?user_id=%lld",
             (long long)stand.bob.id);
    expect_status(http_post(stand.http, target, stand.root.bearer), 200);
    expect_status(http_post(stand.http, "/api/server-management/clear-cache/", stand.root.bearer),
                  200);
    expect_status(http_call(stand.http, "DELETE", "/api/v1/cache", stand.root.bearer), 200);
    expect_status(http_get(stand.http, "/api/v1/caches", stand.root.bearer), 200);
    expect_status(http_get(stand.http, "/api/redis-test", stand.root.bearer), 200);
    expect_status(http_get(stand.http, "/health", NULL), 200);
}

static bool is_forbidden(const char *line)
{
    static const char *const slow[] = {"\"KEYS\"",     "\"SCAN\"",   "\"SSCAN\"",   "\"HSCAN\"",
                                       "\"ZSCAN\"",    "\"EVAL\"",   "\"SORT\"",    "\"EVALSHA\"",
                                       "\"SMEMBERS\"", "\"LRANGE\"", "\"FLUSHALL\""};
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++)
        if (strcasestr(line, slow[i]))
            return true;
    return false;
}

START_TEST(monitor_shows_nothing_that_iterates)
{
    int commands = 0;
    for (int i = 0; i < 300; i++)
        control_set_clears(stand.redis, 1000 + i, 0);
    redisContext *monitor = redisConnect("127.0.0.1", redis_server_port(stand.redis));
    ck_assert(monitor && monitor->err == 0);
    freeReplyObject(redisCommand(monitor, "MONITOR"));
    call_all();
    redis_server_do(stand.redis, "PING end-of-the-test");
    for (bool more = true; more;) {
        redisReply *reply = NULL;
        ck_assert_int_eq(redisGetReply(monitor, (void **)&reply), REDIS_OK);
        ck_assert_msg(!is_forbidden(reply->str), "%s", reply->str);
        commands += strstr(reply->str, "cw:") != NULL;
        more = strstr(reply->str, "end-of-the-test") == NULL;
        freeReplyObject(reply);
    }
    redisFree(monitor);
    /* It did see them: each route asked for at least one of our keys. */
    ck_assert_int_ge(commands, 8);
}
END_TEST

/* ---- round trips, counted by a proxy between the server and Redis ---- */

struct traffic {
    int turns;    /* round trips for requests */
    int commands; /* about the version of the account */
};

/*
 * A node asks for some things by itself, now and then: it writes the audit behind the answers, follows
 * revocations, looks after the epoch and for jobs, and introduces itself on a new connection. A request of these
 * tests is about an account, and everything else it asked for would be one more turn.
 */
static bool is_for_a_request(const struct proxy_segment *segment)
{
    static const char *const by_itself[] = {"cw:audit", "cw:events", "cw:revoked", "cw:dataset",
                                            "cw:jobs"};
    if (strstr(segment->bytes, "cw:{u:"))
        return true;
    for (size_t i = 0; i < sizeof by_itself / sizeof *by_itself; i++)
        if (strstr(segment->bytes, by_itself[i]))
            return false;
    return strstr(segment->bytes, "cw:") != NULL;
}

/* What went over the wire from segment `from` on. */
static struct traffic traffic_since(struct tcp_proxy *proxy, size_t from)
{
    struct traffic traffic = {0, 0};
    bool is_asking[256] = {false};
    char key[64];
    snprintf(key, sizeof key, "cw:{u:%lld}\r\n", (long long)stand.alice.id);
    for (size_t i = from; i < tcp_proxy_count(proxy); i++) {
        struct proxy_segment segment = tcp_proxy_segment(proxy, i);
        /* A long batch arrives in several reads: those are one turn. */
        if (segment.is_request && !is_asking[segment.connection] && is_for_a_request(&segment))
            traffic.turns++;
        is_asking[segment.connection] = segment.is_request;
        for (const char *at = segment.bytes; segment.is_request && (at = strstr(at, key)); at++)
            traffic.commands++;
    }
    return traffic;
}

static struct tcp_proxy *open_behind_proxy(struct redis_server **redis_out, const char *pool_size)
{
    char url[64];
    *redis_out = redis_server_start(NULL);
    struct tcp_proxy *proxy = tcp_proxy_start(redis_server_port(*redis_out));
    snprintf(url, sizeof url, "REDIS_URL=redis://127.0.0.1:%d/0", tcp_proxy_port(proxy));
    stand_open(&stand, &(struct stand_options){.no_redis = true,
                                               .environment = (const char *const[]){
                                                   url, pool_size, CW_DEFAULT_THREADS,
                                                   "CACHEWARDEN_LIMITS_ENABLED=false", NULL}});
    control_set_version(*redis_out, stand.alice.id, FIRST_VERSION);
    /* Connecting has round trips of its own; afterwards the connections are there. */
    for (int i = 0; i < 5; i++)
        expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    return proxy;
}

static void close_behind_proxy(struct tcp_proxy *proxy, struct redis_server *redis)
{
    stand_close(&stand);
    tcp_proxy_stop(&proxy);
    redis_server_stop(&redis);
}

START_TEST(one_round_trip_each)
{
    static const struct {
        const char *method, *target;
        int status;
    } calls[] = {
        {"GET", "/api/cache/status/", 200},  {"POST", "/api/cache/clear/", 200},
        {"POST", "/api/cache/enable/", 200}, {"POST", "/api/cache/disable/", 200},
        {"GET", "/api/cache/check/", 204},
    };
    struct redis_server *redis;
    struct tcp_proxy *proxy = open_behind_proxy(&redis, "CACHEWARDEN_REDIS_POOL_SIZE=16");
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        size_t from = tcp_proxy_count(proxy);
        for (int i = 0; i < 20; i++)
            expect_status(
                http_call(stand.http, calls[c].method, calls[c].target, stand.alice.bearer),
                calls[c].status);
        struct traffic traffic = traffic_since(proxy, from);
        ck_assert_msg(traffic.turns == 20, "%s %s: %d round trips for 20 requests", calls[c].method,
                      calls[c].target, traffic.turns);
        ck_assert_int_ge(traffic.commands, 20);
    }
    close_behind_proxy(proxy, redis);
}
END_TEST

START_TEST(a_batch_shares_its_round_trip)
{
    enum { CLIENTS = 16, EACH = 20, TOTAL = CLIENTS * EACH };
    static struct worker workers[CLIENTS];
    struct redis_server *redis;
    struct tcp_proxy *proxy = open_behind_proxy(&redis, "CACHEWARDEN_REDIS_POOL_SIZE=1");
    size_t from = tcp_proxy_count(proxy);
    expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200);
    const int commands_each = traffic_since(proxy, from).commands;

    from = tcp_proxy_count(proxy);
    for (int i = 0; i < CLIENTS; i++) {
        workers[i] = (struct worker){
            .times = EACH, .method = "GET", .target = "/api/cache/status/", .version_count = 100};
        start(&workers[i]);
    }
    for (int i = 0; i < CLIENTS; i++)
        finish(&workers[i]);
    struct traffic traffic = traffic_since(proxy, from);
    /* Nothing was asked twice, and some of them travelled together. */
    ck_assert_int_eq(traffic.commands, commands_each * TOTAL);
    ck_assert_msg(traffic.turns < TOTAL, "%d round trips for %d requests", traffic.turns, TOTAL);
    close_behind_proxy(proxy, redis);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("concurrency");
    TCase *own = tcase_create("a stand for each");
    tcase_add_checked_fixture(own, open_stand, close_stand);
    tcase_add_test(own, no_clear_is_lost_or_shown_twice);
    tcase_add_test(own, switching_loses_no_clear);
    tcase_add_test(own, monitor_shows_nothing_that_iterates);
    suite_add_tcase(suite, own);
    TCase *proxied = tcase_create("behind a proxy");
    tcase_add_test(proxied, one_round_trip_each);
    tcase_add_test(proxied, a_batch_shares_its_round_trip);
    suite_add_tcase(suite, proxied);
    return suite_run(suite);
}
