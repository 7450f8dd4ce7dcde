/* A step on a Redis that answers nonsense: nothing is removed that is not to go. */
#include "jobs/jobs_private.h"
#include "jobs/pace.h"

#include "cachewarden/caches.h"
#include "cachewarden/clock.h"
#include "fake_redis.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "suite.h"
#include "tcp_proxy.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>

static struct redis_server *redis;
static struct fake_redis *fake;
static struct loopback node;
static struct arena *arena;
static struct job_run run;
static struct error error;

static void open_case(void)
{
    redis = redis_server_start(NULL);
    fake = fake_redis_start();
    const struct cache_spec cache = {.name = STR("s"),
                                     .kind = CACHE_PREFIX,
                                     .prefix = STR("s:"),
                                     .redis_url = str_from(fake_redis_url(fake))};
    loopback_open(&node, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                    .caches = &cache,
                                                    .cache_count = 1,
                                                    .has_no_users = true});
    arena = arena_new(4096, 0);
    run = (struct job_run){.keys = PACE_KEYS_START,
                           .record = {.size = -1, .replication_id = REDIS_REPLICATION_ID_UNTOLD}};
    ck_assert_int_eq(job_ground_find(node.app, (struct work){arena, 0, &error}, STR("cache:s"),
                                     STR_NONE, &run.ground),
                     ERR_OK);
    fake_redis_override(fake, "DBSIZE", ":100\r\n");
    fake_redis_override(fake, "INFO", "-NOPERM no\r\n");
}

static void close_case(void)
{
    arena_free(&arena);
    loopback_close(&node);
    fake_redis_stop(&fake);
    redis_server_stop(&redis);
}

static enum err step(void)
{
    error_clear(&error);
    return job_step(node.app, (struct work){arena, clock_deadline_ns(PATIENCE_MS), &error}, &run);
}

#define PORTION(cursor, keys) "*2\r\n" cursor keys
#define CURSOR_0              "$1\r\n0\r\n"
#define CURSOR_1              "$1\r\n1\r\n"

static const char *const strange[] = {
    "+OK\r\n",
    ":0\r\n",
    "*0\r\n",
    "*1\r\n" CURSOR_0,
    "*3\r\n" CURSOR_0 "*0\r\n*0\r\n",
    PORTION(":0\r\n", "*0\r\n"),
    PORTION("$2\r\n-1\r\n", "*0\r\n"),
    PORTION("$0\r\n\r\n", "*0\r\n"),
    PORTION("$20\r\n18446744073709551616\r\n", "*0\r\n"),
    PORTION("$21\r\n000000000000000000000\r\n", "*0\r\n"),
    PORTION(CURSOR_0, "$3\r\ns:1\r\n"),
    PORTION(CURSOR_0, "*1\r\n:5\r\n"),
    PORTION(CURSOR_0, "*1\r\n$-1\r\n"),
    /* A key that does not begin as it must, however it got there. */
    PORTION(CURSOR_0, "*2\r\n$3\r\ns:1\r\n$10\r\ncw:dataset\r\n"),
};

START_TEST(a_strange_scan_removes_nothing)
{
    fake_redis_override(fake, "SCAN", strange[_i]);
    ck_assert_int_eq(step(), ERR_OK);
    ck_assert_int_eq(run.state, JOB_FAILED);
    ck_assert_uint_eq(fake_redis_seen(fake, "UNLINK"), 0);
    ck_assert_int_eq(run.record.job.removed, 0);
}
END_TEST

START_TEST(a_strange_count_is_not_believed)
{
    static const char *const counts[] = {":2\r\n", ":-1\r\n", "+OK\r\n", "$1\r\n1\r\n"};
    fake_redis_override(fake, "SCAN", PORTION(CURSOR_1, "*1\r\n$3\r\ns:1\r\n"));
    fake_redis_override(fake, "UNLINK", counts[_i]);
    ck_assert_int_eq(step(), ERR_OK);
    ck_assert_int_eq(run.state, JOB_FAILED);
    ck_assert_int_eq(run.record.job.removed, 0);
    ck_assert_uint_eq(run.record.cursor, 0);
}
END_TEST

START_TEST(it_goes_step_by_step)
{
    fake_redis_override(fake, "SCAN",
                        PORTION("$19\r\n4611686018427387904\r\n", "*1\r\n$3\r\ns:1\r\n"));
    fake_redis_override(fake, "UNLINK", ":1\r\n");
    ck_assert_int_eq(step(), ERR_OK);
    ck_assert_int_eq(run.state, JOB_RUNNING);
    ck_assert_uint_eq(run.record.cursor, UINT64_C(1) << 62);
    ck_assert_int_eq(run.record.job.removed, 1);
    ck_assert_int_eq(run.record.job.scanned, 1); /* not less than what was found */
    fake_redis_override(fake, "SCAN", PORTION("$19\r\n9223372036854775808\r\n", "*0\r\n"));
    ck_assert_int_eq(step(), ERR_OK);
    fake_redis_override(fake, "SCAN", PORTION("$1\r\n1\r\n", "*0\r\n"));
    ck_assert_int_eq(step(), ERR_OK);
    ck_assert_int_eq(run.record.job.progress, PACE_WHOLE / 2);
    ck_assert_int_eq(run.record.job.scanned, 50);
    fake_redis_override(fake, "SCAN", PORTION(CURSOR_0, "*0\r\n"));
    ck_assert_int_eq(step(), ERR_OK);
    ck_assert_int_eq(run.state, JOB_DONE);
    ck_assert_int_eq(run.record.job.scanned, 100);
    ck_assert_int_eq(run.record.job.progress, PACE_WHOLE);
    ck_assert_uint_eq(fake_redis_seen(fake, "DBSIZE"), 1);
}
END_TEST

START_TEST(what_passes_is_waited_for)
{
    static const char *const passing[] = {"-LOADING Redis is loading\r\n",
                                          "-BUSY script\r\n",
                                          "-MASTERDOWN x\r\n",
                                          "-NOAUTH x\r\n",
                                          "-READONLY x\r\n",
                                          "-OOM x\r\n"};
    fake_redis_override(fake, "SCAN", passing[_i]);
    ck_assert_int_ne(step(), ERR_OK);
    ck_assert_int_eq(run.state, JOB_RUNNING);
    fake_redis_override(fake, "SCAN", PORTION(CURSOR_0, "*0\r\n"));
    ck_assert_int_eq(step(), ERR_OK);
    ck_assert_int_eq(run.state, JOB_DONE);
}
END_TEST

START_TEST(what_is_refused_is_the_end)
{
    static const char *const refusals[] = {"-NOPERM x\r\n", "-ERR unknown command\r\n",
                                           "-WRONGTYPE x\r\n"};
    fake_redis_override(fake, "SCAN", refusals[_i]);
    ck_assert_int_eq(step(), ERR_OK);
    ck_assert_int_eq(run.state, JOB_FAILED);
    ck_assert_str_eq(run.reason, "redis refused the command");
}
END_TEST

/* Nothing is removed there before ours was asked again. */
START_TEST(another_redis_is_scanned_from_the_start)
{
    run.record.replication_id = 77;
    run.record.cursor = 5;
    fake_redis_override(fake, "SCAN", PORTION(CURSOR_0, "*1\r\n$3\r\ns:1\r\n"));
    fake_redis_override(fake, "UNLINK", ":1\r\n");
    ck_assert_int_eq(step(), ERR_OK);
    ck_assert_int_eq(run.state, JOB_RUNNING);
    ck_assert(run.is_moved);
    ck_assert_uint_eq(run.record.cursor, 0);
    ck_assert_uint_eq(run.record.replication_id, REDIS_REPLICATION_ID_UNTOLD);
    ck_assert_uint_eq(fake_redis_seen(fake, "UNLINK"), 0);
    ck_assert_int_eq(step(), ERR_OK);
    ck_assert_int_eq(run.state, JOB_DONE);
    ck_assert_int_eq(run.record.job.removed, 1);
}
END_TEST

/* ---- from the Redis that was scanned and no other ---- */

#define INFO_OF(id) "role:master\r\nmaster_replid:" id id id id id "\r\n" /* 8 digits each */

static struct tcp_proxy *proxy; /* between the node and its own Redis */

static void open_behind(void)
{
    char url[64];

    open_case();
    loopback_close(&node);
    proxy = tcp_proxy_start(redis_server_port(redis));
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", tcp_proxy_port(proxy));
    const struct cache_spec cache = {.name = STR("s"),
                                     .kind = CACHE_PREFIX,
                                     .prefix = STR("s:"),
                                     .redis_url = str_from(fake_redis_url(fake))};
    loopback_open(&node,
                  &(struct loopback_options){
                      .redis_url = url, .caches = &cache, .cache_count = 1, .is_unwatched = true});
    ck_assert_int_eq(job_ground_find(node.app, (struct work){arena, 0, &error}, STR("cache:s"),
                                     STR_NONE, &run.ground),
                     ERR_OK);
}

static void close_behind(void)
{
    close_case();
    tcp_proxy_stop(&proxy);
}

static void *step_behind(void *err_out)
{
    *(enum err *)err_out = step();
    return NULL;
}

/* Between the scan and the removal the address leads to another one. */
START_TEST(another_redis_loses_nothing)
{
    static const char first[] = INFO_OF("aaaaaaaa"), second[] = INFO_OF("bbbbbbbb");
    char reply[128];
    pthread_t thread;
    enum err err;

    snprintf(reply, sizeof reply, "$%zu\r\n%s\r\n", strlen(first), first);
    fake_redis_override(fake, "INFO", reply);
    fake_redis_override(fake, "SCAN", PORTION(CURSOR_0, "*1\r\n$3\r\ns:1\r\n"));
    fake_redis_override(fake, "UNLINK", ":1\r\n");
    run.record.replication_id = redis_replication_id_of(str_from(first));
    tcp_proxy_hold(proxy, "cw:dataset", 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, step_behind, &err), 0);
    tcp_proxy_wait_held(proxy);
    ck_assert_uint_eq(fake_redis_seen(fake, "SCAN"), 1);
    snprintf(reply, sizeof reply, "$%zu\r\n%s\r\n", strlen(second), second);
    fake_redis_override(fake, "INFO", reply);
    fake_redis_hang_up(fake);
    tcp_proxy_release(proxy);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_ne(err, ERR_OK);
    ck_assert_int_eq(run.state, JOB_RUNNING);
    ck_assert_int_eq(run.record.job.removed, 0);
    ck_assert_uint_eq(fake_redis_seen(fake, "UNLINK"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("step");
    TCase *all = tcase_create("step");
    tcase_add_checked_fixture(all, open_case, close_case);
    tcase_add_loop_test(all, a_strange_scan_removes_nothing, 0,
                        (int)(sizeof strange / sizeof *strange));
    tcase_add_loop_test(all, a_strange_count_is_not_believed, 0, 4);
    tcase_add_test(all, it_goes_step_by_step);
    tcase_add_loop_test(all, what_passes_is_waited_for, 0, 6);
    tcase_add_loop_test(all, what_is_refused_is_the_end, 0, 3);
    tcase_add_test(all, another_redis_is_scanned_from_the_start);
    suite_add_tcase(suite, all);

    TCase *behind = tcase_create("behind");
    tcase_add_checked_fixture(behind, open_behind, close_behind);
    tcase_add_test(behind, another_redis_loses_nothing);
    suite_add_tcase(suite, behind);
    return suite_run(suite);
}
