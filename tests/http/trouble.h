/*
 * What every route answers while Redis is in trouble, and the looks that go with it: shared by the
 * tests that bring the trouble about. One stand a test program.
 */
#ifndef TESTS_HTTP_TROUBLE_H
#define TESTS_HTTP_TROUBLE_H

#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Waiting for a connection, connecting, one command: 100 + 500 + 250 ms by default. The rest is for
 * sanitizers, much of it where a password is hashed. */
#define BUDGET_MS      2000
#define HASH_BUDGET_MS 8000

static struct stand stand;
static char flush_key[STAND_KEY_SIZE];
static char refresh_token[MINT_SIZE];  /* {"refresh_token":"…"} */
static char django_refresh[MINT_SIZE]; /* {"refresh":"…"}: the same token */
static char access_token[MINT_SIZE];   /* {"token":"…"}: alice's */

#define LOGIN       "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}"
#define PROBLEM_404 "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
#define PROBLEM_400 "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
#define NO_BACKUP   "/api/v1/backups/20260131T000000Z-00112233"
#define PROBLEM_503 "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"

enum who { NOBODY, ALICE, ROOT, KEY };
/* What a route is to answer: without a Redis that can be read, and with one that takes no writes. */
struct probe {
    const char *method, *target;
    enum who who;
    const char *json;
    int down;              /* status; 0: either of 200 and 503 */
    const char *down_says; /* how the body begins */
    bool reads_only;       /* goes on where only writes are refused */
};

static const struct probe probes[] = {
    {"GET", "/api/cache/status/", ALICE, NULL, 500,
     "{\"error\":\"Failed to retrieve cache status\"}", true},
    {"POST", "/api/cache/enable/", ALICE, NULL, 500, "{\"error\":\"Failed to enable cache\"}",
     false},
    {"POST", "/api/cache/disable/", ALICE, NULL, 500, "{\"error\":\"Failed to disable cache\"}",
     false},
    {"POST", "/api/cache/clear/", ALICE, NULL, 500, "{\"error\":\"Failed to clear cache\"}", false},
    {"GET", "/api/cache/check/", ALICE, NULL, 204, "", true},
    {"POST", "/api/server-management/clear-cache/?user_id=123", ROOT, NULL, 500,
     "{\"ok\":false,\"message\":\"Failed to clear cache\"}", false},
    {"POST", "/api/server-management/clear-cache/", ROOT, NULL, 500,
     "{\"ok\":false,\"message\":\"Failed to clear cache\"}", false},
    {"DELETE", "/api/v1/cache", KEY, NULL, 500,
     "{\"success\":false,\"error\":\"Failed to flush cache\",\"flushed\":false,\"keysRemoved\":0}",
     false},
    {"POST", "/api/v1/analytics/cache/clear", ROOT, NULL, 500,
     "{\"detail\":\"Failed to clear cache: redis ", false},
    {"POST", "/api/v1/caches/messages/flush", KEY, NULL, 503, PROBLEM_503, false},
    {"PUT", "/api/v1/entries/kept?namespace=app:shop", ROOT, "1", 503, PROBLEM_503, false},
    {"GET", "/api/v1/entries/kept?namespace=app:shop", ROOT, NULL, 503, PROBLEM_503, true},
    {"DELETE", "/api/v1/entries/gone?namespace=app:shop", ROOT, NULL, 503, PROBLEM_503, false},
    {"POST", "/api/v1/entries/counted/increment", ROOT, "{\"by\":1}", 503, PROBLEM_503, false},
    {"DELETE", "/api/v1/entries?namespace=app:other", ROOT, NULL, 503, PROBLEM_503, false},
    {"DELETE", "/api/v1/models/Product?namespace=app:shop", ROOT, NULL, 503, PROBLEM_503, false},
    {"GET", "/api/v1/jobs/00112233445566778899aabbccddeeff", ROOT, NULL, 503, PROBLEM_503, true},
    {"DELETE", "/api/v1/jobs/00112233445566778899aabbccddeeff", ROOT, NULL, 503, PROBLEM_503, true},
    {"POST", "/api/v1/backups", ROOT, NULL, 503, PROBLEM_503, true},
    {"GET", "/api/v1/backups", ROOT, NULL, 200, "{\"backups\":[", true},
    {"GET", NO_BACKUP, ROOT, NULL, 404, PROBLEM_404, true},
    {"POST", NO_BACKUP "/verify", ROOT, NULL, 404, PROBLEM_404, true},
    {"POST", NO_BACKUP "/restore", ROOT, NULL, 404, PROBLEM_404, true},
    {"DELETE", NO_BACKUP, ROOT, NULL, 404, PROBLEM_404, true},
    {"POST", "/api/v1/backups/cleanup", ROOT, NULL, 200, "{", true},
    {"GET", "/api/v1/users", ROOT, NULL, 200, "{\"users\":[", true},
    {"GET", "/api/v1/users/987654321", ROOT, NULL, 404, PROBLEM_404, true},
    {"POST", "/api/v1/users", ROOT, LOGIN, 400, PROBLEM_400, true},
    {"PATCH", "/api/v1/users/987654321", ROOT, "{\"active\":true}", 404, PROBLEM_404, true},
    {"DELETE", "/api/v1/users/987654321", ROOT, NULL, 404, PROBLEM_404, true},
    {"POST", "/api/v1/users/987654321/logout", ROOT, NULL, 404, PROBLEM_404, true},
    {"GET", "/api/v1/keys", ROOT, NULL, 200, "{\"keys\":[", true},
    {"POST", "/api/v1/keys", ROOT, LOGIN, 400, PROBLEM_400, true},
    {"DELETE", "/api/v1/keys/000000000000", ROOT, NULL, 404, PROBLEM_404, true},
    {"GET", "/api/v1/audit", ROOT, NULL, 503, PROBLEM_503, true},
    {"GET", "/api/v1/audit?principal=deploy&since=0", ROOT, NULL, 503, PROBLEM_503, true},
    {"GET", "/api/v1/caches", ROOT, NULL, 0, "{", true},
    {"GET", "/api/redis-test", ROOT, NULL, 0, "{", false},
    {"GET", "/health/live", NOBODY, NULL, 200, "{", true},
    {"GET", "/health/ready", NOBODY, NULL, 200, "{", true},
    {"GET", "/auth/me", ALICE, NULL, 200, "{\"id\":", true},
    {"POST", "/auth/login", NOBODY, LOGIN, 200, "{\"access_token\":\"", true},
    {"POST", "/api/token/", NOBODY, LOGIN, 200, "{\"access\":\"", true},
    {"POST", "/auth/refresh", NOBODY, refresh_token, 503, "{\"detail\":\"", false},
    {"POST", "/api/token/refresh/", NOBODY, django_refresh, 503, "{\"detail\":\"", false},
    {"POST", "/api/token/verify/", NOBODY, access_token, 200, "{}", true},
    {"GET", "/metrics", ROOT, NULL, 200, "# HELP cachewarden_", true},
    {"GET", "/api/schema", NOBODY, NULL, 200, "{\"openapi\":", true},
};
#define PROBES (sizeof probes / sizeof *probes)

/* The row of that target. */
static inline const struct probe *row(const char *target)
{
    for (size_t i = 0; i < PROBES; i++)
        if (strcmp(probes[i].target, target) == 0)
            return &probes[i];
    ck_abort_msg("no row for %s", target);
}

static inline const struct http_reply *run(const struct probe *probe)
{
    const char *credentials[] = {NULL, stand.alice.bearer, stand.root.bearer, flush_key};
    const char *headers[] = {"Content-Type: application/json", credentials[probe->who], NULL};
    return http_send(stand.http, probe->method, probe->target, headers, probe->json,
                     probe->json ? strlen(probe->json) : 0);
}

static inline void expect_failure(const struct probe *probe, const char *fault,
                                  const struct http_reply *reply)
{
    bool good = probe->down == 0 ? reply->status == 200 || reply->status == 503
                                 : reply->status == probe->down;
    ck_assert_msg(good && strncmp(reply->body, probe->down_says, strlen(probe->down_says)) == 0,
                  "%s: %s %s: wanted %d %s\nbut got %d %s", fault, probe->method, probe->target,
                  probe->down, probe->down_says, reply->status,
                  reply->status ? reply->body : reply->failure);
    bool hashes = probe->json && strstr(probe->json, "\"password\"");
    expect_within_ms(reply->elapsed_ms, hashes ? HASH_BUDGET_MS : BUDGET_MS);
    if (reply->status == 503)
        ck_assert_msg(http_header_count(reply, "Retry-After") == 1, "%s: no Retry-After in\n%s",
                      probe->target, reply->head);
    if (reply->status == 204)
        expect_header(reply, "X-Cache-Enabled", "false");
    if (strcmp(probe->target, "/api/redis-test") == 0)
        ck_assert_msg(strstr(reply->body, "\"basic_set_get\":true") == NULL, "%s", reply->body);
}

static inline void expect_failed(const struct probe *probe, const char *fault)
{
    expect_failure(probe, fault, run(probe));
}

/* Whether /health says it now; it tries Redis once a second at most. */
static inline bool health_says(const void *text)
{
    const struct http_reply *reply = http_get(stand.http, "/health", NULL);
    expect_status(reply, 200);
    expect_within_ms(reply->elapsed_ms, BUDGET_MS);
    return strstr(reply->body, text) != NULL;
}

static inline void expect_degraded(void)
{
    stand_wait(health_says, "{\"status\":\"degraded\",\"redis\":{\"status\":\"",
               "health is degraded");
    stand_wait(health_says, "\"read_write_test\":false}", "the read-write test fails");
}

static inline void expect_all_failed(const char *fault)
{
    for (size_t i = 0; i < PROBES; i++)
        expect_failed(&probes[i], fault);
    expect_degraded();
    expect_body_has(http_get(stand.http, "/health", NULL), 200,
                    "\"redis\":{\"status\":\"unavailable\",\"message\":\"");
}

static inline bool works(const void *probe)
{
    const struct probe *row = probe;
    int status = run(row)->status;
    /* What is refused whatever Redis does, as there is no such backup or account. */
    if (row->down / 100 == 4)
        return status == row->down;
    /* There is no such job; all others have something to do. */
    return strstr(row->target, "/jobs/") ? status == 404 : status / 100 == 2;
}

static inline void take_refresh_token(void)
{
    const struct http_reply *reply = http_post_json(stand.http, "/auth/login", NULL, LOGIN);
    expect_status(reply, 200);
    const char *token =
        strstr(reply->body, "\"refresh_token\":\"") + strlen("\"refresh_token\":\"");
    snprintf(refresh_token, sizeof refresh_token, "{\"refresh_token\":\"%.*s\"}",
             (int)strcspn(token, "\""), token);
    snprintf(django_refresh, sizeof django_refresh, "{\"refresh\":\"%.*s\"}",
             (int)strcspn(token, "\""), token);
}

static inline bool spends_the_token(const struct probe *probe)
{
    return strstr(probe->target, "refresh") != NULL;
}

/* With a token of its own: one whose refresh was late is spent, or is not. */
static inline bool refreshes_at(const void *target)
{
    take_refresh_token();
    return run(row(target))->status == 200;
}

/* Once the circuit breaker has seen it, everything works as ever. */
static inline void expect_recovered(void)
{
    /* Each pool of connections finds out for itself. */
    for (size_t i = 0; i < PROBES; i++)
        if (!spends_the_token(&probes[i]))
            stand_wait(works, &probes[i], probes[i].target);
    stand_wait(refreshes_at, "/auth/refresh", "/auth/refresh");
    stand_wait(refreshes_at, "/api/token/refresh/", "/api/token/refresh/");
    take_refresh_token(); /* that one is spent */
    stand_wait(health_says, "{\"status\":\"ok\",\"redis\":{\"status\":\"connected\"",
               "health is ok");
    stand_wait(works, row("/api/cache/enable/"), "it takes writes");
}

static inline void open_with(const struct stand_options *options)
{
    stand_open(&stand, options);
    stand_key(&stand, flush_key, "flush", (const char *const[]){"--scope", "flush", NULL});
    snprintf(refresh_token, sizeof refresh_token, "{\"refresh_token\":\"x\"}");
    snprintf(django_refresh, sizeof django_refresh, "{\"refresh\":\"x\"}");
    snprintf(access_token, sizeof access_token, "{\"token\":\"%s\"}",
             strstr(stand.alice.bearer, "Bearer ") + strlen("Bearer "));
    if (stand.redis)
        /* the table is right about a healthy Redis, and there is a refresh token */
        expect_recovered();
}

#endif
