/* The routes of named caches: bodies to the byte, and who may. */
#include "cachewarden/audit.h"
#include "cachewarden/caches.h"
#include "cachewarden/clock.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "suite.h"

#include <hiredis.h>
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

#define AS_ADMIN(route, ...)       LOOPBACK(&loopback, route, loopback_admin(), __VA_ARGS__)
#define AS_USER(route, ...)        LOOPBACK(&loopback, route, loopback_user(123), __VA_ARGS__)
#define AS_KEY(scopes, route, ...) LOOPBACK(&loopback, route, loopback_key(scopes, 0), __VA_ARGS__)

static void fill_messages(void)
{
    redis_server_do(redis, "MSET whatsapp:development:in x whatsapp:development:out y");
}

static void fill_search(void)
{
    redisContext *context = redisConnect("127.0.0.1", redis_server_port(redis));
    ck_assert(context && context->err == 0);
    freeReplyObject(redisCommand(context, "SELECT 1"));
    freeReplyObject(redisCommand(context, "MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 i 9 j 10"));
    redisFree(context);
}

static void drain(void)
{
    ck_assert_int_eq(audit_drain(loopback.app, clock_deadline_ns(PATIENCE_MS)), ERR_OK);
}

START_TEST(the_message_cache)
{
    fill_messages();
    loopback_expect(AS_KEY(SCOPE_FLUSH, "messages.flush"), "{\"flushed\":true,\"keysRemoved\":2}");
    loopback_expect(AS_KEY(SCOPE_FLUSH, "messages.flush"), "{\"flushed\":true,\"keysRemoved\":0}");
    redis_server_do(redis, "SET whatsapp:development:in x");
    loopback_expect(AS_ADMIN("messages.flush"), "{\"flushed\":true,\"keysRemoved\":1}");
}
END_TEST

START_TEST(the_search_cache)
{
    fill_search();
    loopback_expect(AS_ADMIN("search.clear"), "{\"message\":\"Search cache cleared\"}");
    loopback_expect(AS_ADMIN("search.clear"), "{\"message\":\"Search cache cleared\"}");
}
END_TEST

START_TEST(a_cache_by_name)
{
    fill_messages();
    fill_search();
    loopback_expect(
        AS_KEY(SCOPE_FLUSH, "caches.flush", .name = "messages", .query = "dry_run=true"),
        "{\"name\":\"messages\",\"flushed\":false,\"keysRemoved\":0,\"dry_run\":true,"
        "\"wouldRemove\":2}");
    loopback_expect(AS_KEY(SCOPE_FLUSH, "caches.flush", .name = "messages"),
                    "{\"name\":\"messages\",\"flushed\":true,\"keysRemoved\":2}");
    loopback_expect(AS_ADMIN("caches.flush", .name = "search", .query = "dry_run=true"),
                    "{\"name\":\"search\",\"flushed\":false,\"keysRemoved\":0,\"dry_run\":true,"
                    "\"wouldRemove\":10}");
    loopback_expect(AS_ADMIN("caches.flush", .name = "search", .query = "dry_run=false"),
                    "{\"name\":\"search\",\"flushed\":true,\"keysRemoved\":10}");
    loopback_expect_error(AS_ADMIN("caches.flush", .name = "nothing"), ERR_NOT_FOUND,
                          "There is no cache named nothing.");
    loopback_expect_error(AS_ADMIN("caches.flush", .name = "nothing", .query = "dry_run=true"),
                          ERR_NOT_FOUND, NULL);
    loopback_expect_error(AS_ADMIN("caches.flush", .name = "messages", .query = "dry_run"),
                          ERR_BAD_INPUT, NULL);
}
END_TEST

START_TEST(who_may_not)
{
    fill_messages();
    static const char *const routes[] = {"messages.flush", "search.clear", "caches.list",
                                         "caches.flush"};
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const char *name = i == 3 ? "messages" : NULL;
        loopback_expect_error(LOOPBACK(&loopback, routes[i], loopback_nobody(), .name = name),
                              ERR_UNAUTHENTICATED, NULL);
        loopback_expect_error(AS_USER(routes[i], .name = name), ERR_FORBIDDEN, NULL);
        loopback_expect_error(AS_KEY(SCOPE_ENTRIES, routes[i], .name = name), ERR_FORBIDDEN, NULL);
    }
    loopback_expect_error(AS_KEY(SCOPE_FLUSH, "search.clear"), ERR_FORBIDDEN, NULL);
    loopback_expect_error(AS_KEY(SCOPE_FLUSH, "caches.list"), ERR_FORBIDDEN, NULL);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), 2);
    loopback.app->policy.flush_for_authenticated = true;
    loopback_expect(AS_USER("messages.flush"), "{\"flushed\":true,\"keysRemoved\":2}");
    loopback_expect_error(AS_USER("caches.flush", .name = "messages"), ERR_FORBIDDEN, NULL);
}
END_TEST

/* ---- the list ---- */

#define NEVER "\"last_flush\":null}"

START_TEST(the_list)
{
    loopback_expect(AS_ADMIN("caches.list"),
                    "{\"caches\":[{\"name\":\"messages\",\"kind\":\"keys\",\"keys\":0," NEVER
                    ",{\"name\":\"search\",\"kind\":\"database\",\"size\":0," NEVER "]}");
    fill_messages();
    fill_search();
    loopback_expect(AS_ADMIN("caches.list"),
                    "{\"caches\":[{\"name\":\"messages\",\"kind\":\"keys\",\"keys\":2," NEVER
                    ",{\"name\":\"search\",\"kind\":\"database\",\"size\":10," NEVER "]}");
}
END_TEST

START_TEST(who_flushed_last)
{
    fill_messages();
    fill_search();
    loopback_expect(AS_ADMIN("search.clear"), "{\"message\":\"Search cache cleared\"}");
    loopback_expect(AS_ADMIN("messages.flush"), "{\"flushed\":true,\"keysRemoved\":2}");
    loopback_expect(AS_KEY(SCOPE_FLUSH, "caches.flush", .name = "messages"),
                    "{\"name\":\"messages\",\"flushed\":true,\"keysRemoved\":0}");
    /* Counting is no flush. */
    loopback_free(&(struct loopback_answer *){
        AS_ADMIN("caches.flush", .name = "messages", .query = "dry_run=true")});
    drain();
    redis_server_do(redis, "HSET cw:flushed:messages at 2026-01-31T00:00:00.000Z");
    redis_server_do(redis, "HSET cw:flushed:search at 2026-01-31T00:00:01.000Z");
    loopback_expect(
        AS_ADMIN("caches.list"),
        "{\"caches\":[{\"name\":\"messages\",\"kind\":\"keys\",\"keys\":0,\"last_flush\":{\"by\":"
        "\"deploy\",\"at\":\"2026-01-31T00:00:00.000Z\",\"removed\":0}},"
        "{\"name\":\"search\",\"kind\":\"database\",\"size\":0,\"last_flush\":{\"by\":\"admin\","
        "\"at\":\"2026-01-31T00:00:01.000Z\",\"removed\":10}}]}");
}
END_TEST

START_TEST(a_record_that_is_not_whole_is_none)
{
    redis_server_do(redis, "HSET cw:flushed:messages by admin");
    redis_server_do(redis, "HSET cw:flushed:search by admin at x removed many");
    loopback_expect(AS_ADMIN("caches.list"),
                    "{\"caches\":[{\"name\":\"messages\",\"kind\":\"keys\",\"keys\":0," NEVER
                    ",{\"name\":\"search\",\"kind\":\"database\",\"size\":0," NEVER "]}");
    redis_server_do(redis, "DEL cw:flushed:search");
    redis_server_do(redis, "SET cw:flushed:search x");
    loopback_expect_error(AS_ADMIN("caches.list"), ERR_UPSTREAM_REFUSED, NULL);
}
END_TEST

START_TEST(one_target_that_is_gone)
{
    static const struct str key[] = {{"a", 1}};
    const struct cache_spec specs[] = {
        {.name = STR("near"), .kind = CACHE_KEYS, .keys = key, .key_count = 1},
        {.name = STR("far"), .kind = CACHE_DATABASE, .redis_url = STR(LOOPBACK_NO_REDIS)},
    };
    struct loopback other;
    loopback_open(&other, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                     .has_no_users = true,
                                                     .caches = specs,
                                                     .cache_count = 2});
    loopback_expect(LOOPBACK(&other, "caches.list", loopback_admin()),
                    "{\"caches\":[{\"name\":\"near\",\"kind\":\"keys\",\"keys\":0," NEVER
                    ",{\"name\":\"far\",\"kind\":\"database\",\"size\":null,\"error\":\"redis "
                    "unavailable\"," NEVER "]}");
    /* The routes of the two seeds name caches that are not configured here. */
    loopback_expect_error(LOOPBACK(&other, "messages.flush", loopback_admin()), ERR_NOT_FOUND,
                          "There is no cache named messages.");
    loopback_expect_error(LOOPBACK(&other, "search.clear", loopback_admin()), ERR_NOT_FOUND,
                          "There is no cache named search.");
    loopback_close(&other);
}
END_TEST

START_TEST(without_redis)
{
    redis_server_kill(redis);
    loopback_expect_error(AS_ADMIN("messages.flush"), ERR_UPSTREAM_DOWN, "redis unavailable");
    loopback_expect_error(AS_ADMIN("search.clear"), ERR_UPSTREAM_DOWN, "redis unavailable");
    loopback_expect_error(AS_ADMIN("caches.flush", .name = "messages"), ERR_UPSTREAM_DOWN,
                          "redis unavailable");
    loopback_expect_error(AS_ADMIN("caches.list"), ERR_UPSTREAM_DOWN, "redis unavailable");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/caches/ops");
    TCase *tcase = tcase_create("routes");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, the_message_cache);
    tcase_add_test(tcase, the_search_cache);
    tcase_add_test(tcase, a_cache_by_name);
    tcase_add_test(tcase, who_may_not);
    tcase_add_test(tcase, the_list);
    tcase_add_test(tcase, who_flushed_last);
    tcase_add_test(tcase, a_record_that_is_not_whole_is_none);
    tcase_add_test(tcase, one_target_that_is_gone);
    tcase_add_test(tcase, without_redis);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
