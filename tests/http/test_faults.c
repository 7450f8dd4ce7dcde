/*
 * Redis in every kind of trouble: each route answers what it promises, within its budget, and
 * never reports a success that did not happen. The server is not restarted; when Redis is well
 * again, so is everything else.
 */
#include "control_data.h"
#include "tcp_proxy.h"
#include "trouble.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void open_stand(void)
{
    static const char *const debug[] = {"--enable-debug-command", "yes", NULL};
    open_with(&(struct stand_options){.redis = &(struct redis_server_options){.args = debug}});
}

static void open_hasty(void)
{
    open_with(&(struct stand_options){.environment =
                                          (const char *const[]){STAND_DEFAULT_TIMEOUTS, NULL}});
}

static void close_stand(void)
{
    stand_close(&stand);
}

START_TEST(never_there)
{
    open_with(&(struct stand_options){
        .no_redis = true,
        .environment = (const char *const[]){"CACHEWARDEN_USERS_REGISTRATION=open", NULL}});
    const struct http_reply *reply;
    for (size_t i = 0; i < PROBES;
         i++) /* whether this refresh token is good cannot be told: it is not one */
        if (!spends_the_token(&probes[i]))
            expect_failed(&probes[i], "never there");
    reply = http_post_json(stand.http, "/auth/register", NULL,
                           "{\"username\":\"carol\",\"email\":\"carol@example.com\",\"password\":"
                           "\"violet-lantern-42\"}");
    expect_status(reply, 201);
    expect_status(http_post_json(stand.http, "/auth/login", NULL,
                                 "{\"username\":\"carol\",\"password\":\"violet-lantern-42\"}"),
                  200);
    close_stand();
}
END_TEST

START_TEST(killed_and_restarted_empty)
{
    redis_server_kill(stand.redis);
    expect_all_failed("killed");
    redis_server_restart(stand.redis);
    expect_recovered();
    /* At once, with connections that died unnoticed: the pool must not hand out a dead one and report it. */
    redis_server_restart(stand.redis);
    expect_recovered();
}
END_TEST

START_TEST(paused)
{
    redis_server_pause(stand.redis);
    expect_all_failed("paused");
    redis_server_resume(stand.redis);
    expect_recovered();
}
END_TEST

START_TEST(taking_no_writes_as_a_replica)
{
    int64_t before = control_version(stand.redis, stand.alice.id);
    redis_server_do(stand.redis, "SET whatsapp:development:in x");
    redis_server_do(stand.redis, "REPLICAOF 127.0.0.1 1");
    for (size_t i = 0; i < PROBES; i++)
        if (!probes[i].reads_only)
            expect_failed(&probes[i], "READONLY");
        else
            ck_assert_msg(works(&probes[i]), "READONLY: %s", probes[i].target);
    expect_degraded();
    ck_assert_int_eq(control_version(stand.redis, stand.alice.id), before);
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS whatsapp:development:in"), 1);
    redis_server_do(stand.redis, "REPLICAOF NO ONE");
    expect_recovered();
}
END_TEST

START_TEST(out_of_memory)
{
    int64_t before = control_version(stand.redis, stand.alice.id);
    redis_server_do(stand.redis, "CONFIG SET maxmemory-policy noeviction");
    redis_server_do(stand.redis, "CONFIG SET maxmemory 1");
    /* Redis still reads and deletes: those that do no more go on. */
    expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200);
    expect_failed(row("/api/cache/disable/"), "OOM");
    expect_failed(row("/api/cache/clear/"), "OOM");
    expect_failed(row("/api/server-management/clear-cache/?user_id=123"), "OOM");
    expect_failed(row("/api/server-management/clear-cache/"), "OOM");
    expect_degraded();
    expect_status(http_post_json(stand.http, "/auth/login", NULL, LOGIN), 200);
    expect_failed(row("/auth/refresh"), "OOM");
    expect_body_has(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200,
                    "{\"enabled\":true,");
    ck_assert_int_eq(control_version(stand.redis, stand.alice.id), before);
    redis_server_do(stand.redis, "CONFIG SET maxmemory 0");
    expect_recovered();
}
END_TEST

/* The server repairs the dataset by itself, four times a second: an answer counts that came before it did. */
static void expect_failed_on_a_list(const struct probe *probe)
{
    const struct http_reply *reply;
    do {
        redis_server_do(stand.redis, "EVAL %s 0",
                        "redis.call('DEL', 'cw:dataset') redis.call('RPUSH', 'cw:dataset', 1)");
        reply = run(probe);
    } while (redis_server_ask_integer(
                 stand.redis, "EVAL %s 0",
                 "return redis.call('TYPE', 'cw:dataset').ok == 'list' and 1 or 0") == 0);
    expect_failure(probe, "WRONGTYPE", reply);
}

START_TEST(counters_that_are_none)
{
    static const char *const values[] = {
        "abc", "", " 5", "5 ", "+5", "-5", "1.5", "9223372036854775808", "9223372036854775807"};
    const long long id = (long long)stand.alice.id;
    redis_server_do(stand.redis, "DEL cw:{u:%lld}", id);
    redis_server_do(stand.redis, "RPUSH cw:{u:%lld} 5", id);
    for (size_t i = 0; i < 4; i++)
        expect_failed(&probes[i], "WRONGTYPE");
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "LLEN cw:{u:%lld}", id), 1);
    redis_server_do(stand.redis, "DEL cw:{u:%lld}", id);
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        redis_server_do(stand.redis, "HSET cw:{u:%lld} clears %b", id, values[v],
                        strlen(values[v]));
        expect_failed(row("/api/cache/status/"), values[v]);
        expect_failed(row("/api/cache/enable/"), values[v]);
        expect_failed(row("/api/cache/check/"), values[v]);
    }
    redis_server_do(stand.redis, "HSET cw:{u:%lld} clears 7", id);
    for (size_t i = 0; i < 4; i++)
        expect_failed_on_a_list(&probes[i]);
    redis_server_do(stand.redis, "DEL cw:dataset");
    expect_recovered();
}
END_TEST

/* A number that no clears can have brought there is not believed, and nobody is stuck with it. */
START_TEST(counters_at_their_end)
{
    static const char *const fields[] = {"epoch", "reserved"};
    const int64_t before = control_version(stand.redis, stand.alice.id);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        redis_server_do(stand.redis, "HSET cw:dataset %s 9223372036854775807", fields[i]);
        stand_wait(works, row("/api/server-management/clear-cache/"), "repaired");
        int64_t version = control_version(stand.redis, stand.alice.id);
        ck_assert_int_gt(version, before);
        ck_assert_int_lt(version, before + 10000);
    }
    redis_server_do(stand.redis,
                    "HSET cw:dataset term 9223372036854775807:0123456789abcdef0123456789abcdef");
    expect_failed(row("/api/server-management/clear-cache/"), "another installation");
    redis_server_do(stand.redis, "DEL cw:dataset");
    expect_recovered();
}
END_TEST

START_TEST(a_password_we_do_not_have)
{
    redis_server_do(stand.redis, "CONFIG SET requirepass changed");
    redisContext *admin = redisConnect("127.0.0.1", redis_server_port(stand.redis));
    ck_assert(admin && admin->err == 0);
    freeReplyObject(redisCommand(admin, "AUTH changed"));
    freeReplyObject(redisCommand(admin, "CLIENT KILL TYPE normal SKIPME yes"));
    expect_all_failed("NOAUTH");
    freeReplyObject(redisCommand(admin, "CONFIG SET requirepass %s", ""));
    redisFree(admin);
    expect_recovered();
}
END_TEST

START_TEST(loading)
{
    /* Two milliseconds a key, up to eight seconds in all; Redis answers LOADING every ten keys. */
    redis_server_do(stand.redis, "DEBUG POPULATE 4000 fill 100");
    redis_server_do(stand.redis, "CONFIG SET key-load-delay 2000");
    redis_server_do(stand.redis, "CONFIG SET loading-process-events-interval-bytes 1024");
    redisContext *admin = redisConnect("127.0.0.1", redis_server_port(stand.redis));
    ck_assert(admin && admin->err == 0);
    int done = 0;
    redisAppendCommand(admin, "DEBUG RELOAD");
    while (!done)
        ck_assert_int_eq(redisBufferWrite(admin, &done), REDIS_OK);
    redisReply *reply;
    do {
        reply = redis_server_ask(stand.redis, "EXISTS cw:dataset");
        done = reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "LOADING", 7) == 0;
        freeReplyObject(reply);
    } while (!done);
    for (size_t i = 0; i < 9; i++)
        expect_failed(&probes[i], "LOADING");
    redis_server_do(stand.redis, "CONFIG SET key-load-delay 0");
    ck_assert_int_eq(redisGetReply(admin, (void **)&reply), REDIS_OK);
    freeReplyObject(reply);
    redisFree(admin);
    expect_recovered();
}
END_TEST

START_TEST(talking_nonsense)
{
    static const char *const answers[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        ":99999999999999999999\r\n",
        "$2147483647\r\n",
        "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        "-ERR <script>canary\r\n",
    };
    char url[64];
    struct redis_server *redis = redis_server_start(NULL);
    struct tcp_proxy *proxy = tcp_proxy_start(redis_server_port(redis));
    snprintf(url, sizeof url, "REDIS_URL=redis://127.0.0.1:%d/0", tcp_proxy_port(proxy));
    open_with(&(struct stand_options){
        .no_redis = true, .environment = (const char *const[]){url, STAND_DEFAULT_TIMEOUTS, NULL}});
    expect_recovered();
    for (size_t a = 0; a < sizeof answers / sizeof *answers; a++) {
        tcp_proxy_garble(proxy, answers[a]);
        for (size_t i = 0; i < 10; i++) {
            const struct http_reply *reply = run(&probes[i]);
            ck_assert_msg(!strstr(reply->body, "canary"), "%s", reply->body);
            expect_failed(&probes[i], answers[a]);
        }
        tcp_proxy_garble(proxy, NULL);
        stand_wait(works, row("/api/cache/status/"), "status works again");
    }
    expect_recovered();
    close_stand();
    tcp_proxy_stop(&proxy);
    redis_server_stop(&redis);
}
END_TEST

/* ---- killed under load ---- */

struct load {
    pthread_t thread;
    atomic_bool *stop;
    int cleared, failed;
    char failure[256];
};

static void *clear_until_stopped(void *arg)
{
    struct load *load = arg;
    struct http_client *http = http_client_new(stand.server.base_url);
    while (!atomic_load(load->stop) && !load->failure[0]) {
        const struct http_reply *reply = http_post(http, "/api/cache/clear/", stand.alice.bearer);
        load->cleared += reply->status == 200;
        load->failed += reply->status == 500;
        if (reply->status != 200 && reply->status != 500)
            snprintf(load->failure, sizeof load->failure, "%d %.200s", reply->status,
                     reply->status ? reply->body : reply->failure);
    }
    http_client_free(&http);
    return NULL;
}

START_TEST(killed_under_load)
{
    enum { CLIENTS = 8, KILLS = 3 };
    /* Redis acknowledges what is on disk, so an acknowledged clear must be there afterwards. */
    static const char *const durable[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    static struct load loads[CLIENTS];
    atomic_bool stop = false;
    open_with(&(struct stand_options){.redis = &(struct redis_server_options){.args = durable}});
    const int64_t before = control_clears(stand.redis, stand.alice.id);
    for (int i = 0; i < CLIENTS; i++) {
        loads[i] = (struct load){.stop = &stop};
        ck_assert_int_eq(pthread_create(&loads[i].thread, NULL, clear_until_stopped, &loads[i]), 0);
    }
    for (int kill = 0; kill < KILLS; kill++) {
        int64_t from = control_clears(stand.redis, stand.alice.id);
        while (control_clears(stand.redis, stand.alice.id) < from + 50)
            usleep(1000);
        redis_server_restart(stand.redis);
        stand_wait(works, row("/api/cache/status/"), "status works again");
    }
    atomic_store(&stop, true);
    int cleared = 0, failed = 0;
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(loads[i].thread, NULL);
        ck_assert_msg(!loads[i].failure[0], "%s", loads[i].failure);
        cleared += loads[i].cleared;
        failed += loads[i].failed;
    }
    const int64_t grown = control_clears(stand.redis, stand.alice.id) - before;
    ck_assert_msg(grown >= cleared && grown <= cleared + failed,
                  "%d acknowledged, %d failed, but the version grew by %lld", cleared, failed,
                  (long long)grown);
    expect_recovered();
    close_stand();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults");
    TCase *each = tcase_create("a stand for each");
    tcase_add_checked_fixture(each, open_stand, close_stand);
    tcase_add_test(each, killed_and_restarted_empty);
    tcase_add_test(each, taking_no_writes_as_a_replica);
    tcase_add_test(each, out_of_memory);
    tcase_add_test(each, counters_that_are_none);
    tcase_add_test(each, counters_at_their_end);
    tcase_add_test(each, a_password_we_do_not_have);
    tcase_add_test(each, loading);
    suite_add_tcase(suite, each);
    TCase *silent = tcase_create("a silent Redis");
    tcase_add_checked_fixture(silent, open_hasty, close_stand);
    tcase_add_test(silent, paused);
    suite_add_tcase(suite, silent);
    TCase *own = tcase_create("other stands");
    tcase_add_test(own, never_there);
    tcase_add_test(own, talking_nonsense);
    tcase_add_test(own, killed_under_load);
    suite_add_tcase(suite, own);
    return suite_run(suite);
}
