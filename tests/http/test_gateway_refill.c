/* So many misses a second ask the upstream of a route, and no more: gateway.refill_per_s. */
#include "gateway_case.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PER_S = 20, MISSES = 60, MANY = 20 /* more than there are threads */ };

#define ROUTE(name) "{ prefix = \"/" name "\"; scope = \"public\"; timeout_ms = 600000; UPSTREAM }"

static struct cw_server other;
static struct raw *clients[MISSES];
static _Atomic int64_t first_ms, last_ms;

static char *answer(void *arg, const struct origin_request *request)
{
    int64_t none = 0;

    (void)arg;
    atomic_compare_exchange_strong(&first_ms, &none, stand_now_ms());
    atomic_store(&last_ms, stand_now_ms());
    return strdup(strstr(request->head, "/own") ? OK_WITH("Cache-Control: no-store\r\n"
                                                          "Content-Length: 1\r\n",
                                                          "o")
                  : strstr(request->head, "/stale")
                      ? OK_WITH("Cache-Control: max-age=0, stale-if-error=3600\r\n"
                                "Content-Length: 1\r\n",
                                "s")
                      : OK_WITH("Cache-Control: max-age=3600\r\nContent-Length: 1\r\n", "a"));
}

static void open_stand(void)
{
    gateway_stand_open_in((const char *const[]){"CACHEWARDEN_GATEWAY_REFILL_PER_S=20", NULL},
                          ROUTE("open") "," ROUTE("refused") "," ROUTE("goes-on") "," ROUTE(
                              "waits") "," ROUTE("counted") "," ROUTE("leaves"),
                          "limits: { enabled = false; };");
    gateway_start_node(&other, gateway_config);
}

static void close_stand(void)
{
    cw_server_stop(&other);
    gateway_stand_close();
}

static void open_origin(void)
{
    atomic_store(&first_ms, 0);
    unlink(origin_socket);
    origin = scripted_origin_start(
        &(struct scripted_origin_options){.unix_path = origin_socket, .answer = answer});
}

static const struct http_reply *get(const char *path)
{
    return http_get(stand.http, path, NULL);
}

static void ask(int client, const struct cw_server *node, const char *path)
{
    clients[client] = raw_open(node->port);
    raw_print(clients[client], "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path,
              stand.server.port);
}

/* The routes of which it is used up, and the first halves of the SHA-256 of their prefixes. */
#define REFUSED "c8d5027db5e374fb8cc083157c458b47"
#define GOES_ON "8c76d6cd1dec1dff2e47fd5aed55d29e"
#define WAITS   "495f884c4447520a1b012966bf0b7319"
#define LEAVES  "dcecdfe7f992ea7989753cb5bec24a65"
#define COUNTED "cdd55a999e0eee766947e34c52321090"

/* No more may ask, for so long. */
static void use_up(const char *digest, int for_s)
{
    redis_server_do(stand.redis, "SET cw:{gateway}:r:%s 1000000 EX %d", digest, for_s);
}

/* What they got is there for others, and costs the upstream nothing. */
START_TEST(a_purge_of_everything_leaves_so_many_a_second)
{
    char path[32];

    for (int i = 0; i < MISSES; i++) {
        snprintf(path, sizeof path, "/open/purged/%d", i);
        ask(i, i % 2 ? &other : &stand.server, path);
    }
    for (int i = 0; i < MISSES; i++) {
        expect_body(raw_reply(clients[i], PATIENCE_MS), 200, "a");
        raw_close(&clients[i]);
    }
    ck_assert_uint_eq(scripted_origin_count(origin), MISSES);
    /* The first of them came a moment later than it might have. */
    ck_assert_int_ge(atomic_load(&last_ms) - atomic_load(&first_ms),
                     1000 * (MISSES - PER_S) / PER_S);
    for (int i = 0; i < MISSES; i++) {
        snprintf(path, sizeof path, "/open/purged/%d", i);
        expect_header(get(path), "X-Cache", "HIT");
    }
}
END_TEST

START_TEST(who_would_wait_for_too_long_is_told_when_to_come)
{
    use_up(REFUSED, 3600);
    size_t count = scripted_origin_count(origin);
    const struct http_reply *reply = get("/refused/a");
    expect_status(reply, 503);
    ck_assert_int_gt(strtol(http_header(reply, "Retry-After"), NULL, 10), 3000);
    /* Conditions and ranges are misses like others. */
    expect_status(http_get(stand.http, "/refused/a", "If-None-Match: \"x\""), 503);
    ck_assert_uint_eq(scripted_origin_count(origin), count);
}
END_TEST

START_TEST(an_application_goes_on)
{
    expect_body(get("/goes-on/own"), 200, "o");
    expect_body(get("/goes-on/stale"), 200, "s");
    expect_body(get("/goes-on/kept"), 200, "a");
    use_up(GOES_ON, 3600);
    expect_header(get("/goes-on/kept"), "X-Cache", "HIT");
    /* What is known not to be for others, and what changes something, is no miss. */
    expect_body(get("/goes-on/own"), 200, "o");
    expect_status(http_post(stand.http, "/goes-on/post", NULL), 200);
    /* What is stale is better than nothing. */
    const struct http_reply *reply = get("/goes-on/stale");
    expect_body(reply, 200, "s");
    expect_header(reply, "X-Cache", "STALE");
    ck_assert_ptr_nonnull(strstr(http_header(reply, "Cache-Status"), "refill_per_s"));
    expect_header(reply, "Retry-After", NULL);
}
END_TEST

/* Each has looked and found that it has to wait: no request is at work. */
static bool do_all_wait(const void *with)
{
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);
    char line[80];

    snprintf(line, sizeof line, "\ncachewarden_http_connections_waiting %d\n", *(const int *)with);
    return reply && strstr(reply->body, line);
}

static void expect_waiting(int count)
{
    stand_wait(do_all_wait, &count, "others wait than should");
}

START_TEST(who_waits_keeps_no_worker)
{
    char path[32];

    use_up(WAITS, 300);
    size_t count = scripted_origin_count(origin);
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "/waits/%d", i);
        ask(i, &stand.server, path);
    }
    expect_waiting(MANY);
    for (int i = 0; i < MANY; i++)
        expect_status(get("/health"), 200);
    ck_assert_uint_eq(scripted_origin_count(origin), count);
    for (int i = 0; i < MANY; i++)
        raw_close(&clients[i]);
}
END_TEST

static long metric(const char *route, const char *result)
{
    char line[128];
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);

    expect_status(reply, 200);
    snprintf(line, sizeof line, "\ncachewarden_gateway_refill_total{route=\"%s\",result=\"%s\"} ",
             route, result);
    const char *at = strstr(reply->body, line);
    return at ? strtol(at + strlen(line), NULL, 10) : -1;
}

static void ask_many(const char *name, int count)
{
    char path[48];

    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/leaves/%s/%d", name, i);
        ask(i, &stand.server, path);
    }
}

/* Of the time for which they may wait, three seconds are left for turns. Who asks then is refused, until they go
 * away. */
START_TEST(who_goes_away_leaves_its_turn_to_others)
{
    use_up(LEAVES, 530);
    ask_many("gone", MISSES);
    expect_waiting(MISSES);
    for (int i = 0; i < MISSES; i++)
        raw_close(&clients[i]);
    expect_waiting(0);
    ask_many("new", MISSES);
    expect_waiting(MISSES);
    ck_assert_int_eq(metric("/leaves", "refused"), 0);
    for (int i = 0; i < MISSES; i++)
        raw_close(&clients[i]);
}
END_TEST

START_TEST(it_is_counted)
{
    expect_body(get("/counted/stale"), 200, "s");
    use_up(COUNTED, 3600);
    expect_status(get("/counted/refused"), 503);
    for (int i = 0; i < 2; i++)
        expect_header(get("/counted/stale"), "X-Cache", "STALE");
    ck_assert_int_eq(metric("/counted", "refused"), 1);
    ck_assert_int_eq(metric("/counted", "stale"), 2);
    ck_assert_int_gt(metric("/open", "waited"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_refill");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, open_stand, close_stand);
    tcase_add_checked_fixture(all, open_origin, origin_close);
    tcase_add_test(all, a_purge_of_everything_leaves_so_many_a_second);
    tcase_add_test(all, who_would_wait_for_too_long_is_told_when_to_come);
    tcase_add_test(all, an_application_goes_on);
    tcase_add_test(all, who_waits_keeps_no_worker);
    tcase_add_test(all, who_goes_away_leaves_its_turn_to_others);
    tcase_add_test(all, it_is_counted);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
