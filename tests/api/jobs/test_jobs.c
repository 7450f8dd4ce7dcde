/* Starting, finding and listing jobs: who keeps whom from it, and how many there may be. */
#include "jobs/jobs_private.h"

#include "jobs_case.h"
#include "suite.h"
#include "tcp_proxy.h"

#include <pthread.h>

#define SOME_ID "0123456789abcdef0123456789abcdef"

static void open_case(void)
{
    start_jobs_redis();
    open_jobs_node(0, false, 0);
}

static void close_case(void)
{
    loopback_close(&nodes[0]);
    stop_jobs_redis();
}

static void expect_refusal(const char *target, const char *pattern, enum err expected,
                           const char *says)
{
    struct job job;
    struct error error;
    int64_t before = matching(redis, "cw:jobs*");
    enum err err = try_start_on(0, target, pattern, false, &job, &error);
    ck_assert_msg(err == expected, "%s: %s", err_name(err), error.caller);
    ck_assert_msg(strstr(error.caller, says) != NULL, "\"%s\" does not say \"%s\"", error.caller,
                  says);
    ck_assert_int_eq(matching(redis, "cw:jobs*"), before);
}

START_TEST(one_a_target)
{
    struct job job;
    struct error error;
    struct str id = start_on(0, "cache:sessions").id;
    char says[96];
    snprintf(says, sizeof says, "Job %.*s is at work on this already.", STR_ARG(id));
    expect_refusal("cache:sessions", "", ERR_CONFLICT, says);
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:jobs:recent"), 1);
    /* Others and a count are not in each other's way. */
    (void)start_on(0, "cache:far");
    ck_assert_int_eq(try_start_on(0, "cache:sessions", "", true, &job, &error), ERR_OK);
    ck_assert_int_eq(try_start_on(0, "cache:sessions", "", true, &job, &error), ERR_CONFLICT);
}
END_TEST

START_TEST(what_is_over_is_in_nobodys_way)
{
    struct str id = start_on(0, "cache:sessions").id;
    redis_server_do(redis, "HSET cw:jobs:%s end %s", id.ptr, "done 1769860800000 ");
    id = start_on(0, "cache:sessions").id;
    redis_server_do(redis, "UNLINK cw:jobs:%s", id.ptr);
    id = start_on(0, "cache:sessions").id;
    redis_server_do(redis, "UNLINK cw:jobs:%s", id.ptr);
    (void)start_on(0, "cache:sessions");
    ck_assert_int_eq(redis_server_ask_integer(redis, "LLEN cw:jobs"), 1);
    redis_server_do(redis, "RPUSH cw:jobs nonsense");
    (void)start_on(0, "cache:far");
}
END_TEST

struct racer {
    int started;
    struct str id; /* to be cancelled */
    bool is_over;
};

static void *cancel_one(void *arg)
{
    struct racer *racer = arg;
    struct arena *own = arena_new(4096, 0);
    struct job job;
    struct error error;
    bool was_running;
    if (jobs_cancel(nodes[0].app, (struct work){own, soon(), &error}, racer->id, &job,
                    &was_running) == ERR_OK)
        racer->is_over = was_running;
    arena_free(&own);
    return NULL;
}

static void *start_one(void *arg)
{
    struct racer *racer = arg;
    struct arena *own = arena_new(4096, 0);
    const struct principal who = {.kind = PRINCIPAL_USER, .user_id = 7, .name = STR("alice")};
    const struct job_order order = {.target = STR("cache:sessions"), .principal = &who};
    struct job job;
    struct error error;
    for (int i = 0; i < 20 && racer->started == 0; i++) {
        error_clear(&error);
        racer->started =
            jobs_start(nodes[0].app, (struct work){own, soon(), &error}, &order, &job) == ERR_OK;
    }
    arena_free(&own);
    return NULL;
}

/* Whoever takes an ended job off the list does not hit the one that was started after it. */
START_TEST(an_end_hits_no_job_that_comes_after)
{
    struct str id = start_on(0, "cache:sessions").id;
    for (int round = 0; round < 100; round++) {
        struct racer canceller = {.id = id}, starters[3] = {0};
        pthread_t threads[4];
        struct job job;
        struct error error;
        size_t count;
        struct job *jobs;
        ck_assert_int_eq(pthread_create(&threads[3], NULL, cancel_one, &canceller), 0);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, start_one, &starters[i]), 0);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert(canceller.is_over);
        int started = starters[0].started + starters[1].started + starters[2].started;
        ck_assert_int_le(started, 1);
        if (started == 0)
            (void)start_on(0, "cache:sessions");
        ck_assert_int_eq(try_start_on(0, "cache:sessions", "", false, &job, &error), ERR_CONFLICT);
        ck_assert_int_eq(
            jobs_list(nodes[0].app, (struct work){arena, soon(), &error}, &jobs, &count), ERR_OK);
        id = STR_NONE;
        for (size_t i = 0; i < count; i++)
            id = jobs[i].state == JOB_RUNNING ? jobs[i].id : id;
        ck_assert_uint_gt(id.len, 0);
    }
}
END_TEST

START_TEST(a_few_in_all)
{
    for (int i = 0; i < JOBS_LIMIT_OTHERS; i++)
        redis_server_do(redis, "RPUSH cw:jobs %s%d", SOME_ID " other:", i);
    expect_refusal("cache:sessions", "", ERR_BUSY, "Too many jobs");
    ck_assert_int_eq(redis_server_ask_integer(redis, "LLEN cw:jobs"), JOBS_LIMIT_OTHERS);
    redis_server_do(redis, "LREM cw:jobs 1 %s", SOME_ID " other:3");
    (void)start_on(0, "cache:sessions");
}
END_TEST

/* Others hold no more than that, and who looks after it all has the rest. */
START_TEST(who_looks_after_it_all_has_room)
{
    const struct principal shell = {.kind = PRINCIPAL_USER, .credential = CREDENTIAL_OPERATOR};
    const struct principal admin = {.kind = PRINCIPAL_USER, .user_id = 1, .is_admin = true};
    const struct principal *const who[] = {&shell, &admin};
    static const char *const targets[] = {"cache:sessions", "cache:far"};

    for (int i = 0; i < JOBS_LIMIT_OTHERS; i++)
        redis_server_do(redis, "RPUSH cw:jobs %s%d", SOME_ID " other:", i);
    expect_refusal("cache:sessions", "", ERR_BUSY, "Too many jobs");
    for (size_t i = 0; i < 2; i++) {
        const struct job_order order = {.target = str_from(targets[i]), .principal = who[i]};
        struct job job;
        struct error error = {0};
        enum err err = jobs_start(nodes[0].app, (struct work){arena, soon(), &error}, &order, &job);
        ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), error.caller);
    }
}
END_TEST

/* ---- ends ---- */

static struct tcp_proxy *proxy; /* between node 1 and Redis */

static void open_behind(void)
{
    char url[64];

    start_jobs_redis();
    proxy = tcp_proxy_start(redis_server_port(redis));
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", tcp_proxy_port(proxy));
    open_jobs_node(0, false, 0);
    loopback_open(&nodes[1], &(struct loopback_options){
                                 .redis_url = url, .shares = &nodes[0], .is_unwatched = true});
}

static void close_behind(void)
{
    loopback_close(&nodes[1]);
    tcp_proxy_stop(&proxy);
    close_case();
}

struct canceller {
    struct str id;
    enum err err;
    bool was_running, is_cancelled, has_ended;
};

static void *cancel_behind(void *arg)
{
    struct canceller *canceller = arg;
    struct arena *own = arena_new(4096, 0);
    struct error error = {0};
    struct job job;

    canceller->err = jobs_cancel(nodes[1].app, (struct work){own, soon(), &error}, canceller->id,
                                 &job, &canceller->was_running);
    if (canceller->err == ERR_OK) {
        canceller->is_cancelled = job.state == JOB_FAILED && str_eq(job.reason, STR("cancelled"));
        canceller->has_ended = job.finished_ms >= job.started_ms;
    }
    arena_free(&own);
    return NULL;
}

/* Once it has ended, and Redis said so, nothing that comes after makes a failure of it. */
START_TEST(a_cancel_that_happened_is_no_failure)
{
    struct canceller canceller = {.id = start_on(0, "cache:sessions").id};
    pthread_t thread;

    tcp_proxy_hold(proxy, "LREM", 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_behind, &canceller), 0);
    tcp_proxy_wait_held(proxy);
    redis_server_kill(redis);
    tcp_proxy_release(proxy);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(canceller.err == ERR_OK, "%s", err_name(canceller.err));
    ck_assert(canceller.was_running && canceller.is_cancelled && canceller.has_ended);
}
END_TEST

static bool end_here(struct job_record *record, enum job_state state)
{
    struct error error = {0};
    bool was_running;

    ck_assert_int_eq(job_end(nodes[0].app, (struct work){arena, soon(), &error}, record, state, "",
                             &was_running),
                     ERR_OK);
    return was_running;
}

static struct job_record record_of(struct str id)
{
    struct job_record record;
    struct error error = {0};

    ck_assert_int_eq(
        job_record_find(nodes[0].app, (struct work){arena, soon(), &error}, id, &record), ERR_OK);
    return record;
}

/* A record that was lost before its end is written leaves nothing behind for ever. */
START_TEST(an_end_that_comes_too_late_expires)
{
    struct job_record record = record_of(start_on(0, "cache:sessions").id);

    redis_server_do(redis, "DEL cw:jobs:%s", record.job.id.ptr);
    ck_assert(end_here(&record, JOB_DONE));
    ck_assert_int_eq(record.job.state, JOB_DONE);
    ck_assert_int_gt(record.job.finished_ms, 0);
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:jobs:%s", record.job.id.ptr), 0);
}
END_TEST

/* It was stopped between the last step and the end: who stopped it was told that it is cancelled. */
START_TEST(what_was_stopped_is_not_done)
{
    struct job_record record = record_of(start_on(0, "cache:sessions").id);

    redis_server_do(redis, "HDEL cw:jobs:%s goes_on", record.job.id.ptr);
    ck_assert(end_here(&record, JOB_DONE));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(record.job.state, JOB_FAILED);
        ck_assert(str_eq(record.job.reason, STR("cancelled")));
        record = record_of(record.job.id);
    }
    /* One that had ended before it was stopped is what it was. */
    record = record_of(start_on(0, "cache:far").id);
    ck_assert(end_here(&record, JOB_DONE));
    redis_server_do(redis, "HDEL cw:jobs:%s goes_on", record.job.id.ptr);
    ck_assert(!end_here(&record, JOB_FAILED));
    ck_assert_int_eq(record.job.state, JOB_DONE);
}
END_TEST

START_TEST(what_cannot_be_started)
{
    static const char *const targets[] = {
        "",           "sessions",      "cache:", "cache:nothing", "cache:messages",
        "cache:../x", "entries:user:0"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        expect_refusal(targets[i], "", ERR_NOT_FOUND, "There is nothing named");
    expect_refusal("cache:sessions", "a\nb", ERR_BAD_INPUT, "pattern: ");
}
END_TEST

START_TEST(what_cannot_be_found)
{
    static const char *const ids[] = {"", "x", "0123456789ABCDEF0123456789ABCDEF", "recent",
                                      "0123456789abcdef0123456789abcdef"};
    struct job job;
    struct error error;
    bool was_running;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        ck_assert_int_eq(
            jobs_find(nodes[0].app, (struct work){arena, soon(), &error}, str_from(ids[i]), &job),
            ERR_NOT_FOUND);
        ck_assert_int_eq(jobs_cancel(nodes[0].app, (struct work){arena, soon(), &error},
                                     str_from(ids[i]), &job, &was_running),
                         ERR_NOT_FOUND);
    }
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:jobs"), 0);
}
END_TEST

START_TEST(the_last_ones_are_listed)
{
    struct error error;
    struct job *jobs;
    size_t count;
    struct str first = start_on(0, "cache:sessions").id;
    redis_server_do(redis, "ZADD cw:jobs:recent 1 %s", first.ptr);
    struct str last = start_on(0, "cache:far").id;
    redis_server_do(redis, "ZADD cw:jobs:recent 2 0123456789abcdef0123456789abcdef 3 nonsense");
    ck_assert_int_eq(jobs_list(nodes[0].app, (struct work){arena, soon(), &error}, &jobs, &count),
                     ERR_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert(str_eq(jobs[0].id, last));
    ck_assert(str_eq(jobs[1].id, first));
    ck_assert(str_eq(jobs[1].target, STR("cache:sessions")));
    for (int i = 0; i < 200; i++)
        redis_server_do(redis, "ZADD cw:jobs:recent %d old-%d", i + 10, i);
    (void)start_on(0, "cache:odd");
    /* The first one runs. */
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:jobs:recent"), JOBS_KEPT + 1);
}
END_TEST

static void cancel(struct str id)
{
    struct job job;
    struct error error = {0};
    bool was_running;

    ck_assert_int_eq(
        jobs_cancel(nodes[0].app, (struct work){arena, soon(), &error}, id, &job, &was_running),
        ERR_OK);
    ck_assert(was_running);
}

/* Who starts and cancels all day long fills nothing, and pushes out nothing that still runs. */
START_TEST(records_go_with_the_last_ones)
{
    struct str running = start_on(0, "cache:far").id, first = start_on(0, "cache:sessions").id;
    struct str last = STR_NONE;
    struct error error;

    redis_server_do(redis, "ZADD cw:jobs:recent 1 %s 2 %s", running.ptr, first.ptr);
    cancel(first);
    for (int i = 0; i < JOBS_KEPT + 10; i++) {
        last = start_on(0, "cache:sessions").id;
        cancel(last);
    }
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:jobs:recent"), JOBS_KEPT + 1);
    ck_assert_int_eq(matching(redis, "cw:jobs:????????????????????????????????"), JOBS_KEPT + 1);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:jobs:%s", first.ptr), 0);
    ck_assert_int_eq(job_seen_by(0, last).state, JOB_FAILED);
    /* It is found again should the list lose it. */
    ck_assert_int_eq(job_seen_by(0, running).state, JOB_RUNNING);
    redis_server_do(redis, "DEL cw:jobs");
    jobs_end_unlisted(nodes[0].app->jobs, (struct work){arena, soon(), &error});
    ck_assert_int_eq(job_seen_by(0, running).state, JOB_FAILED);
}
END_TEST

/* Redis may be full from the record on. */
START_TEST(a_start_that_is_refused_leaves_nothing)
{
    struct job job;
    struct error error;

    redis_server_do(redis, "SET cw:jobs x");
    ck_assert_int_ne(try_start_on(0, "cache:sessions", "", false, &job, &error), ERR_OK);
    ck_assert_int_eq(matching(redis, "cw:jobs*"), 1);
}
END_TEST

START_TEST(whose_it_is)
{
    const struct principal alice = {.kind = PRINCIPAL_USER, .user_id = 7};
    const struct principal bob = {.kind = PRINCIPAL_USER, .user_id = 77};
    const struct principal stranger = {
        .kind = PRINCIPAL_USER, .user_id = 7, .is_stranger = true, .issuer = STR("ab")};
    const struct principal key = {.kind = PRINCIPAL_API_KEY, .token_id = STR("7")};
    const struct principal nobody = {0};
    struct job job = start_on(0, "cache:sessions");
    ck_assert(job_is_of(&job, arena, &alice));
    ck_assert(!job_is_of(&job, arena, &bob));
    ck_assert(!job_is_of(&job, arena, &stranger));
    ck_assert(!job_is_of(&job, arena, &key));
    ck_assert(!job_is_of(&job, arena, &nobody));
    job.starter = STR("stranger:7:ab");
    ck_assert(job_is_of(&job, arena, &stranger));
    ck_assert(!job_is_of(&job, arena, &alice));
    job.starter = STR("key:7");
    ck_assert(job_is_of(&job, arena, &key));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobs");
    TCase *all = tcase_create("jobs");
    tcase_add_checked_fixture(all, open_case, close_case);
    tcase_add_test(all, one_a_target);
    tcase_add_test(all, what_is_over_is_in_nobodys_way);
    tcase_add_test(all, an_end_hits_no_job_that_comes_after);
    tcase_add_test(all, a_few_in_all);
    tcase_add_test(all, who_looks_after_it_all_has_room);
    tcase_add_test(all, an_end_that_comes_too_late_expires);
    tcase_add_test(all, what_was_stopped_is_not_done);
    tcase_add_test(all, what_cannot_be_started);
    tcase_add_test(all, what_cannot_be_found);
    tcase_add_test(all, the_last_ones_are_listed);
    tcase_add_test(all, records_go_with_the_last_ones);
    tcase_add_test(all, a_start_that_is_refused_leaves_nothing);
    tcase_add_test(all, whose_it_is);
    suite_add_tcase(suite, all);

    TCase *behind = tcase_create("behind");
    tcase_add_checked_fixture(behind, open_behind, close_behind);
    tcase_add_test(behind, a_cancel_that_happened_is_no_failure);
    suite_add_tcase(suite, behind);
    return suite_run(suite);
}
