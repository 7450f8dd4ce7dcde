/* The routes of users' own caches: bodies to the byte, headers, and who may. */
#include "control_data.h"
#include "loopback.h"
#include "redis_server.h"
#include "redis_snapshot.h"
#include "suite.h"

#include <stdlib.h>

static struct redis_server *redis;
static struct loopback loopback;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .is_unwatched = true});
}

static void close_all(void)
{
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

static void open_without_redis(void)
{
    loopback_open(&loopback,
                  &(struct loopback_options){.redis_url = LOOPBACK_NO_REDIS, .is_unwatched = true});
}

static void close_without_redis(void)
{
    loopback_close(&loopback);
}

#define AS_USER(route, ...)  LOOPBACK(&loopback, route, loopback_user(123), __VA_ARGS__)
#define AS_ADMIN(route, ...) LOOPBACK(&loopback, route, loopback_admin(), __VA_ARGS__)

static void expect_headers(struct loopback_answer *answer, enum tristate enabled, int64_t version)
{
    ck_assert_int_eq(answer->err, ERR_OK);
    ck_assert_int_eq(answer->reply.cache_enabled, enabled);
    ck_assert_int_eq(answer->reply.cache_version, version);
    ck_assert_int_eq(answer->reply.user_id, 123); /* whose cache it is */
}

START_TEST(a_user_and_an_admin_take_turns)
{
    struct loopback_answer *answer;
    redis_server_do(redis, "HSET cw:{u:123} clears 4");

    answer = AS_USER("cache.status");
    expect_headers(answer, YES, 5);
    loopback_expect(answer, "{\"enabled\":true,\"version\":5,\"message\":\"Cache is enabled\"}");
    answer = AS_USER("cache.clear");
    expect_headers(answer, YES, 6);
    loopback_expect(answer, "{\"version\":6,\"cleared\":true,\"message\":\"Cache cleared "
                            "successfully (new version: 6)\"}");
    answer = AS_USER("cache.disable");
    expect_headers(answer, NO, 0);
    loopback_expect(
        answer, "{\"enabled\":false,\"version\":6,\"message\":\"Cache disabled successfully\"}");
    answer = AS_USER("cache.status");
    expect_headers(answer, NO, 0);
    loopback_expect(answer, "{\"enabled\":false,\"version\":6,\"message\":\"Cache is disabled\"}");
    answer = AS_USER("cache.clear");
    expect_headers(answer, NO, 0);
    loopback_expect(answer, "{\"version\":7,\"cleared\":true,\"message\":\"Cache cleared "
                            "successfully (new version: 7)\"}");
    answer = AS_USER("cache.enable");
    expect_headers(answer, YES, 7);
    loopback_expect(answer,
                    "{\"enabled\":true,\"version\":7,\"message\":\"Cache enabled successfully\"}");
    loopback_expect(AS_USER("cache.status", .query = "user_id=123"),
                    "{\"enabled\":true,\"version\":7,\"message\":\"Cache is enabled\"}");
}
END_TEST

START_TEST(the_check_of_a_proxy)
{
    struct loopback_answer *answer = AS_USER("cache.check");
    expect_headers(answer, YES, 1);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_NO_CONTENT);
    ck_assert_int_eq(answer->reply.user_id, 123);
    loopback_expect(answer, "");
    loopback_free(&(struct loopback_answer *){AS_USER("cache.disable")});
    answer = AS_USER("cache.check");
    expect_headers(answer, NO, 0);
    ck_assert_int_eq(answer->reply.user_id, 123);
    loopback_expect(answer, "");
}
END_TEST

START_TEST(the_admins_clear)
{
    redis_server_do(redis, "HSET cw:{u:123} clears 5");
    loopback_expect(AS_ADMIN("cache.admin_clear", .query = "user_id=123"),
                    "{\"ok\":true,\"message\":\"Cache cleared for user "
                    "123\",\"user_id\":123,\"new_version\":7}");
    loopback_expect(AS_ADMIN("cache.admin_clear"), "{\"ok\":true,\"message\":\"Cache cleared\"}");
    loopback_expect(AS_ADMIN("cache.admin_clear", .query = "user_id=123", .body = "{}"),
                    "{\"ok\":true,\"message\":\"Cache cleared for user "
                    "123\",\"user_id\":123,\"new_version\":9}");
    loopback_expect(AS_ADMIN("cache.admin_clear", .query = "user_id=1000000000"),
                    "{\"ok\":true,\"message\":\"Cache cleared for user "
                    "1000000000\",\"user_id\":1000000000,\"new_version\":3}");
    loopback_expect(LOOPBACK(&loopback, "cache.admin_clear", loopback_key(SCOPE_ADMIN, 0)),
                    "{\"ok\":true,\"message\":\"Cache cleared\"}");
    ck_assert_int_eq(control_epoch(redis), 2);
}
END_TEST

START_TEST(who_may_not)
{
    static const char *const own[] = {"cache.status", "cache.enable", "cache.disable",
                                      "cache.clear", "cache.check"};
    char *before = redis_snapshot(redis, NULL);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        loopback_expect_error(LOOPBACK(&loopback, own[i], loopback_nobody()), ERR_UNAUTHENTICATED,
                              NULL);
        loopback_expect_error(AS_USER(own[i], .query = "user_id=5"), ERR_FORBIDDEN, NULL);
        loopback_expect_error(AS_ADMIN(own[i], .query = "user_id=5"), ERR_FORBIDDEN, NULL);
        loopback_expect_error(LOOPBACK(&loopback, own[i], loopback_key(SCOPE_FLUSH, 0)),
                              ERR_FORBIDDEN, NULL);
    }
    loopback_expect_error(LOOPBACK(&loopback, "cache.admin_clear", loopback_nobody()),
                          ERR_UNAUTHENTICATED, NULL);
    loopback_expect_error(AS_USER("cache.admin_clear", .query = "user_id=123"), ERR_FORBIDDEN,
                          NULL);
    loopback_expect_error(AS_USER("cache.admin_clear", .query = "user_id=abc"), ERR_FORBIDDEN,
                          NULL);
    loopback_expect_error(LOOPBACK(&loopback, "cache.admin_clear", loopback_key(SCOPE_USER, 123)),
                          ERR_FORBIDDEN, NULL);
    char *after = redis_snapshot(redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    /* A key that acts as its owner does so here. */
    loopback_expect(LOOPBACK(&loopback, "cache.status", loopback_key(SCOPE_USER, 123)),
                    "{\"enabled\":true,\"version\":1,\"message\":\"Cache is enabled\"}");
}
END_TEST

START_TEST(a_bad_id_clears_nothing)
{
    static const char *const queries[] = {
        "", "user_id=", "user_id=0", "user_id=1&user_id=2", "userid=1", "user_id=%31"};
    char *before = redis_snapshot(redis, NULL);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        loopback_expect_error(AS_ADMIN("cache.admin_clear", .query = queries[i]), ERR_BAD_INPUT,
                              NULL);
    loopback_expect_error(AS_ADMIN("cache.admin_clear", .body = "{\"user_id\":1}"), ERR_BAD_INPUT,
                          NULL);
    loopback_expect_error(AS_ADMIN("cache.admin_clear", .query = "user_id=1", .body = "user_id=1"),
                          ERR_BAD_INPUT, NULL);
    char *after = redis_snapshot(redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

/* ---- without Redis ---- */

START_TEST(redis_was_never_there)
{
    static const char *const own[] = {"cache.status", "cache.enable", "cache.disable",
                                      "cache.clear"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        loopback_expect_error(AS_USER(own[i]), ERR_UPSTREAM_DOWN, "redis unavailable");
    loopback_expect_error(AS_ADMIN("cache.admin_clear"), ERR_UPSTREAM_DOWN, "redis unavailable");
    loopback_expect_error(AS_ADMIN("cache.admin_clear", .query = "user_id=5"), ERR_UPSTREAM_DOWN,
                          "redis unavailable");
}
END_TEST

/* A proxy that asks before every request must not fail with Redis: it is told not to cache. */
START_TEST(the_check_without_redis)
{
    struct loopback_answer *answer = AS_USER("cache.check");
    expect_headers(answer, NO, 0);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_NO_CONTENT);
    ck_assert_int_eq(answer->reply.user_id, 123);
    loopback_expect(answer, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/ops");
    TCase *tcase = tcase_create("with Redis");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_user_and_an_admin_take_turns);
    tcase_add_test(tcase, the_check_of_a_proxy);
    tcase_add_test(tcase, the_admins_clear);
    tcase_add_test(tcase, who_may_not);
    tcase_add_test(tcase, a_bad_id_clears_nothing);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("without Redis");
    tcase_add_checked_fixture(tcase, open_without_redis, close_without_redis);
    tcase_add_test(tcase, redis_was_never_there);
    tcase_add_test(tcase, the_check_without_redis);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
