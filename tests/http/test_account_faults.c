/*
 * Accounts, tokens and sessions while Redis is never there, killed under a request, paused, or back and
 * empty: whoever can sign in does, what cannot be told to other nodes is not claimed, and nothing
 * waits for longer than its budget.
 */
#include "browser.h"
#include "slowness.h"
#include "trouble.h"

#include <pthread.h>

#define NEW_PASSWORD "battery-staple-horse"
#define SAYS_503     "{\"detail\":\"Service temporarily unavailable"

struct tokens {
    char access[MINT_SIZE];  /* a whole header line */
    char refresh[MINT_SIZE]; /* {"refresh_token":"…"} */
    char django[MINT_SIZE];  /* {"refresh":"…"} */
    char verify[MINT_SIZE];  /* {"token":"…"}: the refresh token */
};

static int registered; /* names are used once */

static void copy_token(char *out, const char *before, const char *body, const char *name,
                       const char *after)
{
    char wanted[32];
    snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
    const char *at = strstr(body, wanted);
    ck_assert_msg(at != NULL, "no %s in %s", name, body);
    at += strlen(wanted);
    snprintf(out, MINT_SIZE, "%s%.*s%s", before, (int)strcspn(at, "\""), at, after);
}

static void take_tokens(struct tokens *tokens, const struct http_reply *reply)
{
    copy_token(tokens->access, "Authorization: Bearer ", reply->body, "access_token", "");
    copy_token(tokens->refresh, "{\"refresh_token\":\"", reply->body, "refresh_token", "\"}");
    copy_token(tokens->django, "{\"refresh\":\"", reply->body, "refresh_token", "\"}");
    copy_token(tokens->verify, "{\"token\":\"", reply->body, "refresh_token", "\"}");
}

static const struct http_reply *in_time(const struct http_reply *reply, int budget_ms)
{
    expect_within_ms(reply->elapsed_ms, budget_ms);
    return reply;
}

static void expect_503(const struct http_reply *reply)
{
    expect_body_has(in_time(reply, BUDGET_MS), 503, SAYS_503);
    ck_assert_int_eq(http_header_count(reply, "Retry-After"), 1);
}

/* An account of its own, registered in the middle of it. */
static void sign_up(struct tokens *tokens)
{
    char json[256];
    snprintf(
        json, sizeof json,
        "{\"username\":\"new%d\",\"email\":\"new%d@example.com\",\"password\":\"" STAND_PASSWORD
        "\"}",
        registered, registered);
    registered++;
    const struct http_reply *reply =
        in_time(http_post_json(stand.http, "/auth/register", NULL, json), HASH_BUDGET_MS);
    expect_status(reply, 201);
    take_tokens(tokens, reply);
}

/* Everything there is, in the middle of it. `during` is signed in by then, and stays so. */
static void expect_accounts(struct tokens *during, struct browser *browser)
{
    static struct tokens fresh;
    struct http_client *http = stand.http;
    sign_up(&fresh);
    const struct http_reply *reply =
        in_time(http_post_json(http, "/auth/login", NULL, LOGIN), HASH_BUDGET_MS);
    expect_status(reply, 200);
    take_tokens(during, reply);
    expect_status(in_time(http_post_json(http, "/api/token/", NULL, LOGIN), HASH_BUDGET_MS), 200);
    expect_status(http_post_json(http, "/auth/login", NULL,
                                 "{\"username\":\"alice\",\"password\":\"wrong-horse\"}"),
                  401);
    expect_503(http_post_json(http, "/auth/refresh", NULL, during->refresh));
    expect_503(http_post_json(http, "/api/token/refresh/", NULL, during->django));
    expect_503(http_post_json(http, "/api/token/verify/", NULL, during->verify));
    expect_status(http_post_json(http, "/auth/refresh", NULL, "{\"refresh_token\":\"x\"}"), 401);
    expect_503(http_post(http, "/auth/logout", during->access));
    expect_503(http_post_json(http, "/auth/logout", during->access, during->refresh));
    expect_503(http_post(http, "/auth/logout?all=true", during->access));
    expect_status(http_post(http, "/auth/logout", NULL), 401);
    expect_status(in_time(http_get(http, "/auth/me", during->access), BUDGET_MS), 200);

    /* A new password needs no Redis: who changed it stays, who had the old one goes. */
    static struct tokens thief;
    char json[256];
    snprintf(json, sizeof json, "{\"username\":\"new%d\",\"password\":\"" STAND_PASSWORD "\"}",
             registered - 1);
    take_tokens(&thief, http_post_json(http, "/auth/login", NULL, json));
    reply = in_time(http_post_json(http, "/auth/password", fresh.access,
                                   "{\"old_password\":\"" STAND_PASSWORD
                                   "\",\"new_password\":\"" NEW_PASSWORD "\"}"),
                    HASH_BUDGET_MS);
    expect_body(reply, 204, "");
    expect_status(http_get(http, "/auth/me", fresh.access), 200);
    expect_answer(http_get(http, "/auth/me", thief.access), 401, SAYS_401);

    /* Browsers, too. */
    browser_open(browser, http, stand.server.base_url);
    browser_sign_in(browser, "bob", STAND_PASSWORD);
    expect_status(in_time(browser_send(browser, "GET", "/auth/me", NULL), BUDGET_MS), 200);
    expect_body(in_time(browser_send(browser, "POST", "/api/cache/enable/", NULL), BUDGET_MS), 500,
                "{\"error\":\"Failed to enable cache\"}");
    char kept[BROWSER_SESSION_SIZE];
    memcpy(kept, browser->session, sizeof kept);
    expect_503(browser_send(browser, "POST", "/auth/logout", NULL));
    ck_assert_str_eq(browser->session, kept);
    expect_status(browser_send(browser, "GET", "/auth/me", NULL), 200);
}

static bool is_well(const void *browser)
{
    struct browser copy = *(const struct browser *)browser;
    return browser_send(&copy, "POST", "/api/cache/enable/", NULL)->status == 200;
}

static bool refreshes(const void *with)
{
    return http_post_json(stand.http, "/auth/refresh", NULL, ((const struct tokens *)with)->refresh)
               ->status == 200;
}

/* What was issued meanwhile is good, and can be given back. */
static void expect_well(const struct tokens *during, struct browser *browser)
{
    stand_wait(refreshes, during, "the refresh token of the outage is good");
    expect_status(browser_send(browser, "POST", "/api/cache/enable/", NULL), 200);
    expect_status(browser_send(browser, "POST", "/auth/logout", NULL), 200);
    ck_assert_str_eq(browser->session, "");
    expect_body_has(http_post(stand.http, "/auth/logout?all=true", during->access), 200,
                    "{\"message\":\"Logged out\",\"tokens_revoked\":");
    expect_answer(http_get(stand.http, "/auth/me", during->access), 401, SAYS_401);
}

static struct tokens before, during;
static struct browser browser_before, browser_during;

static const char *const environment[] = {"CACHEWARDEN_USERS_REGISTRATION=open", NULL};
static const char *const hasty[] = {"CACHEWARDEN_USERS_REGISTRATION=open", STAND_DEFAULT_TIMEOUTS,
                                    NULL};

static void open_with_accounts(const char *const *with)
{
    stand_open(&stand, &(struct stand_options){.environment = with});
    take_tokens(&before, http_post_json(stand.http, "/auth/login", NULL, LOGIN));
    browser_open(&browser_before, stand.http, stand.server.base_url);
    browser_sign_in(&browser_before, "bob", STAND_PASSWORD);
}

static void open_stand(void)
{
    open_with_accounts(environment);
}

static void open_hasty(void)
{
    open_with_accounts(hasty);
}

static void close_stand(void)
{
    stand_close(&stand);
}

START_TEST(never_there)
{
    stand_open(&stand, &(struct stand_options){.no_redis = true, .environment = environment});
    expect_accounts(&during, &browser_during);
    close_stand();
}
END_TEST

START_TEST(killed_and_back_and_empty)
{
    redis_server_kill(stand.redis);
    expect_503(http_post_json(stand.http, "/auth/refresh", NULL, before.refresh));
    expect_accounts(&during, &browser_during);
    expect_status(browser_send(&browser_before, "GET", "/auth/me", NULL), 200);
    redis_server_restart(stand.redis);
    stand_wait(refreshes, &during, "the refresh token of the outage is good");
    /* An empty Redis does not mean "revoked", but a refresh token may have been spent before. */
    expect_status(http_get(stand.http, "/api/cache/status/", before.access), 200);
    expect_answer(http_post_json(stand.http, "/auth/refresh", NULL, before.refresh), 401, SAYS_401);
    expect_status(browser_send(&browser_before, "POST", "/api/cache/enable/", NULL), 200);
    take_tokens(&during, http_post_json(stand.http, "/auth/login", NULL, LOGIN));
    expect_well(&during, &browser_during);
    expect_answer(http_get(stand.http, "/auth/me", before.access), 401, SAYS_401);
}
END_TEST

/* One of them: where the answer to a refresh came too late, that token is spent. */
enum { OF_THE_OUTAGE = 4 };

static bool one_refreshes(const void *tokens)
{
    static int turn;
    return refreshes((const struct tokens *)tokens + turn++ % OF_THE_OUTAGE);
}

START_TEST(paused)
{
    static struct tokens outage[OF_THE_OUTAGE];
    redis_server_pause(stand.redis);
    expect_503(http_post_json(stand.http, "/auth/refresh", NULL, before.refresh));
    expect_accounts(&during, &browser_during);
    expect_status(browser_send(&browser_before, "GET", "/auth/me", NULL), 200);
    for (int k = 0; k < OF_THE_OUTAGE; k++)
        take_tokens(&outage[k], http_post_json(stand.http, "/auth/login", NULL, LOGIN));
    redis_server_resume(stand.redis);
    stand_wait(one_refreshes, outage, "a refresh token of the outage is good");
    stand_wait(is_well, &browser_during, "the session of the outage is good");
}
END_TEST

/* ---- killed under a request ---- */

struct request {
    pthread_t thread;
    const char *target, *credential, *json;
    int status;
    char body[256];
};

static void *send_it(void *arg)
{
    struct request *request = arg;
    struct http_client *http = http_client_new(stand.server.base_url);
    const struct http_reply *reply =
        http_post_json(http, request->target, request->credential, request->json);
    request->status = reply->status;
    snprintf(request->body, sizeof request->body, "%s", reply->status ? reply->body : "");
    http_client_free(&http);
    return NULL;
}

/* Redis takes the request in and dies before it answers, or just before that. */
START_TEST(killed_under_a_request)
{
    static const char login[] = LOGIN;
    static const char wants[] =
        "{\"username\":\"a%d\",\"email\":\"a%d@example.com\",\"password\":\"" STAND_PASSWORD "\"}";
    char registration[160];
    struct request requests[] = {
        {.target = "/auth/login", .json = login, .status = 200},
        {.target = "/api/token/", .json = login, .status = 200},
        {.target = "/auth/register", .json = registration, .status = 201},
        {.target = "/auth/refresh", .json = before.refresh, .status = 503},
        {.target = "/api/token/refresh/", .json = before.django, .status = 503},
        {.target = "/auth/logout", .credential = before.access, .json = "{}", .status = 503},
        {.target = "/auth/logout?all=true",
         .credential = before.access,
         .json = "{}",
         .status = 503},
        {.target = "/api/cache/clear/", .credential = before.access, .json = "{}", .status = 500},
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct request *request = &requests[i];
        int wanted = request->status;
        snprintf(registration, sizeof registration, wants, (int)i, (int)i);
        take_tokens(&before, http_post_json(stand.http, "/auth/login", NULL, LOGIN));
        redis_server_pause(stand.redis);
        ck_assert_int_eq(pthread_create(&request->thread, NULL, send_it, request), 0);
        redis_server_kill(stand.redis);
        pthread_join(request->thread, NULL);
        ck_assert_msg(request->status == wanted, "%s: %d %s", request->target, request->status,
                      request->body);
        redis_server_restart(stand.redis);
        stand_wait(health_says, "{\"status\":\"ok\"", "health is ok");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("account faults");
    TCase *own = tcase_create("a stand of its own");
    tcase_add_test(own, never_there);
    suite_add_tcase(suite, own);
    TCase *each = tcase_create("a stand for each");
    tcase_add_checked_fixture(each, open_stand, close_stand);
    tcase_add_test(each, killed_and_back_and_empty);
    tcase_add_test(each, killed_under_a_request);
    suite_add_tcase(suite, each);
    TCase *silent = tcase_create("a silent Redis");
    tcase_add_checked_fixture(silent, open_hasty, close_stand);
    tcase_add_test(silent, paused);
    suite_add_tcase(suite, silent);
    return suite_run(suite);
}
