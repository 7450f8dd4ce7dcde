/* A Redis, nodes on it, and a cache `sessions` of the keys sess:…, for tests of jobs. */
#ifndef TESTS_JOBS_CASE_H
#define TESTS_JOBS_CASE_H

#include "cachewarden/audit.h"
#include "cachewarden/caches.h"
#include "cachewarden/clock.h"
#include "cachewarden/jobs.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct redis_server *redis, *elsewhere;
static struct loopback nodes[2];
static struct arena *arena;
static char far_url[64];

/* `sessions` beside the control data, `far` on a Redis of its own, `odd` with a prefix that looks like a pattern. */
static inline void open_jobs_node(int node, bool is_watched, int64_t give_up_ms)
{
    const struct cache_spec caches[] = {
        {.name = STR("sessions"), .kind = CACHE_PREFIX, .prefix = STR("sess:{env}:")},
        {.name = STR("far"),
         .kind = CACHE_PREFIX,
         .prefix = STR("sess:"),
         .redis_url = str_from(far_url)},
        {.name = STR("odd"), .kind = CACHE_PREFIX, .prefix = STR("o[d]*:")},
    };
    loopback_open(&nodes[node], &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                           .shares = node == 1 ? &nodes[0] : NULL,
                                                           .caches = caches,
                                                           .cache_count = 3,
                                                           .jobs_give_up_ms = give_up_ms,
                                                           .is_unwatched = !is_watched});
}

static inline void start_jobs_redis(void)
{
    redis = redis_server_start(NULL);
    elsewhere = redis_server_start(NULL);
    snprintf(far_url, sizeof far_url, "%s", redis_server_url(elsewhere));
    arena = arena_new(4096, 0);
}

static inline void stop_jobs_redis(void)
{
    arena_free(&arena);
    redis_server_stop(&elsewhere);
    redis_server_stop(&redis);
}

static inline void fill(const struct redis_server *server, const char *prefix, int count)
{
    redis_server_do(server, "EVAL %s 0 %s %d",
                    "for i = 1, ARGV[2] do redis.call('SET', ARGV[1] .. i, 'x') end", prefix,
                    count);
}

static inline int64_t matching(const struct redis_server *server, const char *glob)
{
    return redis_server_ask_integer(server, "EVAL %s 0 %s", "return #redis.call('KEYS', ARGV[1])",
                                    glob);
}

static inline int64_t soon(void)
{
    return clock_deadline_ns(PATIENCE_MS);
}

static inline enum err try_start_on(int node, const char *target, const char *pattern,
                                    bool only_counts, struct job *job_out, struct error *error)
{
    static const struct principal alice = {.kind = PRINCIPAL_USER,
                                           .credential = CREDENTIAL_BEARER,
                                           .user_id = 7,
                                           .name = {"alice", 5}};
    const struct job_order order = {.target = str_from(target),
                                    .pattern = str_from(pattern),
                                    .only_counts = only_counts,
                                    .principal = &alice,
                                    .client_address = STR("192.0.2.1"),
                                    .request_id = STR("request-7"),
                                    .part = AUDIT_CLEARS};
    error_clear(error);
    return jobs_start(nodes[node].app, (struct work){arena, soon(), error}, &order, job_out);
}

static inline struct job start_on(int node, const char *target)
{
    struct job job;
    struct error error;
    enum err err = try_start_on(node, target, "", false, &job, &error);
    ck_assert_msg(err == ERR_OK, "%s: %s %s", err_name(err), error.caller, error.detail);
    return job;
}

static inline struct job job_seen_by(int node, struct str id)
{
    struct job job;
    struct error error = {0};
    enum err err = jobs_find(nodes[node].app, (struct work){arena, soon(), &error}, id, &job);
    ck_assert_msg(err == ERR_OK, "%s: %s %s", err_name(err), error.caller, error.detail);
    return job;
}

/* Meanwhile its numbers only rise. */
static inline struct job await_end(int node, struct str id)
{
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    int64_t deadline_ns = soon();
    struct job last = {0}, job = job_seen_by(node, id);
    while (job.state == JOB_RUNNING) {
        ck_assert_int_ge(job.progress, last.progress);
        ck_assert_int_ge(job.scanned, last.scanned);
        ck_assert_int_ge(job.removed, last.removed);
        ck_assert_int_lt(job.progress, 1000000);
        ck_assert_int_eq(job.finished_ms, 0);
        ck_assert_msg(clock_mono_ns() < deadline_ns, "the job does not end");
        nanosleep(&moment, NULL);
        last = job;
        job = job_seen_by(node, id);
    }
    ck_assert_int_ge(job.finished_ms, job.started_ms);
    return job;
}

static inline void expect_done(const struct job *job, int64_t removed)
{
    ck_assert_msg(job->state == JOB_DONE, "failed: %.*s", STR_ARG(job->reason));
    ck_assert_int_eq(job->removed, removed);
    ck_assert_int_eq(job->progress, 1000000);
}

/* Waits until the job has removed something. */
static inline void await_work(int node, struct str id)
{
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    int64_t deadline_ns = soon();
    while (job_seen_by(node, id).removed == 0) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "the job does not begin");
        nanosleep(&moment, NULL);
    }
}

#endif
