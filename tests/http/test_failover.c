/*
 * A failover by name: the replica takes over and the name leads to it, but the old primary lives on as its replica and
 * keeps its clients. Everything that writes gets to the new one, within seconds and over every pool there is.
 */
#include "slowness.h"
#include "stand.h"
#include "suite.h"
#include "tcp_proxy.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* From the moment at which the name leads to the new primary. */
enum { WITHIN_MS = 5000 };

static struct redis_server *old, *new;
static struct tcp_proxy *name;
static struct stand stand;
static char flush_key[STAND_KEY_SIZE], shop_key[STAND_KEY_SIZE];

/* The rights of docs/redis.md may lack +info. */
static const char *const users[] = {"", "app:x@"};
#define USERS (sizeof users / sizeof *users)

static bool is_replicated(const void *with)
{
    (void)with;
    redisReply *reply = redis_server_ask(new, "INFO replication");
    bool is = strstr(reply->str, "master_link_status:up") != NULL;

    freeReplyObject(reply);
    return is;
}

static void start_redis(void)
{
    static const char *const args[] = {"--repl-diskless-sync-delay", "0", NULL};
    const struct redis_server_options options = {.args = args};

    old = redis_server_start(&options);
    new = redis_server_start(&options);
    redis_server_do(old, "ACL SETUSER app on nopass allkeys allchannels +@all -info -role");
    redis_server_do(new, "ACL SETUSER app on nopass allkeys allchannels +@all -info -role");
    redis_server_do(new, "REPLICAOF 127.0.0.1 %d", redis_server_port(old));
    stand_wait(is_replicated, NULL, "the replica follows");
    name = tcp_proxy_start(redis_server_port(old));
}

static void open_stand(const char *user)
{
    char config[1024], url[128];
    int port;

    start_redis();
    port = tcp_proxy_port(name);
    snprintf(
        config, sizeof config,
        "caches = ( { name = \"search\"; database = 1; },\n"
        "  { name = \"far\"; keys = [ \"far:1\" ]; redis_url = \"redis://%s127.0.0.1:%d/2\"; }\n"
        ");\n"
        "entries: { redis_url = \"redis://%s127.0.0.1:%d/3\"; };\n",
        user, port, user, port);
    snprintf(url, sizeof url, "REDIS_URL=redis://%s127.0.0.1:%d/0", user, port);
    stand_open(&stand, &(struct stand_options){.config = config,
                                               .no_redis = true,
                                               .environment = (const char *const[]){url, NULL}});
    stand_key(&stand, flush_key, "deploy", (const char *const[]){"--scope", "flush", NULL});
    stand_key(&stand, shop_key, "shop",
              (const char *const[]){"--scope", "entries", "--namespace", "shop", NULL});
}

static void close_stand(void)
{
    stand_close(&stand);
    tcp_proxy_stop(&name);
    redis_server_stop(&new);
    redis_server_stop(&old);
}

/* One write over each pool. */
static const struct http_reply *clear(void)
{
    return http_post(stand.http, "/api/cache/clear/", stand.alice.bearer);
}

static const struct http_reply *empty_search(void)
{
    return http_post(stand.http, "/api/v1/analytics/cache/clear", stand.root.bearer);
}

static const struct http_reply *flush_far(void)
{
    return http_post(stand.http, "/api/v1/caches/far/flush", flush_key);
}

static const struct http_reply *put(void)
{
    const char *headers[] = {shop_key, "Content-Type: text/plain", NULL};

    return http_send(stand.http, "PUT", "/api/v1/entries/a", headers, "v", 1);
}

static const struct {
    const char *name;
    const struct http_reply *(*write)(void);
} writers[] = {{"clear", clear}, {"search", empty_search}, {"far", flush_far}, {"entry", put}};
#define WRITERS (sizeof writers / sizeof *writers)

static bool is_done(const struct http_reply *reply)
{
    return reply->status >= 200 && reply->status < 300;
}

static void write_everywhere(void)
{
    for (size_t i = 0; i < WRITERS; i++) {
        const struct http_reply *reply = writers[i].write();
        ck_assert_msg(is_done(reply), "%s: %d %s", writers[i].name, reply->status, reply->body);
    }
}

static void fail_over(void)
{
    redis_server_do(new, "REPLICAOF NO ONE");
    redis_server_do(old, "REPLICAOF 127.0.0.1 %d", redis_server_port(new));
}

static void in_database(const struct redis_server *redis, int database, const char *command)
{
    redisContext *context = redisConnect("127.0.0.1", redis_server_port(redis));

    ck_assert(context && context->err == 0);
    freeReplyObject(redisCommand(context, "SELECT %d", database));
    redisReply *reply = redisCommand(context, command);
    ck_assert(reply && reply->type != REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    redisFree(context);
}

static int64_t size_of(const struct redis_server *redis, int database)
{
    redisContext *context = redisConnect("127.0.0.1", redis_server_port(redis));

    ck_assert(context && context->err == 0);
    freeReplyObject(redisCommand(context, "SELECT %d", database));
    redisReply *reply = redisCommand(context, "DBSIZE");
    ck_assert(reply && reply->type == REDIS_REPLY_INTEGER);
    int64_t size = reply->integer;
    freeReplyObject(reply);
    redisFree(context);
    return size;
}

static void write_until_done(size_t which, int64_t begin_ms)
{
    const struct http_reply *reply = writers[which].write();

    while (!is_done(reply)) {
        ck_assert_msg(slowness_allows((int)(stand_now_ms() - begin_ms), WITHIN_MS), "%s: %d %s",
                      writers[which].name, reply->status, reply->body);
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        reply = writers[which].write();
    }
}

START_TEST(every_pool_gets_to_the_new_primary)
{
    open_stand(users[_i]);
    write_everywhere();
    fail_over();
    /* The name lags behind: nothing is done, and nothing is called done. */
    for (size_t i = 0; i < WRITERS; i++)
        ck_assert_msg(!is_done(writers[i].write()), "%s", writers[i].name);
    in_database(new, 1, "SET found 1");
    in_database(new, 2, "SET far:1 1");
    in_database(new, 3, "FLUSHDB");
    slowness_watch();
    int64_t begin_ms = stand_now_ms();
    tcp_proxy_lead_to(name, redis_server_port(new));
    for (size_t i = 0; i < WRITERS; i++)
        write_until_done(i, begin_ms);
    ck_assert_int_eq(size_of(new, 1), 0);
    ck_assert_int_eq(size_of(new, 2), 0);
    ck_assert_int_ge(size_of(new, 3), 1);
    write_everywhere();
    cw_server_wait_log(&stand.server, "event=redis.replica ");
    cw_server_wait_log(&stand.server, "event=redis.primary ");
    close_stand();
}
END_TEST

/* A clear that was acknowledged behind the failover holds for what was stored before it. */
START_TEST(nothing_from_before_a_clear_is_served)
{
    const char *headers[] = {shop_key, NULL};

    open_stand(users[_i]);
    write_everywhere();
    fail_over();
    ck_assert(!is_done(http_send(stand.http, "DELETE", "/api/v1/entries", headers, NULL, 0)));
    slowness_watch();
    int64_t begin_ms = stand_now_ms();
    tcp_proxy_lead_to(name, redis_server_port(new));
    while (!is_done(http_send(stand.http, "DELETE", "/api/v1/entries", headers, NULL, 0)))
        ck_assert(slowness_allows((int)(stand_now_ms() - begin_ms), WITHIN_MS));
    const struct http_reply *reply = http_get(stand.http, "/api/v1/entries/a", shop_key);
    ck_assert_msg(reply->status == 404, "%d %s", reply->status, reply->body);
    close_stand();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("failover");
    TCase *all = tcase_create("all");

    tcase_add_loop_test(all, every_pool_gets_to_the_new_primary, 0, USERS);
    tcase_add_loop_test(all, nothing_from_before_a_clear_is_served, 0, USERS);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
