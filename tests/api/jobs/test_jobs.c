/* Starting, finding and listing jobs: who keeps whom from it, and how many there may be. */
#include "jobs/jobs_private.h"

#include "jobs_case.h"
#include "suite.h"

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
    for (int i = 0; i < JOBS_LIMIT; i++)
        redis_server_do(redis, "RPUSH cw:jobs %s%d", SOME_ID " other:", i);
    expect_refusal("cache:sessions", "", ERR_BUSY, "Too many jobs");
    ck_assert_int_eq(redis_server_ask_integer(redis, "LLEN cw:jobs"), JOBS_LIMIT);
    redis_server_do(redis, "LREM cw:jobs 1 %s", SOME_ID " other:3");
    (void)start_on(0, "cache:sessions");
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
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:jobs:recent"), JOBS_LISTED);
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
    tcase_add_test(all, what_cannot_be_started);
    tcase_add_test(all, what_cannot_be_found);
    tcase_add_test(all, the_last_ones_are_listed);
    tcase_add_test(all, whose_it_is);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
