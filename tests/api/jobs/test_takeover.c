/* A runner that stood still while another one took over. */
#include "jobs_case.h"
#include "suite.h"
#include "tcp_proxy.h"

/* In front of the Redis of the control data, and of that of the cache `far`. */
static struct tcp_proxy *control, *far;

static void open_case(void)
{
    char url[64];

    start_jobs_redis();
    control = tcp_proxy_start(redis_server_port(redis));
    far = tcp_proxy_start(redis_server_port(elsewhere));
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/0", tcp_proxy_port(control));
    snprintf(far_url, sizeof far_url, "redis://127.0.0.1:%d/0", tcp_proxy_port(far));
    const struct cache_spec caches[] = {{.name = STR("far"),
                                         .kind = CACHE_PREFIX,
                                         .prefix = STR("sess:"),
                                         .redis_url = str_from(far_url)}};
    fill(elsewhere, "sess:", 20000);
    loopback_open(&nodes[0],
                  &(struct loopback_options){.redis_url = url, .caches = caches, .cache_count = 1});
}

static void close_case(void)
{
    loopback_close(&nodes[0]);
    tcp_proxy_stop(&far);
    tcp_proxy_stop(&control);
    stop_jobs_redis();
}

static void let_another_take_over(void)
{
    redis_server_do(redis, "SET cw:jobs:runner another");
}

/* Who works on no job asks whether there are any, and nobody else does. */
static void await_idle(int64_t calls)
{
    redis_server_wait_calls(redis, "llen", calls + 1);
}

/* What it knows of the job is old. */
START_TEST(what_another_brought_further_is_not_overwritten)
{
    tcp_proxy_hold(far, "SCAN", 2); /* the first one finds out which Redis it is */
    struct str id = start_on(0, "cache:far").id;
    tcp_proxy_wait_held(far);
    let_another_take_over();
    redis_server_do(redis, "HSET cw:jobs:%s removed 12345", id.ptr);
    int64_t calls = redis_server_calls(redis, "llen");
    tcp_proxy_release(far);
    await_idle(calls);
    ck_assert_int_eq(job_seen_by(0, id).removed, 12345);
}
END_TEST

/* A step that took so long is followed by a rest of a minute, in which it only looks and renews its claim. */
static void rest_long(void)
{
    const struct timespec moment = {.tv_nsec = 600 * 1000 * 1000};

    jobs_set_duty(nodes[0].app, 1);
    tcp_proxy_hold(far, "SCAN", 2);
    struct str id = start_on(0, "cache:far").id;
    tcp_proxy_wait_held(far);
    nanosleep(&moment, NULL);
    tcp_proxy_release(far);
    await_work(0, id);
}

/* It has saved where its job is, and stops before it looks again. */
START_TEST(the_claim_of_another_is_not_taken_back)
{
    rest_long();
    let_another_take_over();
    loopback_close(&nodes[0]);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:jobs:runner"), 1);
}
END_TEST

/* Since `first`: which of the two was said first. */
static const char *first_said(size_t first, const char *a, const char *b)
{
    for (size_t i = first; i < tcp_proxy_count(control); i++) {
        struct proxy_segment segment = tcp_proxy_segment(control, i);
        if (segment.is_request && strstr(segment.bytes, a))
            return a;
        if (segment.is_request && strstr(segment.bytes, b))
            return b;
    }
    return "";
}

/* It takes over between the look at the claim and its renewal: no job is looked for after that. */
START_TEST(a_renewed_claim_is_still_ones_own)
{
    rest_long();
    tcp_proxy_hold(control, "PEXPIRE", 1);
    tcp_proxy_wait_held(control);
    let_another_take_over();
    size_t first = tcp_proxy_count(control);
    int64_t calls = redis_server_calls(redis, "llen");
    tcp_proxy_release(control);
    await_idle(calls);
    ck_assert_str_eq(first_said(first, "LLEN", "LRANGE"), "LLEN");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/jobs/takeover");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_case, close_case);
    tcase_add_test(all, what_another_brought_further_is_not_overwritten);
    tcase_add_test(all, the_claim_of_another_is_not_taken_back);
    tcase_add_test(all, a_renewed_claim_is_still_ones_own);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
