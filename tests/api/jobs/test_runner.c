/* Jobs from their start to their end, on one node and on two, with a Redis that comes and goes. */
#include "jobs/jobs_private.h"

#include "caches/targets.h"

#include "audit_records.h"
#include "jobs_case.h"
#include "log_capture.h"
#include "suite.h"
#include "tcp_proxy.h"

static void open_case(void)
{
    start_jobs_redis();
}

static void close_case(void)
{
    loopback_close(&nodes[1]);
    loopback_close(&nodes[0]);
    stop_jobs_redis();
}

static void expect_nothing_listed(void)
{
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    int64_t deadline_ns = soon();
    while (redis_server_ask_integer(redis, "EXISTS cw:jobs cw:jobs:runner") > 0) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "a job is still listed");
        nanosleep(&moment, NULL);
    }
}

/* The end is told to the audit behind the answer that has it. */
static void await_clears_told(int64_t count)
{
    int64_t deadline_ns = soon();
    while (audit_records_in(redis, "clears") < count) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "an end is not told");
        audit_records_drain(&nodes[0]);
    }
    audit_records_drain(&nodes[0]); /* what is written with the record, too */
}

START_TEST(all_that_begins_so_and_nothing_else)
{
    fill(redis, "sess:development:", 100000);
    fill(redis, "sess:production:", 1000);
    fill(redis, "other:", 20000);
    redis_server_do(redis, "RPUSH sess:development:list a b");
    open_jobs_node(0, true, 0);
    struct job job = start_on(0, "cache:sessions");
    ck_assert_int_eq(job.state, JOB_RUNNING);
    struct job end = await_end(0, job.id);
    expect_done(&end, 100001);
    ck_assert_int_ge(end.scanned, 121001);
    ck_assert_int_eq(matching(redis, "sess:development:*"), 0);
    ck_assert_int_eq(matching(redis, "sess:production:*"), 1000);
    ck_assert_int_eq(matching(redis, "other:*"), 20000);
    expect_nothing_listed();
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:jobs:%s", job.id.ptr), 86000);
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:jobs:recent"), 86000);
}
END_TEST

START_TEST(what_looks_like_a_pattern_is_none)
{
    redis_server_do(redis, "MSET o[d]*:1 x o[d]*:2 x od:1 x od*:1 x odd:1 x o[d]x:1 x");
    open_jobs_node(0, true, 0);
    struct job end = await_end(0, start_on(0, "cache:odd").id);
    expect_done(&end, 2);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS od:1 od*:1 odd:1 o[d]x:1"), 4);
}
END_TEST

/* A pattern is of labels, and of one namespace's; nothing else of ours is reached, whatever it says. */
START_TEST(labels_of_one_namespace)
{
    static const struct {
        const char *pattern;
        int removed;
    } cases[] = {{"products:*", 2}, {"*", 5},    {"products:?", 1}, {"[ab]*", 1}, {"[*]", 1},
                 {"nothing", 0},    {"cw:*", 0}, {"}:m", 0},        {"\\*", 1}};
    struct job job;
    struct error error;
    open_jobs_node(0, true, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        redis_server_do(redis,
                        "MSET cw:{u:7}:e:products:1 x cw:{u:7}:e:products:10 x cw:{u:7}:e:a x "
                        "cw:{u:7}:e:other x cw:{u:7}:e:* x cw:{u:77}:e:products:1 x "
                        "cw:{app:7}:e:products:1 x cw:{u:7}:s:products:1 x");
        redis_server_do(redis, "HSET cw:{u:7} clears 1");
        redis_server_do(redis, "HSET cw:{u:7}:m base 1");
        ck_assert_int_eq(try_start_on(0, "entries:user:7", cases[i].pattern, false, &job, &error),
                         ERR_OK);
        struct job end = await_end(0, job.id);
        expect_done(&end, cases[i].removed);
        ck_assert_int_eq(matching(redis, "cw:{u:7}:e:*"), 5 - cases[i].removed);
        ck_assert_int_eq(redis_server_ask_integer(redis,
                                                  "EXISTS cw:{u:77}:e:products:1 "
                                                  "cw:{app:7}:e:products:1 cw:{u:7}:s:products:1 "
                                                  "cw:{u:7} cw:{u:7}:m"),
                         5);
    }
    await_clears_told(sizeof cases / sizeof *cases);
    audit_records_expect(redis, "clears", AUDIT_TARGET, "user:7 pattern:\\*");
}
END_TEST

START_TEST(counting_removes_nothing)
{
    struct job job;
    struct error error;
    fill(redis, "sess:development:", 5000);
    fill(redis, "other:", 5000);
    open_jobs_node(0, true, 0);
    ck_assert_int_eq(try_start_on(0, "cache:sessions", "", true, &job, &error), ERR_OK);
    struct job end = await_end(0, job.id);
    expect_done(&end, 0);
    ck_assert_int_eq(end.found, 5000);
    ck_assert(end.only_counts);
    ck_assert_int_eq(matching(redis, "sess:development:*"), 5000);
}
END_TEST

START_TEST(an_empty_database_is_done_at_once)
{
    open_jobs_node(0, true, 0);
    struct job end = await_end(0, start_on(0, "cache:far").id);
    expect_done(&end, 0);
    ck_assert_int_eq(end.scanned, 0);
}
END_TEST

START_TEST(the_end_is_recorded_with_who_had_started_it)
{
    char count[24];
    fill(redis, "sess:development:", 50);
    open_jobs_node(0, true, 0);
    struct job job = start_on(0, "cache:sessions");
    (void)await_end(0, job.id);
    await_clears_told(1);
    audit_records_expect(redis, "clears", AUDIT_ROUTE, "job.end");
    audit_records_expect(redis, "clears", AUDIT_PRINCIPAL, "alice");
    audit_records_expect(redis, "clears", AUDIT_PRINCIPAL_ID, "7");
    audit_records_expect(redis, "clears", AUDIT_CREDENTIAL, "bearer");
    audit_records_expect(redis, "clears", AUDIT_ADDRESS, "192.0.2.1");
    audit_records_expect(redis, "clears", AUDIT_REQUEST_ID, "request-7");
    audit_records_expect(redis, "clears", AUDIT_TARGET, "sessions");
    audit_records_expect(redis, "clears", AUDIT_RESULT, "ok");
    snprintf(count, sizeof count, "%d", 50);
    audit_records_expect(redis, "clears", AUDIT_COUNT, count);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:flushed:sessions"), 1);
}
END_TEST

/* ---- ends before the end ---- */

/* Once the runner has noticed that its job is cancelled, the record says what was really removed. How many are left. */
static int64_t await_true_number(struct str id, int64_t all)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS), left, removed;
    do {
        removed = job_seen_by(0, id).removed;
        left = matching(redis, "sess:development:*");
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%lld removed, %lld of %lld left",
                      (long long)removed, (long long)left, (long long)all);
    } while (removed + left != all);
    return left;
}

/* What was removed since the last save is told, too. */
START_TEST(cancelled_between_two_saves)
{
    struct job job;
    struct error error = {0};
    bool was_running = false;
    open_jobs_node(0, true, 0);
    for (int tries = 0; !was_running && tries < 20; tries++) { /* others may be quicker than we */
        fill(redis, "sess:development:", 100000);
        struct str id = start_on(0, "cache:sessions").id;
        await_work(0, id);
        ck_assert_int_eq(
            jobs_cancel(nodes[0].app, (struct work){arena, soon(), &error}, id, &job, &was_running),
            ERR_OK);
        if (was_running)
            (void)await_true_number(id, 100000);
    }
    ck_assert(was_running);
}
END_TEST

START_TEST(cancelled_where_it_is)
{
    struct job job;
    struct error error = {0};
    bool was_running;
    fill(redis, "sess:development:", 100000);
    open_jobs_node(0, true, 0);
    jobs_set_duty(nodes[0].app, 1);
    struct str id = start_on(0, "cache:sessions").id;
    await_work(0, id);
    ck_assert_int_eq(
        jobs_cancel(nodes[0].app, (struct work){arena, soon(), &error}, id, &job, &was_running),
        ERR_OK);
    ck_assert(was_running);
    ck_assert_int_eq(job.state, JOB_FAILED);
    ck_assert(str_eq(job.reason, STR("cancelled")));
    ck_assert_int_gt(job.finished_ms, 0);
    expect_nothing_listed();
    int64_t left = await_true_number(id, 100000);
    ck_assert_int_gt(left, 0);
    ck_assert_int_eq(
        jobs_cancel(nodes[0].app, (struct work){arena, soon(), &error}, id, &job, &was_running),
        ERR_OK);
    ck_assert(!was_running);
    /* And the target is free. */
    jobs_set_duty(nodes[0].app, 100);
    struct job end = await_end(0, start_on(0, "cache:sessions").id);
    expect_done(&end, left);
}
END_TEST

START_TEST(a_redis_that_stays_away_fails_the_job)
{
    fill(elsewhere, "sess:", 1000);
    open_jobs_node(0, true, 300);
    redis_server_kill(elsewhere);
    struct job end = await_end(0, start_on(0, "cache:far").id);
    ck_assert_int_eq(end.state, JOB_FAILED);
    ck_assert_msg(str_eq(end.reason, STR("redis unavailable")), "%.*s", STR_ARG(end.reason));
    expect_nothing_listed();
}
END_TEST

/* Waits until a connection of it was seen to be broken. */
static void await_closed(struct redis *pool)
{
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    int64_t deadline_ns = soon();
    struct redis_stats stats;
    for (;;) {
        redis_stats_read(pool, &stats);
        if (stats.closes > 0)
            return;
        ck_assert_msg(clock_mono_ns() < deadline_ns, "nobody notices that Redis is gone");
        nanosleep(&moment, NULL);
    }
}

START_TEST(a_redis_that_comes_back_is_waited_for)
{
    struct tcp_proxy *proxy = tcp_proxy_start(redis_server_port(elsewhere));
    snprintf(far_url, sizeof far_url, "redis://127.0.0.1:%d/0", tcp_proxy_port(proxy));
    fill(elsewhere, "sess:", 20000);
    open_jobs_node(0, true, PATIENCE_MS);
    tcp_proxy_hold(proxy, "SCAN", 5);
    struct str id = start_on(0, "cache:far").id;
    tcp_proxy_wait_held(proxy);
    redis_server_do(elsewhere, "SAVE");
    redis_server_kill(elsewhere);
    tcp_proxy_release(proxy);
    await_closed(caches_find(nodes[0].app->caches, STR("far"))->redis);
    redis_server_restart(elsewhere);
    struct job end = await_end(0, id);
    ck_assert_int_eq(end.state, JOB_DONE);
    ck_assert_int_eq(matching(elsewhere, "sess:*"), 0);
    loopback_close(&nodes[0]);
    tcp_proxy_stop(&proxy);
}
END_TEST

START_TEST(what_redis_refuses_fails_the_job)
{
    fill(elsewhere, "sess:", 10);
    redis_server_do(elsewhere, "ACL SETUSER default -unlink");
    open_jobs_node(0, true, 0);
    struct job end = await_end(0, start_on(0, "cache:far").id);
    ck_assert_int_eq(end.state, JOB_FAILED);
    ck_assert_msg(str_eq(end.reason, STR("redis refused the command")), "%.*s",
                  STR_ARG(end.reason));
    ck_assert_int_eq(end.removed, 0);
}
END_TEST

/* ---- other nodes ---- */

START_TEST(another_node_goes_on_when_this_one_stops)
{
    fill(redis, "sess:development:", 50000);
    open_jobs_node(0, false, 0);
    open_jobs_node(1, true, 0);
    jobs_set_duty(nodes[1].app, 1);
    struct str id = start_on(0, "cache:sessions").id;
    await_work(0, id);
    loopback_close(&nodes[1]);
    struct job halfway = job_seen_by(0, id);
    ck_assert_int_eq(halfway.state, JOB_RUNNING);
    /* All that was done is known, and nobody is said to be at work. */
    ck_assert_int_eq(halfway.removed, 50000 - matching(redis, "sess:development:*"));
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:jobs:runner"), 0);
    open_jobs_node(1, true, 0);
    struct job end = await_end(0, id);
    expect_done(&end, 50000);
}
END_TEST

/* As a node that was killed leaves it: a claim that expires, and a job that nobody works on. */
START_TEST(a_dead_node_is_followed_when_its_claim_expires)
{
    fill(redis, "sess:development:", 10000);
    redis_server_do(redis, "SET cw:jobs:runner a-dead-node");
    open_jobs_node(0, true, 0);
    struct str id = start_on(0, "cache:sessions").id;
    int64_t calls = redis_server_calls(redis, "llen");
    redis_server_wait_calls(redis, "llen", calls + 4);
    ck_assert_int_eq(job_seen_by(0, id).progress, 0);
    redis_server_do(redis, "PEXPIRE cw:jobs:runner 1");
    struct job end = await_end(0, id);
    expect_done(&end, 10000);
}
END_TEST

/* In another Redis, or the same one started anew, keys stand in another order. */
START_TEST(a_place_in_another_redis_is_none)
{
    fill(redis, "sess:development:", 20000);
    open_jobs_node(0, false, 0);
    struct str id = start_on(0, "cache:sessions").id;
    /* Almost at the end of a scan. */
    redis_server_do(redis,
                    "HSET cw:jobs:%s cursor %lld replication_id 12345 size 20010 progress 990000",
                    id.ptr, (long long)(INT64_MAX - (INT64_C(1) << 32)));
    open_jobs_node(1, true, 0);
    struct job end = await_end(0, id);
    expect_done(&end, 20000);
}
END_TEST

START_TEST(data_that_was_lost_takes_its_jobs_along)
{
    fill(redis, "sess:development:", 100000);
    open_jobs_node(0, true, 0);
    jobs_set_duty(nodes[0].app, 1);
    struct str id = start_on(0, "cache:sessions").id;
    await_work(0, id);
    redis_server_do(redis, "FLUSHALL");
    expect_nothing_listed();
    int64_t calls = redis_server_calls(redis, "llen");
    redis_server_wait_calls(redis, "llen", calls + 2);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:jobs:%s", id.ptr), 0);
}
END_TEST

/* A step that took long is followed by a long rest. Meanwhile the node holds its claim and sees what is new; and it
 * hears at once that it has less to rest. */
START_TEST(a_long_rest)
{
    enum { HELD_MS = 300 }; /* with one percent that makes half a minute */
    struct tcp_proxy *proxy = tcp_proxy_start(redis_server_port(elsewhere));
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    snprintf(far_url, sizeof far_url, "redis://127.0.0.1:%d/0", tcp_proxy_port(proxy));
    fill(elsewhere, "sess:", 20000);
    open_jobs_node(0, true, 0);
    jobs_set_duty(nodes[0].app, 1);
    tcp_proxy_hold(proxy, "SCAN", 2); /* the first one finds out which Redis it is */
    struct str id = start_on(0, "cache:far").id;
    tcp_proxy_wait_held(proxy);
    int64_t until_ns = clock_deadline_ns(HELD_MS);
    while (clock_mono_ns() < until_ns)
        nanosleep(&moment, NULL);
    tcp_proxy_release(proxy);
    await_work(0, id);
    int64_t removed = job_seen_by(0, id).removed;
    redis_server_wait_calls(redis, "lrange", redis_server_calls(redis, "lrange") + 4);
    ck_assert_int_eq(job_seen_by(0, id).removed, removed);
    jobs_set_duty(nodes[0].app, 100);
    struct job end = await_end(0, id);
    expect_done(&end, 20000);
    loopback_close(&nodes[0]);
    tcp_proxy_stop(&proxy);
}
END_TEST

/* Several jobs are worked on in turn: a short one does not wait for a long one. */
START_TEST(jobs_take_turns)
{
    fill(redis, "sess:development:", 100000);
    open_jobs_node(0, true, 0);
    jobs_set_duty(nodes[0].app, 2);
    struct str slow = start_on(0, "cache:sessions").id;
    await_work(0, slow);
    struct job end = await_end(0, start_on(0, "cache:far").id);
    expect_done(&end, 0);
    ck_assert_int_eq(job_seen_by(0, slow).state, JOB_RUNNING);
    jobs_set_duty(nodes[0].app, 100);
    end = await_end(0, slow);
    expect_done(&end, 100000);
}
END_TEST

/* Nothing seems to run for ever that no runner can find. */
START_TEST(what_the_list_has_lost_is_ended)
{
    open_jobs_node(0, false, 0);
    struct str lost = start_on(0, "cache:sessions").id;
    redis_server_do(redis, "UNLINK cw:jobs");
    struct str listed = start_on(0, "cache:far").id;
    open_jobs_node(1, true, 0);
    struct job end = await_end(0, lost);
    ck_assert_int_eq(end.state, JOB_FAILED);
    ck_assert(str_eq(end.reason, STR("the list of jobs in Redis has lost it")));
    end = await_end(0, listed);
    expect_done(&end, 0);
}
END_TEST

/* A command works on its own job, and leaves others alone. */
START_TEST(a_command_runs_its_own_job_only)
{
    struct error error = {0};
    fill(redis, "sess:development:", 1000);
    fill(elsewhere, "sess:", 1000);
    open_jobs_node(0, false, 0);
    open_jobs_node(1, false, 0);
    struct str other = start_on(0, "cache:sessions").id, own = start_on(0, "cache:far").id;
    ck_assert_int_eq(jobs_run(nodes[1].app, own, &error), ERR_OK);
    struct job end = await_end(0, own);
    expect_done(&end, 1000);
    loopback_close(&nodes[1]);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:jobs:runner"), 0);
    ck_assert_int_eq(job_seen_by(0, other).progress, 0);
    open_jobs_node(1, true, 0);
    end = await_end(0, other);
    expect_done(&end, 1000);
}
END_TEST

/* ---- what is listed and need not be ---- */

static void await_unlisted(struct str id, const char *target)
{
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    struct str entry = str_format(arena, "%.*s %s", STR_ARG(id), target);
    int64_t deadline_ns = soon();

    while (redis_server_ask_integer(redis, "EVAL %s 0 %b",
                                    "return redis.call('LPOS', 'cw:jobs', ARGV[1]) and 1 or 0",
                                    entry.ptr, entry.len) == 1) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%s stays on the list", target);
        nanosleep(&moment, NULL);
    }
}

/* Who ended a job a moment ago is about to take it off; whose end is old will not come any more. */
START_TEST(an_ended_job_is_given_time_to_leave)
{
    struct str end = str_format(arena, "done %lld ", (long long)clock_wall_ms() + 3600 * 1000);

    open_jobs_node(0, false, 0);
    struct str fresh = start_on(0, "cache:sessions").id, old = start_on(0, "cache:far").id,
               lost = start_on(0, "cache:odd").id;
    redis_server_do(redis, "HSET cw:jobs:%s end %b", fresh.ptr, end.ptr, end.len);
    redis_server_do(redis, "HSET cw:jobs:%s end %s", old.ptr, "done 1769860800000 ");
    redis_server_do(redis, "UNLINK cw:jobs:%s", lost.ptr);
    open_jobs_node(1, true, 0);
    await_unlisted(old, "cache:far");
    await_unlisted(lost, "cache:odd");
    ck_assert_int_eq(redis_server_ask_integer(redis, "LLEN cw:jobs"), 1);
    redis_server_do(redis, "HSET cw:jobs:%s end %s", fresh.ptr, "done 1769860800000 ");
    await_unlisted(fresh, "cache:sessions");
}
END_TEST

/* ---- a full Redis ---- */

static void expect_once(const char *log, const char *line)
{
    const char *found = strstr(log, line);
    ck_assert_msg(found && !strstr(found + 1, line), "%s: not once in\n%s", line, log);
}

/* On a Redis that is full of what a job is to remove, the job removes it: nothing it needs first needs room. */
START_TEST(a_full_redis_is_emptied)
{
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    int64_t deadline_ns = soon();
    struct error error = {0};
    fill(redis, "sess:development:", 1000);
    open_jobs_node(0, false, 0);
    struct str id = start_on(0, "cache:sessions").id;
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    log_capture_start();
    ck_assert_int_eq(jobs_run(nodes[0].app, id, &error), ERR_OK);
    while (matching(redis, "sess:*") > 0) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "the job does not begin");
        nanosleep(&moment, NULL);
    }
    struct job job = job_seen_by(0, id);
    ck_assert_int_eq(job.state, JOB_RUNNING);
    /* It tries to write its end again and again, and says so once. */
    int64_t calls = redis_server_calls(redis, "hmget");
    redis_server_wait_calls(redis, "hmget", calls + 3);
    char *log = log_capture_end();
    expect_once(log, "event=jobs.unclaimed error=\"redis out of memory\"");
    expect_once(log, "event=job.waits_for_room");
    free(log);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    job = await_end(0, id);
    expect_done(&job, 1000);
}
END_TEST

/* A full Redis takes no end. Who cancels is heard all the same, and the end is written when there is room. */
START_TEST(cancelled_while_redis_is_full)
{
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    int64_t deadline_ns = soon();
    struct error error = {0};
    struct job job;
    bool was_running;
    fill(redis, "sess:development:", 1000);
    open_jobs_node(0, false, 0);
    struct str id = start_on(0, "cache:sessions").id;
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    enum err err =
        jobs_cancel(nodes[0].app, (struct work){arena, soon(), &error}, id, &job, &was_running);
    ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), error.detail);
    ck_assert(was_running);
    ck_assert_int_eq(job.state, JOB_FAILED);
    ck_assert(str_eq(job.reason, STR("cancelled")));
    err = jobs_cancel(nodes[0].app, (struct work){arena, soon(), &error}, id, &job, &was_running);
    ck_assert_int_eq(err, ERR_OK);
    ck_assert(!was_running);
    ck_assert_int_eq(jobs_run(nodes[0].app, id, &error), ERR_OK);
    /* The runner has seen it, and removes nothing. */
    int64_t calls = redis_server_calls(redis, "hmget");
    redis_server_wait_calls(redis, "hmget", calls + 3);
    ck_assert_int_eq(job_seen_by(0, id).finished_ms, 0);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    while (job_seen_by(0, id).finished_ms == 0) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "the end is not written");
        nanosleep(&moment, NULL);
    }
    job = job_seen_by(0, id);
    ck_assert_int_eq(job.state, JOB_FAILED);
    ck_assert(str_eq(job.reason, STR("cancelled")));
    ck_assert_int_eq(job.removed, 0);
    ck_assert_int_eq(matching(redis, "sess:*"), 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("runner");
    TCase *all = tcase_create("runner");
    tcase_add_checked_fixture(all, open_case, close_case);
    tcase_add_test(all, all_that_begins_so_and_nothing_else);
    tcase_add_test(all, what_looks_like_a_pattern_is_none);
    tcase_add_test(all, labels_of_one_namespace);
    tcase_add_test(all, counting_removes_nothing);
    tcase_add_test(all, an_empty_database_is_done_at_once);
    tcase_add_test(all, the_end_is_recorded_with_who_had_started_it);
    tcase_add_test(all, cancelled_between_two_saves);
    tcase_add_test(all, cancelled_where_it_is);
    tcase_add_test(all, a_redis_that_stays_away_fails_the_job);
    tcase_add_test(all, a_redis_that_comes_back_is_waited_for);
    tcase_add_test(all, what_redis_refuses_fails_the_job);
    tcase_add_test(all, another_node_goes_on_when_this_one_stops);
    tcase_add_test(all, a_dead_node_is_followed_when_its_claim_expires);
    tcase_add_test(all, a_place_in_another_redis_is_none);
    tcase_add_test(all, data_that_was_lost_takes_its_jobs_along);
    tcase_add_test(all, a_long_rest);
    tcase_add_test(all, jobs_take_turns);
    tcase_add_test(all, what_the_list_has_lost_is_ended);
    tcase_add_test(all, a_command_runs_its_own_job_only);
    tcase_add_test(all, an_ended_job_is_given_time_to_leave);
    tcase_add_test(all, a_full_redis_is_emptied);
    tcase_add_test(all, cancelled_while_redis_is_full);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
