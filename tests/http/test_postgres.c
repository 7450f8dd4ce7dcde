/*
 * The program on a PostgreSQL users database, from outside: one server from sign-in to flush, two
 * servers that share accounts, and a database that is away.
 */
#include "postgres_server.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS      "/api/cache/status/"
#define ADMIN_CLEAR "/api/server-management/clear-cache/"

/* A second is promised; and time for two busy cores. */
enum { FELT_WITHIN_MS = 5000 };

static struct postgres_server *postgres;
static struct stand stand;
static char database_variable[POSTGRES_URL_SIZE + 16];

static void open_on(void (*find_url)(const struct postgres_server *server, const char *database,
                                     char url_out[POSTGRES_URL_SIZE]))
{
    char url[POSTGRES_URL_SIZE];
    postgres = postgres_server_start(NULL);
    find_url(postgres, POSTGRES_DATABASE, url);
    snprintf(database_variable, sizeof database_variable, "DATABASE_URL=%s", url);
    stand_open(&stand,
               &(struct stand_options){.environment = (const char *const[]){
                                           database_variable, "CACHEWARDEN_USERS_REGISTRATION=open",
                                           "CACHEWARDEN_LIMITS_ENABLED=false", NULL}});
}

static void open_stand(void)
{
    open_on(postgres_server_url);
}

static void open_hasty(void)
{
    open_on(postgres_server_hasty_url);
}

static void expect_no_secret(const struct cw_server *server)
{
    char *log = cw_server_log(server);
    ck_assert_msg(strstr(log, POSTGRES_PASSWORD) == NULL, "%s", log);
    free(log);
}

static void close_stand(void)
{
    expect_no_secret(&stand.server);
    stand_close(&stand);
    postgres_server_stop(&postgres);
}

static const struct http_reply *log_in(struct http_client *http, const char *name,
                                       const char *password)
{
    char json[256];
    snprintf(json, sizeof json, "{\"username\":\"%s\",\"password\":\"%s\"}", name, password);
    return http_post_json(http, "/auth/login", NULL, json);
}

/* "Authorization: Bearer …" with the access token of a sign-in. */
static void bearer_of(char out[MINT_SIZE], const struct http_reply *reply)
{
    static const char mark[] = "\"access_token\":\"";
    const char *token = strstr(reply->body, mark);
    ck_assert_msg(token != NULL, "%s", reply->body);
    token += strlen(mark);
    snprintf(out, MINT_SIZE, "Authorization: Bearer %.*s", (int)strcspn(token, "\""), token);
}

static void do_as_operator(const char *const *arguments)
{
    stand_cli_do(&stand, NULL, arguments);
}

/* ---- one server ---- */

START_TEST(from_sign_in_to_flush)
{
    char bearer[MINT_SIZE], key[STAND_KEY_SIZE], path[512];

    expect_status(log_in(stand.http, "alice", "wrong-password"), 401);
    const struct http_reply *reply = log_in(stand.http, "ALICE", STAND_PASSWORD);
    expect_status(reply, 200);
    bearer_of(bearer, reply);
    expect_body_has(http_get(stand.http, "/auth/me", bearer), 200, "\"username\":\"alice\"");
    expect_body_has(http_post(stand.http, "/api/cache/clear/", bearer), 200, "\"version\":2");
    expect_body_has(http_get(stand.http, STATUS, bearer), 200, "\"version\":2");
    expect_status(http_post(stand.http, ADMIN_CLEAR, bearer), 403);
    reply = log_in(stand.http, "boss", STAND_PASSWORD);
    bearer_of(bearer, reply);
    expect_body_has(http_post(stand.http, ADMIN_CLEAR, bearer), 200, "\"ok\":true");

    stand_key(&stand, key, "deploy", (const char *const[]){"--scope", "flush", NULL});
    redis_server_do(stand.redis, "SET whatsapp:development:in x");
    expect_body(http_call(stand.http, "DELETE", "/api/v1/cache", key), 200,
                "{\"flushed\":true,\"keysRemoved\":1}");
    do_as_operator((const char *const[]){"key", "revoke", "deploy", NULL});

    reply = http_post_json(
        stand.http, "/auth/register", NULL,
        "{\"username\":\"carol\",\"email\":\"c@example.org\",\"password\":\"violet-lantern-42\"}");
    expect_status(reply, 201);
    reply = http_post_json(
        stand.http, "/auth/register", NULL,
        "{\"username\":\"Carol\",\"email\":\"d@example.org\",\"password\":\"violet-lantern-42\"}");
    expect_body_has(reply, 409, "A user with that username already exists.");

    /* All of it is in PostgreSQL, and nothing beside it. */
    snprintf(path, sizeof path, "%s/users.db", stand.directory);
    ck_assert_int_ne(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/users.db.secret", stand.directory);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* ---- two servers ---- */

struct felt {
    struct http_client *http;
    const char *method, *target, *credential;
    int status;
};

static bool has_status(const void *with)
{
    const struct felt *felt = with;
    return http_call(felt->http, felt->method, felt->target, felt->credential)->status ==
           felt->status;
}

/* Both servers come to answer so, and soon. */
static void expect_soon(struct http_client *other, struct felt felt, const char *what)
{
    struct http_client *const clients[] = {stand.http, other};
    int64_t before = stand_now_ms();
    for (size_t i = 0; i < 2; i++) {
        felt.http = clients[i];
        stand_wait(has_status, &felt, what);
    }
    expect_within_ms(stand_now_ms() - before, FELT_WITHIN_MS);
}

START_TEST(two_servers_share_accounts)
{
    struct cw_server second;
    char key[STAND_KEY_SIZE], carol[MINT_SIZE];
    cw_server_start(&second, &(struct cw_server_options){
                                 .environment = (const char *const *)stand.environment});
    struct http_client *other = http_client_new(second.base_url);

    /* Who registers at one is known to the other, token and all. */
    const struct http_reply *reply = http_post_json(
        stand.http, "/auth/register", NULL,
        "{\"username\":\"carol\",\"email\":\"c@example.org\",\"password\":\"violet-lantern-42\"}");
    expect_status(reply, 201);
    bearer_of(carol, reply);
    expect_body_has(http_get(other, "/auth/me", carol), 200, "\"username\":\"carol\"");
    expect_status(log_in(other, "carol", "violet-lantern-42"), 200);

    /* Each has seen them as they were. */
    stand_key(&stand, key, "deploy", (const char *const[]){"--scope", "flush", NULL});
    for (int i = 0; i < 2; i++) {
        struct http_client *http = i == 0 ? stand.http : other;
        expect_status(http_post(http, ADMIN_CLEAR, stand.root.bearer), 200);
        expect_status(http_post(http, ADMIN_CLEAR, stand.boss.bearer), 200);
        expect_status(http_get(http, STATUS, stand.alice.bearer), 200);
        expect_status(http_call(http, "DELETE", "/api/v1/cache", key), 200);
    }

    do_as_operator((const char *const[]){"user", "revoke", "root", "--superuser", NULL});
    expect_soon(other, (struct felt){NULL, "POST", ADMIN_CLEAR, stand.root.bearer, 403},
                "a superuser is one no more");
    do_as_operator((const char *const[]){"user", "revoke", "boss", "--group", "Admin", NULL});
    expect_soon(other, (struct felt){NULL, "POST", ADMIN_CLEAR, stand.boss.bearer, 403},
                "an admin has left the group");
    do_as_operator((const char *const[]){"user", "grant", "root", "--superuser", NULL});
    expect_soon(other, (struct felt){NULL, "POST", ADMIN_CLEAR, stand.root.bearer, 200},
                "a superuser is one again");
    do_as_operator((const char *const[]){"user", "deactivate", "alice", NULL});
    expect_soon(other, (struct felt){NULL, "GET", STATUS, stand.alice.bearer, 401},
                "an account is deactivated");
    do_as_operator((const char *const[]){"key", "revoke", "deploy", NULL});
    expect_soon(other, (struct felt){NULL, "DELETE", "/api/v1/cache", key, 401},
                "a key is revoked");
    do_as_operator((const char *const[]){"user", "delete", "carol", NULL});
    expect_soon(other, (struct felt){NULL, "GET", STATUS, carol, 401}, "an account is deleted");

    expect_no_secret(&second);
    http_client_free(&other);
    cw_server_stop(&second);
}
END_TEST

/* ---- a database that is away ---- */

static bool can_log_in(const void *with)
{
    return log_in(stand.http, with, STAND_PASSWORD)->status == 200;
}

static void expect_told(const char *key, const char *sample)
{
    expect_body_has(http_get(stand.http, "/metrics", key), 200, sample);
}

static void expect_health(const char *status, const char *users, const char *message)
{
    char text[160];
    snprintf(text, sizeof text,
             "\"users_database\":{\"status\":\"%s\",\"message\":\"%s\"},\"timestamp\"", users,
             message);
    const struct http_reply *reply = http_get(stand.http, "/health", NULL);
    expect_body_has(reply, 200, text);
    snprintf(text, sizeof text, "{\"status\":\"%s\",", status);
    expect_body_has(reply, 200, text);
}

START_TEST(the_database_goes_and_comes)
{
    char key[STAND_KEY_SIZE];
    stand_key(&stand, key, "scraper", (const char *const[]){"--scope", "metrics", NULL});
    expect_told(key, "\ncachewarden_users_database_up 1\n");
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    postgres_server_kill(postgres);
    expect_status(log_in(stand.http, "alice", STAND_PASSWORD), 503);
    expect_told(key, "\ncachewarden_users_database_up 0\n");
    expect_health("degraded", "unavailable", "users database unavailable");
    expect_body_has(http_get(stand.http, "/health/ready", NULL), 200,
                    "\"users_database\":\"unavailable\"");
    /* Whom it has just seen it still knows. */
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    expect_status(http_get(stand.http, STATUS, stand.bob.bearer), 503);

    postgres_server_start_again(postgres);
    stand_wait(can_log_in, "alice", "signing in works again");
    expect_told(key, "\ncachewarden_users_database_up 1\n");
    expect_health("ok", "connected", "it answers");
    expect_status(http_get(stand.http, STATUS, stand.bob.bearer), 200);
    cw_server_wait_log(&stand.server, "event=users.up");
}
END_TEST

START_TEST(the_database_is_paused)
{
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    postgres_server_pause(postgres);
    int64_t before = stand_now_ms();
    expect_status(log_in(stand.http, "alice", STAND_PASSWORD), 503);
    expect_within_ms(stand_now_ms() - before, 9000);
    expect_status(http_get(stand.http, "/health/live", NULL), 200);
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    postgres_server_resume(postgres);
    stand_wait(can_log_in, "alice", "signing in works again");
}
END_TEST

static void refuse_to_start(const char *const *environment, const char *reason)
{
    struct cw_result result;
    cw_run(&(struct cw_command){.arguments = (const char *const[]){"serve", NULL},
                                .environment = environment,
                                .directory = stand.directory},
           &result);
    ck_assert_msg(result.status == 1, "%d %s", result.status, result.err);
    ck_assert_msg(strstr(result.err, reason) != NULL, "%s", result.err);
    ck_assert_msg(strstr(result.err, POSTGRES_PASSWORD) == NULL, "%s", result.err);
    ck_assert_msg(strstr(result.out, POSTGRES_PASSWORD) == NULL, "%s", result.out);
    cw_result_fini(&result);
}

START_TEST(starts_that_fail_say_why)
{
    refuse_to_start((const char *const[]){database_variable, NULL},
                    "auth.secret must be given where the users database is PostgreSQL");
    refuse_to_start((const char *const[]){"DATABASE_URL=postgresql://cw:" POSTGRES_PASSWORD
                                          "@@127.0.0.1/users",
                                          "JWT_SECRET=" STAND_SECRET, NULL},
                    "an @ is in the wrong place");
    postgres_server_kill(postgres);
    refuse_to_start((const char *const[]){database_variable, "JWT_SECRET=" STAND_SECRET, NULL},
                    postgres_server_directory(postgres));
    postgres_server_start_again(postgres);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/postgres");
    TCase *tcase = tcase_create("postgres");

    tcase_add_checked_fixture(tcase, open_stand, close_stand);
    tcase_add_test(tcase, from_sign_in_to_flush);
    tcase_add_test(tcase, two_servers_share_accounts);
    tcase_add_test(tcase, the_database_goes_and_comes);
    tcase_add_test(tcase, starts_that_fail_say_why);
    suite_add_tcase(suite, tcase);
    TCase *silent = tcase_create("a silent database");
    tcase_add_checked_fixture(silent, open_hasty, close_stand);
    tcase_add_test(silent, the_database_is_paused);
    suite_add_tcase(suite, silent);
    return suite_run(suite);
}
