/*
 * The ACL line of docs/redis.md is enough and has nothing to spare: every route and the command line
 * work with it, none of it is refused, and each command it allows is one that was used.
 */
#include "guarded_redis.h"
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stand stand;
static char flush_key[STAND_KEY_SIZE];
static char refresh_token[MINT_SIZE], access_token[MINT_SIZE];

enum who { NOBODY, ALICE, BOB, ROOT, KEY, SESSION };

static const struct call {
    const char *method, *path;
    enum who who;
    int status;
    const char *json, *query;
} calls[] = {
    {"GET", "/api/cache/status/", ROOT, 200, NULL, ""},
    {"POST", "/api/cache/disable/", ALICE, 200, NULL, ""},
    {"POST", "/api/cache/enable/", ALICE, 200, NULL, ""},
    {"POST", "/api/cache/clear/", ALICE, 200, NULL, ""},
    {"GET", "/api/cache/check/", ALICE, 204, NULL, ""},
    {"POST", "/api/server-management/clear-cache/", ROOT, 200, NULL, ""},
    {"POST", "/api/server-management/clear-cache/", ROOT, 200, NULL, "?user_id=77"},
    {"DELETE", "/api/v1/cache", KEY, 200, NULL, ""},
    {"POST", "/api/v1/analytics/cache/clear", ROOT, 200, NULL, ""},
    {"GET", "/api/v1/caches", ROOT, 200, NULL, ""},
    {"POST", "/api/v1/caches/{name}/flush", KEY, 200, NULL, "messages"},
    {"POST", "/api/v1/caches/{name}/flush", KEY, 200, NULL, "search?dry_run=true"},
    {"GET", "/api/v1/audit", ROOT, 200, NULL, ""},
    {"GET", "/api/v1/subjects", ROOT, 404, NULL, "?issuer=i&subject=s"},
    {"POST", "/auth/register", NOBODY, 201,
     "{\"username\":\"carol\",\"email\":\"carol@example.com\",\"password\":\"violet-lantern-42\"}",
     ""},
    {"POST", "/auth/login", NOBODY, 401, "{\"username\":\"alice\",\"password\":\"not-it-at-all\"}",
     ""},
    {"POST", "/auth/login", NOBODY, 200,
     "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}", ""},
    {"POST", "/api/token/", NOBODY, 200,
     "{\"username\":\"bob\",\"password\":\"" STAND_PASSWORD "\"}", ""},
    {"POST", "/auth/refresh", NOBODY, 200, refresh_token, ""},
    {"POST", "/api/token/verify/", NOBODY, 200, access_token, ""},
    {"POST", "/auth/logout", SESSION, 200, NULL, ""},
    {"POST", "/api/token/refresh/", NOBODY, 401, "{\"refresh\":\"x\"}", ""},
    {"GET", "/auth/me", ALICE, 200, NULL, ""},
    {"POST", "/auth/password", ALICE, 204,
     "{\"old_password\":\"" STAND_PASSWORD "\",\"new_password\":\"violet-lantern-43\"}", ""},
    {"POST", "/auth/logout", BOB, 200, NULL, "?all=true"},
    {"GET", "/health", NOBODY, 200, NULL, ""},
    {"GET", "/health/live", NOBODY, 200, NULL, ""},
    {"GET", "/health/ready", NOBODY, 200, NULL, ""},
    {"GET", "/api/redis-test", ROOT, 200, NULL, ""},
    {"GET", "/metrics", ROOT, 200, NULL, ""},
    {"GET", "/api/schema", NOBODY, 200, NULL, ""},
};
#define CALLS (sizeof calls / sizeof *calls)

/* {"NAME":"…"} with the member `member` of a reply. */
static void take(const struct http_reply *reply, const char *member, const char *name, char *out)
{
    json_t *body = json_loads(reply->body, 0, NULL);
    const char *value = json_string_value(json_object_get(body, member));
    if (value)
        snprintf(out, MINT_SIZE, "{\"%s\":\"%s\"}", name, value);
    json_decref(body);
}

static void make(const struct call *call)
{
    char session[MINT_SIZE + 32] = ""; /* the one of the last sign-in: {"token":"…"} */
    if (access_token[0])
        snprintf(session, sizeof session, "Authorization: Bearer %.*s",
                 (int)strcspn(access_token + strlen("{\"token\":\""), "\""),
                 access_token + strlen("{\"token\":\""));
    const char *credentials[] = {
        NULL, stand.alice.bearer, stand.bob.bearer, stand.root.bearer, flush_key, session};
    const char *headers[] = {"Content-Type: application/json", credentials[call->who], NULL};
    char target[256];
    const char *label = strstr(call->path, "{name}");
    if (label) {
        size_t name = strcspn(call->query, "?");
        snprintf(target, sizeof target, "%.*s%.*s%s%s", (int)(label - call->path), call->path,
                 (int)name, call->query, label + strlen("{name}"), call->query + name);
    } else {
        snprintf(target, sizeof target, "%s%s", call->path, call->query);
    }
    const struct http_reply *reply = http_send(stand.http, call->method, target, headers,
                                               call->json, call->json ? strlen(call->json) : 0);
    ck_assert_msg(reply->status == call->status, "%s %s: %d %s", call->method, target,
                  reply->status, reply->status ? reply->body : reply->failure);
    if (strcmp(call->path, "/api/schema") == 0) /* tells of such answers */
        return;
    ck_assert_msg(!strstr(reply->body, "\":false,\"read") && !strstr(reply->body, "_get\":false"),
                  "%s: %s", target, reply->body);
    take(reply, "refresh_token", "refresh_token", refresh_token);
    take(reply, "access_token", "token", access_token);
}

static bool has_call(const char *method, const char *path)
{
    for (size_t i = 0; i < CALLS; i++)
        if (strcmp(calls[i].method, method) == 0 && strcmp(calls[i].path, path) == 0)
            return true;
    return false;
}

/* A route that nobody has added above would be tested by nobody. */
static void expect_every_route(void)
{
    struct cw_result result;
    stand_cli(&stand, NULL, (const char *const[]){"routes", "--json", NULL}, &result);
    json_t *routes = json_loads(result.out, 0, NULL);
    ck_assert_msg(json_array_size(routes) > 0, "%s", result.out);
    for (size_t i = 0; i < json_array_size(routes); i++) {
        json_t *route = json_array_get(routes, i);
        const char *method = json_string_value(json_object_get(route, "method"));
        const char *path = json_string_value(json_object_get(route, "path"));
        ck_assert_msg(has_call(method, path), "no call of %s %s in this test", method, path);
    }
    json_decref(routes);
    cw_result_fini(&result);
}

static bool was_used(const char *command)
{
    char line[64];
    snprintf(line, sizeof line, "\ncmdstat_%s:calls=", command);
    redisReply *info = redis_server_ask(stand.redis, "INFO commandstats");
    ck_assert_int_eq(info->type, REDIS_REPLY_STRING);
    bool was = strstr(info->str, line) != NULL;
    freeReplyObject(info);
    return was;
}

static bool each_allowed_command_was_used(const void *missing)
{
    char *unused = (char *)(uintptr_t)missing, *rights = guarded_redis_rights();
    *unused = '\0';
    for (char *state, *word = strtok_r(rights, " ", &state); word;
         word = strtok_r(NULL, " ", &state))
        if (word[0] == '+' && !was_used(word + 1))
            snprintf(unused + strlen(unused), 512 - strlen(unused), "%s ", word);
    free(rights);
    return *unused == '\0';
}

START_TEST(the_rights_are_enough_and_no_more)
{
    static char missing[512];
    setenv("CW_STAND_GUARDED", "1", 1);
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   "CACHEWARDEN_LIMITS_ENABLED=true",
                                                   "CACHEWARDEN_USERS_REGISTRATION=open", NULL}});
    stand_key(&stand, flush_key, "flush", (const char *const[]){"--scope", "flush", NULL});
    expect_every_route();
    for (size_t i = 0; i < CALLS; i++)
        make(&calls[i]);
    stand_cli_do(&stand, NULL, (const char *const[]){"flush", "--dry-run", NULL});
    stand_cli_do(&stand, NULL, (const char *const[]){"flush", NULL});
    stand_cli_do(&stand, NULL, (const char *const[]){"cache", "status", "--user", "77", NULL});
    stand_cli_do(&stand, NULL, (const char *const[]){"cache", "clear", "--user", "77", NULL});
    /* A window that has lost its end gets one again. */
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "PERSIST cw:l:{u:%lld}:status",
                                              (long long)stand.root.id),
                     1);
    make(&calls[0]);
    /* Some of it happens in the background. */
    for (int64_t until_ms = stand_now_ms() + PATIENCE_MS; !each_allowed_command_was_used(missing);)
        ck_assert_msg(stand_now_ms() < until_ms, "the ACL line allows what is not used: %s",
                      missing);
    stand_close(&stand); /* which asks ACL LOG */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_rights");
    TCase *all = tcase_create("all");
    tcase_add_test(all, the_rights_are_enough_and_no_more);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
