/* A backup is put back over HTTP, and from the shell beside the server that serves. */
#include "cachewarden/clock.h"
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct stand stand;
static char id[64];

static const struct http_reply *call(const char *method, const char *target)
{
    return http_send(stand.http, method, target, (const char *const[]){stand.root.bearer, NULL},
                     NULL, 0);
}

static json_t *answer(const struct http_reply *reply, int status)
{
    expect_status(reply, status);
    json_t *body = json_loads(reply->body, 0, NULL);
    ck_assert_msg(body != NULL, "%s", reply->body);
    return body;
}

static long long number(const json_t *of, const char *name)
{
    const json_t *value = json_object_get(of, name);

    ck_assert_msg(json_is_integer(value), "%s", name);
    return json_integer_value(value);
}

static const char *restore_target(const char *query)
{
    static char target[128];

    snprintf(target, sizeof target, "/api/v1/backups/%s/restore%s", id, query);
    return target;
}

static int sign_in(const char *name)
{
    char body[128];

    snprintf(body, sizeof body, "{\"username\":\"%s\",\"password\":\"" STAND_PASSWORD "\"}", name);
    return http_send(stand.http, "POST", "/auth/login",
                     (const char *const[]){"Content-Type: application/json", NULL}, body,
                     strlen(body))
        ->status;
}

static long long clear_alice(void)
{
    json_t *body = answer(http_send(stand.http, "POST", "/api/cache/clear/",
                                    (const char *const[]){stand.alice.bearer, NULL}, NULL, 0),
                          200);
    long long version = number(body, "version");
    json_decref(body);
    return version;
}

static void open_with_a_backup(void)
{
    struct stand_account eve;

    stand_open(&stand, NULL);
    json_t *made = answer(call("POST", "/api/v1/backups"), 201);
    snprintf(id, sizeof id, "%s", json_string_value(json_object_get(made, "id")));
    json_decref(made);
    stand_account(&stand, &eve, "eve", NULL);
    ck_assert_int_eq(sign_in("eve"), 200);
}

static void close_stand(void)
{
    stand_close(&stand);
}

static void await_sign_in(const char *name, int status)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    while (sign_in(name) != status)
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%s: not %d", name, status);
}

/* Who is called at night finds it in the log. */
static void expect_event(const char *event)
{
    char path[512], line[1024], wanted[128];
    bool is_there = false;

    snprintf(path, sizeof path, "%s/stderr", stand.directory);
    snprintf(wanted, sizeof wanted, "event=%s id=%s users=4 added=0 removed=1 passwords=0", event,
             id);
    FILE *log = fopen(path, "re");
    ck_assert_msg(log != NULL, "%s", path);
    while (fgets(line, sizeof line, log))
        is_there |= strstr(line, wanted) != NULL;
    fclose(log);
    ck_assert_msg(is_there, "%s", wanted);
}

START_TEST(what_is_here_gives_way)
{
    long long version = clear_alice();
    json_t *would = answer(call("POST", restore_target("?dry_run=true")), 200);

    ck_assert_int_eq(number(would, "users"), 4);
    ck_assert_int_eq(number(would, "users_removed"), 1);
    ck_assert(json_is_true(json_object_get(would, "dry_run")));
    ck_assert_str_eq(json_string_value(json_object_get(would, "redis")), "untouched");
    json_decref(would);
    ck_assert_int_eq(sign_in("eve"), 200);

    json_t *body = answer(call("POST", restore_target("")), 200);
    ck_assert_uint_eq(json_object_size(body), 12);
    ck_assert_str_eq(json_string_value(json_object_get(body, "id")), id);
    ck_assert_int_eq(number(body, "users"), 4);
    ck_assert_int_eq(number(body, "users_removed"), 1);
    ck_assert_str_eq(json_string_value(json_object_get(body, "redis")), "restored");
    json_decref(body);
    expect_event("backup.restored");
    await_sign_in("eve", 401);
    ck_assert_int_eq(sign_in("alice"), 200);
    ck_assert_int_gt(clear_alice(), version + 1);
    const struct http_reply *reply = call("GET", "/api/v1/audit?part=changes&limit=100");
    expect_status(reply, 200);
    const char *record = strstr(reply->body, "\"backups.restore\"");
    ck_assert_msg(record && !strstr(record + 1, "\"backups.restore\""), "%s", reply->body);
}
END_TEST

START_TEST(who_may_not_changes_nothing)
{
    expect_status(http_send(stand.http, "POST", restore_target(""),
                            (const char *const[]){stand.alice.bearer, NULL}, NULL, 0),
                  403);
    expect_status(http_send(stand.http, "POST", restore_target(""), NULL, NULL, 0), 401);
    expect_status(call("POST", restore_target("?dry_run=maybe")), 400);
    expect_status(call("POST", "/api/v1/backups/20200101T000000Z-00000001/restore"), 404);
    expect_status(call("POST", "/api/v1/backups/..%2Fusers.db/restore"), 404);
    redis_server_kill(stand.redis);
    expect_status(call("POST", restore_target("")), 503);
    redis_server_restart(stand.redis);
    ck_assert_int_eq(sign_in("eve"), 200);
}
END_TEST

/* A file from elsewhere wants the server to be stopped; a backup of the folder does not. */
START_TEST(from_the_shell_beside_the_server)
{
    struct cw_result result;
    char path[512];

    snprintf(path, sizeof path, "backups/%s.tar.zst", id);
    stand_cli(&stand, NULL, (const char *const[]){"backup", "restore", path, "--yes", NULL},
              &result);
    ck_assert_int_eq(result.status, 1);
    ck_assert_msg(strstr(result.err, "(cachewarden) has the users database open; stop the server "
                                     "first"),
                  "%s", result.err);
    cw_result_fini(&result);
    ck_assert_int_eq(sign_in("eve"), 200);
    stand_cli(&stand, NULL, (const char *const[]){"backup", "restore", id, "--yes", NULL}, &result);
    ck_assert_msg(result.status == 0, "%s", result.err);
    ck_assert_msg(strstr(result.err, "has the users database open; it goes on"), "%s", result.err);
    cw_result_fini(&result);
    await_sign_in("eve", 401);
}
END_TEST

/* ---- the server is told to stop ---- */

static void run_sql(const char *sql)
{
    char path[512];
    sqlite3 *database;

    snprintf(path, sizeof path, "%s/users.db", stand.directory);
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, PATIENCE_MS);
    ck_assert_int_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

/* More accounts than are put back while a server stops. */
static void open_with_many(void)
{
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   "CACHEWARDEN_SERVER_DRAIN_S=1",
                                                   "CACHEWARDEN_SERVER_LAME_DUCK_S=0", NULL}});
    run_sql("WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
            " INSERT INTO accounts (id, username, username_key, email, email_key, password_hash,"
            " created_at_s, incarnation) SELECT i, 'u' || i, 'u' || i, 'u' || i || '@example.com',"
            " 'u' || i || '@example.com', 'none', 1700000000, hex(randomblob(8)) FROM n");
    json_t *made = answer(call("POST", "/api/v1/backups"), 201);
    snprintf(id, sizeof id, "%s", json_string_value(json_object_get(made, "id")));
    json_decref(made);
    run_sql("UPDATE accounts SET username = 'eve', username_key = 'eve' WHERE username = 'alice'");
}

/* Whoever makes or restores a backup holds its folder. */
static bool is_under_way(const void *unused)
{
    char path[512], line[256], wanted[64];
    struct stat folder;
    bool is_held = false;

    (void)unused;
    snprintf(path, sizeof path, "%s/backups", stand.directory);
    ck_assert_int_eq(stat(path, &folder), 0);
    snprintf(wanted, sizeof wanted, ":%llu 0 EOF", (unsigned long long)folder.st_ino);
    FILE *locks = fopen("/proc/locks", "re");
    ck_assert_ptr_nonnull(locks);
    while (fgets(line, sizeof line, locks))
        is_held |= strstr(line, "FLOCK") && strstr(line, wanted);
    fclose(locks);
    return is_held;
}

static void *send_restore(void *status)
{
    struct http_client *http = http_client_new(stand.server.base_url);

    *(int *)status = http_send(http, "POST", restore_target(""),
                               (const char *const[]){stand.root.bearer, NULL}, NULL, 0)
                         ->status;
    http_client_free(&http);
    return NULL;
}

/* Who asked learns what became of it, and that is so. */
START_TEST(a_server_that_stops_gives_up)
{
    pthread_t thread;
    int status = 0;

    ck_assert_int_eq(pthread_create(&thread, NULL, send_restore, &status), 0);
    stand_wait(is_under_way, NULL, "the restore has begun");
    cw_server_signal(&stand.server, SIGTERM);
    pthread_join(thread, NULL);
    ck_assert_msg(status == 503 || status == 200, "%d", status);
    ck_assert_int_eq(cw_server_wait(&stand.server), 0);
    cw_server_stop(&stand.server);
    cw_server_start(&stand.server, &(struct cw_server_options){
                                       .environment = (const char *const *)stand.environment,
                                       .directory = stand.directory});
    http_client_free(&stand.http);
    stand.http = http_client_new(stand.server.base_url);
    ck_assert_int_eq(sign_in("eve"), status == 503 ? 200 : 401);
    ck_assert_int_eq(sign_in("alice"), status == 503 ? 401 : 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/restore");
    TCase *tcase = tcase_create("restore");

    tcase_add_checked_fixture(tcase, open_with_a_backup, close_stand);
    tcase_add_test(tcase, what_is_here_gives_way);
    tcase_add_test(tcase, who_may_not_changes_nothing);
    tcase_add_test(tcase, from_the_shell_beside_the_server);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("stop");
    tcase_add_checked_fixture(tcase, open_with_many, close_stand);
    tcase_add_test(tcase, a_server_that_stops_gives_up);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
