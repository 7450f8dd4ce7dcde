/* The cache service as clients see it: status, fields of the head, bytes. */
#include "expect.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stand stand;
static char key[STAND_KEY_SIZE], other_key[STAND_KEY_SIZE];

static void open_stand(void)
{
    stand_open(&stand, NULL);
    stand_key(&stand, key, "shop",
              (const char *const[]){"--scope", "entries", "--namespace", "shop", NULL});
    stand_key(&stand, other_key, "blog",
              (const char *const[]){"--scope", "entries", "--namespace", "blog", NULL});
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* With these lines of the head, up to three, NULL for none. */
static const struct http_reply *ask(const char *method, const char *target, const char *who,
                                    const char *line, const char *body)
{
    const char *headers[] = {who, line, NULL};

    return http_send(stand.http, method, target, headers, body, body ? strlen(body) : 0);
}

static void expect_put(const char *target, const char *who, const char *body, int status)
{
    const struct http_reply *reply = ask("PUT", target, who, "Content-Type: text/plain", body);

    expect_status(reply, status);
    ck_assert_uint_eq(reply->body_size, 0);
}

static void expect_value(const char *target, const char *who, const char *body)
{
    const struct http_reply *reply = ask("GET", target, who, NULL, NULL);

    expect_status(reply, 200);
    expect_header(reply, "X-Cache", "HIT");
    ck_assert_str_eq(reply->body, body);
}

static void expect_miss(const char *target, const char *who)
{
    const struct http_reply *reply = ask("GET", target, who, NULL, NULL);

    expect_status(reply, 404);
    expect_header(reply, "X-Cache", "MISS");
    ck_assert_msg(strstr(reply->body, "\"detail\":\"Not found.\"") != NULL, "%s", reply->body);
}

/* "X-Cache-Lease: …" of a miss. */
static char *lease_of(char out[512], const char *target, const char *who)
{
    const struct http_reply *reply = ask("GET", target, who, NULL, NULL);

    expect_status(reply, 404);
    ck_assert_ptr_nonnull(http_header(reply, "X-Cache-Lease"));
    snprintf(out, 512, "X-Cache-Lease: %s", http_header(reply, "X-Cache-Lease"));
    return out;
}

static void expect_problem(const struct http_reply *reply, int status, const char *says)
{
    expect_status(reply, status);
    expect_header(reply, "Content-Type", "application/problem+json");
    ck_assert_msg(strstr(reply->body, says) != NULL, "%s", reply->body);
}

START_TEST(put_get_and_delete)
{
    char tag[64], line[128];

    expect_miss("/api/v1/entries/a", key);
    expect_put("/api/v1/entries/a?ttl=100", key, "hello", 201);
    const struct http_reply *reply = ask("GET", "/api/v1/entries/a", key, NULL, NULL);
    expect_status(reply, 200);
    expect_header(reply, "Content-Type", "text/plain");
    expect_header(reply, "X-Cache", "HIT");
    ck_assert_str_eq(reply->body, "hello");
    ck_assert_ptr_null(http_header(reply, "X-Cache-Lease"));
    ck_assert_ptr_null(http_header(reply, "X-Cache-Enabled")); /* an application has no switch */
    ck_assert_int_le(strtol(http_header(reply, "Age"), NULL, 10), 100);
    ck_assert_int_le(strtol(http_header(reply, "X-Cache-TTL"), NULL, 10), 100);
    snprintf(tag, sizeof tag, "%s", http_header(reply, "ETag"));
    reply = ask("HEAD", "/api/v1/entries/a", key, NULL, NULL);
    expect_status(reply, 200);
    expect_header(reply, "Content-Length", "5");
    expect_header(reply, "ETag", tag);
    ck_assert_uint_eq(reply->body_size, 0);
    snprintf(line, sizeof line, "If-None-Match: \"x\", %s", tag);
    reply = ask("GET", "/api/v1/entries/a", key, line, NULL);
    expect_status(reply, 304);
    expect_header(reply, "ETag", tag);
    ck_assert_uint_eq(reply->body_size, 0);
    expect_put("/api/v1/entries/a", key, "again", 204);
    expect_status(ask("GET", "/api/v1/entries/a", key, line, NULL), 200);
    expect_body(ask("DELETE", "/api/v1/entries/a", key, NULL, NULL), 200, "{\"deleted\":true}");
    expect_body(ask("DELETE", "/api/v1/entries/a", key, NULL, NULL), 200, "{\"deleted\":false}");
    expect_miss("/api/v1/entries/a", key);
}
END_TEST

/* A list in several lines is the list of them all (RFC 9110, section 5.3). */
START_TEST(tags_in_several_lines_are_one_list)
{
    static const char target[] = "/api/v1/entries/lines";
    char tag[64], line[128];
    const struct {
        const char *first, *second, *third;
        int status;
    } reads[] = {
        {"If-None-Match: \"x\"", line, NULL, 304},
        {line, "if-none-match: \"x\"", NULL, 304},
        {"If-None-Match: \"x\"", "If-None-Match;", line, 304},
        {"If-None-Match: \"x\"", "If-None-Match: W/\"y\"", "X-Other: a", 200},
        {"If-None-Match;", "If-None-Match: *", NULL, 304},
        {"If-None-Match: *", line, NULL, 200}, /* no list of tags */
    };

    expect_put(target, key, "a", 201);
    snprintf(tag, sizeof tag, "%s", http_header(ask("GET", target, key, NULL, NULL), "ETag"));
    snprintf(line, sizeof line, "If-None-Match: W/\"v\",%s", tag);
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        const char *headers[] = {key, reads[i].first, reads[i].second, reads[i].third, NULL};
        expect_status(http_send(stand.http, "GET", target, headers, NULL, 0), reads[i].status);
    }
    const char *only_absent[] = {key, "If-None-Match;", "If-None-Match: *", NULL};
    expect_status(http_send(stand.http, "PUT", target, only_absent, "b", 1), 412);
    const char *mixed[] = {key, "If-None-Match: *", "If-None-Match: \"x\"", NULL};
    expect_problem(http_send(stand.http, "PUT", target, mixed, "b", 1), 400, "If-None-Match: ");
    expect_problem(http_send(stand.http, "DELETE", target, mixed, NULL, 0), 400, "If-None-Match: ");
    expect_value(target, key, "a");
}
END_TEST

START_TEST(any_bytes)
{
    static const char bytes[] = "\x00\xff\r\n\r\n\x80{}";
    const char *headers[] = {key, "Content-Type: application/x-thing; a=\"b\"", NULL};
    const char *untyped[] = {key, NULL};

    expect_status(
        http_send(stand.http, "PUT", "/api/v1/entries/bytes", headers, bytes, sizeof bytes - 1),
        201);
    const struct http_reply *reply = ask("GET", "/api/v1/entries/bytes", key, NULL, NULL);
    expect_status(reply, 200);
    expect_header(reply, "Content-Type", "application/x-thing; a=\"b\"");
    ck_assert_uint_eq(reply->body_size, sizeof bytes - 1);
    ck_assert_mem_eq(reply->body, bytes, sizeof bytes - 1);
    expect_status(http_send(stand.http, "PUT", "/api/v1/entries/nothing", untyped, "", 0), 201);
    reply = ask("GET", "/api/v1/entries/nothing", key, NULL, NULL);
    expect_status(reply, 200);
    ck_assert_uint_eq(reply->body_size, 0);
}
END_TEST

START_TEST(labels_in_a_path)
{
    expect_put("/api/v1/entries/a%2Fb%20c", key, "slash", 201);
    expect_value("/api/v1/entries/a%2fb%20c", key, "slash");
    expect_put("/api/v1/entries/%C3%9Cr%C3%BCn:1", key, "umlaut", 201);
    expect_value("/api/v1/entries/%C3%9Cr%C3%BCn%3A1", key, "umlaut");
    expect_put("/api/v1/entries/%7D%7Bx%2A", key, "braces", 201);
    expect_value("/api/v1/entries/%7D%7Bx%2A", key, "braces");
    expect_miss("/api/v1/entries/a", key);
}
END_TEST

START_TEST(namespaces)
{
    char target[128], line[512];

    expect_put("/api/v1/entries/k", key, "shop", 201);
    expect_miss("/api/v1/entries/k", other_key);
    expect_miss("/api/v1/entries/k", stand.alice.bearer);
    expect_put("/api/v1/entries/k", stand.alice.bearer, "alice", 201);
    expect_value("/api/v1/entries/k", key, "shop");
    expect_value("/api/v1/entries/k?namespace=app:shop", key, "shop");
    expect_value("/api/v1/entries/k?namespace=app%3Ashop", stand.root.bearer, "shop");
    snprintf(target, sizeof target, "/api/v1/entries/k?namespace=user:%lld",
             (long long)stand.alice.id);
    expect_value(target, stand.root.bearer, "alice");
    expect_value(target, stand.alice.bearer, "alice");
    expect_status(ask("GET", target, stand.bob.bearer, NULL, NULL), 403);
    expect_status(ask("GET", target, key, NULL, NULL), 403);
    expect_status(ask("GET", "/api/v1/entries/k?namespace=app:shop", other_key, NULL, NULL), 403);
    expect_status(ask("GET", "/api/v1/entries/k", NULL, NULL, NULL), 401);
    expect_problem(ask("GET", "/api/v1/entries/k?namespace=shop", stand.root.bearer, NULL, NULL),
                   400, "namespace:");
    lease_of(line, "/api/v1/entries/new", key);
    expect_problem(ask("PUT", "/api/v1/entries/new", other_key, line, "x"), 400, "X-Cache-Lease");
    expect_problem(ask("PUT", "/api/v1/entries/newer", key, line, "x"), 400, "X-Cache-Lease");
    expect_status(ask("PUT", "/api/v1/entries/new", key, line, "x"), 201);
}
END_TEST

START_TEST(an_account_sees_its_switch_and_version)
{
    const char *who = stand.alice.bearer;
    const struct http_reply *reply = ask("GET", "/api/v1/entries/k", who, NULL, NULL);

    expect_header(reply, "X-Cache-Enabled", "true");
    expect_header(reply, "X-Cache-Version", "1");
    expect_body(ask("DELETE", "/api/v1/entries", who, NULL, NULL), 200,
                "{\"cleared\":true,\"generation\":2}");
    expect_put("/api/v1/entries/k", who, "v", 201);
    reply = ask("GET", "/api/v1/entries/k", who, NULL, NULL);
    expect_header(reply, "X-Cache-Version", "2");
    expect_status(ask("POST", "/api/cache/clear/", who, NULL, NULL), 200);
    expect_miss("/api/v1/entries/k", who);
    expect_put("/api/v1/entries/k", who, "v", 201);
    expect_status(ask("POST", "/api/cache/disable/", who, NULL, NULL), 200);
    reply = ask("GET", "/api/v1/entries/k", who, NULL, NULL);
    expect_status(reply, 404);
    expect_header(reply, "X-Cache", "MISS");
    expect_header(reply, "X-Cache-Enabled", "false");
    ck_assert_ptr_null(http_header(reply, "X-Cache-Lease"));
    ck_assert_ptr_null(http_header(reply, "X-Cache-Version"));
    reply = ask("PUT", "/api/v1/entries/k", who, NULL, "v");
    expect_status(reply, 204);
    expect_header(reply, "X-Cache-Enabled", "false");
    expect_status(ask("POST", "/api/cache/enable/", who, NULL, NULL), 200);
    expect_miss("/api/v1/entries/k", who);
}
END_TEST

START_TEST(a_late_fill_is_taken_and_never_served)
{
    static const struct {
        const char *method, *target;
        bool is_operators;
    } clears[] = {
        {"DELETE", "/api/v1/entries", false},
        {"DELETE", "/api/v1/models/Product", false},
        {"POST", "/api/server-management/clear-cache/", true},
    };
    char line[512];

    for (size_t i = 0; i < sizeof clears / sizeof *clears; i++) {
        lease_of(line, "/api/v1/entries/late?model=Product&model=Order", key);
        expect_status(ask(clears[i].method, clears[i].target,
                          clears[i].is_operators ? stand.root.bearer : key, NULL, NULL),
                      200);
        expect_status(ask("PUT", "/api/v1/entries/late?model=Product", key, line, "old"), 201);
        expect_miss("/api/v1/entries/late", key);
        expect_miss("/api/v1/entries/late?model=Product", key);
    }
    expect_body(ask("DELETE", "/api/v1/models/a%20b", key, NULL, NULL), 200,
                "{\"model\":\"a b\",\"cleared\":true,\"generation\":2}");
}
END_TEST

START_TEST(only_where_nothing_is)
{
    const struct http_reply *reply;

    expect_status(ask("PUT", "/api/v1/entries/once", key, "If-None-Match: *", "a"), 201);
    reply = ask("PUT", "/api/v1/entries/once", key, "If-None-Match: *", "b");
    expect_problem(reply, 412, "something under this label");
    expect_value("/api/v1/entries/once", key, "a");
    reply = ask("PUT", "/api/v1/entries/once", key, "If-None-Match: \"x\"", "b");
    expect_problem(reply, 400, "If-None-Match");
    expect_status(ask("DELETE", "/api/v1/entries", key, NULL, NULL), 200);
    expect_status(ask("PUT", "/api/v1/entries/once", key, "If-None-Match: *", "c"), 201);
    expect_value("/api/v1/entries/once", key, "c");
}
END_TEST

#define HELD     "/api/v1/entries/held"
#define COUNT_ON "/api/v1/entries/count-on"

/* What would have to be looked at first is not done as if it had held. */
START_TEST(a_write_on_a_condition_that_is_not_taken_changes_nothing)
{
    static const struct {
        const char *line, *says;
        bool is_taken_by_put; /* only_where_nothing_is */
    } rows[] = {
        {"If-Match: *", "If-Match: ", false},
        {"If-Match: \"a\"", "If-Match: ", false},
        {"if-match: W/\"a\", \"b\"", "If-Match: ", false},
        {"If-Match;", "If-Match: ", false}, /* so libcurl sends one without a value */
        {"If-Unmodified-Since: Mon, 01 Jan 2024 00:00:00 GMT", "If-Unmodified-Since: ", false},
        {"If-Unmodified-Since: then", "If-Unmodified-Since: ", false},
        {"If-None-Match: *", "If-None-Match: ", true},
        {"If-None-Match: \"a\"", "If-None-Match: ", true},
    };

    expect_put(HELD "?model=Held", key, "held", 201);
    expect_put(COUNT_ON, key, "1", 201);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *line = rows[i].line, *says = rows[i].says;
        if (!rows[i].is_taken_by_put) {
            expect_problem(ask("PUT", HELD, key, line, "x"), 400, says);
            expect_problem(ask("PUT", "/api/v1/entries/not-there", key, line, "x"), 400, says);
        }
        expect_problem(ask("DELETE", HELD, key, line, NULL), 400, says);
        expect_problem(ask("DELETE", "/api/v1/entries", key, line, NULL), 400, says);
        expect_problem(ask("DELETE", "/api/v1/models/Held", key, line, NULL), 400, says);
        expect_problem(ask("POST", COUNT_ON "/increment", key, line, NULL), 400, says);
    }
    expect_miss("/api/v1/entries/not-there", key);
    expect_value(HELD, key, "held");
    expect_value(COUNT_ON, key, "1");
    /* This one is of reads only: a write does not ask for it (RFC 9110, section 13.1.3). */
    expect_status(ask("PUT", HELD, key, "If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT", "x"),
                  204);
}
END_TEST

START_TEST(a_part_is_not_stored_as_the_whole)
{
    expect_put("/api/v1/entries/part", key, "whole", 201);
    expect_problem(ask("PUT", "/api/v1/entries/part", key, "Content-Range: bytes 0-0/5", "W"), 400,
                   "Content-Range: ");
    expect_value("/api/v1/entries/part", key, "whole");
}
END_TEST

static const struct http_reply *raise(const char *label, const char *body)
{
    char target[128];

    snprintf(target, sizeof target, "/api/v1/entries/%s/increment", label);
    return ask("POST", target, key, "Content-Type: application/json", body);
}

START_TEST(counters)
{
    static const char *const bad[] = {"{\"by\":0}",
                                      "{\"by\":1.5}",
                                      "{\"by\":\"x\"}",
                                      "{\"by\":1e400}",
                                      "{\"by\":null}",
                                      "{\"by\":true}",
                                      "{\"ttl\":0}",
                                      "{\"ttl\":-1}",
                                      "{\"ttl\":1.5}",
                                      "{\"by\":1,\"x\":1}",
                                      "{\"by\":9223372036854775808}",
                                      "{\"ttl\":9223372036854775807}",
                                      "[1]",
                                      "{"};

    expect_body(raise("n", "{\"by\":1,\"ttl\":60}"), 200, "{\"value\":1}");
    expect_body(raise("n", "{\"by\":41}"), 200, "{\"value\":42}");
    expect_body(raise("n", "{}"), 200, "{\"value\":43}");
    expect_body(raise("n", NULL), 200, "{\"value\":44}");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_problem(raise("n", bad[i]), 400, "\"detail\":");
    expect_value("/api/v1/entries/n", key, "44");
    expect_problem(raise("n", "{\"by\":9223372036854775807}"), 400, "by:");
    expect_value("/api/v1/entries/n", key, "44");
    expect_put("/api/v1/entries/text", key, "text", 201);
    expect_problem(raise("text", "{\"by\":1}"), 409, "no whole number");
    expect_value("/api/v1/entries/text", key, "text");
    expect_body(ask("POST", "/api/v1/entries/form/increment", key,
                    "Content-Type: application/x-www-form-urlencoded", "by=2&ttl=9"),
                200, "{\"value\":2}");
}
END_TEST

START_TEST(bad_input_changes_nothing)
{
    static const char *const targets[] = {
        "/api/v1/entries/k?ttl=0",
        "/api/v1/entries/k?ttl=-1",
        "/api/v1/entries/k?ttl=9223372036854775808",
        "/api/v1/entries/k?ttl=315360001",
        "/api/v1/entries/k?ttl=1.5",
        "/api/v1/entries/k?ttl=2592001&model=Product",
        "/api/v1/entries/k?model=",
        "/api/v1/entries/k?model=a%00b",
        "/api/v1/entries/k?unknown=1",
        "/api/v1/entries/k%0A",
        "/api/v1/entries/%FF",
        "/api/v1/entries/%C3",
    };

    expect_put("/api/v1/entries/k", key, "good", 201);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const struct http_reply *reply = ask("PUT", targets[i], key, NULL, "bad");
        ck_assert_msg(reply->status == 400, "%s: %d", targets[i], reply->status);
    }
    expect_problem(ask("PUT", "/api/v1/entries/k?ttl=0", key, NULL, "bad"), 400, "ttl:");
    expect_value("/api/v1/entries/k", key, "good");
    expect_problem(ask("DELETE", "/api/v1/entries", key, "Content-Type: application/json",
                       "{\"namespace\":\"app:other\"}"),
                   400, "namespace");
    expect_value("/api/v1/entries/k", key, "good");
}
END_TEST

START_TEST(a_miss_may_wait)
{
    static const char *const bad[] = {"-1", "60001", "1.5", "x", ""};
    char line[512], target[64];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(target, sizeof target, "/api/v1/entries/w?wait_ms=%s", bad[i]);
        expect_problem(ask("GET", target, key, NULL, NULL), 400, "wait_ms:");
    }
    lease_of(line, "/api/v1/entries/w?wait_ms=60000", key); /* the first need not */
    const struct http_reply *reply = ask("GET", "/api/v1/entries/w?wait_ms=20", key, NULL, NULL);
    expect_status(reply, 404); /* in vain */
    ck_assert_ptr_nonnull(http_header(reply, "X-Cache-Lease"));
    expect_status(ask("PUT", "/api/v1/entries/w", key, line, "filled"), 201);
    expect_value("/api/v1/entries/w?wait_ms=60000", key, "filled");
}
END_TEST

static bool audit_tells(const void *target)
{
    const struct http_reply *reply =
        ask("GET", "/api/v1/audit?part=clears", stand.root.bearer, NULL, NULL);

    return reply->status == 200 && strstr(reply->body, target) != NULL;
}

START_TEST(clears_are_in_the_audit)
{
    expect_status(ask("DELETE", "/api/v1/models/Product", key, NULL, NULL), 200);
    expect_status(ask("DELETE", "/api/v1/entries", key, NULL, NULL), 200);
    stand_wait(audit_tells, "\"target\":\"app:shop model:Product\"", "the clear of a model");
    stand_wait(audit_tells, "\"target\":\"app:shop\"", "the clear of a namespace");
}
END_TEST

/* ---- on a Redis of their own ---- */

START_TEST(entries_redis_url)
{
    struct redis_server *store = redis_server_start(NULL);
    struct cw_result result;
    char url[128], own_key[STAND_KEY_SIZE];

    snprintf(url, sizeof url, "CACHEWARDEN_ENTRIES_REDIS_URL=%s", redis_server_url(store));
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){url, NULL}});
    stand_key(&stand, own_key, "shop",
              (const char *const[]){"--scope", "entries", "--namespace", "shop", NULL});
    expect_put("/api/v1/entries/k", own_key, "there", 201);
    expect_value("/api/v1/entries/k", own_key, "there");
    ck_assert_int_eq(redis_server_ask_integer(store, "EXISTS cw:{app:shop}:e:k"), 1);
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS cw:{app:shop}:e:k"), 0);
    const struct http_reply *reply = ask("GET", "/metrics", stand.root.bearer, NULL, NULL);
    expect_body_has(reply, 200, "cachewarden_redis_connections_max{pool=\"entries\"}");
    stand_cli(&stand, NULL, (const char *const[]){"doctor", NULL}, &result);
    ck_assert_msg(strstr(result.out, "entries.redis_url") != NULL, "%s", result.out);
    cw_result_fini(&result);
    redis_server_kill(store);
    expect_problem(ask("GET", "/api/v1/entries/k", own_key, NULL, NULL), 503, "redis unavailable");
    stand_close(&stand);
    redis_server_stop(&store);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("entries");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, open_stand, close_stand);
    tcase_add_test(all, put_get_and_delete);
    tcase_add_test(all, tags_in_several_lines_are_one_list);
    tcase_add_test(all, any_bytes);
    tcase_add_test(all, labels_in_a_path);
    tcase_add_test(all, namespaces);
    tcase_add_test(all, an_account_sees_its_switch_and_version);
    tcase_add_test(all, a_late_fill_is_taken_and_never_served);
    tcase_add_test(all, only_where_nothing_is);
    tcase_add_test(all, a_write_on_a_condition_that_is_not_taken_changes_nothing);
    tcase_add_test(all, a_part_is_not_stored_as_the_whole);
    tcase_add_test(all, counters);
    tcase_add_test(all, bad_input_changes_nothing);
    tcase_add_test(all, a_miss_may_wait);
    tcase_add_test(all, clears_are_in_the_audit);
    suite_add_tcase(suite, all);
    TCase *apart = tcase_create("apart");
    tcase_add_test(apart, entries_redis_url);
    suite_add_tcase(suite, apart);
    return suite_run(suite);
}
