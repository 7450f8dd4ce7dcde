/* GET /api/v1/audit: who did what to which cache, newest first. */
#include "control_data.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stand stand;
static char key[STAND_KEY_SIZE];

static void open_stand(void)
{
    stand_open(&stand, NULL);
    stand_key(&stand, key, "deploy", (const char *const[]){"--scope", "flush", NULL});
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* The answer to this query, parsed; json_decref it. */
static json_t *audit(const char *query)
{
    char target[256];
    json_error_t error;
    snprintf(target, sizeof target, "/api/v1/audit%s", query);
    const struct http_reply *reply = http_get(stand.http, target, stand.root.bearer);
    expect_status(reply, 200);
    expect_header(reply, "Content-Type", "application/json");
    expect_header(reply, "Cache-Control", "no-store");
    json_t *root = json_loads(reply->body, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(root && json_is_array(json_object_get(root, "records")), "%s", reply->body);
    return root;
}

static json_t *record(json_t *root, size_t index)
{
    json_t *found = json_array_get(json_object_get(root, "records"), index);
    ck_assert_msg(found != NULL, "there is no record %zu", index);
    return found;
}

static void expect_text(json_t *object, const char *member, const char *wanted)
{
    const char *text = json_string_value(json_object_get(object, member));
    ck_assert_msg(text && strcmp(text, wanted) == 0, "%s is \"%s\", not \"%s\"", member,
                  text ? text : "(none)", wanted);
}

static int64_t kept(void)
{
    return redis_server_ask_integer(stand.redis, "XLEN cw:audit:changes") +
           redis_server_ask_integer(stand.redis, "XLEN cw:audit:clears");
}

static bool has_kept(const void *count)
{
    return kept() == *(const int64_t *)count;
}

static bool has_changes(const void *count)
{
    return redis_server_ask_integer(stand.redis, "XLEN cw:audit:changes") ==
           *(const int64_t *)count;
}

/* Records are written behind the answers; the route itself waits for them only a moment. */
static void wait_for_records(int64_t count)
{
    stand_wait(has_kept, &count, "the records are written");
}

struct wanted {
    const char *principal;
    int64_t principal_id; /* 0: null */
    const char *credential, *route, *target, *result;
    int64_t count; /* -1: null */
};

static int64_t version_of_alice(void)
{
    const struct http_reply *reply = http_get(stand.http, "/api/cache/status/", stand.alice.bearer);
    expect_status(reply, 200);
    return strtoll(strstr(reply->body, "\"version\":") + strlen("\"version\":"), NULL, 10);
}

/* Nothing was done yet; versions go on. */
static void forget(void)
{
    redis_server_do(stand.redis, "DEL cw:audit:changes cw:audit:clears cw:audit:sign_ins "
                                 "cw:flushed:messages cw:flushed:search");
    redis_server_do(stand.redis, "DEL whatsapp:development:in whatsapp:development:out");
}

static void expect_record(json_t *at, const struct wanted *wanted)
{
    json_t *id = json_object_get(at, "principal_id"), *count = json_object_get(at, "count");
    expect_text(at, "principal", wanted->principal);
    expect_text(at, "credential", wanted->credential);
    expect_text(at, "address", "127.0.0.1");
    expect_text(at, "route", wanted->route);
    expect_text(at, "target", wanted->target);
    expect_text(at, "result", wanted->result);
    ck_assert_msg(json_integer_value(id) == wanted->principal_id, "%s: principal_id %lld",
                  wanted->route, json_integer_value(id));
    ck_assert_msg(wanted->count < 0
                      ? json_is_null(count)
                      : json_is_integer(count) && json_integer_value(count) == wanted->count,
                  "%s %s: count %lld", wanted->route, wanted->target, json_integer_value(count));
    const char *time = json_string_value(json_object_get(at, "time"));
    ck_assert_msg(time && strlen(time) >= 20 && time[4] == '-' && time[10] == 'T' &&
                      time[strlen(time) - 1] == 'Z',
                  "time: %s", time);
    ck_assert_ptr_nonnull(json_string_value(json_object_get(at, "request_id")));
}

START_TEST(everything_that_changes_is_there)
{
    char own[64];
    const int64_t alice = stand.alice.id, root = stand.root.id;
    snprintf(own, sizeof own, "user:%lld", (long long)alice);
    forget();
    redis_server_do(stand.redis, "SET whatsapp:development:in x");
    int64_t epoch = control_epoch(stand.redis);
    int64_t version = version_of_alice();
    control_set_clears(stand.redis, 123, 5);

    expect_status(http_post(stand.http, "/api/cache/disable/", stand.alice.bearer), 200);
    expect_status(http_post(stand.http, "/api/cache/enable/", stand.alice.bearer), 200);
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    expect_status(
        http_post(stand.http, "/api/server-management/clear-cache/?user_id=123", stand.root.bearer),
        200);
    expect_status(http_post(stand.http, "/api/server-management/clear-cache/", stand.root.bearer),
                  200);
    const struct http_reply *reply = http_call(stand.http, "DELETE", "/api/v1/cache", key);
    expect_status(reply, 200);
    char request_id[128];
    snprintf(request_id, sizeof request_id, "%s", http_header(reply, "X-Request-Id"));
    expect_status(http_post(stand.http, "/api/v1/caches/messages/flush", key), 200);
    expect_status(http_post(stand.http, "/api/v1/analytics/cache/clear", stand.root.bearer), 200);
    /* These change nothing. */
    expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200);
    expect_status(http_get(stand.http, "/api/v1/caches", stand.root.bearer), 200);
    expect_status(http_post(stand.http, "/api/v1/caches/messages/flush?dry_run=true", key), 200);

    const struct wanted newest_first[] = {
        {"root", root, "bearer", "search.clear", "search", "ok", 0},
        {"deploy", 0, "api_key", "caches.flush", "messages", "ok", 0},
        {"deploy", 0, "api_key", "messages.flush", "messages", "ok", 1},
        {"root", root, "bearer", "cache.admin_clear", "all", "ok", epoch + 1},
        {"root", root, "bearer", "cache.admin_clear", "user:123", "ok", epoch + 7},
        {"alice", alice, "bearer", "cache.clear", own, "ok", version + 1},
        {"alice", alice, "bearer", "cache.enable", own, "ok", -1},
        {"alice", alice, "bearer", "cache.disable", own, "ok", -1},
    };
    const size_t count = sizeof newest_first / sizeof *newest_first;
    wait_for_records((int64_t)count);
    json_t *answer = audit("");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "records")), count);
    for (size_t i = 0; i < count; i++)
        expect_record(record(answer, i), &newest_first[i]);
    expect_text(record(answer, 2), "request_id", request_id);
    ck_assert(json_is_null(json_object_get(answer, "next")));
    json_decref(answer);
}
END_TEST

START_TEST(a_flush_that_failed_is_there_too)
{
    forget();
    redis_server_do(stand.redis, "RPUSH cw:{u:%lld} 1", (long long)stand.bob.id);
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.bob.bearer), 500);
    wait_for_records(1);
    json_t *answer = audit("");
    expect_text(record(answer, 0), "route", "cache.clear");
    const char *result = json_string_value(json_object_get(record(answer, 0), "result"));
    ck_assert_msg(result && strcmp(result, "ok") != 0, "%s", result);
    ck_assert(json_is_null(json_object_get(record(answer, 0), "count")));
    json_decref(answer);
}
END_TEST

START_TEST(paging)
{
    enum { CLEARS = 25, PAGE = 10 };
    char query[128] = "?limit=10";
    int64_t last = version_of_alice() + CLEARS + 1;
    int seen = 0, pages = 0;
    forget();
    for (int i = 0; i < CLEARS; i++)
        expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    wait_for_records(CLEARS);
    for (bool more = true; more; pages++) {
        json_t *answer = audit(query);
        size_t size = json_array_size(json_object_get(answer, "records"));
        ck_assert_uint_eq(size, pages < 2 ? PAGE : CLEARS - 2 * PAGE);
        for (size_t i = 0; i < size; i++, seen++) {
            int64_t version = json_integer_value(json_object_get(record(answer, i), "count"));
            ck_assert_int_eq(version, --last);
        }
        const char *next = json_string_value(json_object_get(answer, "next"));
        more = next != NULL;
        if (more)
            snprintf(query, sizeof query, "?limit=10&before=%s", next);
        json_decref(answer);
    }
    ck_assert_int_eq(pages, 3);
    ck_assert_int_eq(seen, CLEARS);
}
END_TEST

/* An application that clears all day, and useless tries, push out nothing but their like. */
START_TEST(what_matters_stays)
{
    enum { CLEARS = 300, TRIES = 10, KEEP = 100, NODE = 100 };
    const char *headers[] = {"Content-Type: application/json", stand.alice.bearer, NULL};
    const char body[] = "{\"old_password\":\"wrong-lantern\",\"new_password\":\"short\"}";
    char app[STAND_KEY_SIZE];
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   "CACHEWARDEN_AUDIT_KEEP_CHANGES=100",
                                                   "CACHEWARDEN_AUDIT_KEEP_CLEARS=100", NULL}});
    headers[1] = stand.alice.bearer;
    stand_key(&stand, app, "shop", (const char *const[]){"--scope", "user", "--user", "bob", NULL});
    forget();
    expect_status(http_post(stand.http, "/api/server-management/clear-cache/", stand.root.bearer),
                  200);
    for (int i = 0; i < CLEARS; i++)
        expect_status(http_post(stand.http, "/api/cache/clear/", app), 200);
    for (int i = 0; i < TRIES; i++) {
        expect_status(
            http_send(stand.http, "POST", "/auth/password", headers, body, sizeof body - 1), 400);
        expect_status(http_post(stand.http, "/api/v1/caches/nothing/flush", stand.root.bearer),
                      404);
    }
    expect_status(http_post(stand.http, "/api/v1/caches/messages/flush", stand.root.bearer), 200);
    stand_wait(has_changes, &(int64_t){2}, "both changes are written");
    json_t *answer = audit("?part=changes");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "records")), 2);
    expect_text(record(answer, 1), "route", "cache.admin_clear");
    json_decref(answer);
    int64_t clears = redis_server_ask_integer(stand.redis, "XLEN cw:audit:clears");
    ck_assert_int_ge(clears, KEEP);
    ck_assert_int_le(clears, KEEP + NODE);
    stand_close(&stand);
}
END_TEST

START_TEST(bad_queries)
{
    static const char *const bad[] = {
        "?limit=0",
        "?limit=-1",
        "?limit=1001",
        "?limit=",
        "?limit=abc",
        "?limit=10&limit=10",
        "?limit=99999999999999999999",
        "?limit=1e1",
        "?before=",
        "?before=abc",
        "?before=-",
        "?before=%2B",
        "?before=1-1-1",
        "?before=0-0",
        "?before=1%200",
        "?before=1-0%0d%0aFLUSHALL",
        "?x=1",
        "?Limit=1",
        "?part=",
        "?part=clear",
        "?part=changes&part=clears",
    };
    char target[128];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(target, sizeof target, "/api/v1/audit%s", bad[i]);
        const struct http_reply *reply = http_get(stand.http, target, stand.root.bearer);
        ck_assert_msg(reply->status == 400, "%s: %d %s", bad[i], reply->status, reply->body);
        expect_header(reply, "Content-Type", "application/problem+json");
        expect_body_has(reply, 400, "\"detail\":\"");
        /* It names the parameter. */
        char name[16];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(bad[i] + 1, "="), bad[i] + 1);
        ck_assert_msg(strstr(reply->body, name) != NULL, "%s: %s", bad[i], reply->body);
    }
}
END_TEST

START_TEST(only_admins_read_it)
{
    expect_status(http_get(stand.http, "/api/v1/audit", NULL), 401);
    expect_status(http_get(stand.http, "/api/v1/audit", stand.alice.bearer), 403);
    expect_status(http_get(stand.http, "/api/v1/audit", key), 403);
    expect_status(http_get(stand.http, "/api/v1/audit", stand.boss.bearer), 200);
}
END_TEST

/* Whoever says that he comes from elsewhere is believed only when he is a proxy we know. */
START_TEST(only_trusted_proxies_name_the_client)
{
    stand_open(&stand, NULL);
    const char *headers[] = {"X-Forwarded-For: 198.51.100.1, 203.0.113.9", stand.alice.bearer,
                             NULL};
    forget();
    expect_status(http_send(stand.http, "POST", "/api/cache/clear/", headers, NULL, 0), 200);
    wait_for_records(1);
    json_t *answer = audit("");
    expect_text(record(answer, 0), "address", "127.0.0.1");
    json_decref(answer);
    stand_close(&stand);

    stand_open(&stand, &(struct stand_options){
                           .environment = (const char *const[]){
                               "CACHEWARDEN_SERVER_TRUSTED_PROXIES=127.0.0.0/8", NULL}});
    headers[1] = stand.alice.bearer;
    forget();
    expect_status(http_send(stand.http, "POST", "/api/cache/clear/", headers, NULL, 0), 200);
    wait_for_records(1);
    answer = audit("");
    /* The last one is who spoke to the proxy; what stands before it, anybody may have written. */
    expect_text(record(answer, 0), "address", "203.0.113.9");
    json_decref(answer);
    stand_close(&stand);
}
END_TEST

static bool has_record_of_clear(const void *unused)
{
    (void)unused;
    const struct http_reply *reply = http_get(stand.http, "/api/v1/audit", stand.root.bearer);
    return reply->status == 200 && strstr(reply->body, "\"cache.clear\"");
}

/* What happened while Redis was away gets into the stream when it is back, or else into the log. */
START_TEST(without_redis_nothing_is_lost)
{
    stand_open(&stand, NULL);
    redis_server_kill(stand.redis);
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 500);
    redis_server_restart(stand.redis);
    stand_wait(has_record_of_clear, NULL, "the clear that failed is in the audit");

    redis_server_kill(stand.redis);
    expect_status(http_post(stand.http, "/api/cache/disable/", stand.alice.bearer), 500);
    cw_server_signal(&stand.server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&stand.server), 0);
    char *log = cw_server_log(&stand.server);
    const char *line = strstr(log, "audit.unsaved");
    ck_assert_msg(line && strstr(line, "cache.disable") && strstr(line, "alice"), "%s", log);
    free(log);
    stand_close(&stand);
}
END_TEST

/* What the operator does at the shell is in it as well. */
START_TEST(the_command_line_is_audited)
{
    forget();
    redis_server_do(stand.redis, "SET whatsapp:development:in x");
    stand_cli_do(&stand, NULL, (const char *const[]){"flush", NULL});
    json_t *answer = audit("");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "records")), 1);
    expect_text(record(answer, 0), "target", "messages");
    expect_text(record(answer, 0), "result", "ok");
    expect_text(record(answer, 0), "credential", "operator");
    json_decref(answer);
}
END_TEST

START_TEST(the_list_of_caches_tells_the_last_flush)
{
    forget();
    redis_server_do(stand.redis, "SET whatsapp:development:in x");
    expect_body_has(http_get(stand.http, "/api/v1/caches", stand.root.bearer), 200,
                    "{\"name\":\"messages\",\"kind\":\"keys\",\"keys\":1,");
    expect_status(http_call(stand.http, "DELETE", "/api/v1/cache", key), 200);
    wait_for_records(1);
    expect_body_has(http_get(stand.http, "/api/v1/caches", stand.root.bearer), 200,
                    "\"keys\":0,\"last_flush\":{\"by\":\"deploy\",\"at\":\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *shared = tcase_create("all");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, everything_that_changes_is_there);
    tcase_add_test(shared, a_flush_that_failed_is_there_too);
    tcase_add_test(shared, paging);
    tcase_add_test(shared, bad_queries);
    tcase_add_test(shared, only_admins_read_it);
    tcase_add_test(shared, the_command_line_is_audited);
    tcase_add_test(shared, the_list_of_caches_tells_the_last_flush);
    suite_add_tcase(suite, shared);
    TCase *own = tcase_create("a stand of its own");
    tcase_add_test(own, only_trusted_proxies_name_the_client);
    tcase_add_test(own, what_matters_stays);
    tcase_add_test(own, without_redis_nothing_is_lost);
    suite_add_tcase(suite, own);
    return suite_run(suite);
}
