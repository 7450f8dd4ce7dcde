#include "http/access_log.h"

#include "suite.h"

#include "cachewarden/arena.h"
#include "cachewarden/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct arena *arena;
static struct exchange exchange;
static int pipe_fds[2];

static void open_log(void)
{
    arena = arena_new(4096, 0);
    ck_assert_int_eq(pipe2(pipe_fds, O_NONBLOCK), 0);
    log_set_fd(pipe_fds[1]);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);

    static const struct route route = {.name = "cache.clear", .path = "/api/cache/clear/"};
    memset(&exchange, 0, sizeof exchange);
    call_init(&exchange.call, NULL, &route, arena);
    exchange.request.id = STR("r1");
    exchange.request.client_address = STR("192.0.2.7");
    exchange.request.method_name = STR("POST");
    exchange.request.path = STR("/api/cache/clear/");
    exchange.request.query = (struct query){STR("token=SECRET"), true};
    exchange.response.status = 200;
}

static void close_log(void)
{
    access_log_configure(ACCESS_LOG_ALL);
    log_set_fd(STDERR_FILENO);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    arena_free(&arena);
}

/* The lines written, without the time at their beginning. */
static const char *written(void)
{
    static char text[8192];
    ssize_t size = read(pipe_fds[0], text, sizeof text - 1);

    text[size > 0 ? size : 0] = '\0';
    char *event = strstr(text, "http.request");
    return event ? event : text;
}

START_TEST(one_line_with_who_what_and_how)
{
    exchange.call.principal =
        (struct principal){.kind = PRINCIPAL_USER, .credential = CREDENTIAL_BEARER, .user_id = 7};
    access_log_write(&exchange, 312, 1234567);
    ck_assert_str_eq(
        written(),
        "http.request request_id=r1 client=192.0.2.7 method=POST path=/api/cache/clear/ "
        "route=cache.clear "
        "status=200 bytes=312 duration_us=1234 principal=7 credential=bearer error=ok\n");
}
END_TEST

START_TEST(what_the_cache_did)
{
    static const struct {
        enum cache_result result;
        bool is_coalesced;
        const char *word;
    } cases[] = {
        {CACHE_RESULT_HIT, false, " cache=hit upstream_us=1500\n"},
        {CACHE_RESULT_HIT, true, " cache=coalesced upstream_us=1500\n"},
        {CACHE_RESULT_MISS, false, " cache=miss upstream_us=1500\n"},
        {CACHE_RESULT_STALE, false, " cache=stale upstream_us=1500\n"},
        {CACHE_RESULT_BYPASS, false, " cache=bypass upstream_us=1500\n"},
        {CACHE_RESULT_NONE, false, " error=ok upstream_us=1500\n"},
    };

    exchange.call.upstream_ns = 1500000;
    exchange.response.cache_result = cases[_i].result;
    exchange.call.is_coalesced = cases[_i].is_coalesced;
    access_log_write(&exchange, 1, 0);
    ck_assert_ptr_nonnull(strstr(written(), cases[_i].word));
}
END_TEST

/* The number alone would be that of an account here. */
START_TEST(a_stranger_is_named)
{
    exchange.call.principal = (struct principal){.kind = PRINCIPAL_USER,
                                                 .credential = CREDENTIAL_BEARER,
                                                 .user_id = 7,
                                                 .is_stranger = true,
                                                 .name = STR("7 (elsewhere)")};
    access_log_write(&exchange, 1, 0);
    ck_assert_ptr_nonnull(strstr(written(), " principal=\"7 (elsewhere)\" credential=bearer "));
}
END_TEST

START_TEST(a_key_is_named)
{
    exchange.call.principal = (struct principal){
        .kind = PRINCIPAL_API_KEY, .credential = CREDENTIAL_API_KEY, .name = STR("deploy")};
    access_log_write(&exchange, 1, 0);
    ck_assert_ptr_nonnull(strstr(written(), " principal=deploy credential=api_key "));
}
END_TEST

START_TEST(a_refused_head_has_dashes)
{
    memset(&exchange.request, 0, sizeof exchange.request);
    exchange.request.id = STR("r2");
    exchange.request.client_address = STR("::1");
    exchange.call.route = NULL;
    exchange.response.status = 400;
    exchange.result = ERR_BAD_INPUT;
    access_log_write(&exchange, 1, 0);
    ck_assert_str_eq(written(), "http.request request_id=r2 client=::1 method=- path=- route=- "
                                "status=400 bytes=1 duration_us=0 "
                                "principal=- credential=none error=bad_input\n");
}
END_TEST

START_TEST(failures_say_what_the_caller_is_not_told)
{
    exchange.response.status = 500;
    exchange.result = ERR_UPSTREAM_DOWN;
    error_set_detail(&exchange.call.error, ERR_UPSTREAM_DOWN, "connect to 127.0.0.1:6379: refused");
    access_log_write(&exchange, 1, 0);
    ck_assert_ptr_nonnull(
        strstr(written(), " error=upstream_down detail=\"connect to 127.0.0.1:6379: refused\"\n"));

    snprintf(exchange.call.error.caller, sizeof exchange.call.error.caller, "redis unavailable");
    access_log_write(&exchange, 1, 0);
    ck_assert_ptr_nonnull(strstr(written(), " error=upstream_down cause=\"redis unavailable\" "
                                            "detail=\"connect to 127.0.0.1:6379: refused\"\n"));

    exchange.response.status = 400; /* what the caller was told is no news */
    access_log_write(&exchange, 1, 0);
    ck_assert_ptr_null(strstr(written(), "cause="));

    exchange.result = ERR_OK; /* a text that was left over by a success is no news */
    access_log_write(&exchange, 1, 0);
    ck_assert_ptr_null(strstr(written(), "detail="));
}
END_TEST

/* It had a status, and nobody has seen it. */
START_TEST(an_answer_that_did_not_go_out_is_told)
{
    access_log_configure(ACCESS_LOG_FAILED);
    exchange.cut = CUT_CLIENT_GONE;
    access_log_write(&exchange, 0, 0);
    ck_assert_ptr_nonnull(strstr(written(), " status=200 bytes=0 "));
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    access_log_write(&exchange, 0, 0); /* that was the client's affair */
    ck_assert_str_eq(written(), "");
    exchange.cut = CUT_NO_ROOM;
    access_log_write(&exchange, 0, 0);
    ck_assert_ptr_nonnull(strstr(written(), " error=ok cut=no_room\n"));
}
END_TEST

START_TEST(no_value_begins_a_line_and_no_query_is_shown)
{
    exchange.request.path = STR("/a\nhttp.request request_id=forged");
    exchange.request.id = STR("r\r\nx");
    access_log_write(&exchange, 1, 0);
    const char *text = written();
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    ck_assert_ptr_null(strchr(text, '\r'));
    ck_assert_ptr_null(strstr(text, "SECRET"));
}
END_TEST

START_TEST(a_quiet_log_stays_quiet)
{
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    access_log_write(&exchange, 1, 0);
    ck_assert_str_eq(written(), "");
    exchange.response.status = 500; /* but not about what failed */
    exchange.result = ERR_INTERNAL;
    access_log_write(&exchange, 1, 0);
    ck_assert_ptr_nonnull(strstr(written(), " status=500 "));
}
END_TEST

/* ---- which requests, at which level ---- */

/* The level of the line, or "" when there is none. */
static const char *level_of(int status, enum err result, const char *path)
{
    static char level[16];
    char text[4096];
    struct route route = {.name = "x", .path = path};

    exchange.call.route = path ? &route : NULL;
    exchange.response.status = status;
    exchange.result = result;
    access_log_write(&exchange, 1, 0);
    ssize_t size = read(pipe_fds[0], text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    const char *at = strstr(text, "level=");
    snprintf(level, sizeof level, "%.*s", at ? (int)strcspn(at + 6, " ") : 0, at ? at + 6 : "");
    return level;
}

static const struct {
    int status;
    enum err result;
    const char *path, *all, *failed, *off;
} levels[] = {
    {200, ERR_OK, "/auth/me", "info", "", ""},
    {404, ERR_NOT_FOUND, NULL, "info", "info", ""},
    {404, ERR_OK, "/auth/me", "info", "", ""}, /* a miss of the cache */
    {429, ERR_THROTTLED, "/auth/login", "info", "info", ""},
    {0, ERR_OK, "/auth/me", "info", "info", ""}, /* it went before there was an answer */
    {500, ERR_INTERNAL, "/auth/me", "warn", "warn", "warn"},
    {503, ERR_UPSTREAM_DOWN, "/auth/login", "warn", "warn", "warn"},
    {505, ERR_BAD_INPUT, NULL, "info", "info", ""}, /* the client's choice */
    {200, ERR_OK, "/health", "debug", "", ""},
    {200, ERR_OK, "/health/live", "debug", "", ""},
    {200, ERR_OK, "/metrics", "debug", "", ""},
    {401, ERR_UNAUTHENTICATED, "/metrics", "info", "info", ""},
    {503, ERR_BUSY, "/health/ready", "warn", "warn", "warn"},
    {200, ERR_OK, "/api/redis-test", "info", "", ""}, /* somebody asks, not something */
};

START_TEST(each_setting_has_its_requests)
{
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        access_log_configure(ACCESS_LOG_ALL);
        ck_assert_str_eq(level_of(levels[i].status, levels[i].result, levels[i].path),
                         levels[i].all);
        access_log_configure(ACCESS_LOG_FAILED);
        ck_assert_str_eq(level_of(levels[i].status, levels[i].result, levels[i].path),
                         levels[i].failed);
        access_log_configure(ACCESS_LOG_OFF);
        ck_assert_str_eq(level_of(levels[i].status, levels[i].result, levels[i].path),
                         levels[i].off);
    }
}
END_TEST

/* What it was copied from is overwritten, as the next request does. */
START_TEST(a_line_may_be_kept_for_later)
{
    char path[] = "/api/cache/clear/", name[] = "deploy";
    exchange.request.path = str_from(path);
    exchange.call.principal = (struct principal){
        .kind = PRINCIPAL_API_KEY, .credential = CREDENTIAL_API_KEY, .name = str_from(name)};
    struct exchange *kept = access_log_keep(&exchange);
    ck_assert_ptr_nonnull(kept);
    memset(path, 'x', strlen(path));
    memset(name, 'x', strlen(name));
    memset(&exchange, 0, sizeof exchange);

    kept->cut = CUT_NOT_TAKEN;
    access_log_write(kept, 312, 1234567);
    ck_assert_str_eq(
        written(), "http.request request_id=r1 client=192.0.2.7 method=POST path=/api/cache/clear/ "
                   "route=cache.clear status=200 bytes=312 duration_us=1234 principal=deploy "
                   "credential=api_key error=ok cut=not_taken\n");
    free(kept);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/access_log");
    TCase *tcase = tcase_create("access_log");

    tcase_add_checked_fixture(tcase, open_log, close_log);
    tcase_add_test(tcase, a_line_may_be_kept_for_later);
    tcase_add_test(tcase, one_line_with_who_what_and_how);
    tcase_add_loop_test(tcase, what_the_cache_did, 0, 6);
    tcase_add_test(tcase, a_stranger_is_named);
    tcase_add_test(tcase, a_key_is_named);
    tcase_add_test(tcase, a_refused_head_has_dashes);
    tcase_add_test(tcase, failures_say_what_the_caller_is_not_told);
    tcase_add_test(tcase, an_answer_that_did_not_go_out_is_told);
    tcase_add_test(tcase, no_value_begins_a_line_and_no_query_is_shown);
    tcase_add_test(tcase, a_quiet_log_stays_quiet);
    tcase_add_test(tcase, each_setting_has_its_requests);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
