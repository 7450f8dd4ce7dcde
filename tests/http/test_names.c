/*
 * Redis and the users database by name, while name servers are silent, fail, or send one elsewhere. Nobody waits for
 * them longer than they have time: the names file's silence lasts for ever, so that whoever did would never end.
 */
#include "names_file.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLEAR     "/api/cache/clear/"
#define ADDRESSED "cache.test 127.0.0.1\n"
#define SILENT    "cache.test silent\n"

/* Five seconds are promised. */
enum { FOLLOWED_WITHIN_MS = 5000 };

static struct stand stand;
static struct redis_server *redis;
static char redis_variable[64];

static void start_redis(const char *names)
{
    names_file_open();
    names_file_say(names);
    redis = redis_server_start(NULL);
    snprintf(redis_variable, sizeof redis_variable, "REDIS_URL=redis://cache.test:%d/0",
             redis_server_port(redis));
}

static void open_stand(const char *names)
{
    start_redis(names);
    stand_open(&stand, &(struct stand_options){.no_redis = true,
                                               .environment = (const char *const[]){
                                                   names_file_variable(), redis_variable, NULL}});
}

static void open_hasty(const char *names)
{
    start_redis(names);
    stand_open(&stand, &(struct stand_options){.no_redis = true,
                                               .environment = (const char *const[]){
                                                   names_file_variable(), redis_variable,
                                                   STAND_DEFAULT_TIMEOUTS, NULL}});
}

static void close_stand(void)
{
    stand_close(&stand);
    redis_server_stop(&redis);
    names_file_close();
}

static bool clears(const void *with)
{
    (void)with;
    return http_post(stand.http, CLEAR, stand.alice.bearer)->status == 200;
}

static bool is_refused(const void *with)
{
    (void)with;
    const struct http_reply *reply = http_post(stand.http, CLEAR, stand.alice.bearer);
    ck_assert_msg(reply->status != 0, "%s", reply->failure);
    return reply->status != 200;
}

START_TEST(redis_goes_on_while_name_servers_are_silent)
{
    open_stand(ADDRESSED);
    stand_wait(clears, NULL, "a clear");
    int asked = names_file_asked("cache.test");
    names_file_say(SILENT);
    redis_server_kill(redis);
    stand_wait(is_refused, NULL, "a clear without Redis");
    /* The name is looked up anew, and that has no end. */
    names_file_wait_asked("cache.test", asked + 1);
    redis_server_restart(redis);
    stand_wait(clears, NULL, "a clear at the address that was known");
    for (int i = 0; i < 20; i++) {
        redis_server_do(redis, "CLIENT KILL TYPE normal");
        ck_assert(clears(NULL));
    }
    /* However many connections were made: one look-up waits, behind one whose time had come before the silence. */
    ck_assert_int_le(names_file_asked("cache.test"), asked + 2);
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);
    expect_status(reply, 200);
    ck_assert_ptr_nonnull(strstr(reply->body, "\ncachewarden_names 1\n"));
    close_stand();
}
END_TEST

START_TEST(redis_goes_on_while_name_servers_fail)
{
    open_stand(ADDRESSED);
    stand_wait(clears, NULL, "a clear");
    int asked = names_file_asked("cache.test");
    names_file_say("cache.test fails\n");
    redis_server_kill(redis);
    stand_wait(is_refused, NULL, "a clear without Redis");
    names_file_wait_asked("cache.test", asked + 1);
    cw_server_wait_log(&stand.server, "event=name.lookup_failed host=cache.test");
    redis_server_restart(redis);
    stand_wait(clears, NULL, "a clear at the address that was known");
    close_stand();
}
END_TEST

START_TEST(a_start_without_name_servers)
{
    open_hasty(SILENT);
    const struct http_reply *reply = http_get(stand.http, "/health/live", NULL);
    expect_status(reply, 200);
    ck_assert(is_refused(NULL));
    cw_server_wait_log(&stand.server, "look-up of the host cache.test: no answer of a name server");
    names_file_say(ADDRESSED);
    stand_wait(clears, NULL, "a clear once the name is known");
    close_stand();
}
END_TEST

START_TEST(an_end_without_name_servers)
{
    open_hasty(SILENT);
    ck_assert(is_refused(NULL));
    cw_server_signal(&stand.server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&stand.server), 0);
    close_stand();
}
END_TEST

START_TEST(commands_without_name_servers)
{
    static const char *const commands[][2] = {{"flush", NULL}, {"doctor", NULL}};

    open_hasty(SILENT);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct cw_result result;
        stand_cli(&stand, NULL, commands[i], &result);
        ck_assert_msg(result.status > 0, "%s: %d", commands[i][0], result.status);
        /* flush speaks to whoever knows no hosts. */
        ck_assert_msg(i == 0 || strstr(result.out, "look-up of the host cache.test"), "%s%s",
                      result.out, result.err);
        cw_result_fini(&result);
    }
    close_stand();
}
END_TEST

START_TEST(a_listener_without_name_servers)
{
    struct cw_result result;

    names_file_open();
    names_file_say("here.test silent\n");
    const struct cw_command command = {.arguments = (const char *const[]){"serve", NULL},
                                       .environment = (const char *const[]){
                                           names_file_variable(), "CACHEWARDEN_LISTEN=here.test:0",
                                           "JWT_SECRET=" STAND_SECRET, NULL}};
    cw_run(&command, &result);
    ck_assert_msg(result.status == 1, "%d %s", result.status, result.err);
    ck_assert_msg(strstr(result.err, "server.listen: look-up of the host here.test: no answer"),
                  "%s", result.err);
    cw_result_fini(&result);
    names_file_close();
}
END_TEST

START_TEST(every_address_is_tried)
{
    open_stand("cache.test 127.0.0.3 ::1 127.0.0.1\n");
    stand_wait(clears, NULL, "a clear at the third address");
    close_stand();
}
END_TEST

START_TEST(a_name_that_moves)
{
    open_stand("cache.test 127.0.0.3\n");
    ck_assert(is_refused(NULL));
    names_file_say(ADDRESSED);
    stand_wait(clears, NULL, "a clear where the name leads now");
    close_stand();
}
END_TEST

/* Another database, and so another pool. */
static bool empties_search(const void *with)
{
    (void)with;
    return http_post(stand.http, "/api/v1/analytics/cache/clear", stand.root.bearer)->status == 200;
}

static bool is_synced(const void *with)
{
    redisReply *reply = redis_server_ask(with, "INFO replication");
    bool yes = strstr(reply->str, "master_link_status:up") != NULL;
    freeReplyObject(reply);
    return yes;
}

/* The old primary lives on as a replica, and whoever was connected to it still is. */
START_TEST(a_failover_by_name)
{
    char port[16];

    open_stand(ADDRESSED);
    snprintf(port, sizeof port, "%d", redis_server_port(redis));
    struct redis_server *second = redis_server_start(&(struct redis_server_options){
        .no_tcp = true,
        .unix_socket = true,
        .args = (const char *const[]){"--bind", "127.0.0.2", "--port", port, NULL}});
    redis_server_do(second, "REPLICAOF 127.0.0.1 %s", port);
    stand_wait(is_synced, second, "a replica");
    stand_wait(clears, NULL, "a clear at the first");
    stand_wait(empties_search, NULL, "the search cache is emptied at the first");
    redis_server_do(second, "REPLICAOF NO ONE");
    redis_server_do(redis, "REPLICAOF 127.0.0.2 %s", port);
    names_file_say("cache.test 127.0.0.2\n");
    slowness_watch();
    int64_t before = stand_now_ms();
    stand_wait(clears, NULL, "a clear at the second");
    stand_wait(empties_search, NULL, "the search cache is emptied at the second");
    expect_within_ms(stand_now_ms() - before, FOLLOWED_WITHIN_MS);
    stand_wait(is_synced, redis, "the first has become a replica");
    ck_assert(clears(NULL));
    ck_assert(clears(NULL));
    close_stand();
    redis_server_stop(&second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/names");
    TCase *tcase = tcase_create("names");

    tcase_add_test(tcase, redis_goes_on_while_name_servers_are_silent);
    tcase_add_test(tcase, redis_goes_on_while_name_servers_fail);
    tcase_add_test(tcase, a_start_without_name_servers);
    tcase_add_test(tcase, an_end_without_name_servers);
    tcase_add_test(tcase, commands_without_name_servers);
    tcase_add_test(tcase, a_listener_without_name_servers);
    tcase_add_test(tcase, every_address_is_tried);
    tcase_add_test(tcase, a_name_that_moves);
    tcase_add_test(tcase, a_failover_by_name);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
