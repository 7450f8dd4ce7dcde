/* A user's own cache and what an admin may do to it: every body to the byte, and the ways through step by step. */
#include "control_data.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define CONTROL     "/api/cache/"
#define ADMIN_CLEAR "/api/server-management/clear-cache/"

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand, NULL);
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* The state every example of the document starts from. */
static void version_is(int64_t user_id, int version)
{
    ck_assert_int_lt(control_epoch(stand.redis), version);
    redis_server_do(stand.redis, "DEL cw:{u:%lld}", (long long)user_id);
    control_set_version(stand.redis, user_id, version);
}

static void expect_cache_headers(const struct http_reply *reply, const char *enabled,
                                 const char *version)
{
    expect_header(reply, "X-Cache-Enabled", enabled);
    expect_header(reply, "X-Cache-Version", version);
}

/* One step of the document: request, printed body, and the two headers. */
static void step(const char *method, const char *target, const char *body, const char *enabled,
                 const char *version)
{
    const struct http_reply *reply = http_call(stand.http, method, target, stand.alice.bearer);
    expect_answer(reply, 200, body);
    expect_cache_headers(reply, enabled, version);
}

START_TEST(obtaining_a_token)
{
    const struct http_reply *reply = http_post_json(
        stand.http, "/api/token/", NULL,
        "{\n    \"username\": \"alice\",\n    \"password\": \"" STAND_PASSWORD "\"\n  }");
    expect_status(reply, 200);
    expect_header(reply, "Content-Type", "application/json");
    expect_header(reply, "Cache-Control", "no-store");
    /* The document prints how both tokens begin: the header is {"typ":"JWT","alg":… in this order. */
    const char start[] = "{\"access\":\"eyJ0eXAiOiJKV1QiLCJhbGc";
    ck_assert_msg(strncmp(reply->body, start, sizeof start - 1) == 0, "%s", reply->body);
    const char *refresh = strstr(reply->body, "\",\"refresh\":\"eyJ0eXAiOiJKV1QiLCJhbGc");
    ck_assert_msg(refresh != NULL, "%s", reply->body);
    const char *end = strchr(refresh + strlen("\",\"refresh\":\""), '"');
    ck_assert_str_eq(end, "\"}");

    char bearer[MINT_SIZE];
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %.*s", (int)(refresh - reply->body - 11),
             reply->body + 11);
    version_is(stand.alice.id, 5);
    expect_answer(http_get(stand.http, CONTROL "status/", bearer), 200,
                  "{\"enabled\":true,\"version\":5,\"message\":\"Cache is enabled\"}");
}
END_TEST

START_TEST(status)
{
    version_is(stand.alice.id, 5);
    step("GET", CONTROL "status/",
         "{\"enabled\":true,\"version\":5,\"message\":\"Cache is enabled\"}", "true", "5");
    step("GET", CONTROL "status",
         "{\"enabled\":true,\"version\":5,\"message\":\"Cache is enabled\"}", "true", "5");
}
END_TEST

START_TEST(status_when_disabled)
{
    version_is(stand.alice.id, 5);
    step("POST", CONTROL "disable/",
         "{\"enabled\":false,\"version\":5,\"message\":\"Cache disabled successfully\"}", "false",
         NULL);
    step("GET", CONTROL "status/",
         "{\"enabled\":false,\"version\":5,\"message\":\"Cache is disabled\"}", "false", NULL);
}
END_TEST

START_TEST(enable)
{
    version_is(stand.alice.id, 5);
    step("POST", CONTROL "enable/",
         "{\"enabled\":true,\"version\":5,\"message\":\"Cache enabled successfully\"}", "true",
         "5");
    step("POST", CONTROL "enable",
         "{\"enabled\":true,\"version\":5,\"message\":\"Cache enabled successfully\"}", "true",
         "5");
}
END_TEST

START_TEST(disable)
{
    version_is(stand.alice.id, 5);
    step("POST", CONTROL "disable/",
         "{\"enabled\":false,\"version\":5,\"message\":\"Cache disabled successfully\"}", "false",
         NULL);
    step("POST", CONTROL "disable",
         "{\"enabled\":false,\"version\":5,\"message\":\"Cache disabled successfully\"}", "false",
         NULL);
}
END_TEST

START_TEST(clear)
{
    version_is(stand.alice.id, 5);
    step("POST", CONTROL "clear/",
         "{\"version\":6,\"cleared\":true,\"message\":\"Cache cleared successfully (new version: "
         "6)\"}",
         "true", "6");
    step("POST", CONTROL "clear",
         "{\"version\":7,\"cleared\":true,\"message\":\"Cache cleared successfully (new version: "
         "7)\"}",
         "true", "7");
    ck_assert_int_eq(control_version(stand.redis, stand.alice.id), 7);
}
END_TEST

/* The document's curl lines send a Content-Type and no body; its Angular service sends {}. Neither matters. */
START_TEST(request_bodies_are_ignored)
{
    static const char *const types[] = {"Content-Type: application/json",
                                        "Content-Type: text/plain", NULL};
    static const char *const bodies[] = {"", "{}", "{\"user_id\":2}", "not json"};
    version_is(stand.alice.id, 5);
    for (size_t t = 0; t < 2; t++)
        for (size_t b = 0; b < 4; b++) {
            const char *headers[] = {types[t], stand.alice.bearer, NULL};
            expect_answer(
                http_send(stand.http, "POST", CONTROL "enable/", headers, bodies[b],
                          strlen(bodies[b])),
                200, "{\"enabled\":true,\"version\":5,\"message\":\"Cache enabled successfully\"}");
        }
}
END_TEST

START_TEST(a_user_never_seen_is_enabled_at_version_1)
{
    char bearer[MINT_SIZE];
    mint_bearer(bearer, STAND_SECRET,
                "{\"token_type\":\"access\",\"exp\":4102444800,\"iat\":1700000000,\"jti\":\"a\","
                "\"user_id\":%d}",
                777777);
    const struct http_reply *reply = http_get(stand.http, CONTROL "status/", bearer);
    expect_answer(reply, 200, "{\"enabled\":true,\"version\":1,\"message\":\"Cache is enabled\"}");
    expect_cache_headers(reply, "true", "1");
    expect_answer(http_post(stand.http, CONTROL "clear/", bearer), 200,
                  "{\"version\":2,\"cleared\":true,\"message\":\"Cache cleared successfully (new "
                  "version: 2)\"}");
}
END_TEST

START_TEST(check_for_proxies)
{
    char id[32];
    snprintf(id, sizeof id, "%lld", (long long)stand.alice.id);
    version_is(stand.alice.id, 5);
    const struct http_reply *reply = http_get(stand.http, CONTROL "check/", stand.alice.bearer);
    expect_answer(reply, 204, "");
    expect_cache_headers(reply, "true", "5");
    expect_header(reply, "X-User-Id", id);

    expect_status(http_post(stand.http, CONTROL "disable/", stand.alice.bearer), 200);
    reply = http_get(stand.http, CONTROL "check", stand.alice.bearer);
    expect_answer(reply, 204, "");
    expect_cache_headers(reply, "false", NULL);
    expect_header(reply, "X-User-Id", id);
    expect_answer(http_get(stand.http, CONTROL "check/", NULL), 401, SAYS_401);
    static const char *const changes[] = {"enable/", "clear/", "disable/"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char path[64];
        snprintf(path, sizeof path, CONTROL "%s", changes[i]);
        expect_header(http_post(stand.http, path, stand.alice.bearer), "X-User-Id", id);
    }
    expect_header(http_get(stand.http, CONTROL "status/", stand.alice.bearer), "X-User-Id", id);
}
END_TEST

START_TEST(admin_clears_one_user)
{
    version_is(123, 6);
    const struct http_reply *reply =
        http_post(stand.http, ADMIN_CLEAR "?user_id=123", stand.root.bearer);
    expect_answer(reply, 200,
                  "{\"ok\":true,\"message\":\"Cache cleared for user "
                  "123\",\"user_id\":123,\"new_version\":7}");
    expect_cache_headers(reply, NULL, NULL);
    expect_answer(
        http_post(stand.http, "/api/server-management/clear-cache?user_id=123", stand.boss.bearer),
        200,
        "{\"ok\":true,\"message\":\"Cache cleared for user "
        "123\",\"user_id\":123,\"new_version\":8}");
}
END_TEST

START_TEST(admin_clears_everybody)
{
    version_is(stand.alice.id, 5);
    version_is(stand.bob.id, 9);
    int64_t epoch = control_epoch(stand.redis);
    expect_answer(http_post(stand.http, ADMIN_CLEAR, stand.root.bearer), 200,
                  "{\"ok\":true,\"message\":\"Cache cleared\"}");
    expect_answer(http_post(stand.http, "/api/server-management/clear-cache", stand.boss.bearer),
                  200, "{\"ok\":true,\"message\":\"Cache cleared\"}");
    step("GET", CONTROL "status/",
         "{\"enabled\":true,\"version\":7,\"message\":\"Cache is enabled\"}", "true", "7");
    expect_body_has(http_get(stand.http, CONTROL "status/", stand.bob.bearer), 200,
                    "\"version\":11,");
    ck_assert_int_eq(control_epoch(stand.redis), epoch + 2);
}
END_TEST

START_TEST(unauthorized)
{
    static const char *const calls[][2] = {
        {"GET", CONTROL "status/"},  {"GET", CONTROL "status"},
        {"POST", CONTROL "enable/"}, {"POST", CONTROL "disable/"},
        {"POST", CONTROL "clear/"},  {"POST", CONTROL "clear"},
        {"POST", ADMIN_CLEAR},       {"POST", ADMIN_CLEAR "?user_id=123"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        expect_answer(http_call(stand.http, calls[i][0], calls[i][1], NULL), 401, SAYS_401);
        expect_answer(http_call(stand.http, calls[i][0], calls[i][1],
                                "Authorization: Bearer eyJ0eXAiOiJKV1QiLCJhbGc..."),
                      401, SAYS_401);
    }
}
END_TEST

START_TEST(forbidden)
{
    static const char *const others[][2] = {
        {"GET", CONTROL "status/"},
        {"POST", CONTROL "enable/"},
        {"POST", CONTROL "disable/"},
        {"POST", CONTROL "clear/"},
    };
    char target[128];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(target, sizeof target, "%s?user_id=%lld", others[i][1], (long long)stand.bob.id);
        expect_answer(http_call(stand.http, others[i][0], target, stand.alice.bearer), 403,
                      SAYS_403);
        /* Admins have a route of their own for that. */
        expect_answer(http_call(stand.http, others[i][0], target, stand.root.bearer), 403,
                      SAYS_403);
        snprintf(target, sizeof target, "%s?user_id=%lld", others[i][1], (long long)stand.alice.id);
        expect_status(http_call(stand.http, others[i][0], target, stand.alice.bearer), 200);
    }
    const char *says = "{\"error\":\"Superuser or Admin group membership required\"}";
    expect_answer(http_post(stand.http, ADMIN_CLEAR, stand.alice.bearer), 403, says);
    expect_answer(http_post(stand.http, ADMIN_CLEAR "?user_id=123", stand.alice.bearer), 403, says);
}
END_TEST

START_TEST(bad_request)
{
    const char *says = "{\"ok\":false,\"message\":\"Invalid user_id parameter\"}";
    expect_answer(http_post(stand.http, ADMIN_CLEAR "?user_id=invalid", stand.root.bearer), 400,
                  says);
    expect_answer(http_post_json(stand.http, ADMIN_CLEAR, stand.root.bearer, "{\"user_id\":123}"),
                  400, says);
}
END_TEST

START_TEST(workflow_of_a_user)
{
    version_is(stand.alice.id, 5);
    step("GET", CONTROL "status/",
         "{\"enabled\":true,\"version\":5,\"message\":\"Cache is enabled\"}", "true", "5");
    step("POST", CONTROL "clear/",
         "{\"version\":6,\"cleared\":true,\"message\":\"Cache cleared successfully (new version: "
         "6)\"}",
         "true", "6");
    step("POST", CONTROL "disable/",
         "{\"enabled\":false,\"version\":6,\"message\":\"Cache disabled successfully\"}", "false",
         NULL);
    step("GET", CONTROL "status/",
         "{\"enabled\":false,\"version\":6,\"message\":\"Cache is disabled\"}", "false", NULL);
    step("POST", CONTROL "enable/",
         "{\"enabled\":true,\"version\":6,\"message\":\"Cache enabled successfully\"}", "true",
         "6");
}
END_TEST

START_TEST(workflow_of_an_admin)
{
    version_is(123, 7);
    expect_answer(http_post(stand.http, ADMIN_CLEAR "?user_id=123", stand.root.bearer), 200,
                  "{\"ok\":true,\"message\":\"Cache cleared for user "
                  "123\",\"user_id\":123,\"new_version\":8}");
    expect_answer(http_post(stand.http, ADMIN_CLEAR, stand.root.bearer), 200,
                  "{\"ok\":true,\"message\":\"Cache cleared\"}");
}
END_TEST

START_TEST(redis_unavailable)
{
    stand_open(&stand, NULL);
    redis_server_kill(stand.redis);
    expect_answer(http_get(stand.http, CONTROL "status/", stand.alice.bearer), 500,
                  "{\"error\":\"Failed to retrieve cache status\"}");
    expect_answer(http_post(stand.http, CONTROL "enable/", stand.alice.bearer), 500,
                  "{\"error\":\"Failed to enable cache\"}");
    expect_answer(http_post(stand.http, CONTROL "disable/", stand.alice.bearer), 500,
                  "{\"error\":\"Failed to disable cache\"}");
    expect_answer(http_post(stand.http, CONTROL "clear/", stand.alice.bearer), 500,
                  "{\"error\":\"Failed to clear cache\"}");
    expect_answer(http_post(stand.http, ADMIN_CLEAR "?user_id=123", stand.root.bearer), 500,
                  "{\"ok\":false,\"message\":\"Failed to clear cache\"}");
    expect_answer(http_post(stand.http, ADMIN_CLEAR, stand.root.bearer), 500,
                  "{\"ok\":false,\"message\":\"Failed to clear cache\"}");
    const struct http_reply *reply = http_get(stand.http, CONTROL "check/", stand.alice.bearer);
    expect_answer(reply, 204, "");
    expect_cache_headers(reply, "false", NULL);
    stand_close(&stand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("user cache");
    TCase *shared = tcase_create("with Redis");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, obtaining_a_token);
    tcase_add_test(shared, status);
    tcase_add_test(shared, status_when_disabled);
    tcase_add_test(shared, enable);
    tcase_add_test(shared, disable);
    tcase_add_test(shared, clear);
    tcase_add_test(shared, request_bodies_are_ignored);
    tcase_add_test(shared, a_user_never_seen_is_enabled_at_version_1);
    tcase_add_test(shared, check_for_proxies);
    tcase_add_test(shared, admin_clears_one_user);
    tcase_add_test(shared, admin_clears_everybody);
    tcase_add_test(shared, unauthorized);
    tcase_add_test(shared, forbidden);
    tcase_add_test(shared, bad_request);
    tcase_add_test(shared, workflow_of_a_user);
    tcase_add_test(shared, workflow_of_an_admin);
    suite_add_tcase(suite, shared);
    TCase *down = tcase_create("without Redis");
    tcase_add_test(down, redis_unavailable);
    suite_add_tcase(suite, down);
    return suite_run(suite);
}
