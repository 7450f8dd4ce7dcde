/* GET /api/v1/audit, and what each route leaves behind for it. */
#include "cachewarden/audit.h"
#include "cachewarden/clock.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "slowness.h"
#include "suite.h"

#include <stdio.h>
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

#define AS_ADMIN(route, ...) LOOPBACK(&loopback, route, loopback_admin(), __VA_ARGS__)
#define AS_USER(route, ...)  LOOPBACK(&loopback, route, loopback_user(123), __VA_ARGS__)
#define DROP(call)           loopback_free(&(struct loopback_answer *){call})

/* All that was recorded is in Redis: the route itself waits for that only a moment. */
static void drain(void)
{
    ck_assert_int_eq(audit_drain(loopback.app, clock_deadline_ns(PATIENCE_MS)), ERR_OK);
}

#define FIELDS                                                                                   \
    "record 2026-01-31T00:00:00.000Z\tadmin\t1\tbearer\t127.0.0.1\tcache.clear\tuser:1\tok\t6\t" \
    "r-1\tnode-a"
#define RECORD(id)                                                                                 \
    "{\"id\":\"" id "\",\"time\":\"2026-01-31T00:00:00.000Z\",\"principal\":\"admin\","            \
    "\"principal_id\":1,\"credential\":\"bearer\","                                                \
    "\"address\":\"127.0.0.1\",\"route\":\"cache.clear\",\"target\":\"user:1\",\"result\":\"ok\"," \
    "\"count\":6,\"request_id\":\"r-1\",\"node\":\"node-a\"}"

START_TEST(newest_first_and_page_by_page)
{
    loopback_expect(AS_ADMIN("audit.list"), "{\"records\":[],\"next\":null}");
    for (int i = 1; i <= 3; i++)
        redis_server_do(redis, "XADD cw:audit:changes %d-0 " FIELDS, i);
    loopback_expect(AS_ADMIN("audit.list"), "{\"records\":[" RECORD("3-0") "," RECORD(
                                                "2-0") "," RECORD("1-0") "],\"next\":null}");
    loopback_expect(
        AS_ADMIN("audit.list", .query = "limit=3"),
        "{\"records\":[" RECORD("3-0") "," RECORD("2-0") "," RECORD("1-0") "],\"next\":null}");
    loopback_expect(AS_ADMIN("audit.list", .query = "limit=2"),
                    "{\"records\":[" RECORD("3-0") "," RECORD("2-0") "],\"next\":\"2-0\"}");
    loopback_expect(AS_ADMIN("audit.list", .query = "limit=2&before=2-0"),
                    "{\"records\":[" RECORD("1-0") "],\"next\":null}");
    loopback_expect(AS_ADMIN("audit.list", .query = "before=1-0"),
                    "{\"records\":[],\"next\":null}");
    loopback_expect(AS_ADMIN("audit.list", .query = "before=99-7&limit=1"),
                    "{\"records\":[" RECORD("3-0") "],\"next\":\"3-0\"}");
}
END_TEST

/* The parts are one list, in which no record is missing or twice, wherever a page ends. */
START_TEST(pages_over_all_parts)
{
    enum { RECORDS = 9 };
    static const char *const ids[RECORDS] = {"4-4", "4-1", "4-0", "3-1", "3-0",
                                             "2-5", "2-4", "2-1", "1-0"};
    static const char *const entries[] = {"changes 1-0", "clears 2-0", "changes 2-1",
                                          "clears 2-1",  "clears 3-0", "changes 3-0",
                                          "changes 4-0", "clears 4-0", "changes 4-1"};
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        char command[512];
        snprintf(command, sizeof command, "XADD cw:audit:%s " FIELDS, entries[i]);
        redis_server_do(redis, command);
    }
    for (size_t limit = 1; limit <= RECORDS + 1; limit++) {
        char query[64], next[32] = "";
        size_t seen = 0;
        do {
            snprintf(query, sizeof query, next[0] ? "limit=%zu&before=%s" : "limit=%zu", limit,
                     next);
            struct loopback_answer *answer = AS_ADMIN("audit.list", .query = query);
            const struct json *root = loopback_json(answer), *records = json_get(root, "records");
            for (size_t i = 0; i < json_count(records); i++, seen++) {
                ck_assert_uint_lt(seen, RECORDS);
                ck_assert_str_eq(json_string(json_get(json_at(records, i), "id")).ptr, ids[seen]);
            }
            struct str more = json_string(json_get(root, "next"));
            snprintf(next, sizeof next, "%.*s", STR_ARG(more));
            loopback_free(&answer);
        } while (next[0]);
        ck_assert_uint_eq(seen, RECORDS);
    }
}
END_TEST

START_TEST(one_part_alone)
{
    redis_server_do(redis, "XADD cw:audit:changes 1-0 " FIELDS);
    redis_server_do(redis, "XADD cw:audit:clears 1-0 " FIELDS);
    loopback_expect(AS_ADMIN("audit.list", .query = "part=changes"),
                    "{\"records\":[" RECORD("1-0") "],\"next\":null}");
    loopback_expect(AS_ADMIN("audit.list", .query = "part=clears"),
                    "{\"records\":[" RECORD("1-1") "],\"next\":null}");
    loopback_expect_error(AS_ADMIN("audit.list", .query = "part=clear"), ERR_BAD_INPUT,
                          "part: Must be changes, clears or sign_ins.");
}
END_TEST

/* A node records in two parts what somebody did one after the other: in that order it is shown. */
START_TEST(the_order_is_that_of_the_deeds)
{
    enum { TURNS = 5 };
    for (int i = 0; i < TURNS; i++) {
        DROP(AS_USER("cache.clear"));
        DROP(AS_ADMIN("cache.admin_clear", .query = "user_id=123"));
    }
    drain();
    struct loopback_answer *answer = AS_ADMIN("audit.list");
    const struct json *records = json_get(loopback_json(answer), "records");
    ck_assert_uint_eq(json_count(records), 2 * TURNS);
    for (int i = 0; i < 2 * TURNS; i++)
        ck_assert_int_eq(json_integer(json_get(json_at(records, (size_t)i), "count")),
                         2 * TURNS + 1 - i);
    loopback_free(&answer);
}
END_TEST

START_TEST(a_thousand)
{
    for (int i = 1; i <= 1100; i++)
        redis_server_do(redis, "XADD cw:audit:changes %d-0 " FIELDS, i);
    struct loopback_answer *answer = AS_ADMIN("audit.list", .query = "limit=1000");
    const struct json *root = loopback_json(answer);
    ck_assert_uint_eq(json_count(json_get(root, "records")), 1000);
    ck_assert(str_eq(json_string(json_get(root, "next")), STR("101-0")));
    loopback_free(&answer);
}
END_TEST

START_TEST(records_of_another_form)
{
    redis_server_do(redis,
                    "XADD cw:audit:changes 1-0 stray field record \t\tmany\t\t\tx.y\t\t\t-1");
    loopback_expect(AS_ADMIN("audit.list"),
                    "{\"records\":[{\"id\":\"1-0\",\"time\":\"\",\"principal\":\"\",\"principal_"
                    "id\":null,\"credential\":\"\","
                    "\"address\":\"\",\"route\":\"x.y\",\"target\":\"\",\"result\":\"\",\"count\":"
                    "null,\"request_id\":\"\",\"node\":\"\"}],\"next\":null}");
    redis_server_do(redis, "DEL cw:audit:changes");
    redis_server_do(redis, "SET cw:audit:changes x");
    loopback_expect_error(AS_ADMIN("audit.list"), ERR_UPSTREAM_REFUSED,
                          "redis refused the command");
}
END_TEST

START_TEST(who_may_not)
{
    loopback_expect_error(LOOPBACK(&loopback, "audit.list", loopback_nobody()), ERR_UNAUTHENTICATED,
                          NULL);
    loopback_expect_error(AS_USER("audit.list"), ERR_FORBIDDEN, NULL);
    loopback_expect_error(
        LOOPBACK(&loopback, "audit.list", loopback_key(SCOPE_FLUSH | SCOPE_USER, 5)), ERR_FORBIDDEN,
        NULL);
}
END_TEST

/* ---- what the routes leave ---- */

static void expect_text(const struct json *record, const char *name, const char *text)
{
    ck_assert_str_eq(json_string(json_get(record, name)).ptr, text);
}

/* The newest record. count < 0: null. */
static void expect_newest(const char *route, const char *target, const char *result, int count,
                          const char *who)
{
    drain();
    struct loopback_answer *answer = AS_ADMIN("audit.list", .query = "limit=1");
    const struct json *record = json_at(json_get(loopback_json(answer), "records"), 0);
    ck_assert_ptr_nonnull(record);
    expect_text(record, "route", route);
    expect_text(record, "target", target);
    expect_text(record, "result", result);
    expect_text(record, "principal", who);
    expect_text(record, "address", "127.0.0.1");
    expect_text(record, "request_id", "request-1");
    expect_text(record, "node", "node-a");
    const struct json *counted = json_get(record, "count");
    ck_assert_int_eq(json_kind(counted), count < 0 ? JSON_NULL : JSON_INTEGER);
    ck_assert_int_eq(json_integer(counted), count < 0 ? 0 : count);
    loopback_free(&answer);
}

START_TEST(changes_are_recorded)
{
    DROP(AS_USER("cache.clear"));
    expect_newest("cache.clear", "user:123", "ok", 2, "alice");
    DROP(AS_USER("cache.disable"));
    expect_newest("cache.disable", "user:123", "ok", -1, "alice");
    DROP(AS_USER("cache.enable"));
    expect_newest("cache.enable", "user:123", "ok", -1, "alice");
    DROP(AS_ADMIN("cache.admin_clear", .query = "user_id=123"));
    expect_newest("cache.admin_clear", "user:123", "ok", 3, "admin");
    DROP(AS_ADMIN("cache.admin_clear"));
    expect_newest("cache.admin_clear", "all", "ok", 1, "admin");
    redis_server_do(redis, "SET whatsapp:development:in x");
    DROP(LOOPBACK(&loopback, "messages.flush", loopback_key(SCOPE_FLUSH, 0)));
    expect_newest("messages.flush", "messages", "ok", 1, "deploy");
    DROP(AS_ADMIN("search.clear"));
    expect_newest("search.clear", "search", "ok", 0, "admin");
    DROP(AS_ADMIN("caches.flush", .name = "messages"));
    expect_newest("caches.flush", "messages", "ok", 0, "admin");
}
END_TEST

START_TEST(failures_are_recorded_too)
{
    redis_server_do(redis, "HSET cw:{u:123} clears abc");
    DROP(AS_USER("cache.clear"));
    expect_newest("cache.clear", "user:123", "upstream_refused", -1, "alice");
    redis_server_do(redis, "DEL cw:dataset");
    redis_server_do(redis, "RPUSH cw:dataset 1");
    DROP(AS_ADMIN("cache.admin_clear"));
    redis_server_do(redis, "DEL cw:dataset"); /* who reads the audit asks whose data it is */
    expect_newest("cache.admin_clear", "all", "upstream_refused", -1, "admin");
}
END_TEST

START_TEST(reading_is_not_recorded)
{
    DROP(AS_USER("cache.status"));
    DROP(AS_USER("cache.check"));
    DROP(AS_ADMIN("caches.list"));
    DROP(AS_ADMIN("audit.list"));
    DROP(AS_ADMIN("caches.flush", .name = "messages", .query = "dry_run=true"));
    DROP(AS_ADMIN("cache.admin_clear", .query = "user_id=abc"));
    DROP(AS_USER("cache.admin_clear"));
    drain();
    loopback_expect(AS_ADMIN("audit.list"), "{\"records\":[],\"next\":null}");
}
END_TEST

START_TEST(without_redis)
{
    redis_server_kill(redis);
    loopback_expect_error(AS_ADMIN("audit.list"), ERR_UPSTREAM_DOWN, "redis unavailable");
    /* A record that waits for Redis must not hold the answer up beyond its budget. */
    DROP(AS_USER("cache.clear"));
    int64_t start_ns = clock_mono_ns();
    loopback_expect_error(AS_ADMIN("audit.list"), ERR_UPSTREAM_DOWN, "redis unavailable");
    expect_within_ms((clock_mono_ns() - start_ns) / NS_PER_MS, 3 * 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/audit/ops");
    TCase *tcase = tcase_create("list");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, newest_first_and_page_by_page);
    tcase_add_test(tcase, pages_over_all_parts);
    tcase_add_test(tcase, one_part_alone);
    tcase_add_test(tcase, the_order_is_that_of_the_deeds);
    tcase_add_test(tcase, a_thousand);
    tcase_add_test(tcase, records_of_another_form);
    tcase_add_test(tcase, who_may_not);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("records");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, changes_are_recorded);
    tcase_add_test(tcase, failures_are_recorded_too);
    tcase_add_test(tcase, reading_is_not_recorded);
    tcase_add_test(tcase, without_redis);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
