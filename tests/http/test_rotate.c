/*
 * Two nodes with one Redis and one PostgreSQL; the signing key, the passwords of both and an API key are replaced under
 * load, as docs/rotate.md says, and no request fails.
 */
#include "cw_server.h"
#include "http_client.h"
#include "patience.h"
#include "postgres_server.h"
#include "redis_server.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OLD_SECRET "the-old-secret-of-this-installation-0001"
#define NEW_SECRET "the-new-secret-of-this-installation-0002"
#define PASSWORD   "correct horse battery staple"

enum { CLIENTS = 3, REST_US = 5000, TOKEN_SIZE = 1024, ROUNDS_BETWEEN = 2 };

static struct redis_server *redis;
static struct postgres_server *postgres;
static struct cw_server nodes[2];
static char *folder;
static char variables[4][512];
static const char *environment[] = {variables[0],
                                    variables[1],
                                    variables[2],
                                    variables[3],
                                    "JWT_SECRET=",
                                    "REDIS_URL=",
                                    "DATABASE_URL=",
                                    "CACHEWARDEN_USERS_REGISTRATION=open",
                                    "CACHEWARDEN_LIMITS_ENABLED=false",
                                    "CACHEWARDEN_AUTH_REFRESH_TTL_S=86400",
                                    CW_PATIENT_WITH_REDIS,
                                    NULL};

/* ---- what the nodes read ---- */

static void write_secrets(const char *current, const char *previous)
{
    cw_file_write(folder, "secret", current, 0600);
    cw_file_write(folder, "previous", previous, 0600);
}

static void write_redis_password(const char *password)
{
    char url[128];

    snprintf(url, sizeof url, "redis://app:%s@127.0.0.1:%d/0\n", password,
             redis_server_port(redis));
    cw_file_write(folder, "redis", url, 0600);
}

static void write_postgres_password(const char *password)
{
    char url[128];

    snprintf(url, sizeof url,
             "postgresql://" POSTGRES_USER ":%s@127.0.0.1:%d/" POSTGRES_DATABASE "\n", password,
             postgres_server_port(postgres));
    cw_file_write(folder, "database", url, 0600);
}

static int times(const char *text, const char *word)
{
    int count = 0;

    for (const char *at = text; (at = strstr(at, word)); at++)
        count++;
    return count;
}

/* What is waited for: this many lines of the log of a node. */
struct lines {
    const struct cw_server *node;
    const char *event;
    int count;
};

static bool has_logged(const void *with)
{
    const struct lines *lines = with;
    char *log = cw_server_log(lines->node);
    bool yes = times(log, lines->event) >= lines->count;

    ck_assert_msg(!strstr(log, "_kept"), "%s", log);
    free(log);
    return yes;
}

static void reload(int node, const char *event)
{
    char *log = cw_server_log(&nodes[node]);
    const struct lines lines = {&nodes[node], event, times(log, event) + 1};

    free(log);
    cw_server_signal(&nodes[node], SIGHUP);
    stand_wait(has_logged, &lines, event);
}

/* ---- load ---- */

struct load {
    pthread_t thread;
    int number;
    atomic_int rounds;
    char failure[512];
    char access[TOKEN_SIZE], refresh[TOKEN_SIZE];
    struct http_client *http[2];
};

static atomic_bool is_over;
static struct load loads[CLIENTS];
static char key_header[STAND_KEY_SIZE];
static pthread_mutex_t key_lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_good(struct load *load, const struct http_reply *reply, int status, const char *what)
{
    if (reply->status != status && !load->failure[0])
        snprintf(load->failure, sizeof load->failure, "%s: %d %s", what, reply->status,
                 reply->status ? reply->body : reply->failure);
    return reply->status == status;
}

/* The value of a member that is a text. */
static void take(const char *body, const char *name, char out[TOKEN_SIZE])
{
    char begin[64];

    snprintf(begin, sizeof begin, "\"%s\":\"", name);
    const char *at = strstr(body, begin);
    snprintf(out, TOKEN_SIZE, "%.*s", at ? (int)strcspn(at + strlen(begin), "\"") : 0,
             at ? at + strlen(begin) : "");
}

static void sign_in(struct load *load, int node)
{
    char body[256];

    snprintf(body, sizeof body, "{\"username\":\"user%d\",\"password\":\"" PASSWORD "\"}",
             load->number);
    const struct http_reply *reply = http_post_json(load->http[node], "/auth/login", NULL, body);
    if (!is_good(load, reply, 200, "sign-in"))
        return;
    take(reply->body, "access_token", load->access);
    take(reply->body, "refresh_token", load->refresh);
}

static void refresh(struct load *load, int node)
{
    char body[TOKEN_SIZE + 32];

    snprintf(body, sizeof body, "{\"refresh_token\":\"%s\"}", load->refresh);
    const struct http_reply *reply = http_post_json(load->http[node], "/auth/refresh", NULL, body);
    if (!is_good(load, reply, 200, "refresh"))
        return;
    take(reply->body, "access_token", load->access);
    take(reply->body, "refresh_token", load->refresh);
}

static void ask(struct load *load, int node)
{
    char bearer[TOKEN_SIZE + 32], key[STAND_KEY_SIZE];

    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", load->access);
    (void)is_good(load, http_get(load->http[node], "/api/cache/status/", bearer), 200, "status");
    (void)is_good(load, http_post(load->http[node], "/api/cache/clear/", bearer), 200, "clear");
    (void)is_good(load, http_get(load->http[node], "/auth/me", bearer), 200, "me");
    pthread_mutex_lock(&key_lock);
    memcpy(key, key_header, sizeof key);
    pthread_mutex_unlock(&key_lock);
    (void)is_good(load, http_get(load->http[node], "/metrics", key), 200, "metrics");
}

/* What one node signed the other takes. */
static void *put_load(void *arg)
{
    struct load *load = arg;

    for (int round = 0; !atomic_load(&is_over); round++) {
        int node = round % 2;
        if (round % 8 == 0)
            sign_in(load, node);
        else if (round % 2 == 0)
            refresh(load, node);
        ask(load, 1 - node);
        ask(load, node);
        atomic_fetch_add(&load->rounds, 1);
        usleep(REST_US);
    }
    return NULL;
}

static void begin_load(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        char body[256];
        loads[i].number = i;
        for (int node = 0; node < 2; node++)
            loads[i].http[node] = http_client_new(nodes[node].base_url);
        snprintf(
            body, sizeof body,
            "{\"username\":\"user%d\",\"email\":\"user%d@example.com\",\"password\":\"" PASSWORD
            "\"}",
            i, i);
        ck_assert_int_eq(http_post_json(loads[i].http[0], "/auth/register", NULL, body)->status,
                         201);
    }
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(pthread_create(&loads[i].thread, NULL, put_load, &loads[i]), 0);
}

static bool has_gone_on(const void *with)
{
    const int *wanted = with;
    bool yes = true;

    for (int i = 0; i < CLIENTS; i++)
        yes = yes && atomic_load(&loads[i].rounds) >= wanted[i];
    return yes;
}

/* Every client does some rounds more. */
static void let_go_on(void)
{
    int wanted[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        wanted[i] = atomic_load(&loads[i].rounds) + ROUNDS_BETWEEN;
    stand_wait(has_gone_on, wanted, "clients go on");
}

static void end_load(void)
{
    atomic_store(&is_over, true);
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(pthread_join(loads[i].thread, NULL), 0);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_msg(loads[i].failure[0] == '\0', "client %d, of %d rounds: %s", i,
                      atomic_load(&loads[i].rounds), loads[i].failure);
        for (int node = 0; node < 2; node++)
            http_client_free(&loads[i].http[node]);
    }
}

static void step(const char *event)
{
    for (int node = 0; node < 2; node++) {
        reload(node, event);
        let_go_on();
    }
}

/* ---- the signing key ---- */

static void replace_secret(void)
{
    write_secrets(OLD_SECRET "\n", NEW_SECRET "\n");
    step("config.secrets_renewed");
    write_secrets(NEW_SECRET "\n", OLD_SECRET "\n");
    step("config.secrets_renewed");
}

/* ---- the password of Redis ---- */

/* No connection is older than that. */
static bool has_only_new_clients(const void *with)
{
    const int64_t *after = with;
    redisReply *reply = redis_server_ask(redis, "CLIENT LIST TYPE normal");
    bool yes = true;

    for (const char *line = reply->str; line && *line; line = strchr(line, '\n') + 1) {
        const char *user = strstr(line, " user=app");
        if (user && user < strchr(line, '\n') && strtoll(line + 3, NULL, 10) <= *after)
            yes = false;
    }
    freeReplyObject(reply);
    return yes;
}

static void replace_redis_password(void)
{
    redis_server_do(redis, "ACL SETUSER app >two");
    int64_t after = redis_server_ask_integer(redis, "CLIENT ID");
    write_redis_password("two");
    step("config.login_renewed of=redis");
    stand_wait(has_only_new_clients, &after, "all connections are new");
    redis_server_do(redis, "ACL SETUSER app <one");
    let_go_on();
}

/* ---- the password of PostgreSQL ---- */

static bool has_only_new_backends(const void *with)
{
    return postgres_server_ask_integer(postgres, POSTGRES_DATABASE,
                                       "SELECT count(*) FROM pg_stat_activity WHERE usename = '%s'"
                                       " AND backend_start < '%s'::timestamptz",
                                       POSTGRES_USER, (const char *)with) == 0;
}

static void replace_postgres_password(void)
{
    postgres_server_do(postgres, POSTGRES_DATABASE, "ALTER ROLE %s PASSWORD 'two'", POSTGRES_USER);
    char *now = postgres_server_ask_text(postgres, POSTGRES_DATABASE, "SELECT now()::text");
    write_postgres_password("two");
    step("config.login_renewed of=users");
    stand_wait(has_only_new_backends, now, "all connections are new");
    free(now);
    let_go_on();
}

/* ---- an API key ---- */

static void run(const char *const *arguments, struct cw_result *result_out)
{
    cw_run(&(struct cw_command){.arguments = arguments,
                                .environment = environment,
                                .directory = folder},
           result_out);
    ck_assert_msg(result_out->status == 0, "%s", result_out->err);
}

static void make_key(const char *name, const char *scope, char header_out[STAND_KEY_SIZE])
{
    struct cw_result result;

    run((const char *const[]){"key", "create", name, "--scope", scope, NULL}, &result);
    const char *key = strstr(result.out, "cwk_");
    ck_assert_ptr_nonnull(key);
    snprintf(header_out, STAND_KEY_SIZE, "x-api-key: %.*s", (int)strcspn(key, "\n"), key);
    cw_result_fini(&result);
}

static void replace_key(void)
{
    char old[STAND_KEY_SIZE], new[STAND_KEY_SIZE];
    struct cw_result result;

    make_key("prometheus-2", "metrics", new);
    pthread_mutex_lock(&key_lock);
    memcpy(old, key_header, sizeof old);
    memcpy(key_header, new, sizeof new);
    pthread_mutex_unlock(&key_lock);
    let_go_on(); /* nobody sends the old one any more */
    run((const char *const[]){"key", "revoke", "prometheus", NULL}, &result);
    cw_result_fini(&result);
    let_go_on();
}

/* ---- both nodes ---- */

static void open_all(void)
{
    static const char *const names[] = {"JWT_SECRET", "REDIS_URL", "DATABASE_URL"};
    static const char *const files[] = {"secret", "redis", "database"};

    folder = cw_directory_new();
    redis = redis_server_start(NULL);
    redis_server_do(redis, "ACL SETUSER app on >one ~* &* +@all");
    postgres = postgres_server_start(&(struct postgres_server_options){.tcp = true});
    for (int i = 0; i < 3; i++)
        snprintf(variables[i], sizeof variables[i], "%s_FILE=%s/%s", names[i], folder, files[i]);
    snprintf(variables[3], sizeof variables[3], "JWT_PREVIOUS_SECRETS_FILE=%s/previous", folder);
    write_secrets(OLD_SECRET "\n", "");
    write_redis_password("one");
    write_postgres_password(POSTGRES_PASSWORD);
    for (int node = 0; node < 2; node++)
        cw_server_start(&nodes[node], &(struct cw_server_options){.environment = environment});
    make_key("prometheus", "metrics", key_header);
}

static void close_all(void)
{
    for (int node = 0; node < 2; node++)
        cw_server_stop(&nodes[node]);
    postgres_server_stop(&postgres);
    redis_server_stop(&redis);
    cw_directory_remove(&folder);
}

static int status_with(int node, const char *token)
{
    char bearer[TOKEN_SIZE + 32];
    struct http_client *http = http_client_new(nodes[node].base_url);

    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token);
    int status = http_get(http, "/api/cache/status/", bearer)->status;
    http_client_free(&http);
    return status;
}

/* ---- what else is signed: a lease, and a backup ---- */

static char lease[600], backup[64], admin[STAND_KEY_SIZE];

static const struct http_reply *ask_node(int node, struct http_client **http_out,
                                         const char *method, const char *target,
                                         const char *const *headers, const char *body)
{
    *http_out = http_client_new(nodes[node].base_url);
    return http_send(*http_out, method, target, headers, body, body ? strlen(body) : 0);
}

/* On node 0, of a label that nobody has stored. */
static void take_lease_and_backup(const char *token)
{
    char bearer[TOKEN_SIZE + 32], id[TOKEN_SIZE];
    struct http_client *http;

    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token);
    const struct http_reply *reply = ask_node(0, &http, "GET", "/api/v1/entries/late",
                                              (const char *const[]){bearer, NULL}, NULL);
    ck_assert_int_eq(reply->status, 404);
    snprintf(lease, sizeof lease, "X-Cache-Lease: %s", http_header(reply, "X-Cache-Lease"));
    http_client_free(&http);

    make_key("operator", "admin", admin);
    reply = ask_node(0, &http, "POST", "/api/v1/backups", (const char *const[]){admin, NULL}, NULL);
    ck_assert_msg(reply->status == 201, "%d %s", reply->status, reply->body);
    take(reply->body, "id", id);
    snprintf(backup, sizeof backup, "%.60s", id);
    http_client_free(&http);
}

static int fill_with_lease(const char *token)
{
    char bearer[TOKEN_SIZE + 32];
    struct http_client *http;

    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token);
    int status = ask_node(0, &http, "PUT", "/api/v1/entries/late",
                          (const char *const[]){bearer, lease, NULL}, "value")
                     ->status;
    http_client_free(&http);
    return status;
}

static bool is_listed(void)
{
    struct http_client *http;
    const struct http_reply *reply =
        ask_node(0, &http, "GET", "/api/v1/backups", (const char *const[]){admin, NULL}, NULL);

    ck_assert_int_eq(reply->status, 200);
    bool yes = strstr(reply->body, backup) != NULL;
    http_client_free(&http);
    return yes;
}

/* Signed on node 0. */
static void sign_one(char token_out[TOKEN_SIZE])
{
    struct load one = {.number = 0, .http = {http_client_new(nodes[0].base_url)}};

    sign_in(&one, 0);
    ck_assert_str_eq(one.failure, "");
    memcpy(token_out, one.access, TOKEN_SIZE);
    http_client_free(&one.http[0]);
}

START_TEST(secrets_are_replaced_under_load)
{
    char old[TOKEN_SIZE], new[TOKEN_SIZE];

    open_all();
    begin_load();
    let_go_on();
    sign_one(old);
    take_lease_and_backup(old);
    replace_secret();
    ck_assert(is_listed());
    ck_assert_int_lt(fill_with_lease(old), 300);
    replace_redis_password();
    replace_postgres_password();
    replace_key();
    end_load();

    sign_one(new);
    ck_assert_int_eq(status_with(1, old), 200);
    write_secrets(NEW_SECRET "\n", "");
    for (int node = 0; node < 2; node++) {
        reload(node, "config.secrets_renewed");
        ck_assert_int_eq(status_with(node, old), 401);
        ck_assert_int_eq(status_with(node, new), 200);
    }
    ck_assert(!is_listed());
    ck_assert_int_eq(fill_with_lease(new), 400);
    close_all();
}
END_TEST

/* Redis and PostgreSQL refuse it: what is there serves on, and the log tells. */
START_TEST(wrong_passwords_are_told_and_harm_nobody)
{
    char token[TOKEN_SIZE];

    open_all();
    begin_load();
    let_go_on();
    write_redis_password("wrong");
    write_postgres_password("wrong");
    for (int node = 0; node < 2; node++) {
        reload(node, "config.login_renewed of=users");
        let_go_on();
        cw_server_wait_log(&nodes[node], "event=users.login_fails");
        cw_server_wait_log(&nodes[node], "event=redis.no_more_connections");
    }
    end_load();
    write_redis_password("one");
    write_postgres_password(POSTGRES_PASSWORD);
    for (int node = 0; node < 2; node++)
        reload(node, "config.login_renewed of=users");
    sign_one(token);
    ck_assert_int_eq(status_with(1, token), 200);
    close_all();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/rotate");
    TCase *all = tcase_create("all");
    tcase_add_test(all, secrets_are_replaced_under_load);
    tcase_add_test(all, wrong_passwords_are_told_and_harm_nobody);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
