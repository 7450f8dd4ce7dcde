/*
 * Who is told what when something fails. Strangers learn that it is not their fault, and nothing of what is
 * inside; the log has a warning with the cause; and what is no failure is logged as log.access says.
 */
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <jansson.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SAYS_503 "{\"detail\":\"Service temporarily unavailable.\"}"
#define PERSON   "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}"
#define NEWCOMER \
    "{\"username\":\"new\",\"email\":\"new@example.com\",\"password\":\"" STAND_PASSWORD "\"}"

static const struct {
    const char *method, *path, *json;
    const char *may_tell; /* what its answer is about */
} strangers[] = {
    {"POST", "/auth/register", NEWCOMER, NULL},
    {"POST", "/auth/login", PERSON, NULL},
    {"POST", "/auth/refresh", "{\"refresh_token\":\"%s\"}", NULL},
    {"POST", "/api/token/", PERSON, NULL},
    {"POST", "/api/token/refresh/", "{\"refresh\":\"%s\"}", NULL},
    {"POST", "/api/token/verify/", "{\"token\":\"%s\"}", NULL},
    {"GET", "/health", NULL, "redis memory timeout refused database"},
    {"GET", "/health/live", NULL, NULL},
    {"GET", "/health/ready", NULL, "redis memory timeout refused database"},
    {"GET", "/api/schema", NULL, "everything"},
};
enum { STRANGERS = sizeof strangers / sizeof *strangers };

/* Of what is behind us, and of what goes wrong there. */
static const char *const inner[] = {
    "disk", "database",  "sqlite", "redis", "i/o",      "lock", "full",    "readonly",
    "oom",  "maxmemory", "memory", "errno", "users.db", "/tmp", "refused", "timeout"};

static struct stand stand;
static char refresh[2048];
static int ends[2]; /* the log: a pipe, for files cannot be written in one of the tests */
static char text[1 << 18];

static void open_with(const char *const *environment)
{
    ck_assert_int_eq(pipe(ends), 0);
    stand_open(&stand, &(struct stand_options){.environment = environment, .log_fd = ends[1]});
    close(ends[1]);
    const struct http_reply *reply = http_post_json(stand.http, "/auth/login", NULL, PERSON);
    expect_status(reply, 200);
    json_t *body = json_loads(reply->body, 0, NULL);
    snprintf(refresh, sizeof refresh, "%s",
             json_string_value(json_object_get(body, "refresh_token")));
    json_decref(body);
}

static void open_stand(void)
{
    open_with((const char *const[]){"CACHEWARDEN_USERS_REGISTRATION=open", NULL});
}

static void open_hasty(void)
{
    open_with(
        (const char *const[]){"CACHEWARDEN_USERS_REGISTRATION=open", STAND_DEFAULT_TIMEOUTS, NULL});
}

/* The whole log; the server has ended. */
static const char *take_log(void)
{
    size_t size = 0;
    ssize_t got;
    stand_close(&stand);
    while ((got = read(ends[0], text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)got;
    text[size] = '\0';
    close(ends[0]);
    return text;
}

/* An answer that hands out tokens tells of no failure, and their letters make any short word by chance. */
static bool hands_out_tokens(const struct http_reply *reply)
{
    return reply->status == 200 && strstr(reply->body, "\"access");
}

static void expect_discreet(size_t index, const struct http_reply *reply)
{
    if (hands_out_tokens(reply))
        return;
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
        const char *may_tell = strangers[index].may_tell;
        if (may_tell && (strcmp(may_tell, "everything") == 0 || strstr(may_tell, inner[i])))
            continue;
        ck_assert_msg(!strcasestr(reply->body, inner[i]), "%s says \"%s\": %d %s",
                      strangers[index].path, inner[i], reply->status, reply->body);
    }
}

/* Asks what strangers may ask; `failing` must fail, others may. */
static void ask_as_stranger(const char *failing)
{
    char json[4096];
    for (size_t i = 0; i < STRANGERS; i++) {
        const char *body = strangers[i].json;
        if (body)
            snprintf(json, sizeof json, body, refresh);
        const struct http_reply *reply =
            body ? http_post_json(stand.http, strangers[i].path, NULL, json)
                 : http_call(stand.http, strangers[i].method, strangers[i].path, NULL);
        ck_assert_msg(reply->status != 0, "%s: %s", strangers[i].path, reply->failure);
        expect_discreet(i, reply);
        if (strcmp(strangers[i].path, failing) == 0)
            expect_status(reply, 503);
        if (reply->status >= 500) {
            expect_body(reply, 503, SAYS_503);
            ck_assert_int_eq(http_header_count(reply, "Retry-After"), 1);
        }
    }
}

/* Every failed request is a warning with its cause, and one has these words in it. */
static void expect_warned(const char *log, const char *path, const char *cause)
{
    bool found = false;
    for (const char *line = log; *line; line += strcspn(line, "\n") + 1) {
        char one[8192];
        snprintf(one, sizeof one, "%.*s", (int)strcspn(line, "\n"), line);
        if (!strstr(one, "event=http.request") || !strstr(one, " status=5"))
            continue;
        ck_assert_msg(strstr(one, "level=warn ") && strstr(one, " detail="), "%s", one);
        found |= strstr(one, path) && strstr(one, cause);
        if (!strchr(line, '\n'))
            break;
    }
    ck_assert_msg(found, "no warning about %s with \"%s\" in:\n%.3000s", path, cause, log);
}

START_TEST(strangers_are_these)
{
    struct cw_result result;
    size_t index, count = 0;
    json_t *route;

    cw_run(&(struct cw_command){.arguments = (const char *const[]){"routes", "--json", NULL}},
           &result);
    json_t *routes = json_loads(result.out, 0, NULL);
    json_array_foreach(routes, index, route)
    {
        if (strcmp(json_string_value(json_object_get(route, "permission")), "public") != 0)
            continue;
        const char *path = json_string_value(json_object_get(route, "path"));
        bool known = false;
        for (size_t i = 0; i < STRANGERS; i++)
            known |= strcmp(strangers[i].path, path) == 0;
        ck_assert_msg(known, "%s is public and in no test of this file", path);
        count++;
    }
    ck_assert_uint_eq(count, STRANGERS);
    json_decref(routes);
    cw_result_fini(&result);
}
END_TEST

START_TEST(the_disk_is_full)
{
    struct rlimit none;
    open_stand();
    /* No file may grow any more. */
    ck_assert_int_eq(prlimit(stand.server.pid, RLIMIT_FSIZE, NULL, &none), 0);
    none.rlim_cur = 0;
    ck_assert_int_eq(prlimit(stand.server.pid, RLIMIT_FSIZE, &none, NULL), 0);
    ask_as_stranger("/auth/register");
    expect_warned(take_log(), "/auth/register", "users database: reading or writing it failed");
}
END_TEST

START_TEST(the_users_database_is_locked)
{
    char path[512];
    sqlite3 *database;
    open_stand();
    snprintf(path, sizeof path, "%s/users.db", stand.directory);
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, PATIENCE_MS);
    ck_assert_int_eq(sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ask_as_stranger("/auth/register");
    sqlite3_close(database);
    expect_warned(take_log(), "/auth/register", "another program keeps it locked");
}
END_TEST

static void fill_redis(void)
{
    redis_server_do(stand.redis, "CONFIG SET maxmemory 1");
}

static void pause_redis(void)
{
    redis_server_pause(stand.redis);
}

static void kill_redis(void)
{
    redis_server_kill(stand.redis);
}

static const struct {
    void (*begin)(void);
    const char *cause;
} redis_troubles[] = {
    {fill_redis, "cause=\"redis out of memory\""},
    {pause_redis, "cause=\"redis "}, /* timeout, or unavailable where that is known already */
    {kill_redis, "cause=\"redis unavailable\""},
};

START_TEST(redis_is_in_trouble)
{
    (redis_troubles[_i].begin == pause_redis ? open_hasty : open_stand)();
    redis_troubles[_i].begin();
    ask_as_stranger("/auth/refresh");
    expect_body(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 500,
                "{\"error\":\"Failed to clear cache\"}");
    if (redis_troubles[_i].begin == pause_redis)
        redis_server_resume(stand.redis);
    const char *log = take_log();
    expect_warned(log, "/auth/refresh", redis_troubles[_i].cause);
    expect_warned(log, "/api/cache/clear/", redis_troubles[_i].cause);
}
END_TEST

/* ---- log.access ---- */

static int lines_with(const char *log, const char *one, const char *other)
{
    int count = 0;
    for (const char *line = log; (line = strstr(line, one)); line++) {
        size_t size = strcspn(line, "\n");
        count += memmem(line, size, other, strlen(other)) != NULL;
    }
    return count;
}

static const struct {
    const char *set;
    int good, refused;
} choices[] = {{"all", 2, 2}, {"failed", 0, 2}, {"off", 0, 0}};

/* By the environment first, by SIGHUP then. */
START_TEST(what_is_asked_for_is_logged)
{
    struct cw_server server;
    char config[64];

    snprintf(config, sizeof config, "log: { access = \"%s\"; };\n", choices[_i].set);
    cw_server_start(&server, &(struct cw_server_options){.config = config});
    struct http_client *http = http_client_new(server.base_url);
    for (int i = 0; i < 2; i++) {
        expect_status(http_get(http, "/health/live", NULL), 200);
        expect_status(http_get(http, "/health/ready", NULL), 200);
        expect_status(http_get(http, "/api/schema", NULL), 200);
        expect_status(http_get(http, "/auth/me", NULL), 401);
        expect_status(http_post_json(http, "/auth/refresh", NULL, "{\"refresh_token\":\"x\"}"),
                      401);
        expect_status(http_post_json(http, "/api/token/verify/", NULL, "{\"token\":\"x\"}"), 401);
        struct raw *raw = raw_open(server.port);
        raw_print(raw, "GET /health/live HTTP/3.0\r\nHost: a\r\n\r\n");
        ck_assert_ptr_nonnull(raw_reply(raw, PATIENCE_MS));
        raw_close(&raw);
    }
    http_client_free(&http);
    cw_server_signal(&server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    char *log = cw_server_log(&server);
    ck_assert_int_eq(lines_with(log, "event=http.request", "path=/health"), 0);
    ck_assert_int_eq(lines_with(log, "event=http.request", "path=/api/schema"), choices[_i].good);
    ck_assert_int_eq(lines_with(log, "event=http.request", "path=/auth/me"), choices[_i].refused);
    free(log);
    cw_server_stop(&server);
}
END_TEST

START_TEST(a_reload_changes_what_is_logged)
{
    struct cw_server server;

    cw_server_start(&server,
                    &(struct cw_server_options){.config = "log: { access = \"off\"; };\n"});
    struct http_client *http = http_client_new(server.base_url);
    expect_status(http_get(http, "/auth/me", NULL), 401);
    /* On the same connection: the one before is over, and what is logged of it decided. */
    expect_status(http_get(http, "/health/live", NULL), 200);
    cw_file_write(server.directory, "test.conf", "log: { access = \"all\"; };\n", 0600);
    cw_server_signal(&server, SIGHUP);
    cw_server_wait_log(&server, "event=config.loaded");
    expect_status(http_get(http, "/auth/me", NULL), 401);
    cw_server_wait_log(&server, "path=/auth/me");
    http_client_free(&http);
    char *log = cw_server_log(&server);
    ck_assert_int_eq(lines_with(log, "event=http.request", "path=/auth/me"), 1);
    free(log);
    cw_server_stop(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("failures told");
    TCase *each = tcase_create("all");
    tcase_add_test(each, strangers_are_these);
    tcase_add_test(each, the_disk_is_full);
    tcase_add_test(each, the_users_database_is_locked);
    tcase_add_loop_test(each, redis_is_in_trouble, 0,
                        sizeof redis_troubles / sizeof *redis_troubles);
    tcase_add_loop_test(each, what_is_asked_for_is_logged, 0, sizeof choices / sizeof *choices);
    tcase_add_test(each, a_reload_changes_what_is_logged);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
