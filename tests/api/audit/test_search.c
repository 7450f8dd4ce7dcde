/* Searches of the audit: by who, what, when, and what becomes of those that find little. */
#include "cachewarden/audit_search.h"
#include "loopback.h"
#include "redis_server.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static struct redis_server *redis;
static struct loopback loopback;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .is_unwatched = true,
                                                        .has_no_users = true});
}

static void close_all(void)
{
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

#define LIST(query_) LOOPBACK(&loopback, "audit.list", loopback_admin(), .query = (query_))

static void add(const char *part, const char *id, const char *principal, const char *action,
                const char *target, const char *result)
{
    char record[256];

    snprintf(record, sizeof record, "then\t%s\t1\tbearer\t::1\t%s\t%s\t%s", principal, action,
             target, result);
    redis_server_do(redis, "EVAL %s 0 %s %s %s",
                    "redis.call('XADD', 'cw:audit:' .. ARGV[1], ARGV[2], 'record', ARGV[3])", part,
                    id, record);
}

/* The ids found, with blanks between them, and "| next" where there is one. */
static void expect_ids(const char *query, const char *wanted)
{
    char found[512] = "";
    struct loopback_answer *answer = LIST(query);
    const struct json *root = loopback_json(answer), *records = json_get(root, "records");

    for (size_t i = 0; i < json_count(records); i++) {
        size_t len = strlen(found);
        snprintf(found + len, sizeof found - len, "%s%s", i ? " " : "",
                 json_string(json_get(json_at(records, i), "id")).ptr);
    }
    if (json_kind(json_get(root, "next")) == JSON_STRING) {
        size_t len = strlen(found);
        snprintf(found + len, sizeof found - len, "| %s", json_string(json_get(root, "next")).ptr);
    }
    ck_assert_msg(strcmp(found, wanted) == 0, "%s: \"%s\", not \"%s\"", query, found, wanted);
    loopback_free(&answer);
}

static void add_some(void)
{
    add("changes", "1000-0", "root", "user.add", "user:7", "ok");
    add("clears", "2000-0", "deploy", "caches.flush", "messages", "ok");
    add("clears", "3000-0", "deploy", "caches.flush", "search", "upstream_refused");
    add("changes", "4000-0", "root", "caches.flush", "messages", "ok");
    add("sign_ins", "5000-0", "anna b", "auth.login", "user:7", "unauthenticated");
}

START_TEST(by_what_records_say)
{
    add_some();
    expect_ids("principal=deploy", "3000-1 2000-1");
    expect_ids("principal=anna%20b", "5000-2");
    expect_ids("action=caches.flush", "4000-0 3000-1 2000-1");
    expect_ids("target=user:7", "5000-2 1000-0");
    expect_ids("result=ok", "4000-0 2000-1 1000-0");
    expect_ids("action=caches.flush&target=messages&principal=root", "4000-0");
    expect_ids("action=caches.flush&part=clears&result=ok", "2000-1");
    expect_ids("principal=deploy&before=3000-1", "2000-1");
    /* the whole of it, and as it is written */
    expect_ids("principal=deplo", "");
    expect_ids("principal=Deploy", "");
    expect_ids("action=caches", "");
}
END_TEST

START_TEST(by_time)
{
    add_some();
    expect_ids("since=3", "5000-2 4000-0 3000-1");
    expect_ids("until=3", "2000-1 1000-0");
    expect_ids("since=2&until=4", "3000-1 2000-1");
    expect_ids("since=1970-01-01T00:00:04Z", "5000-2 4000-0");
    expect_ids("since=1970-01-01T01:00:04.001%2B01:00", "5000-2");
    expect_ids("since=1970-01-01T01:00:04.001+01:00", "5000-2");
    expect_ids("until=3&limit=1", "2000-1| 2000-1");
    expect_ids("until=3&limit=1&before=2000-1", "1000-0");
    expect_ids("until=3&before=4000-0", "2000-1 1000-0");
    expect_ids("since=0&until=0", "");
    expect_ids("since=4&until=2", "");
    expect_ids("since=2&principal=root", "4000-0");
}
END_TEST

START_TEST(no_time)
{
    static const char said[] =
        "Must be a time such as 2026-01-31T12:00:00Z, or seconds since 1970.";
    char wanted[160];

    for (int i = 0; i < 2; i++) {
        const char *name = i ? "until" : "since";
        char query[64];
        snprintf(query, sizeof query, "%s=yesterday", name);
        snprintf(wanted, sizeof wanted, "%s: %s", name, said);
        loopback_expect_error(LIST(query), ERR_BAD_INPUT, wanted);
        snprintf(query, sizeof query, "%s=", name);
        loopback_expect_error(LIST(query), ERR_BAD_INPUT, wanted);
    }
}
END_TEST

/* `count` records from `first_ms` on, a millisecond between them, each part in its turn. */
static void add_many(int first_ms, int count, const char *principal)
{
    redis_server_do(redis, "EVAL %s 0 %d %d %s",
                    "local parts = {'changes', 'clears', 'sign_ins'} "
                    "for i = 0, ARGV[2] - 1 do "
                    "redis.call('XADD', 'cw:audit:' .. parts[i % 3 + 1], ARGV[1] + i .. '-0', "
                    "'record', 'then\\t' .. ARGV[3] .. '\\t1\\tbearer\\t::1\\tx.y\\tall\\tok') end",
                    first_ms, count, principal);
}

/* Searches on and on; how many searches that took, and how many it found. */
static int search_all(const char *query, size_t *found_out)
{
    char whole[160], next[64] = "";
    int searches = 0;

    *found_out = 0;
    do {
        snprintf(whole, sizeof whole, next[0] ? "%s&before=%s" : "%s", query, next);
        struct loopback_answer *answer = LIST(whole);
        const struct json *root = loopback_json(answer);
        *found_out += json_count(json_get(root, "records"));
        struct str more = json_string(json_get(root, "next"));
        snprintf(next, sizeof next, "%.*s", STR_ARG(more));
        loopback_free(&answer);
        ck_assert_int_lt(++searches, 100);
    } while (next[0]);
    return searches;
}

/* One search looks at so many records and no more; the next goes on there, and none is missing or twice. */
START_TEST(a_search_is_bounded)
{
    size_t found;

    add_many(1, 2, "rare");
    add_many(10, AUDIT_LOOK_AT_MAX + 500, "usual");
    add_many(20000, 1, "rare");
    loopback_expect(LIST("principal=nobody&since=20"), "{\"records\":[],\"next\":null}");
    expect_ids("principal=rare&part=sign_ins", "");
    /* the newest of them all, and 9,999 more */
    expect_ids("principal=rare", "20000-0| 511-0");
    ck_assert_int_eq(search_all("principal=rare", &found), 2);
    ck_assert_uint_eq(found, 3);
    ck_assert_int_eq(search_all("principal=nobody", &found), 2);
    ck_assert_uint_eq(found, 0);
    (void)search_all("principal=usual&limit=999", &found);
    ck_assert_uint_eq(found, AUDIT_LOOK_AT_MAX + 500);
    (void)search_all("limit=1000", &found);
    ck_assert_uint_eq(found, AUDIT_LOOK_AT_MAX + 503);
}
END_TEST

/* Of a part with more in Redis all that is newer is looked at before anything older of the others. */
START_TEST(one_part_is_denser_than_the_others)
{
    size_t found;

    add("changes", "500-0", "wanted", "x.y", "all", "ok");
    redis_server_do(
        redis, "EVAL %s 0",
        "for i = 1, 3000 do redis.call('XADD', 'cw:audit:clears', i .. '-0', 'record', "
        "'then\\t' .. (i > 1500 and 'usual' or 'wanted') .. '\\t1\\tbearer\\t::1') end");
    (void)search_all("principal=wanted&limit=1000", &found);
    ck_assert_uint_eq(found, 1501);
    expect_ids("principal=wanted&before=501-0&limit=2", "500-1 500-0| 500-0");
}
END_TEST

START_TEST(parts_have_names)
{
    ck_assert_int_eq(audit_part_of_name(STR("changes")), AUDIT_CHANGES);
    ck_assert_int_eq(audit_part_of_name(STR("sign_ins")), AUDIT_SIGN_INS);
    ck_assert_int_lt(audit_part_of_name(STR("all")), 0);
    ck_assert_int_lt(audit_part_of_name(STR_NONE), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/audit/search");
    TCase *tcase = tcase_create("search");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, by_what_records_say);
    tcase_add_test(tcase, by_time);
    tcase_add_test(tcase, no_time);
    tcase_add_test(tcase, a_search_is_bounded);
    tcase_add_test(tcase, one_part_is_denser_than_the_others);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("names");
    tcase_add_test(tcase, parts_have_names);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
