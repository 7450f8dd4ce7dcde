/* Health, readiness and the Redis test. */
#include "loopback.h"
#include "redis_server.h"
#include "suite.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static struct redis_server *redis;
static struct loopback loopback;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .has_no_users = true});
}

static void close_all(void)
{
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

#define PUBLIC(route, ...) LOOPBACK(&loopback, route, loopback_nobody(), __VA_ARGS__)

/* The body up to the timestamp, which has the form of RFC 3339; frees the answer. */
static void expect_stamped(struct loopback_answer *answer, const char *start)
{
    ck_assert_msg(answer->err == ERR_OK, "%s", err_name(answer->err));
    size_t length = strlen(start);
    ck_assert_msg(strncmp(answer->body, start, length) == 0, "%s", answer->body);
    unsigned year, month, day, hour, minute, second, ms;
    int end = 0;
    ck_assert_int_eq(sscanf(answer->body + length,
                            ",\"timestamp\":\"%4u-%2u-%2uT%2u:%2u:%2u.%3uZ\"}%n", &year, &month,
                            &day, &hour, &minute, &second, &ms, &end),
                     7);
    ck_assert_int_eq(answer->body[length + (size_t)end], '\0');
    ck_assert_uint_ge(year, 2024);
    loopback_free(&answer);
}

#define USERS(status, message) \
    "\"users_database\":{\"status\":\"" status "\",\"message\":\"" message "\"}"
#define HEALTHY                                                                              \
    "{\"status\":\"ok\",\"redis\":{\"status\":\"connected\",\"message\":\"reads and writes " \
    "work\",\"read_write_test\":true}," USERS("connected", "it answers")
#define ENTRIES_DEGRADED                                                                    \
    "{\"status\":\"degraded\",\"redis\":{\"status\":\"connected\",\"message\":\"reads and " \
    "writes work\",\"read_write_test\":true}," USERS("connected", "it answers")
#define DEGRADED(status, message)                                                          \
    "{\"status\":\"degraded\",\"redis\":{\"status\":\"" status "\",\"message\":\"" message \
    "\",\"read_write_test\":false}," USERS("connected", "it answers")

START_TEST(healthy)
{
    expect_stamped(PUBLIC("health.status"), HEALTHY);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 0);
}
END_TEST

START_TEST(a_dead_redis_is_degraded)
{
    redis_server_kill(redis);
    expect_stamped(PUBLIC("health.status"), DEGRADED("unavailable", "redis unavailable"));
}
END_TEST

START_TEST(a_full_redis_is_degraded)
{
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    expect_stamped(PUBLIC("health.status"), DEGRADED("connected", "redis out of memory"));
}
END_TEST

/* Whatever a clear needs: without it a clear fails, and this is where people look why. */
START_TEST(a_redis_that_refuses_a_command_is_degraded)
{
    static const char *const commands[] = {"set",    "get",  "multi",  "hincrby", "hmget",
                                           "expire", "hset", "hsetnx", "hdel",    "del"};

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char expected[256], name[16];
        for (size_t at = 0; at <= strlen(commands[i]); at++)
            name[at] = (char)toupper((unsigned char)commands[i][at]);
        redis_server_do(redis, "ACL SETUSER default -%s", commands[i]);
        snprintf(expected, sizeof expected, DEGRADED("connected", "redis refused %s (NOPERM)"),
                 name);
        expect_stamped(PUBLIC("health.status"), expected);
        redis_server_do(redis, "ACL SETUSER default +%s", commands[i]);
    }
    expect_stamped(PUBLIC("health.status"), HEALTHY);
}
END_TEST

START_TEST(a_replica_is_degraded)
{
    redis_server_do(redis, "REPLICAOF 127.0.0.1 1");
    expect_stamped(PUBLIC("health.status"), DEGRADED("connected", "redis is read-only"));
}
END_TEST

#define READY(redis) \
    "{\"status\":\"ready\",\"redis\":\"" redis "\",\"users_database\":\"connected\"}"

START_TEST(alive_and_ready)
{
    loopback_expect(PUBLIC("health.live"), "{\"status\":\"alive\"}");
    struct loopback_answer *answer = PUBLIC("health.ready");
    ck_assert_int_eq(answer->reply.retry_after_s, 1);
    loopback_expect_error(answer, ERR_BUSY, "starting or draining");
    atomic_store(&loopback.app->ready, true);
    loopback_expect(PUBLIC("health.ready"), READY("connected"));
    redis_server_kill(redis);
    expect_stamped(PUBLIC("health.status"), DEGRADED("unavailable", "redis unavailable"));
    loopback_expect(PUBLIC("health.ready"), READY("unavailable")); /* it still answers */
    loopback_expect(PUBLIC("health.live"), "{\"status\":\"alive\"}");
}
END_TEST

#define ENTRIES(status, message, works)                                    \
    ",\"entries_redis\":{\"status\":\"" status "\",\"message\":\"" message \
    "\",\"read_write_test\":" works "}"

/* A Redis of their own is looked at by itself. */
START_TEST(the_redis_of_entries)
{
    struct redis_server *own = redis_server_start(NULL);
    loopback_close(&loopback);
    loopback_open(&loopback,
                  &(struct loopback_options){.redis_url = redis_server_url(redis),
                                             .entries_redis_url = redis_server_url(own)});
    atomic_store(&loopback.app->ready, true);
    expect_stamped(PUBLIC("health.status"),
                   HEALTHY ENTRIES("connected", "reads and writes work", "true"));
    ck_assert_int_eq(redis_server_ask_integer(own, "DBSIZE"), 0);
    loopback_expect(PUBLIC("health.ready"),
                    "{\"status\":\"ready\",\"redis\":\"connected\",\"users_database\":"
                    "\"connected\",\"entries_redis\":\"connected\"}");
    redis_server_do(own, "CONFIG SET maxmemory 1");
    expect_stamped(PUBLIC("health.status"),
                   ENTRIES_DEGRADED ENTRIES("connected", "redis out of memory", "false"));
    redis_server_kill(own);
    expect_stamped(PUBLIC("health.status"),
                   ENTRIES_DEGRADED ENTRIES("unavailable", "redis unavailable", "false"));
    loopback_expect(PUBLIC("health.ready"),
                    "{\"status\":\"ready\",\"redis\":\"connected\",\"users_database\":"
                    "\"connected\",\"entries_redis\":\"unavailable\"}");
    redis_server_stop(&own);
}
END_TEST

#define TESTS(set_get, storage, revocation, increment, pipeline)                              \
    "{\"redis_test_results\":{\"basic_set_get\":" set_get ",\"token_storage\":" storage       \
    ",\"token_revocation\":" revocation ",\"increment\":" increment ",\"pipeline\":" pipeline \
    ",\"latency_ms\":"

/* The results, then a number or null, then the timestamp. */
static void expect_tests(const char *start, bool has_latency)
{
    struct loopback_answer *answer = LOOPBACK(&loopback, "health.redis_test", loopback_admin());
    const struct json *latency =
        json_get(json_get(loopback_json(answer), "redis_test_results"), "latency_ms");
    ck_assert_msg(strncmp(answer->body, start, strlen(start)) == 0, "%s", answer->body);
    ck_assert_int_eq(json_kind(latency), has_latency ? JSON_REAL : JSON_NULL);
    ck_assert(!has_latency || (json_real(latency) > 0 && json_real(latency) < 5000));
    loopback_free(&answer);
}

START_TEST(all_tests_pass)
{
    expect_tests(TESTS("true", "true", "true", "true", "true"), true);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 0);
}
END_TEST

START_TEST(each_test_stands_alone)
{
    redis_server_do(redis, "ACL SETUSER default -setex");
    expect_tests(TESTS("true", "false", "false", "true", "false"), true);
    redis_server_do(redis, "ACL SETUSER default +setex -zadd");
    expect_tests(TESTS("true", "true", "false", "true", "true"), true);
    redis_server_do(redis, "ACL SETUSER default +zadd -incrby");
    expect_tests(TESTS("true", "true", "true", "false", "true"), true);
    redis_server_do(redis, "ACL SETUSER default +incrby -get");
    expect_tests(TESTS("false", "false", "true", "true", "true"), true);
    redis_server_do(redis, "ACL SETUSER default +get -multi");
    expect_tests(TESTS("true", "true", "true", "true", "false"), true);
    redis_server_do(redis, "ACL SETUSER default +multi -hincrby");
    expect_tests(TESTS("true", "true", "true", "true", "false"), true);
}
END_TEST

START_TEST(no_test_passes_without_redis)
{
    redis_server_kill(redis);
    expect_tests(TESTS("false", "false", "false", "false", "false"), false);
}
END_TEST

START_TEST(the_tests_are_for_admins)
{
    loopback_expect_error(PUBLIC("health.redis_test"), ERR_UNAUTHENTICATED, NULL);
    loopback_expect_error(LOOPBACK(&loopback, "health.redis_test", loopback_user(5)), ERR_FORBIDDEN,
                          NULL);
    expect_stamped(PUBLIC("health.status"), HEALTHY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/health/ops");
    TCase *tcase = tcase_create("routes");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, healthy);
    tcase_add_test(tcase, the_redis_of_entries);
    tcase_add_test(tcase, a_dead_redis_is_degraded);
    tcase_add_test(tcase, a_full_redis_is_degraded);
    tcase_add_test(tcase, a_redis_that_refuses_a_command_is_degraded);
    tcase_add_test(tcase, a_replica_is_degraded);
    tcase_add_test(tcase, alive_and_ready);
    tcase_add_test(tcase, all_tests_pass);
    tcase_add_test(tcase, each_test_stands_alone);
    tcase_add_test(tcase, no_test_passes_without_redis);
    tcase_add_test(tcase, the_tests_are_for_admins);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
