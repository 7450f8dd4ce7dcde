/*
 * Failovers of real sentinels, under load: the primary is killed, stands still, or is cut off from everybody. Clears
 * are back within down-after-milliseconds and three seconds. No version comes twice or goes back, no token that was
 * revoked is taken, and what was acknowledged is there afterwards, but for what replication had not passed on when it
 * struck.
 *
 * CW_FAILOVERS=20 makes so many in place of one of each kind, and prints how long each took.
 */
#include "patience.h"
#include "sentinel_set.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BACK_WITHIN_MS = 3000,  /* beyond down-after-milliseconds */
    UNREPLICATED_MS = 1000, /* what is acknowledged so shortly before may be lost */
    ACKS_MAX = 1000000,
    FAULTS = 3,
};
static const char *const faults[FAULTS] = {"killed", "paused", "cut off"};

static struct sentinel_set set;
static struct stand stand;
static char revoked[MINT_SIZE];
static atomic_bool is_over;

/* ---- load ---- */

struct ack {
    int64_t began_ms, ended_ms;
};

/* One who clears; only it appends, and everybody may read what is below `count`. */
static struct ack acks[ACKS_MAX];
static atomic_size_t ack_count, failure_count;
static atomic_int_fast64_t acknowledged;                  /* the version of the last */
static atomic_int_fast64_t wrong_version, version_before; /* what must not be seen */
static atomic_size_t readings, wrong_tokens, token_trials;

static int64_t version_of(const struct http_reply *reply)
{
    const char *text = http_header(reply, "X-Cache-Version");

    return text ? strtoll(text, NULL, 10) : -1;
}

static void note_wrong(int64_t seen, int64_t before)
{
    int_fast64_t none = 0;

    if (atomic_compare_exchange_strong(&wrong_version, &none, seen))
        atomic_store(&version_before, before);
}

static void *clear_all_the_time(void *arg)
{
    struct http_client *http = http_client_new(stand.server.base_url);

    (void)arg;
    while (!atomic_load(&is_over) && atomic_load(&ack_count) < ACKS_MAX) {
        struct ack ack = {.began_ms = stand_now_ms()};
        const struct http_reply *reply = http_post(http, "/api/cache/clear/", stand.alice.bearer);
        ack.ended_ms = stand_now_ms();
        if (reply->status != 200) {
            atomic_fetch_add(&failure_count, 1);
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
            continue;
        }
        int64_t version = version_of(reply), before = atomic_load(&acknowledged);
        if (version <= before)
            note_wrong(version, before);
        atomic_store(&acknowledged, version);
        acks[atomic_load(&ack_count)] = ack;
        atomic_fetch_add(&ack_count, 1);
    }
    http_client_free(&http);
    return NULL;
}

static void *read_all_the_time(void *arg)
{
    struct http_client *http = http_client_new(stand.server.base_url);

    (void)arg;
    while (!atomic_load(&is_over)) {
        int64_t before = atomic_load(&acknowledged);
        const struct http_reply *reply = http_get(http, "/api/cache/status/", stand.alice.bearer);
        if (reply->status == 200 && version_of(reply) < before)
            note_wrong(version_of(reply), before);
        atomic_fetch_add(&readings, reply->status == 200);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    http_client_free(&http);
    return NULL;
}

static void *try_the_token_all_the_time(void *arg)
{
    struct http_client *http = http_client_new(stand.server.base_url);

    (void)arg;
    while (!atomic_load(&is_over)) {
        const struct http_reply *reply = http_get(http, "/auth/me", revoked);
        atomic_fetch_add(&wrong_tokens, reply->status == 200);
        atomic_fetch_add(&token_trials, reply->status == 401);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    http_client_free(&http);
    return NULL;
}

static void *(*const workers[])(void *arg) = {clear_all_the_time, read_all_the_time,
                                              read_all_the_time, try_the_token_all_the_time};
#define WORKERS (sizeof workers / sizeof *workers)

/* ---- what is there ---- */

static int64_t clears_held(const struct redis_server *redis)
{
    redisReply *reply = redis_server_ask(redis, "HGET cw:{u:%d} clears", (int)stand.alice.id);
    int64_t held = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;

    freeReplyObject(reply);
    return held;
}

/* Of those that were acknowledged, how many so shortly before the moment that they may be lost. */
static int64_t count_endangered(int64_t moment_ms)
{
    int64_t count = 0;

    for (size_t i = atomic_load(&ack_count); i > 0; i--) {
        const struct ack *ack = &acks[i - 1];
        if (ack->ended_ms < moment_ms - UNREPLICATED_MS)
            break;
        count += ack->began_ms <= moment_ms;
    }
    return count;
}

static bool is_ack_since(const struct ack *ack, int64_t moment_ms)
{
    return ack->began_ms > moment_ms;
}

/* When the first clear ended that began after the moment. */
static int64_t wait_ack_since(int64_t moment_ms)
{
    for (int64_t end_ms = stand_now_ms() + PATIENCE_MS;;) {
        size_t count = atomic_load(&ack_count), first = count;
        while (first > 0 && is_ack_since(&acks[first - 1], moment_ms))
            first--;
        if (first < count)
            return acks[first].ended_ms;
        ck_assert_msg(stand_now_ms() < end_ms, "no clear succeeds any more");
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

/* ---- the stand ---- */

static void copy_member(char *out, size_t size, const char *body, const char *name)
{
    char begin[64];

    snprintf(begin, sizeof begin, "\"%s\":\"", name);
    const char *at = strstr(body, begin);
    ck_assert_msg(at, "%s", body);
    at += strlen(begin);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
}

static void revoke_a_token(void)
{
    char token[MINT_SIZE - 64], body[256];

    snprintf(body, sizeof body, "{\"username\":\"%s\",\"password\":\"" STAND_PASSWORD "\"}",
             stand.bob.name);
    const struct http_reply *reply = http_post_json(stand.http, "/auth/login", NULL, body);
    expect_status(reply, 200);
    copy_member(token, sizeof token, reply->body, "access_token");
    snprintf(revoked, sizeof revoked, "Authorization: Bearer %s", token);
    expect_status(http_get(stand.http, "/auth/me", revoked), 200);
    reply = http_post(stand.http, "/auth/logout", revoked);
    ck_assert_msg(reply->status >= 200 && reply->status < 300, "%d", reply->status);
    expect_status(http_get(stand.http, "/auth/me", revoked), 401);
}

static void open_stand(void)
{
    char sentinels[192];

    sentinel_set_start(&set, NULL);
    snprintf(sentinels, sizeof sentinels, "CACHEWARDEN_REDIS_SENTINELS=%s", set.sentinel_list);
    stand_open(&stand, &(struct stand_options){
                           .no_redis = true,
                           .environment = (const char *const[]){
                               "CACHEWARDEN_REDIS_TOPOLOGY=sentinel", sentinels,
                               "CACHEWARDEN_REDIS_MASTER_NAME=" SENTINEL_SET_MASTER,
                               "CACHEWARDEN_LIMITS_ENABLED=false", STAND_DEFAULT_TIMEOUTS, NULL}});
}

static void close_stand(void)
{
    stand_close(&stand);
    sentinel_set_stop(&set);
}

static void strike(int primary, int fault)
{
    switch (fault) {
    case 0:
        redis_server_kill(set.redis[primary]);
        break;
    case 1:
        redis_server_pause(set.redis[primary]);
        break;
    default:
        cable_plug(set.cables[primary], false);
        break;
    }
}

struct sum {
    int64_t endangered, lost;
};

/* One failover. The first clear may follow the moment at which it strikes by so much. */
static void fail_over(int fault, bool prints, struct sum *sum)
{
    int primary = sentinel_set_primary(&set);

    sentinel_set_wait_replica(&set, 1 - primary);
    size_t failed_before = atomic_load(&failure_count);
    int64_t began_ms = stand_now_ms();
    strike(primary, fault);
    int64_t struck_ms = stand_now_ms(), back_ms = wait_ack_since(struck_ms) - began_ms;
    ck_assert_msg(slowness_allows(back_ms, set.down_after_ms + BACK_WITHIN_MS),
                  "%s: the first clear was acknowledged after %lld ms", faults[fault],
                  (long long)back_ms);
    ck_assert_int_eq(sentinel_set_primary(&set), 1 - primary);
    sum->endangered += count_endangered(struck_ms);
    int64_t acknowledged_now = (int64_t)atomic_load(&ack_count),
            held = clears_held(set.redis[1 - primary]);
    int64_t lost = acknowledged_now > held ? acknowledged_now - held : 0;
    ck_assert_msg(lost <= sum->endangered, "%s: %lld clears of %lld are lost; %lld may be",
                  faults[fault], (long long)lost, (long long)acknowledged_now,
                  (long long)sum->endangered);
    if (prints)
        fprintf(stderr, "%s: back after %lld ms, %zu clears failed, %lld of %lld lost so far\n",
                faults[fault], (long long)back_ms, atomic_load(&failure_count) - failed_before,
                (long long)lost, (long long)acknowledged_now);
    sum->lost = lost;
    sentinel_set_mend(&set, primary);
    /* The sentinels rest, and the load goes on. */
    (void)wait_ack_since(stand_now_ms() + SENTINEL_SET_REST_MS);
}

START_TEST(failovers_under_load)
{
    const char *given = getenv("CW_FAILOVERS");
    int count = given ? (int)strtol(given, NULL, 10) : FAULTS;
    pthread_t threads[WORKERS];
    struct sum sum = {0};

    open_stand();
    revoke_a_token();
    for (size_t i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, workers[i], NULL), 0);
    (void)wait_ack_since(stand_now_ms() + 2 * UNREPLICATED_MS);
    for (int i = 0; i < count; i++)
        fail_over(i % FAULTS, given, &sum);
    atomic_store(&is_over, true);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_msg(atomic_load(&wrong_version) == 0, "version %lld was shown behind %lld",
                  (long long)atomic_load(&wrong_version), (long long)atomic_load(&version_before));
    ck_assert_uint_eq(atomic_load(&wrong_tokens), 0);
    ck_assert_uint_gt(atomic_load(&token_trials), 0);
    ck_assert_uint_gt(atomic_load(&readings), 0);
    if (given)
        fprintf(stderr, "%zu clears, %lld lost; %zu readings; %zu trials of the revoked token\n",
                atomic_load(&ack_count), (long long)sum.lost, atomic_load(&readings),
                atomic_load(&token_trials));
    close_stand();
}
END_TEST

/* ---- what is said ---- */

static bool says(const char *path, const char *credential, const char *text)
{
    return strstr(http_get(stand.http, path, credential)->body, text);
}

static bool has_one_sentinel(const void *with)
{
    (void)with;
    return says("/metrics", stand.root.bearer, "cachewarden_sentinels{state=\"answering\"} 1\n");
}

START_TEST(what_the_sentinels_say_is_told)
{
    struct cw_result result;

    open_stand();
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    ck_assert(says("/metrics", stand.root.bearer, "cachewarden_redis_primary_known 1\n"));
    ck_assert(
        says("/metrics", stand.root.bearer, "cachewarden_sentinels{state=\"configured\"} 3\n"));
    stand_cli(&stand, NULL, (const char *const[]){"doctor", NULL}, &result);
    ck_assert_msg(strstr(result.out, "3 agree that the primary is 127.0.0.1:"), "%s", result.out);
    cw_result_fini(&result);
    redis_server_kill(set.sentinels[0]);
    redis_server_kill(set.sentinels[1]);
    stand_wait(has_one_sentinel, NULL, "two are gone");
    cw_server_wait_log(&stand.server, "event=redis.sentinels master=" SENTINEL_SET_MASTER);
    stand_cli(&stand, NULL, (const char *const[]){"doctor", NULL}, &result);
    ck_assert_msg(strstr(result.out, "2 of 3 sentinels: ") ||
                      strstr(result.out, "3 of 3 sentinels: "),
                  "%s", result.out);
    cw_result_fini(&result);
    /* The caches go on. */
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    close_stand();
}
END_TEST

START_TEST(a_name_that_no_sentinel_knows)
{
    char sentinels[192];

    sentinel_set_start(&set, NULL);
    snprintf(sentinels, sizeof sentinels, "CACHEWARDEN_REDIS_SENTINELS=%s", set.sentinel_list);
    stand_open(&stand, &(struct stand_options){.no_redis = true,
                                               .environment = (const char *const[]){
                                                   "CACHEWARDEN_REDIS_TOPOLOGY=sentinel", sentinels,
                                                   "CACHEWARDEN_REDIS_MASTER_NAME=other", NULL}});
    ck_assert(says("/health", NULL, "no sentinel knows redis.master_name"));
    ck_assert_int_ge(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer)->status, 500);
    ck_assert(says("/api/redis-test", stand.root.bearer, "no sentinel knows the master"));
    close_stand();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/sentinel");
    TCase *all = tcase_create("all");

    tcase_add_test(all, failovers_under_load);
    tcase_add_test(all, what_the_sentinels_say_is_told);
    tcase_add_test(all, a_name_that_no_sentinel_knows);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
