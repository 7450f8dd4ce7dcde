/*
 * A thousand connections to Redis die under load, in every way there is, and nobody gets a wrong
 * answer. Each client has an account of its own whose version begins at a number of its own, so
 * every answer shows whose it is; each clear that is reported as done shows the number that Redis
 * gave it. What is looked for:
 *
 *   - a request that hangs;
 *   - an answer that belongs to somebody else, or to an earlier request;
 *   - a success that did not happen, or a version that is told twice.
 *
 * The seed is printed; CW_FAULT_SEED=N repeats it.
 */
#include "control_data.h"
#include "fault_proxy.h"
#include "guarded_redis.h"
#include "sanitized.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS = 12,
    KILLS = IS_SANITIZED ? 150 : 1000,
    KILLS_TLS = IS_SANITIZED ? 40 : 120,
    /* Waiting, connecting and asking may take 100 + 500 + 120 ms here; the rest is the machine's. */
    HANG_MS = 10000,
    COMMAND_MS = 120,
    LET_WORK = 20 /* answers between two kills, at most */
};

static struct stand stand;
static struct redis_server *redis;
static struct fault_proxy *proxy;
static uint64_t random_state;
static bool has_tls;
static atomic_bool stop;
static atomic_bool failed;
static atomic_int refusals; /* of all clients */
static atomic_int done;     /* requests with a good answer, of all clients */
static atomic_int active;   /* clients of a lower number run, the others wait */

struct client {
    pthread_t thread;
    int64_t id, base;
    char bearer[MINT_SIZE];
    int64_t known;   /* the version at least */
    int64_t unknown; /* clears since then whose outcome is not known */
    int cleared, refused, read, slowest_ms;
    char failure[400];
};
static struct client clients[CLIENTS];

static uint64_t draw(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

/* The number behind "version": in the body, or -1. */
static int64_t version_in(const char *body)
{
    const char *at = strstr(body, "\"version\":");
    return at ? strtoll(at + strlen("\"version\":"), NULL, 10) : -1;
}

static void note(struct client *one, const char *what, const struct http_reply *reply)
{
    snprintf(one->failure, sizeof one->failure,
             "user %lld, version %lld and %lld unknown, after %d ms: %s: %d %.150s",
             (long long)one->id, (long long)one->known, (long long)one->unknown, reply->elapsed_ms,
             what, reply->status, reply->status ? reply->body : reply->failure);
    atomic_store(&failed, true);
}

/* While the breaker is open answers come in no time; some rest leaves processors to the others. */
static void back_off(struct client *one)
{
    one->refused++;
    atomic_fetch_add(&refusals, 1);
    nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static void clear_once(struct client *one, struct http_client *http)
{
    const struct http_reply *reply = http_post(http, "/api/cache/clear/", one->bearer);
    int64_t version = version_in(reply->body);
    if (reply->elapsed_ms > one->slowest_ms)
        one->slowest_ms = reply->elapsed_ms;
    if (reply->status == 500 && strcmp(reply->body, "{\"error\":\"Failed to clear cache\"}") == 0) {
        one->unknown++; /* or refused for certain: the answer does not say */
        back_off(one);
    } else if (reply->status != 200) {
        note(one, "clear", reply);
    } else if (version <= one->known || version > one->known + one->unknown + 1) {
        note(one, "clear: not our number", reply);
    } else {
        one->cleared++;
        atomic_fetch_add(&done, 1);
        one->known = version;
        one->unknown = 0;
    }
    if (!slowness_allows(reply->elapsed_ms, HANG_MS))
        note(one, "clear: too slow", reply);
}

static void read_once(struct client *one, struct http_client *http)
{
    const struct http_reply *reply = http_get(http, "/api/cache/status/", one->bearer);
    int64_t version = version_in(reply->body);
    if (reply->elapsed_ms > one->slowest_ms)
        one->slowest_ms = reply->elapsed_ms;
    if (reply->status == 500 &&
        strcmp(reply->body, "{\"error\":\"Failed to retrieve cache status\"}") == 0) {
        back_off(one);
    } else if (reply->status != 200 || !strstr(reply->body, "\"enabled\":true")) {
        note(one, "status", reply);
    } else if (version < one->known || version > one->known + one->unknown) {
        note(one, "status: not our number", reply);
    } else {
        one->read++;
        atomic_fetch_add(&done, 1);
    }
    if (!slowness_allows(reply->elapsed_ms, HANG_MS))
        note(one, "status: too slow", reply);
}

static void *client_run(void *arg)
{
    struct client *one = arg;
    struct http_client *http = http_client_new(stand.server.base_url);
    unsigned turn = 0;
    while (!atomic_load(&stop) && !one->failure[0]) {
        if (one - clients >= atomic_load(&active))
            nanosleep(&(struct timespec){0, 5000000}, NULL);
        else if (turn++ % 3)
            clear_once(one, http);
        else
            read_once(one, http);
    }
    http_client_free(&http);
    return NULL;
}

static void start_clients(void)
{
    atomic_store(&stop, false);
    atomic_store(&failed, false);
    atomic_store(&active, CLIENTS);
    memset(clients, 0, sizeof clients);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *one = &clients[i];
        one->id = 1000 + i; /* no accounts of ours: minted elsewhere, as Django's may be */
        one->base = one->known = (i + 1) * INT64_C(1000000000);
        stand_stranger(one->bearer, one->id);
        control_set_version(redis, one->id, one->base);
        ck_assert_int_eq(pthread_create(&one->thread, NULL, client_run, one), 0);
    }
}

static void end_clients(void)
{
    int cleared = 0, refused = 0, read = 0, slowest_ms = 0;
    atomic_store(&stop, true);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *one = &clients[i];
        pthread_join(one->thread, NULL);
        cleared += one->cleared;
        refused += one->refused;
        read += one->read;
        slowest_ms = one->slowest_ms > slowest_ms ? one->slowest_ms : slowest_ms;
    }
    printf("%d clears and %d reads done, %d refused; the slowest took %d ms\n", cleared, read,
           refused, slowest_ms);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *one = &clients[i];
        int64_t version = control_version(redis, one->id);
        ck_assert_msg(!one->failure[0], "%s", one->failure);
        ck_assert_msg(version >= one->known && version <= one->known + one->unknown,
                      "user %lld: told %lld, %lld unknown, but it is %lld", (long long)one->id,
                      (long long)one->known, (long long)one->unknown, (long long)version);
    }
    ck_assert_int_gt(cleared, 0);
    ck_assert_int_gt(read, 0);
}

/* Writes are refused by Redis itself for a while: none of them may be told as done. */
static void refuse_writes(void)
{
    atomic_store(&active, CLIENTS);
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    const int before = atomic_load(&refusals);
    while (atomic_load(&refusals) == before && !atomic_load(&failed))
        nanosleep(&(struct timespec){0, 500000}, NULL);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
}

/* After each kill it goes on: so many more answers without a fault. */
static void let_work(int count)
{
    const int until = atomic_load(&done) + count;
    while (atomic_load(&done) < until && !atomic_load(&failed))
        nanosleep(&(struct timespec){0, 500000}, NULL);
}

static enum fault_kind choose(void)
{
    /* Only time tells that an answer has disappeared, and that costs COMMAND_MS: not too often. */
    if (draw(16) == 0)
        return FAULT_SWALLOW;
    if (has_tls && draw(8) == 0)
        return FAULT_FLIP;
    return (enum fault_kind)draw(FAULT_SWALLOW);
}

static void strike_until(int kills)
{
    static const int crowds[] = {1, 2, 5, 8, CLIENTS};
    int killed = 0, by_kind[FAULT_KINDS] = {0};
    for (int round = 0; killed < kills && !atomic_load(&failed); round++) {
        enum fault_kind kind = choose();
        size_t struck = fault_proxy_struck(proxy);
        atomic_store(&active, crowds[draw(sizeof crowds / sizeof *crowds)]);
        let_work((int)draw(LET_WORK));
        /* A handshake that fails opens the breaker for a second: seldom. With TLS the first three are
         * the TLS handshake, the tickets and the handshake of Redis. */
        fault_proxy_arm(proxy, kind, draw(200) == 0 ? 0 : has_tls ? 3 : 1);
        while (fault_proxy_struck(proxy) == struck && !atomic_load(&failed))
            nanosleep(&(struct timespec){0, 500000}, NULL);
        by_kind[kind]++;
        killed += kind != FAULT_DELAY && kind != FAULT_DRIP;
        if (round % 97 == 96)
            refuse_writes();
    }
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        printf("%s %d%s", fault_name((enum fault_kind)kind), by_kind[kind],
               kind + 1 < FAULT_KINDS ? ", " : "\n");
    ck_assert(killed >= kills || atomic_load(&failed));
}

static bool works(const void *with)
{
    (void)with;
    return http_get(stand.http, "/api/cache/status/", stand.alice.bearer)->status == 200;
}

static void play(int target_port, const char *const *environment, const char *scheme, int kills)
{
    char url[128], command[64];
    const char *given = getenv("CW_FAULT_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)stand_now_ms();
    printf("CW_FAULT_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    random_state = seed | 1;
    proxy = fault_proxy_start(target_port, seed);
    snprintf(url, sizeof url, "REDIS_URL=%s127.0.0.1:%d/0", scheme, fault_proxy_port(proxy));
    snprintf(command, sizeof command, "CACHEWARDEN_REDIS_COMMAND_TIMEOUT_MS=%d", COMMAND_MS);
    const char *all[16] = {url, CW_DEFAULT_THREADS, "CACHEWARDEN_REDIS_BORROW_TIMEOUT_MS=100",
                           "CACHEWARDEN_REDIS_CONNECT_TIMEOUT_MS=500", command};
    for (size_t i = 0; environment && environment[i]; i++)
        all[5 + i] = environment[i];
    stand_open(&stand, &(struct stand_options){.no_redis = true, .environment = all});
    stand_wait(works, NULL, "it works through the proxy");
    start_clients();
    strike_until(kills);
    end_clients();
    stand_wait(works, NULL, "it works again");
    stand_close(&stand);
    fault_proxy_stop(&proxy);
}

START_TEST(a_thousand_kills)
{
    has_tls = false;
    redis = redis_server_start(NULL);
    play(redis_server_port(redis), NULL, "redis://", KILLS);
    redis_server_stop(&redis);
}
END_TEST

START_TEST(under_tls_as_well)
{
    char *directory = cw_directory_new(), *variables[GUARDED_REDIS_VARIABLES];
    has_tls = true;
    redis = guarded_redis_start(directory, NULL);
    guarded_redis_environment(redis, directory, variables);
    /* The address is the proxy's, the user as in the variable's. */
    char scheme[128];
    const char *user = strstr(variables[0], "rediss://");
    snprintf(scheme, sizeof scheme, "%.*s", (int)(strchr(user, '@') + 1 - user), user);
    const char *const environment[] = {variables[1], variables[2], variables[3], NULL};
    play(redis_server_tls_port(redis), environment, scheme, KILLS_TLS);
    for (int i = 0; i < GUARDED_REDIS_VARIABLES; i++)
        free(variables[i]);
    redis_server_stop(&redis);
    cw_directory_remove(&directory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kills");
    TCase *all = tcase_create("all");
    tcase_add_test(all, a_thousand_kills);
    tcase_add_test(all, under_tls_as_well);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
