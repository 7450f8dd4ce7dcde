/*
 * Redis stands still while more clients ask for it than there are workers: each of them is answered
 * within its budget, and those who need no Redis hardly notice. When it goes on, so does everybody.
 */
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WORKERS = 8,
    ASKERS = 24, /* three for each worker: whatever waits for Redis, waits */
    FREE = 4,
    /* 100 + 500 + 250 ms, and what sanitizers add. */
    BUDGET_MS = 5000,
    /* Far above what a request takes that waits for nobody, far below a stall of many. */
    PROMPT_MS = 1000,
    MANY = 400
};

static struct stand stand;
static atomic_bool stop;

struct client {
    pthread_t thread;
    const char *target, *bearer;
    bool may_fail;
    atomic_int good, failed, late; /* late: of the good ones, longer than PROMPT_MS */
    char failure[300];
};
static struct client askers[ASKERS], frees[FREE];

static void *client_run(void *arg)
{
    struct client *one = arg;
    struct http_client *http = http_client_new(stand.server.base_url);
    while (!atomic_load(&stop) && !one->failure[0]) {
        const struct http_reply *reply = http_get(http, one->target, one->bearer);
        bool is_failure = one->may_fail && reply->status == 500;
        if ((reply->status != 200 && !is_failure) || !slowness_allows(reply->elapsed_ms, BUDGET_MS))
            snprintf(one->failure, sizeof one->failure, "%s after %d ms: %d %.150s", one->target,
                     reply->elapsed_ms, reply->status,
                     reply->status ? reply->body : reply->failure);
        if (is_failure)
            nanosleep(&(struct timespec){0, 5000000}, NULL);
        atomic_fetch_add(is_failure ? &one->failed : &one->good, 1);
        atomic_fetch_add(&one->late, !slowness_allows(reply->elapsed_ms, PROMPT_MS));
    }
    http_client_free(&http);
    return NULL;
}

static void start(struct client *clients, int count, const char *target, bool may_fail)
{
    for (int i = 0; i < count; i++) {
        clients[i].target = target;
        clients[i].bearer = stand.alice.bearer;
        clients[i].may_fail = may_fail;
        ck_assert_int_eq(pthread_create(&clients[i].thread, NULL, client_run, &clients[i]), 0);
    }
}

static void end(struct client *clients, int count)
{
    for (int i = 0; i < count; i++) {
        pthread_join(clients[i].thread, NULL);
        ck_assert_msg(!clients[i].failure[0], "%s", clients[i].failure);
    }
}

/* Each of these clients has had so many more answers of that sort since it was marked. */
struct progress {
    struct client *clients;
    int count, more;
    bool of_failures;
    int from[ASKERS];
};

static int count_of(const struct progress *progress, int i)
{
    const struct client *one = &progress->clients[i];
    return atomic_load(progress->of_failures ? &one->failed : &one->good);
}

static struct progress mark(struct client *clients, int count, int more, bool of_failures)
{
    struct progress progress = {clients, count, more, of_failures, {0}};
    for (int i = 0; i < count; i++)
        progress.from[i] = count_of(&progress, i);
    return progress;
}

static bool has_gone_on(const void *with)
{
    const struct progress *progress = with;
    for (int i = 0; i < progress->count; i++)
        if (count_of(progress, i) < progress->from[i] + progress->more)
            return false;
    return true;
}

START_TEST(who_needs_no_redis_goes_on)
{
    char workers[64];
    snprintf(workers, sizeof workers, "CACHEWARDEN_SERVER_THREADS=%d", WORKERS);
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   workers, STAND_DEFAULT_TIMEOUTS, NULL}});
    start(askers, ASKERS, "/api/cache/status/", true);
    start(frees, FREE, "/auth/me", false);
    struct progress asked = mark(askers, ASKERS, 5, false);
    stand_wait(has_gone_on, &asked, "everybody is served");

    redis_server_pause(stand.redis);
    struct progress refused = mark(askers, ASKERS, 3, true);
    struct progress went_on = mark(frees, FREE, MANY, false);
    stand_wait(has_gone_on, &refused, "who needs Redis is told so");
    stand_wait(has_gone_on, &went_on, "who needs none is served");

    redis_server_resume(stand.redis);
    asked = mark(askers, ASKERS, 5, false);
    stand_wait(has_gone_on, &asked, "everybody is served again");
    atomic_store(&stop, true);
    end(askers, ASKERS);
    end(frees, FREE);
    for (int i = 0; i < FREE; i++)
        ck_assert_msg(atomic_load(&frees[i].late) * 20 <= atomic_load(&frees[i].good),
                      "%d of %d answers that need no Redis took more than %d ms",
                      atomic_load(&frees[i].late), atomic_load(&frees[i].good), PROMPT_MS);
    stand_close(&stand);
}
END_TEST

static bool waits_for_redis(const void *key)
{
    static const char name[] = "\ncachewarden_http_requests_under_way ";
    const struct http_reply *reply = http_get(stand.http, "/metrics", key);
    expect_status(reply, 200);
    const char *at = strstr(reply->body, name);
    ck_assert_ptr_nonnull(at);
    return strtol(at + strlen(name), NULL, 10) == 2; /* this one, too */
}

/* A worker waits for Redis for a minute, as the stand has it: with a second signal the end comes sooner. */
START_TEST(a_stop_does_not_wait_for_ever)
{
    char key[STAND_KEY_SIZE];
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   "CACHEWARDEN_SERVER_DRAIN_S=60", NULL}});
    stand_key(&stand, key, "scraper", (const char *const[]){"--scope", "metrics", NULL});
    redis_server_pause(stand.redis);
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "GET /api/cache/status/ HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n",
              stand.alice.bearer);
    stand_wait(waits_for_redis, key, "a request waits for Redis");
    cw_server_signal(&stand.server, SIGTERM);
    cw_server_wait_log(&stand.server, "event=server.stopping");
    cw_server_signal(&stand.server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&stand.server), -SIGALRM);
    raw_close(&raw);
    redis_server_resume(stand.redis);
    stand_close(&stand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paused");
    TCase *all = tcase_create("all");
    tcase_add_test(all, who_needs_no_redis_goes_on);
    tcase_add_test(all, a_stop_does_not_wait_for_ever);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
