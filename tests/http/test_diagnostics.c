/* Health and the Redis test. */
#include "patience.h"
#include "redis_snapshot.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand, NULL);
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* The body with its numbers and times replaced: digits, dots, colons, T and Z between quotes of a
 * timestamp by "TIME", the latency by N. */
static const char *masked(const char *body)
{
    static char text[1024];
    const char *time = strstr(body, "\"timestamp\":\""), *latency = strstr(body, "\"latency_ms\":");
    ck_assert_msg(time != NULL, "%s", body);
    const char *time_start = time + strlen("\"timestamp\":\"");
    size_t time_size = strspn(time_start, "0123456789-:.TZ");
    ck_assert_msg(time_size >= 20 && time_start[time_size] == '"', "%s", body);
    if (!latency) {
        snprintf(text, sizeof text, "%.*sTIME%s", (int)(time_start - body), body,
                 time_start + time_size);
        return text;
    }
    const char *number = latency + strlen("\"latency_ms\":");
    size_t number_size = strspn(number, "0123456789.");
    ck_assert_msg(number_size > 0, "%s", body);
    snprintf(text, sizeof text, "%.*sN%.*sTIME%s", (int)(number - body), body,
             (int)(time_start - number - (ptrdiff_t)number_size), number + number_size,
             time_start + time_size);
    return text;
}

START_TEST(health)
{
    const struct http_reply *reply = http_get(stand.http, "/health", NULL);
    expect_status(reply, 200);
    expect_header(reply, "Content-Type", "application/json");
    ck_assert_str_eq(
        masked(reply->body),
        "{\"status\":\"ok\",\"redis\":{\"status\":\"connected\",\"message\":"
        "\"reads and writes work\",\"read_write_test\":true},\"users_database\":{\"status\":"
        "\"connected\",\"message\":\"it answers\"},\"timestamp\":\"TIME\"}");
    expect_status(http_get(stand.http, "/health/live", NULL), 200);
    expect_status(http_get(stand.http, "/health/ready", NULL), 200);
}
END_TEST

/* It tries on keys of its own, and leaves none behind. */
START_TEST(redis_test)
{
    char *before = redis_snapshot(stand.redis, "cw:audit");
    for (int i = 0; i < 5; i++) {
        const struct http_reply *reply = http_get(stand.http, "/api/redis-test", stand.root.bearer);
        expect_status(reply, 200);
        ck_assert_str_eq(masked(reply->body),
                         "{\"redis_test_results\":{\"basic_set_get\":true,\"token_storage\":true,"
                         "\"token_revocation\":true,\"increment\":true,\"pipeline\":true,"
                         "\"latency_ms\":N},\"timestamp\":\"TIME\"}");
        expect_status(http_get(stand.http, "/health", NULL), 200);
    }
    char *after = redis_snapshot(stand.redis, "cw:audit");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    expect_status(http_get(stand.http, "/api/redis-test", stand.alice.bearer), 403);
    expect_status(http_get(stand.http, "/api/redis-test", NULL), 401);
}
END_TEST

/* An admin is told of backups. Nobody else is, and no credential is refused here. */
START_TEST(health_tells_admins_more)
{
    const struct http_reply *reply = http_get(stand.http, "/health", stand.root.bearer);
    expect_status(reply, 200);
    ck_assert_str_eq(
        masked(reply->body),
        "{\"status\":\"ok\",\"redis\":{\"status\":\"connected\",\"message\":"
        "\"reads and writes work\",\"read_write_test\":true},\"users_database\":{\"status\":"
        "\"connected\",\"message\":\"it answers\"},\"backups\":{\"schedule\":null,\"next\":null,"
        "\"overdue\":false,\"last\":null,\"last_good\":null},\"timestamp\":\"TIME\"}");
    static const char *const others[] = {NULL, "Authorization: Bearer none\r\n",
                                         "x-api-key: cwk_1_2\r\n", "Authorization: \x01\r\n"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        reply = http_get(stand.http, "/health", i == 0 ? stand.alice.bearer : others[i]);
        expect_status(reply, i == 3 ? 400 : 200);
        ck_assert_ptr_null(strstr(reply->body, "backups"));
    }
}
END_TEST

static bool says(const char *target, const char *text)
{
    const struct http_reply *reply = http_get(stand.http, target, stand.root.bearer);
    return reply->status == 200 && strstr(reply->body, text);
}

/* Whom the server is to Redis. What is refused here is meant to be. */
static const char *user_of_redis(void)
{
    static bool was_guarded;
    was_guarded = was_guarded || stand.is_guarded;
    stand.is_guarded = false;
    return was_guarded ? "cachewarden" : "default";
}

static bool health_says(const void *text)
{
    return says("/health", text);
}

/* Each of them tries what a clear needs; strangers are told the command and Redis's word, the rest its sentence. */
START_TEST(what_redis_refuses_is_told_everywhere)
{
    redis_server_do(stand.redis, "ACL SETUSER %s -multi", user_of_redis());
    const struct http_reply *reply = http_get(stand.http, "/health", NULL);
    expect_status(reply, 200);
    ck_assert_ptr_nonnull(strstr(
        reply->body, "{\"status\":\"degraded\",\"redis\":{\"status\":\"connected\",\"message\":"
                     "\"redis refused MULTI (NOPERM)\",\"read_write_test\":false}"));
    reply = http_get(stand.http, "/health/ready", NULL);
    expect_status(reply, 200);
    ck_assert_str_eq(reply->body,
                     "{\"status\":\"ready\",\"redis\":"
                     "\"redis refused MULTI (NOPERM)\",\"users_database\":\"connected\"}");
    reply = http_get(stand.http, "/api/redis-test", stand.root.bearer);
    expect_status(reply, 200);
    ck_assert_ptr_nonnull(strstr(reply->body, "\"increment\":true,\"pipeline\":false,"));
    ck_assert_ptr_nonnull(
        strstr(reply->body, "\"message\":\"redis refused MULTI (NOPERM): NOPERM "));
    ck_assert_ptr_nonnull(strstr(reply->body, "permissions to run the 'multi' command"));
    cw_server_wait_log(&stand.server,
                       "event=redis.refuses redis=control what=\"redis refused MULTI "
                       "(NOPERM)\" why=\"NOPERM ");
    redis_server_do(stand.redis, "ACL SETUSER %s +multi", user_of_redis());
    stand_wait(health_says, "reads and writes work", "health knows that it is over");
    cw_server_wait_log(&stand.server, "event=redis.serves redis=control");
    ck_assert(says("/health/ready", "\"redis\":\"connected\",\"users_database\""));
}
END_TEST

/* In the log, which nobody has to ask. */
START_TEST(what_redis_refuses_is_logged_by_itself)
{
    redis_server_do(stand.redis, "ACL SETUSER %s -multi", user_of_redis());
    const struct http_reply *reply = http_post(stand.http, "/api/cache/clear/", stand.alice.bearer);
    ck_assert_int_ge(reply->status, 500);
    cw_server_wait_log(&stand.server,
                       "event=redis.refuses redis=control what=\"redis refused MULTI ");
    redis_server_do(stand.redis, "ACL SETUSER %s +multi", user_of_redis());
    cw_server_wait_log(&stand.server, "event=redis.serves redis=control");
}
END_TEST

/* Without ECHO there is no connection at all. */
START_TEST(what_a_new_connection_needs_is_told_too)
{
    redis_server_do(stand.redis, "ACL SETUSER %s -echo", user_of_redis());
    redis_server_do(stand.redis, "CLIENT KILL TYPE normal SKIPME yes");
    stand_wait(health_says,
               "\"status\":\"unavailable\",\"message\":\"redis refused ECHO (NOPERM)\"",
               "health names it");
    ck_assert(says("/health/ready", "\"redis\":\"redis refused ECHO (NOPERM)\""));
    ck_assert(says("/api/redis-test", "ECHO refused: NOPERM "));
    cw_server_wait_log(&stand.server, "why=\"ECHO refused: NOPERM ");
}
END_TEST

/* Anybody may ask for it, so it says nothing about where things are. */
/* Monitors and browsers add what they like. */
START_TEST(reads_without_parameters_ignore_a_query)
{
    static const char *const targets[] = {"/health",         "/health/live", "/health/ready",
                                          "/api/redis-test", "/metrics",     "/api/schema",
                                          "/api/v1/caches",  "/auth/me"};
    char target[64];
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        snprintf(target, sizeof target, "%s?x=1&_=1700000000", targets[i]);
        const struct http_reply *reply = http_get(stand.http, target, stand.root.bearer);
        ck_assert_msg(reply->status == 200, "%s: %d %s", target, reply->status, reply->body);
    }
    expect_status(http_get(stand.http, "/api/v1/audit?x=1", stand.root.bearer), 400);
}
END_TEST

START_TEST(health_gives_nothing_away)
{
    char port[16];
    snprintf(port, sizeof port, "%d", redis_server_port(stand.redis));
    redis_server_kill(stand.redis);
    int64_t give_up = stand_now_ms() + PATIENCE_MS;
    const struct http_reply *reply;
    while (!strstr((reply = http_get(stand.http, "/health", NULL))->body, "degraded"))
        ck_assert_msg(stand_now_ms() < give_up, "%s", reply->body);
    ck_assert_msg(!strstr(reply->body, port) && !strstr(reply->body, "127.0.0.1"), "%s",
                  reply->body);
    ck_assert_str_eq(
        masked(reply->body),
        "{\"status\":\"degraded\",\"redis\":{\"status\":\"unavailable\",\"message\":"
        "\"redis unavailable\",\"read_write_test\":false},\"users_database\":{\"status\":"
        "\"connected\",\"message\":\"it answers\"},\"timestamp\":\"TIME\"}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("diagnostics");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, open_stand, close_stand);
    tcase_add_test(each, health);
    tcase_add_test(each, health_tells_admins_more);
    tcase_add_test(each, redis_test);
    tcase_add_test(each, reads_without_parameters_ignore_a_query);
    tcase_add_test(each, what_redis_refuses_is_told_everywhere);
    tcase_add_test(each, what_redis_refuses_is_logged_by_itself);
    tcase_add_test(each, what_a_new_connection_needs_is_told_too);
    tcase_add_test(each, health_gives_nothing_away);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
