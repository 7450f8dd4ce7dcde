/* Jobs from outside: a cache with a prefix is emptied while others go on, and nodes are killed under it. */
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH "/api/v1/caches/sessions/flush"
#define CONFIG                                                                 \
    "caches = ( { name = \"messages\"; keys = [ \"whatsapp:{env}:in\" ]; },\n" \
    "           { name = \"sessions\"; prefix = \"sess:{env}:\"; } );\n"
#define SLOW "jobs: { duty_percent = 1; };\n"

static struct stand stand;
static char key[STAND_KEY_SIZE], other_key[STAND_KEY_SIZE];

static void open_with(const char *config)
{
    stand_open(&stand, &(struct stand_options){.config = config});
    stand_key(&stand, key, "deploy", (const char *const[]){"--scope", "flush", NULL});
    stand_key(&stand, other_key, "other", (const char *const[]){"--scope", "flush", NULL});
}

static void fill(int count)
{
    redis_server_do(stand.redis, "EVAL %s 0 %d",
                    "for i = 1, ARGV[1] do redis.call('SET', 'sess:development:' .. i, 'x') end",
                    count);
}

static int64_t left(void)
{
    return redis_server_ask_integer(stand.redis, "EVAL %s 0",
                                    "return #redis.call('KEYS', 'sess:development:*')");
}

struct seen {
    char state[16], reason[64];
    long long removed, scanned, would_remove;
    double progress;
    bool is_finished;
};

static void read_job(const char *body, struct seen *seen_out)
{
    json_t *job = json_loads(body, 0, NULL);
    const char *reason = json_string_value(json_object_get(job, "reason"));
    ck_assert_msg(json_is_object(job), "%s", body);
    snprintf(seen_out->state, sizeof seen_out->state, "%s",
             json_string_value(json_object_get(job, "state")));
    snprintf(seen_out->reason, sizeof seen_out->reason, "%s", reason ? reason : "");
    seen_out->removed = json_integer_value(json_object_get(job, "removed"));
    seen_out->scanned = json_integer_value(json_object_get(job, "scanned"));
    seen_out->would_remove = json_integer_value(json_object_get(job, "wouldRemove"));
    seen_out->progress = json_number_value(json_object_get(job, "progress"));
    seen_out->is_finished = json_is_string(json_object_get(job, "finished_at"));
    json_decref(job);
}

/* Starts a job; its path. */
static void start(const char *target, char location_out[96])
{
    const struct http_reply *reply = http_post(stand.http, target, key);
    struct seen seen;
    expect_status(reply, 202);
    snprintf(location_out, 96, "%s", http_header(reply, "Location"));
    ck_assert_int_eq(strncmp(location_out, "/api/v1/jobs/", 13), 0);
    ck_assert_ptr_nonnull(strstr(reply->body, location_out + 13));
    read_job(reply->body, &seen);
    ck_assert_str_eq(seen.state, "running");
    ck_assert(!seen.is_finished);
}

struct watched {
    const char *location;
    struct http_client *http;
    struct seen *seen;
    bool wants_end;
};

static bool is_so(const void *with)
{
    const struct watched *watched = with;
    const struct http_reply *reply = http_get(watched->http, watched->location, key);
    expect_status(reply, 200);
    read_job(reply->body, watched->seen);
    return watched->wants_end ? strcmp(watched->seen->state, "running") != 0
                              : watched->seen->removed > 0;
}

/* The end is told to the audit behind the answer that has it. */
static bool is_told(const void *target)
{
    const struct http_reply *reply = http_get(stand.http, "/api/v1/audit", stand.root.bearer);
    return reply->status == 200 && strstr(reply->body, "\"job.end\"") &&
           strstr(reply->body, target);
}

static void await(struct http_client *http, const char *location, bool wants_end, struct seen *seen)
{
    struct watched watched = {location, http, seen, wants_end};
    stand_wait(is_so, &watched, wants_end ? "the job has ended" : "the job has begun");
}

START_TEST(a_prefix_is_emptied)
{
    char location[96];
    struct seen seen;
    open_with(CONFIG);
    fill(20000);
    redis_server_do(stand.redis, "MSET sess:production:1 x other x");
    start(FLUSH "?dry_run=true", location);
    await(stand.http, location, true, &seen);
    ck_assert_str_eq(seen.state, "done");
    ck_assert_int_eq(seen.would_remove, 20000);
    ck_assert_int_eq(seen.removed, 0);
    start(FLUSH, location);
    await(stand.http, location, true, &seen);
    ck_assert_str_eq(seen.state, "done");
    ck_assert_int_eq(seen.removed, 20000);
    ck_assert_int_ge(seen.scanned, 20000);
    ck_assert(seen.progress >= 1);
    ck_assert(seen.is_finished);
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS sess:production:1 other"), 2);
    stand_wait(is_told, "\"target\":\"sessions\"", "the end is in the audit");
    expect_body_has(http_get(stand.http, "/api/v1/caches", stand.root.bearer), 200,
                    "\"kind\":\"prefix\",\"keys\":null,\"last_flush\":{\"by\":\"deploy\"");
    expect_body_has(http_get(stand.http, "/metrics", stand.root.bearer), 200,
                    "cachewarden_jobs_removed_keys_total 20000");
    stand_close(&stand);
}
END_TEST

START_TEST(one_at_a_time_and_its_starters)
{
    char location[96];
    struct seen seen;
    open_with(CONFIG SLOW);
    fill(100000);
    start(FLUSH, location);
    expect_body_has(http_post(stand.http, FLUSH, key), 409, location + 13);
    static const char *const methods[] = {"GET", "DELETE"};
    for (int i = 0; i < 2; i++) {
        expect_status(http_call(stand.http, methods[i], location, NULL), 401);
        expect_status(http_call(stand.http, methods[i], location, other_key), 403);
        expect_status(http_call(stand.http, methods[i], location, stand.alice.bearer), 403);
        expect_status(
            http_call(stand.http, methods[i], "/api/v1/jobs/0123456789abcdef0123456789abcdef", key),
            404);
        expect_status(http_call(stand.http, methods[i], "/api/v1/jobs/%2e%2e", key), 404);
    }
    expect_status(http_post(stand.http, location, key), 405);
    await(stand.http, location, false, &seen);
    expect_body_has(http_call(stand.http, "DELETE", location, stand.root.bearer), 200,
                    "\"reason\":\"cancelled\"");
    await(stand.http, location, true, &seen);
    ck_assert_str_eq(seen.state, "failed");
    ck_assert_str_eq(seen.reason, "cancelled");
    ck_assert_int_gt(left(), 0);
    stand_close(&stand);
}
END_TEST

/* ---- clears by pattern ---- */

static void put(const char *label, const char *who)
{
    char target[128];
    const char *headers[] = {who, "Content-Type: text/plain", NULL};
    snprintf(target, sizeof target, "/api/v1/entries/%s", label);
    ck_assert_int_eq(http_send(stand.http, "PUT", target, headers, "x", 1)->status / 100, 2);
}

static void expect_entry(const char *label, const char *who, int status)
{
    char target[128];
    snprintf(target, sizeof target, "/api/v1/entries/%s", label);
    expect_status(http_get(stand.http, target, who), status);
}

static bool is_over(const void *with)
{
    const struct watched *watched = with;
    read_job(http_get(stand.http, watched->location, stand.alice.bearer)->body, watched->seen);
    return strcmp(watched->seen->state, "running") != 0;
}

/* As alice. */
static void clear(const char *query, int removed)
{
    char target[128], location[96];
    struct seen seen;
    struct watched watched = {location, stand.http, &seen, true};
    snprintf(target, sizeof target, "/api/v1/entries%s", query);
    const struct http_reply *reply = http_call(stand.http, "DELETE", target, stand.alice.bearer);
    expect_status(reply, 202);
    snprintf(location, sizeof location, "%s", http_header(reply, "Location"));
    stand_wait(is_over, &watched, "the job has ended");
    ck_assert_str_eq(seen.state, "done");
    ck_assert_int_eq(seen.removed, removed);
    expect_status(http_get(stand.http, location, stand.bob.bearer), 403);
}

START_TEST(labels_that_match_are_dropped)
{
    static const char *const bad[] = {"?pattern=",           "?pattern=%0a", "?pattern=%ff",
                                      "?pattern=a*b*c*d*e*", "?patern=*",    "?pattern=a&pattern=b",
                                      "?pattern=*&x=1",      "?pattern",     "?pattern=%5Bab",
                                      "?pattern=%5B!a%5D",   "?pattern=a%5C"};
    static const char *const labels[] = {"products:1", "products:22", "users:1",
                                         "a%2Fb",      "%2A",         "%5B"};
    char target[96], shop[STAND_KEY_SIZE];
    open_with("limits: { enabled = false; };\n" CONFIG);
    stand_key(&stand, shop, "shop",
              (const char *const[]){"--scope", "entries", "--namespace", "shop", NULL});
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        put(labels[i], stand.alice.bearer);
        put(labels[i], stand.bob.bearer);
        put(labels[i], shop);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(target, sizeof target, "/api/v1/entries%s", bad[i]);
        expect_status(http_call(stand.http, "DELETE", target, stand.alice.bearer), 400);
    }
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        expect_entry(labels[i], stand.alice.bearer, 200);
    expect_status(http_call(stand.http, "DELETE", "/api/v1/entries?pattern=*&namespace=app:shop",
                            stand.alice.bearer),
                  403);
    clear("?pattern=products:*", 2);
    expect_entry("products:1", stand.alice.bearer, 404);
    expect_entry("users:1", stand.alice.bearer, 200);
    clear("?pattern=%5C*", 1);
    expect_entry("%2A", stand.alice.bearer, 404);
    clear("?pattern=%5B%5B%5D", 1);
    expect_entry("%5B", stand.alice.bearer, 404);
    clear("?pattern=a%2F?", 1);
    clear("?pattern=*", 1);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        expect_entry(labels[i], stand.alice.bearer, 404);
        expect_entry(labels[i], stand.bob.bearer, 200);
        expect_entry(labels[i], shop, 200);
    }
    expect_status(http_get(stand.http, "/auth/me", stand.alice.bearer), 200);
    stand_close(&stand);
}
END_TEST

/* ---- nodes ---- */

static void start_other(struct cw_server *other)
{
    const char *environment[sizeof stand.environment / sizeof *stand.environment + 1];
    char database[320];
    size_t count = 0;
    snprintf(database, sizeof database, "DATABASE_URL=sqlite:%s/users.db", stand.directory);
    environment[count++] = database;
    for (char **variable = stand.environment; *variable; variable++)
        environment[count++] = *variable;
    environment[count] = NULL;
    cw_server_start(other,
                    &(struct cw_server_options){.environment = environment, .config = CONFIG});
}

/* It was killed: what it had at hand is done once more, and counted by whoever removes it. */
START_TEST(another_node_goes_on_after_a_kill)
{
    char location[96];
    struct seen seen;
    struct cw_server other;
    open_with(CONFIG SLOW);
    fill(100000);
    start(FLUSH, location);
    await(stand.http, location, false, &seen);
    start_other(&other);
    cw_server_signal(&stand.server, SIGKILL);
    ck_assert_int_eq(cw_server_wait(&stand.server), -SIGKILL);
    /* Its claim ends by itself, and sooner here. */
    int64_t left_ms = redis_server_ask_integer(stand.redis, "PTTL cw:jobs:runner");
    ck_assert_int_ne(left_ms, -1);
    ck_assert_int_le(left_ms, 10000);
    redis_server_do(stand.redis, "PEXPIRE cw:jobs:runner 1");
    struct http_client *http = http_client_new(other.base_url);
    await(http, location, true, &seen);
    ck_assert_str_eq(seen.state, "done");
    ck_assert_int_eq(left(), 0);
    /* A step or two of the dead one may not have been told. */
    ck_assert_int_ge(seen.removed, 100000 - 2000);
    ck_assert_int_le(seen.removed, 100000);
    http_client_free(&http);
    cw_server_stop(&other);
    stand_close(&stand);
}
END_TEST

START_TEST(a_stopped_node_hands_its_job_over)
{
    char location[96];
    struct seen seen;
    struct cw_server other;
    open_with(CONFIG SLOW);
    fill(50000);
    start(FLUSH, location);
    await(stand.http, location, false, &seen);
    start_other(&other);
    cw_server_stop(&stand.server);
    struct http_client *http = http_client_new(other.base_url);
    await(http, location, true, &seen);
    ck_assert_str_eq(seen.state, "done");
    ck_assert_int_eq(seen.removed, 50000);
    http_client_free(&http);
    cw_server_stop(&other);
    stand_close(&stand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobs");
    TCase *all = tcase_create("jobs");
    tcase_add_test(all, a_prefix_is_emptied);
    tcase_add_test(all, one_at_a_time_and_its_starters);
    tcase_add_test(all, labels_that_match_are_dropped);
    tcase_add_test(all, another_node_goes_on_after_a_kill);
    tcase_add_test(all, a_stopped_node_hands_its_job_over);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
