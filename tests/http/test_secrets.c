/*
 * Canaries: secrets of every kind go through the program, in good and in failing
 * requests, at the most talkative log level. None of them may turn up in the log, in an answer that
 * is not theirs, in the audit, or in what /proc shows of the process; passwords do not even stay in
 * its memory.
 */
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JWT_CANARY      "canary-of-the-signing-key-0123456789abcdef"
#define REDIS_CANARY    "canary-of-redis-0123456789"
#define PASSWORD_CANARY "canary-of-a-password-0123456789"
#define WRONG_CANARY    "canary-of-a-wrong-password"

struct canaries {
    char list[16][MINT_SIZE];
    size_t count;
};

static struct stand stand;
static struct canaries canaries;

static const char *remember(const char *secret)
{
    ck_assert_uint_lt(canaries.count, 16);
    snprintf(canaries.list[canaries.count], MINT_SIZE, "%s", secret);
    return canaries.list[canaries.count++];
}

static void expect_none(const char *text, size_t size, const char *where)
{
    for (size_t i = 0; i < canaries.count; i++)
        ck_assert_msg(memmem(text, size, canaries.list[i], strlen(canaries.list[i])) == NULL,
                      "%s tells the secret \"%s\":\n%.4000s", where, canaries.list[i], text);
}

/* The reply must be this, and tell nothing. */
static const struct http_reply *call(const char *method, const char *target, const char *credential,
                                     const char *json, int status)
{
    const char *headers[] = {"Content-Type: application/json", credential, NULL};
    const struct http_reply *reply =
        http_send(stand.http, method, target, headers, json, json ? strlen(json) : 0);
    ck_assert_msg(reply->status == status, "%s %s: %d %s", method, target, reply->status,
                  reply->body);
    if (status >= 400) {
        expect_none(reply->head, strlen(reply->head), target);
        expect_none(reply->body, reply->body_size, target);
    }
    return reply;
}

/* Remembers the tokens of a login answer; the first is the access token. */
static void remember_tokens(const char *body)
{
    for (const char *at = body; (at = strstr(at, "\"eyJ")); at++) {
        char token[MINT_SIZE];
        snprintf(token, sizeof token, "%.*s", (int)strcspn(at + 1, "\""), at + 1);
        remember(token);
        /* The signature alone would do for somebody who knows the rest. */
        remember(strrchr(token, '.') + 1);
    }
}

/* Where a name is expected. The answer may repeat it to who sent it, the log may not. */
static void send_in_the_wrong_place(void)
{
    static const char *const types[] = {"Content-Type: application/x-www-form-urlencoded",
                                        "Content-Type: application/json"};
    static const struct {
        const char *target, *body;
        int type;
    } wrong[] = {
        /* curl -d without -H */
        {"/auth/login", "{\"username\":\"carol\",\"password\":\"" PASSWORD_CANARY "\"}", 0},
        {"/auth/login", WRONG_CANARY "=1", 0},
        {"/auth/login", WRONG_CANARY "=1&" WRONG_CANARY "=1", 0},
        {"/auth/login", WRONG_CANARY "=%zz", 0},
        {"/auth/login", "{\"" WRONG_CANARY "\":1}", 1},
        {"/auth/login?" WRONG_CANARY, "{}", 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *headers[] = {types[wrong[i].type], NULL};
        const struct http_reply *reply = http_send(stand.http, "POST", wrong[i].target, headers,
                                                   wrong[i].body, strlen(wrong[i].body));
        ck_assert_msg(reply->status == 400, "%zu: %d %s", i, reply->status, reply->body);
        if (i == 0)
            ck_assert_str_eq(reply->body, "{\"detail\":\"This looks like JSON: send it with "
                                          "Content-Type: application/json.\"}");
    }
}

static void make_requests(const char *key)
{
    char bearer[MINT_SIZE + 32], forged[MINT_SIZE], body[MINT_SIZE + 32];
    const struct http_reply *reply = call(
        "POST", "/auth/register", NULL,
        "{\"username\":\"carol\",\"email\":\"carol@example.com\",\"password\":\"" PASSWORD_CANARY
        "\"}",
        201);
    remember_tokens(reply->body);
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", canaries.list[canaries.count - 4]);
    snprintf(body, sizeof body, "{\"refresh_token\":\"%s\"}", canaries.list[canaries.count - 2]);

    call("GET", "/api/cache/status/", bearer, NULL, 200);
    call("POST", "/api/cache/clear/", bearer, NULL, 200);
    call("POST", "/api/server-management/clear-cache/", bearer, NULL, 403);
    call("DELETE", "/api/v1/cache", key, NULL, 200);
    call("GET", "/api/v1/audit", key, NULL, 403);
    call("POST", "/auth/login", NULL,
         "{\"username\":\"carol\",\"password\":\"" PASSWORD_CANARY "\",\"x\":1}", 400);
    call("POST", "/auth/login", NULL, "{\"username\":\"carol\",\"password\":\"" WRONG_CANARY "\"}",
         401);
    call("POST", "/auth/login", NULL, "{\"username\":\"carol\",\"password\":\"" WRONG_CANARY, 400);
    call("POST", "/auth/login", NULL,
         "{\"username\":\"" PASSWORD_CANARY "\",\"password\":\"" PASSWORD_CANARY "\"}", 401);
    call("POST", "/auth/register", NULL,
         "{\"username\":\"x y\",\"email\":\"z\",\"password\":\"" PASSWORD_CANARY "\"}", 400);
    call("POST", "/auth/refresh", NULL, body, 200);
    call("POST", "/auth/refresh", NULL, body, 401);
    call("POST", "/auth/password", bearer,
         "{\"old_password\":\"" WRONG_CANARY "\",\"new_password\":\"" PASSWORD_CANARY "\"}", 400);
    call("POST", "/auth/password", bearer,
         "{\"old_password\":\"" PASSWORD_CANARY "\",\"new_password\":\"" PASSWORD_CANARY "2\"}",
         204);
    call("POST", "/auth/logout", bearer, "{\"refresh_token\":\"" WRONG_CANARY "\"}", 400);
    /* A token whose payload nobody signed may still hold something. */
    mint_bearer(forged, "wrong", "{\"password\":\"x\",\"user_id\":1}");
    remember(mint_token(forged));
    call("GET", "/api/cache/status/", forged, NULL, 401);
    call("GET", "/api/cache/status/", "x-api-key: cwk_000000000000_" WRONG_CANARY, NULL, 401);
    call("GET", "/api/cache/status/?access_token=" WRONG_CANARY, NULL, NULL, 401);
    call("GET", "/api/cache/status/?access_token=" WRONG_CANARY, bearer, NULL, 200);
    call("POST", "/auth/logout", bearer, body, 200);
    send_in_the_wrong_place();
}

static void expect_none_in_file(const char *path)
{
    /* Not as a string: /proc separates with NUL. */
    static char bytes[1 << 20];
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    size_t size = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    expect_none(bytes, size, path);
}

START_TEST(no_secret_turns_up)
{
    static const char *const secure[] = {"--requirepass", REDIS_CANARY, NULL};
    char key[STAND_KEY_SIZE], path[512];
    struct redis_server *redis = redis_server_start(&(struct redis_server_options){.args = secure});
    char port[64];
    snprintf(port, sizeof port, "REDIS_PORT=%d", redis_server_port(redis));
    stand_open(&stand,
               &(struct stand_options){
                   .no_redis = true,
                   .environment = (const char *const[]){
                       "REDIS_URL=", "REDIS_HOST=127.0.0.1", port, "REDIS_PASSWORD=" REDIS_CANARY,
                       "JWT_SECRET=" JWT_CANARY, "CACHEWARDEN_USERS_REGISTRATION=open",
                       "CACHEWARDEN_LOG_LEVEL=debug", "CACHEWARDEN_LIMITS_ENABLED=false", NULL}});
    remember(JWT_CANARY);
    remember(REDIS_CANARY);
    remember(PASSWORD_CANARY);
    remember(WRONG_CANARY);
    remember(STAND_PASSWORD);
    stand_key(&stand, key, "robot", (const char *const[]){"--scope", "flush", NULL});
    remember(strrchr(key, '_') + 1);
    make_requests(key);

    /* Redis goes away, and comes back with another password: errors are where secrets slip out. */
    redis_server_kill(redis);
    call("DELETE", "/api/v1/cache", key, NULL, 500);
    call("GET", "/health", NULL, NULL, 200);
    redis_server_restart(redis);
    redisContext *admin = redisConnect("127.0.0.1", redis_server_port(redis));
    freeReplyObject(redisCommand(admin, "AUTH " REDIS_CANARY));
    freeReplyObject(redisCommand(admin, "CONFIG SET requirepass something-else"));
    redisFree(admin);
    call("DELETE", "/api/v1/cache", key, NULL, 500);

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)stand.server.pid);
    expect_none_in_file(path);
    snprintf(path, sizeof path, "/proc/%d/comm", (int)stand.server.pid);
    expect_none_in_file(path);
    http_client_free(&stand.http);
    cw_server_signal(&stand.server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&stand.server), 0);
    char *log = cw_server_log(&stand.server);
    /* It did log: the check below is not of an empty file. */
    ck_assert_msg(strstr(log, "/auth/login") != NULL || strstr(log, "auth.login") != NULL, "%s",
                  log);
    free(log);
    expect_none_in_file(stand.server.log_path);
    expect_none_in_file(stand.server.output_path);
    redis_server_stop(&redis);
    stand_close(&stand);
}
END_TEST

/* ---- memory ---- */

enum { CHUNK_SIZE = 1 << 20, OVERLAP = 64 };

/* Whether `secret` lies anywhere from `start` to `end` in the server's memory. */
static bool is_in_memory(int memory, unsigned long start, unsigned long end, const char *secret)
{
    static char bytes[CHUNK_SIZE];
    for (unsigned long at = start; at < end; at += CHUNK_SIZE - OVERLAP) {
        size_t size = end - at < CHUNK_SIZE ? end - at : CHUNK_SIZE;
        ssize_t got = pread(memory, bytes, size, (off_t)at);
        if (got > 0 && memmem(bytes, (size_t)got, secret, strlen(secret)))
            return true;
    }
    return false;
}

static char where[512]; /* the mapping it was found in last */

static bool is_forgotten(const void *secret)
{
    char path[64], line[512], access[8];
    unsigned long start, end, seen = 0;
    bool is_found = false;
    snprintf(path, sizeof path, "/proc/%d/mem", (int)stand.server.pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(memory >= 0, "%s cannot be read", path);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)stand.server.pid);
    FILE *maps = fopen(path, "re");
    ck_assert_ptr_nonnull(maps);
    while (!is_found && fgets(line, sizeof line, maps)) {
        /* What is larger is a sanitizer's own. */
        if (sscanf(line, "%lx-%lx %7s", &start, &end, access) != 3 ||
            strncmp(access, "rw", 2) != 0 || end - start > 1ul << 30)
            continue;
        seen += end - start;
        is_found = is_in_memory(memory, start, end, secret);
        memcpy(where, line, sizeof where);
    }
    ck_assert(is_found || seen > CHUNK_SIZE);
    fclose(maps);
    close(memory);
    return !is_found;
}

START_TEST(passwords_do_not_stay_in_memory)
{
    static const char json[] = "Content-Type: application/json",
                      form[] = "Content-Type: application/x-www-form-urlencoded";
    static const struct {
        const char *target, *type, *body;
    } requests[] = {
        {"/auth/login", json, "{\"username\":\"alice\",\"password\":\"memory-canary-1\"}"},
        {"/auth/login", form, "email=alice%40example.com&password=memory-canary-1"},
        {"/api/token/", json, "{\"username\":\"nobody\",\"password\":\"memory-canary-1\"}"},
        {"/auth/login", json, "{\"password\":\"memory-canary-1\",\"extra\":1}"},
        {"/auth/login", json, "{\"password\":\"memory-canary-1\""},
        {"/auth/password", json,
         "{\"old_password\":\"memory-canary-1\",\"new_password\":\"memory-canary-1x\"}"},
    };
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   "CACHEWARDEN_LIMITS_ENABLED=false", NULL}});
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const char *headers[] = {requests[i].type, stand.alice.bearer, NULL};
        const struct http_reply *reply = http_send(stand.http, "POST", requests[i].target, headers,
                                                   requests[i].body, strlen(requests[i].body));
        ck_assert_msg(reply->status == 400 || reply->status == 401, "%d", reply->status);
    }
    /* The worker tidies up after it has answered. */
    stand_wait(is_forgotten, "memory-canary-1", where);
    stand_close(&stand);
}
END_TEST

START_TEST(secrets_are_not_taken_from_arguments)
{
    static const char *const commands[][8] = {
        {"user", "add", "x", "--email", "x@example.com", "--password", PASSWORD_CANARY, NULL},
        {"user", "password", "x", PASSWORD_CANARY, NULL},
        {"serve", "--secret", JWT_CANARY, NULL},
        {"flush", "--redis-password", REDIS_CANARY, NULL},
    };
    char *directory = cw_directory_new();
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct cw_result result;
        cw_run(&(struct cw_command){.arguments = commands[i], .directory = directory}, &result);
        ck_assert_msg(result.status == 64, "%s %s: status %d\n%s%s", commands[i][0], commands[i][1],
                      result.status, result.out, result.err);
        cw_result_fini(&result);
    }
    cw_directory_remove(&directory);
}
END_TEST

START_TEST(files_are_private)
{
    char path[600];
    struct stat info;
    static const char *const names[] = {"users.db", "users.db-wal", "users.db-shm",
                                        "users.db.secret"};
    stand_open(&stand,
               &(struct stand_options){.environment = (const char *const[]){"JWT_SECRET=", NULL}});
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", stand.directory, names[i]);
        bool must = i == 0 || i == 3;
        if (stat(path, &info) == 0)
            ck_assert_msg((info.st_mode & 0777) == 0600, "%s has mode %o", names[i],
                          info.st_mode & 0777u);
        else
            ck_assert_msg(!must, "%s is not there", names[i]);
    }
    stand_close(&stand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("secrets");
    TCase *own = tcase_create("a stand of their own");
    tcase_add_test(own, no_secret_turns_up);
    tcase_add_test(own, passwords_do_not_stay_in_memory);
    tcase_add_test(own, secrets_are_not_taken_from_arguments);
    tcase_add_test(own, files_are_private);
    suite_add_tcase(suite, own);
    return suite_run(suite);
}
