/* Whose control data is in Redis: a node with another users database does not serve it. */
#include "patience.h"
#include "redis_snapshot.h"
#include "stand.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

static struct redis_server *redis;
static char redis_url[128];

static void start(struct cw_server *server, const char *directory, const char *argument)
{
    cw_server_start(
        server,
        &(struct cw_server_options){
            .arguments = (const char *const[]){argument, NULL},
            .environment =
                (const char *const[]){redis_url, CW_PATIENT_WITH_REDIS, "JWT_SECRET=" STAND_SECRET,
                                      "CACHEWARDEN_USERS_REGISTRATION=open",
                                      "CACHEWARDEN_AUTH_FLUSH_PERMISSION=authenticated", NULL},
            .directory = directory});
}

static void run(const char *directory, struct cw_result *result, const char *const *arguments)
{
    cw_run(&(struct cw_command){.arguments = arguments,
                                .environment =
                                    (const char *const[]){redis_url, CW_PATIENT_WITH_REDIS, NULL},
                                .input = "correct-horse-battery\n",
                                .directory = directory},
           result);
}

/* Accounts and keys, as the shell shows them. */
static char *what_it_holds(const char *directory)
{
    struct cw_result users, keys;
    char *text;
    run(directory, &users, (const char *const[]){"user", "list", "--json", NULL});
    run(directory, &keys, (const char *const[]){"key", "list", "--json", NULL});
    ck_assert_msg(users.status == 0 && keys.status == 0, "%s%s", users.err, keys.err);
    ck_assert_int_gt(asprintf(&text, "%s%s", users.out, keys.out), 0);
    cw_result_fini(&users);
    cw_result_fini(&keys);
    return text;
}

static void expect_refused(const char *directory, const char *const *arguments)
{
    struct cw_result result;
    run(directory, &result, arguments);
    ck_assert_msg(result.status == 1, "%s: %d: %s%s", arguments[0], result.status, result.out,
                  result.err);
    ck_assert_msg(strstr(result.err, "another users database") && strstr(result.err, "--adopt"),
                  "%s", result.err);
    cw_result_fini(&result);
}

static void open_redis(void)
{
    redis = redis_server_start(NULL);
    snprintf(redis_url, sizeof redis_url, "REDIS_URL=%s", redis_server_url(redis));
}

static void close_redis(void)
{
    redis_server_stop(&redis);
}

static const char *const serve[] = {"serve", "--listen", "127.0.0.1:0", NULL};
static const char *const clear[] = {"cache", "clear", "--user", "7", NULL};
static const char *const status[] = {"cache", "status", "--user", "7", NULL};

/* A word that is "-" reads the password from standard input. */
#define PASSWORD "--password-file", "-"

/* Whatever changes something: neither Redis nor the users database holds anything else afterwards. */
static void expect_all_refused(const char *directory)
{
    static const char *const commands[][8] = {
        {"cache", "disable", "--user", "7"},
        {"cache", "enable", "--user", "7"},
        {"cache", "clear", "--all"},
        {"flush"},
        {"flush", "search"},
        {"flush", "--dry-run"},
        {"user", "add", "bob", "--email", "b@example.org", PASSWORD},
        {"user", "password", "alice", PASSWORD},
        {"user", "grant", "alice", "--superuser"},
        {"user", "revoke", "alice", "--group", "editors"},
        {"user", "deactivate", "alice"},
        {"user", "activate", "alice"},
        {"user", "delete", "alice"},
        {"key", "create", "another", "--scope", "flush"},
        {"key", "revoke", "deploy"},
    };
    redis_server_do(redis, "MSET whatsapp:development:in 1 whatsapp:development:out 2");
    char *before = redis_snapshot(redis, NULL), *held = what_it_holds(directory);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        expect_refused(directory, commands[i]);
    char *after = redis_snapshot(redis, NULL), *holds = what_it_holds(directory);
    ck_assert_str_eq(before, after);
    ck_assert_str_eq(held, holds);
    free(before);
    free(after);
    free(held);
    free(holds);
}

/* Made while Redis was their own. */
static void fill(const char *directory)
{
    static const char *const commands[][8] = {
        {"user", "add", "alice", "--email", "a@example.org", PASSWORD},
        {"key", "create", "deploy", "--scope", "flush"},
    };
    struct cw_result result;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        run(directory, &result, commands[i]);
        ck_assert_msg(result.status == 0, "%s", result.err);
        cw_result_fini(&result);
    }
    redis_server_do(redis, "FLUSHALL");
}

START_TEST(another_users_database)
{
    struct cw_server server;
    struct cw_result result;
    char *ours = cw_directory_new(), *theirs = cw_directory_new();
    fill(theirs);
    run(ours, &result, clear);
    ck_assert_msg(result.status == 0 && strstr(result.out, "version: 2"), "%s", result.err);
    cw_result_fini(&result);
    expect_refused(theirs, serve);
    expect_refused(theirs, clear);
    expect_refused(theirs, status);
    expect_all_refused(theirs);

    start(&server, theirs, "--adopt");
    expect_refused(ours, clear);
    cw_server_stop(&server);
    start(&server, theirs, NULL);
    run(theirs, &result, status);
    ck_assert_msg(result.status == 0 && !strstr(result.out, "(version 2)"), "%s", result.out);
    /* Nor was the switch kept for later. */
    ck_assert_msg(strstr(result.out, "is enabled"), "%s", result.out);
    cw_result_fini(&result);
    cw_server_stop(&server);
    cw_directory_remove(&ours);
    cw_directory_remove(&theirs);
}
END_TEST

#define SIGN_UP(name)                                                               \
    "{\"username\":\"" name "\",\"email\":\"" name "@example.org\",\"password\":\"" \
    "correct-horse-battery\"}"

/* {"refresh_token":"…"} of an answer with tokens, and Authorization with the other one. */
static void take_tokens(const struct http_reply *reply, char refresh[2048], char bearer[2048])
{
    static const char names[2][20] = {"\"refresh_token\":\"", "\"access_token\":\""};
    const char *at = strstr(reply->body, names[0]), *access = strstr(reply->body, names[1]);
    ck_assert_msg(at && access, "%s", reply->body);
    at += strlen(names[0]);
    access += strlen(names[1]);
    snprintf(refresh, 2048, "{\"refresh_token\":\"%.*s\"}", (int)strcspn(at, "\""), at);
    snprintf(bearer, 2048, "Authorization: Bearer %.*s", (int)strcspn(access, "\""), access);
}

static bool says_not_ready(const void *http)
{
    return http_get((struct http_client *)(uintptr_t)http, "/health/ready", NULL)->status == 503;
}

/* Signing in needs no Redis. What Redis would have to hear is refused and can be tried again. */
static void expect_nothing_written(struct http_client *http)
{
    char refresh[2048], bearer[2048];
    redis_server_do(redis, "SET whatsapp:development:in theirs");
    char *before = redis_snapshot(redis, NULL);
    take_tokens(http_post_json(http, "/auth/register", NULL, SIGN_UP("alice")), refresh, bearer);
    expect_status(http_post_json(http, "/auth/refresh", NULL, refresh), 503);
    expect_status(http_post(http, "/auth/logout", bearer), 503);
    expect_status(http_post(http, "/auth/logout?all=true", bearer), 503);
    expect_status(http_post(http, "/api/cache/disable/", bearer), 500);
    expect_status(http_post(http, "/api/cache/clear/", bearer), 500);
    expect_status(http_call(http, "DELETE", "/api/v1/cache", bearer), 500);
    expect_status(http_get(http, "/auth/me", bearer), 200);
    char *after = redis_snapshot(redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}

/* Found out late: Redis was down when the node started. */
START_TEST(found_out_while_serving)
{
    struct cw_server server;
    struct cw_result result;
    char *ours = cw_directory_new(), *theirs = cw_directory_new();
    run(ours, &result, clear);
    cw_result_fini(&result);
    redis_server_do(redis, "SAVE");
    redis_server_kill(redis);
    start(&server, theirs, NULL);
    struct http_client *http = http_client_new(server.base_url);
    expect_status(http_get(http, "/health/ready", NULL), 200);
    redis_server_restart(redis);
    stand_wait(says_not_ready, http, "not ready");
    cw_server_wait_log(&server, "event=versions.foreign");
    expect_nothing_written(http);
    expect_body_has(http_get(http, "/health", NULL), 200,
                    "{\"status\":\"degraded\",\"redis\":{\"status\":\"connected\",\"message\":"
                    "\"redis holds the control data of another installation\","
                    "\"read_write_test\":false}");
    /* Emptied, it is nobody's, and so the node's. */
    redis_server_do(redis, "FLUSHALL");
    int64_t give_up_ms = stand_now_ms() + PATIENCE_MS;
    while (says_not_ready(http) && stand_now_ms() < give_up_ms)
        ;
    expect_status(http_get(http, "/health/ready", NULL), 200);
    http_client_free(&http);
    cw_server_stop(&server);
    cw_directory_remove(&ours);
    cw_directory_remove(&theirs);
}
END_TEST

static bool knows_a_number(const void *unused)
{
    (void)unused;
    return redis_server_ask_integer(redis, "EXISTS cw:ids") == 1;
}

/* The users database is lost, and the signing key is not: the next account is not the one that was. */
START_TEST(accounts_of_a_lost_database)
{
    struct cw_server server;
    char *lost = cw_directory_new(), *next = cw_directory_new(), token[2048], bearer[2048];
    start(&server, lost, NULL);
    struct http_client *http = http_client_new(server.base_url);
    const struct http_reply *reply = http_post_json(http, "/auth/register", NULL, SIGN_UP("alice"));
    expect_body_has(reply, 201, "\"user\":{\"id\":1,");
    take_tokens(reply, token, bearer);
    stand_wait(knows_a_number, NULL, "Redis knows the highest number");
    http_client_free(&http);
    cw_server_stop(&server);

    start(&server, next, "--adopt");
    http = http_client_new(server.base_url);
    reply = http_post_json(http, "/auth/register", NULL, SIGN_UP("mallory"));
    expect_body_has(reply, 201, "\"user\":{\"id\":2,");
    expect_status(http_post_json(http, "/auth/refresh", NULL, token), 401);
    http_client_free(&http);
    cw_server_stop(&server);
    cw_directory_remove(&lost);
    cw_directory_remove(&next);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/adopt");
    TCase *tcase = tcase_create("adopt");
    tcase_add_checked_fixture(tcase, open_redis, close_redis);
    tcase_add_test(tcase, another_users_database);
    tcase_add_test(tcase, found_out_while_serving);
    tcase_add_test(tcase, accounts_of_a_lost_database);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
