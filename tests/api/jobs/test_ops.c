/* The routes of jobs, and the flush that starts one. */
#include "jobs_case.h"
#include "suite.h"

#include "cachewarden/json.h"

static void open_case(void)
{
    start_jobs_redis();
    open_jobs_node(0, true, 0);
}

static void close_case(void)
{
    loopback_close(&nodes[0]);
    stop_jobs_redis();
}

static struct principal key_named(const char *id)
{
    struct principal key = loopback_key(SCOPE_FLUSH, 0);
    key.token_id = str_from(id);
    return key;
}

/* In the case's arena. */
static const char *started(struct loopback_answer *answer)
{
    const struct json *body = loopback_json(answer);
    struct str id = str_dup(arena, json_string(json_get(body, "id")));
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_ACCEPTED);
    ck_assert(str_eq(answer->reply.location, str_format(arena, "/api/v1/jobs/%.*s", STR_ARG(id))));
    ck_assert(str_eq(json_string(json_get(body, "state")), STR("running")));
    loopback_free(&answer);
    return id.ptr;
}

#define FLUSH(who, ...) LOOPBACK(&nodes[0], "caches.flush", who, __VA_ARGS__)

START_TEST(a_flush_starts_a_job)
{
    fill(redis, "sess:development:", 3000);
    const char *id = started(FLUSH(key_named("1"), .name = "sessions"));
    struct job end = await_end(0, str_from(id));
    expect_done(&end, 3000);
    struct loopback_answer *answer = LOOPBACK(&nodes[0], "jobs.show", key_named("1"), .name = id);
    const struct json *body = loopback_json(answer);
    ck_assert(str_eq(json_string(json_get(body, "state")), STR("done")));
    ck_assert_int_eq(json_integer(json_get(body, "removed")), 3000);
    ck_assert_int_eq(json_integer(json_get(body, "progress")), 1);
    loopback_free(&answer);
}
END_TEST

START_TEST(a_dry_run_counts)
{
    fill(redis, "sess:development:", 300);
    const char *id = started(FLUSH(key_named("1"), .name = "sessions", .query = "dry_run=true"));
    struct job end = await_end(0, str_from(id));
    expect_done(&end, 0);
    ck_assert_int_eq(end.found, 300);
    ck_assert_int_eq(matching(redis, "sess:development:*"), 300);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:flushed:sessions"), 0);
}
END_TEST

START_TEST(the_starter_and_admins)
{
    jobs_set_duty(nodes[0].app, 1);
    fill(redis, "sess:development:", 50000);
    const char *id = started(FLUSH(key_named("1"), .name = "sessions"));
    static const char *const routes[] = {"jobs.show", "jobs.cancel"};
    for (size_t i = 0; i < 2; i++) {
        loopback_expect_error(LOOPBACK(&nodes[0], routes[i], loopback_nobody(), .name = id),
                              ERR_UNAUTHENTICATED, NULL);
        loopback_expect_error(LOOPBACK(&nodes[0], routes[i], key_named("2"), .name = id),
                              ERR_FORBIDDEN, NULL);
        loopback_expect_error(LOOPBACK(&nodes[0], routes[i], loopback_user(1), .name = id),
                              ERR_FORBIDDEN, NULL);
        loopback_expect_error(
            LOOPBACK(&nodes[0], routes[i], loopback_key(SCOPE_METRICS, 0), .name = id),
            ERR_FORBIDDEN, NULL);
    }
    ck_assert_int_eq(job_seen_by(0, str_from(id)).state, JOB_RUNNING);
    struct loopback_answer *answer = LOOPBACK(&nodes[0], "jobs.show", loopback_admin(), .name = id);
    (void)loopback_json(answer);
    loopback_free(&answer);
    answer = LOOPBACK(&nodes[0], "jobs.cancel", key_named("1"), .name = id);
    const struct json *body = loopback_json(answer);
    ck_assert(str_eq(json_string(json_get(body, "state")), STR("failed")));
    ck_assert(str_eq(json_string(json_get(body, "reason")), STR("cancelled")));
    loopback_free(&answer);
}
END_TEST

START_TEST(one_at_a_time)
{
    jobs_set_duty(nodes[0].app, 1);
    fill(redis, "sess:development:", 50000);
    (void)started(FLUSH(key_named("1"), .name = "sessions"));
    loopback_expect_error(FLUSH(loopback_admin(), .name = "sessions"), ERR_CONFLICT, NULL);
}
END_TEST

START_TEST(no_such_job)
{
    static const char *const ids[] = {"x", "0123456789abcdef0123456789abcdef", "recent", "runner"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        loopback_expect_error(LOOPBACK(&nodes[0], "jobs.show", loopback_admin(), .name = ids[i]),
                              ERR_NOT_FOUND, NULL);
        loopback_expect_error(LOOPBACK(&nodes[0], "jobs.cancel", loopback_admin(), .name = ids[i]),
                              ERR_NOT_FOUND, NULL);
    }
}
END_TEST

START_TEST(a_cache_with_a_prefix_is_listed)
{
    loopback_expect(LOOPBACK(&nodes[0], "caches.list", loopback_admin()),
                    "{\"caches\":["
                    "{\"name\":\"sessions\",\"kind\":\"prefix\",\"keys\":null,\"last_flush\":null},"
                    "{\"name\":\"far\",\"kind\":\"prefix\",\"keys\":null,\"last_flush\":null},"
                    "{\"name\":\"odd\",\"kind\":\"prefix\",\"keys\":null,\"last_flush\":null}]}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobs_ops");
    TCase *all = tcase_create("jobs_ops");
    tcase_add_checked_fixture(all, open_case, close_case);
    tcase_add_test(all, a_flush_starts_a_job);
    tcase_add_test(all, a_dry_run_counts);
    tcase_add_test(all, the_starter_and_admins);
    tcase_add_test(all, one_at_a_time);
    tcase_add_test(all, no_such_job);
    tcase_add_test(all, a_cache_with_a_prefix_is_listed);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
