/* The shared probe: what it reports, and that a public route cannot be used to load Redis. */
#include "health/probe.h"

#include "cachewarden/clock.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "slowness.h"
#include "suite.h"

#include <hiredis.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static struct redis_server *redis;
static struct loopback loopback;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .has_no_users = true,
                                                        .command_timeout_ms = 2000});
}

static void close_all(void)
{
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

static struct health_report probe(void)
{
    struct arena *arena = arena_new(1024, 0);
    struct health_report report;
    health_probe(loopback.app, arena, clock_deadline_ns(5000), &report);
    arena_free(&arena);
    return report;
}

/* A probe may take a quarter of a second: on a slow machine it is late now and then, and that is told
 * in the words of a Redis that is out of reach. */
static bool is_late(const struct health_report *report)
{
    return !report->connected;
}

static void await_good(void)
{
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    while (!probe().read_write)
        ck_assert_int_lt(clock_mono_ns(), give_up_ns);
}

/* How often Redis was asked to SET, from INFO commandstats. */
static int64_t sets(void)
{
    redisReply *reply = redis_server_ask(redis, "INFO commandstats");
    const char *at = strstr(reply->str, "cmdstat_set:calls=");
    int64_t count = at ? strtoll(at + strlen("cmdstat_set:calls="), NULL, 10) : 0;
    freeReplyObject(reply);
    return count;
}

static void *probe_many(void *arg)
{
    int *good = arg;
    for (int i = 0; i < 200; i++) {
        struct health_report report = probe();
        *good += report.read_write || is_late(&report);
    }
    return NULL;
}

START_TEST(thousands_of_requests_are_few_probes)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    int good[THREADS] = {0};
    int64_t start_ns = clock_mono_ns();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, probe_many, &good[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(good[i], 200);
    }
    int64_t seconds = (clock_mono_ns() - start_ns) / NS_PER_S;
    await_good();
    ck_assert_int_ge(sets(), 1);
    ck_assert_int_le(sets(), 50 * (seconds + 2));
}
END_TEST

/* Nobody is told that Redis works after it has ceased to. */
START_TEST(a_good_report_is_not_repeated)
{
    await_good();
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    struct health_report report = probe();
    while (is_late(&report))
        report = probe();
    ck_assert(report.connected && !report.read_write);
    ck_assert_str_eq(report.message, "redis out of memory");
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    await_good();

    redis_server_kill(redis);
    report = probe();
    ck_assert(!report.connected && !report.read_write);
    ck_assert_str_eq(report.message, "redis unavailable");
    redis_server_restart(redis);
    await_good();
}
END_TEST

static void *probe_once(void *arg)
{
    *(struct health_report *)arg = probe();
    return NULL;
}

/* Redis holds its breath: nobody waits longer than a probe may take, and one alone asks. */
START_TEST(a_redis_that_does_not_answer)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    struct health_report reports[THREADS];
    redis_server_pause(redis);
    int64_t start_ns = clock_mono_ns();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, probe_once, &reports[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(!reports[i].connected && !reports[i].read_write);
    }
    expect_within_ms((clock_mono_ns() - start_ns) / NS_PER_MS, 5 * 1000);
    redis_server_resume(redis);
    ck_assert_int_le(sets(), 1);
}
END_TEST

/* How often anybody turned to Redis, with what success whatever. */
static uint64_t attempts(void)
{
    struct redis_stats stats;
    redis_stats_read(loopback.app->control, &stats);
    return stats.borrows + stats.batched + stats.connects + stats.connect_failures +
           stats.breaker_refusals + stats.waits_timed_out;
}

static pthread_barrier_t together;

static void *probe_together(void *arg)
{
    pthread_barrier_wait(&together);
    *(struct health_report *)arg = probe();
    return NULL;
}

/* The report is old and Redis hangs: one asks, the others are told the last report or the new one. */
START_TEST(one_alone_renews_an_old_report)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    struct health_report reports[THREADS];
    ck_assert(probe().read_write);
    int64_t old_ns = clock_mono_ns() + NS_PER_S;
    while (clock_mono_ns() <= old_ns) /* asking meanwhile would make it new */
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    uint64_t before = attempts();
    redis_server_pause(redis);
    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, probe_together, &reports[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    redis_server_resume(redis);
    pthread_barrier_destroy(&together);
    ck_assert_uint_eq(attempts() - before, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/health/probe");
    TCase *tcase = tcase_create("probe");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, thousands_of_requests_are_few_probes);
    tcase_add_test(tcase, a_good_report_is_not_repeated);
    tcase_add_test(tcase, a_redis_that_does_not_answer);
    tcase_add_test(tcase, one_alone_renews_an_old_report);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
