/* Start, reload, drain, stop. */
#include "patience.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cw_server server;

/* A login whose body is not whole yet: a request under way for as long as we like. */
static struct raw *begin_login(void)
{
    struct raw *raw = raw_open(server.port);
    raw_print(raw, "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                   "application/json\r\nContent-Length: 2\r\n"
                   "Expect: 100-continue\r\n\r\n");
    /* Now it is known to be under way, not only on its way. */
    expect_status(raw_reply(raw, PATIENCE_MS), 100);
    raw_print(raw, "{");
    return raw;
}

/* Asked with that method, GET when it is NULL. */
static bool is_draining(const void *method)
{
    struct raw *raw = raw_open(server.port);
    raw_print(raw, "%s /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n",
              method ? (const char *)method : "GET");
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    bool yes = reply && reply->status == 503;
    if (yes) {
        expect_header(reply, "Connection", "close");
        ck_assert(raw_is_closed(raw, PATIENCE_MS));
    }
    raw_close(&raw);
    return yes;
}

static void start(const char *drain, const char *body_timeout)
{
    cw_server_start(&server, &(struct cw_server_options){
                                 .environment = (const char *const[]){drain, body_timeout, NULL}});
}

START_TEST(a_request_under_way_is_finished)
{
    start("CACHEWARDEN_SERVER_DRAIN_S=600", "CACHEWARDEN_SERVER_BODY_TIMEOUT_MS=600000");
    struct http_client *kept = http_client_new(server.base_url);
    expect_status(http_get(kept, "/health/ready", NULL), 200);
    struct raw *slow = begin_login();
    int64_t from = stand_now_ms();
    cw_server_signal(&server, SIGTERM);
    stand_wait(is_draining, NULL, "readiness says 503");

    /* Whoever comes still is served, and sent away. */
    const struct http_reply *reply = http_get(kept, "/health/live", NULL);
    expect_status(reply, 200);
    expect_header(reply, "Connection", "close");
    expect_header(http_get(kept, "/nosuch", NULL), "Connection", "close");

    raw_print(slow, "}");
    reply = raw_reply(slow, PATIENCE_MS);
    expect_status(reply, 400);
    expect_header(reply, "Connection", "close");
    ck_assert(raw_is_closed(slow, PATIENCE_MS));
    raw_close(&slow);
    http_client_free(&kept);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    /* It does not sit out its 600 s. */
    expect_within_ms(stand_now_ms() - from, 15000);
    cw_server_stop(&server);
}
END_TEST

START_TEST(nothing_under_way_means_no_waiting)
{
    start("CACHEWARDEN_SERVER_DRAIN_S=600", "CACHEWARDEN_SERVER_KEEP_ALIVE_TIMEOUT_MS=600000");
    struct http_client *idle = http_client_new(server.base_url);
    expect_status(http_get(idle, "/health/live", NULL), 200);
    struct raw *silent = raw_open(server.port);
    int64_t from = stand_now_ms();
    cw_server_signal(&server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    expect_within_ms(stand_now_ms() - from, 8000);
    raw_close(&silent);
    http_client_free(&idle);
    cw_server_stop(&server);
}
END_TEST

START_TEST(the_drain_has_an_end)
{
    start("CACHEWARDEN_SERVER_DRAIN_S=1", "CACHEWARDEN_SERVER_BODY_TIMEOUT_MS=60000");
    struct raw *slow = begin_login();
    int64_t from = stand_now_ms();
    cw_server_signal(&server, SIGTERM);
    cw_server_wait(&server);
    ck_assert_int_ge(stand_now_ms() - from, 900);
    expect_within_ms(stand_now_ms() - from, 10000);
    raw_close(&slow);
    cw_server_stop(&server);
}
END_TEST

START_TEST(a_second_signal_stops_at_once)
{
    start("CACHEWARDEN_SERVER_DRAIN_S=600", "CACHEWARDEN_SERVER_BODY_TIMEOUT_MS=600000");
    struct raw *slow = begin_login();
    cw_server_signal(&server, SIGTERM);
    stand_wait(is_draining, NULL, "readiness says 503");
    int64_t from = stand_now_ms();
    cw_server_signal(&server, SIGTERM);
    cw_server_wait(&server);
    expect_within_ms(stand_now_ms() - from, 5000);
    raw_close(&slow);
    cw_server_stop(&server);
}
END_TEST

/* How long it takes to end after the signal, when readiness was asked before; 0: it was not. */
static int64_t stop_after_asking(bool asks, int signal_number)
{
    if (asks) {
        struct http_client *http = http_client_new(server.base_url);
        expect_status(http_get(http, "/health/ready", NULL), 200);
        http_client_free(&http);
    }
    int64_t from = stand_now_ms();
    cw_server_signal(&server, signal_number);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    int64_t took = stand_now_ms() - from;
    cw_server_stop(&server);
    return took;
}

/* OPTIONS is how HAProxy asks by default. */
static const struct {
    const char *method;
    int status;
} questions[] = {{"GET", 200}, {"OPTIONS", 204}};

/* A load balancer asks every few seconds: the node serves on, and says 503 to whoever asks. */
START_TEST(where_readiness_was_asked_it_serves_on)
{
    const char *method = questions[_i].method;
    const int lame_s = 2 + (int)(slowness_stretch_ms(1000) / 1000);
    char setting[64], wanted[64];
    snprintf(setting, sizeof setting, "CACHEWARDEN_SERVER_LAME_DUCK_S=%d", lame_s);
    start(setting, "CACHEWARDEN_SERVER_DRAIN_S=0");
    struct http_client *http = http_client_new(server.base_url);
    expect_status(http_send(http, method, "/health/ready", NULL, NULL, 0), questions[_i].status);
    int64_t from = stand_now_ms();
    cw_server_signal(&server, SIGTERM);
    char *told = cw_server_wait_notify(&server, "STOPPING=1");
    /* None to finish, and a reserve. */
    snprintf(wanted, sizeof wanted, "EXTEND_TIMEOUT_USEC=%d000000\n", lame_s + 15);
    ck_assert_msg(strstr(told, wanted) != NULL, "%s", told);
    free(told);
    stand_wait(is_draining, method, "readiness says 503");
    http_client_free(&http);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    ck_assert_int_ge(stand_now_ms() - from, 1000 * lame_s);
    snprintf(wanted, sizeof wanted, "signal=TERM serves_on_ms=%d000", lame_s);
    char *log = cw_server_log(&server);
    ck_assert_ptr_null(strstr(log, "level=info event=http.request"));
    ck_assert_ptr_nonnull(strstr(log, wanted));
    free(log);
    cw_server_stop(&server);
}
END_TEST

START_TEST(where_nobody_asked_it_goes)
{
    start("CACHEWARDEN_SERVER_LAME_DUCK_S=600", NULL);
    expect_within_ms(stop_after_asking(false, SIGTERM), 20000);
}
END_TEST

START_TEST(sigint_is_somebody_who_does_not_wait)
{
    start("CACHEWARDEN_SERVER_LAME_DUCK_S=600", NULL);
    expect_within_ms(stop_after_asking(true, SIGINT), 20000);
}
END_TEST

START_TEST(a_second_signal_ends_a_lame_duck)
{
    start("CACHEWARDEN_SERVER_LAME_DUCK_S=600", NULL);
    struct http_client *http = http_client_new(server.base_url);
    expect_status(http_get(http, "/health/ready", NULL), 200);
    http_client_free(&http);
    cw_server_signal(&server, SIGTERM);
    stand_wait(is_draining, NULL, "readiness says 503");
    cw_server_signal(&server, SIGTERM);
    cw_server_wait(&server); /* within its 20 s */
    cw_server_stop(&server);
}
END_TEST

/* ---- SIGHUP ---- */

#define REGISTER                                                                                 \
    "{\"username\":\"carol%d\",\"email\":\"carol%d@example.com\",\"password\":\"violet-lantern-" \
    "42\"}"

struct registration {
    struct http_client *http;
    int status;
};

/* Whether registering, under a new name each time, is answered with that status. */
static bool answers(const void *with)
{
    static int count;
    const struct registration *wanted = with;
    char body[256];
    count++;
    snprintf(body, sizeof body, REGISTER, count, count);
    return http_post_json(wanted->http, "/auth/register", NULL, body)->status == wanted->status;
}

START_TEST(a_reload_applies_what_can_be_reloaded)
{
    const char *closed = "users: { registration = \"closed\"; };\n",
               *open = "users: { registration = \"open\"; };\n";
    cw_server_start(&server, &(struct cw_server_options){.config = closed});
    struct registration wanted = {.http = http_client_new(server.base_url), .status = 403};
    ck_assert(answers(&wanted));

    cw_file_write(server.directory, "test.conf", open, 0600);
    cw_server_signal(&server, SIGHUP);
    wanted.status = 201;
    stand_wait(answers, &wanted, "registration is open");

    /* A bad file changes nothing, and the log says where it is bad. */
    cw_file_write(server.directory, "test.conf",
                  "users: {\n  registration = \"closed\";\n  registratoin = 1;\n};\n", 0600);
    cw_server_signal(&server, SIGHUP);
    cw_server_wait_log(&server, "test.conf:3");
    ck_assert(answers(&wanted));

    cw_file_write(server.directory, "test.conf", closed, 0600);
    cw_server_signal(&server, SIGHUP);
    wanted.status = 403;
    stand_wait(answers, &wanted, "registration is closed");
    http_client_free(&wanted.http);
    cw_server_stop(&server);
}
END_TEST

START_TEST(a_reload_reads_conf_d_and_keeps_what_it_has_when_it_cannot)
{
    char folder[400], link[500];
    cw_server_start(
        &server, &(struct cw_server_options){.config = "users: { registration = \"closed\"; };\n"});
    struct registration wanted = {.http = http_client_new(server.base_url), .status = 201};
    snprintf(folder, sizeof folder, "%s/conf.d", server.directory);
    snprintf(link, sizeof link, "%s/b.conf", folder);
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    cw_file_write(folder, "a.conf", "users: { registration = \"open\"; };\n", 0600);
    cw_server_signal(&server, SIGHUP);
    stand_wait(answers, &wanted, "registration is open");

    cw_file_write(folder, "a.conf", "", 0600);
    ck_assert_int_eq(symlink("nowhere", link), 0);
    cw_server_signal(&server, SIGHUP);
    cw_server_wait_log(&server, "event=config.kept");
    ck_assert(answers(&wanted));

    ck_assert_int_eq(unlink(link), 0);
    cw_server_signal(&server, SIGHUP);
    wanted.status = 403;
    stand_wait(answers, &wanted, "registration is closed");
    http_client_free(&wanted.http);
    cw_server_stop(&server);
}
END_TEST

/* ---- the access log ---- */

/* How many lines of the log have this text. */
static int lines_with(const char *log, const char *text)
{
    int count = 0;
    for (const char *line = log; *line; line += strcspn(line, "\n") + 1) {
        size_t size = strcspn(line, "\n");
        count += memmem(line, size, text, strlen(text)) != NULL;
        if (line[size] == '\0')
            break;
    }
    return count;
}

/* Requests that try to write lines of their own into the log, or colours to the operator's terminal. */
static int make_noise(void)
{
    static const char *const requests[] = {
        "GET /api/schema HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /%0aFORGED%20line HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /%0d%0aFORGED HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\"FORGED b=\"c\r\n\r\n",
        "GET /%1b[31m HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {\"FORGED\":1}\r\n\r\n",
        "GET /\"quote=\\\" HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: FORGED\r\n\r\n",
        "FORGED /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /health\nFORGED HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\x1b[2J\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /health HTTP/1.1\r\n\r\n",
    };
    const int count = (int)(sizeof requests / sizeof *requests);
    for (int i = 0; i < count; i++) {
        struct raw *raw = raw_open(server.port);
        raw_print(raw, "%s", requests[i]);
        const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
        ck_assert_msg(reply && reply->status != 0, "no answer to: %s", requests[i]);
        raw_close(&raw);
    }
    return count;
}

static void expect_printable(const char *log)
{
    for (const char *c = log; *c; c++)
        ck_assert_msg(*c == '\n' || ((unsigned char)*c >= 32 && *c != 127),
                      "byte %d in the log: %.200s", *c, c);
    for (const char *line = log; *line; line += strcspn(line, "\n") + 1) {
        ck_assert_msg(strncmp(line, "FORGED", 6) != 0, "%s", line);
        if (line[strcspn(line, "\n")] == '\0')
            break;
    }
}

/* Stops the server, so that everything has been logged; the caller frees it. */
static char *whole_log(void)
{
    cw_server_signal(&server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    return cw_server_log(&server);
}

START_TEST(one_line_a_request_as_text)
{
    cw_server_start(&server, NULL);
    int requests = make_noise();
    char *log = whole_log();
    ck_assert_msg(lines_with(log, "http.request") == requests, "%d requests\n%s", requests, log);
    ck_assert_int_eq(lines_with(log, "path=/api/schema"), 1);
    expect_printable(log);
    free(log);
    cw_server_stop(&server);
}
END_TEST

START_TEST(one_line_a_request_as_json)
{
    cw_server_start(&server, &(struct cw_server_options){.environment = (const char *const[]){
                                                             "CACHEWARDEN_LOG_FORMAT=json", NULL}});
    int requests = make_noise(), seen = 0;
    char *log = whole_log(), *rest = NULL;
    expect_printable(log);
    for (char *line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_error_t error;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        ck_assert_msg(json_is_object(object), "%s: %s", error.text, line);
        ck_assert_ptr_null(json_object_get(object, "FORGED"));
        if (strstr(line, "\"http.request\"")) {
            ck_assert_msg(json_is_integer(json_object_get(object, "status")) &&
                              json_is_string(json_object_get(object, "request_id")),
                          "%s", line);
            seen++;
        }
        json_decref(object);
    }
    ck_assert_int_eq(seen, requests);
    free(log);
    cw_server_stop(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lifecycle");
    TCase *each = tcase_create("all");
    tcase_add_test(each, a_request_under_way_is_finished);
    tcase_add_test(each, nothing_under_way_means_no_waiting);
    tcase_add_test(each, the_drain_has_an_end);
    tcase_add_test(each, a_second_signal_stops_at_once);
    tcase_add_loop_test(each, where_readiness_was_asked_it_serves_on, 0,
                        sizeof questions / sizeof *questions);
    tcase_add_test(each, where_nobody_asked_it_goes);
    tcase_add_test(each, sigint_is_somebody_who_does_not_wait);
    tcase_add_test(each, a_second_signal_ends_a_lame_duck);
    tcase_add_test(each, a_reload_applies_what_can_be_reloaded);
    tcase_add_test(each, a_reload_reads_conf_d_and_keeps_what_it_has_when_it_cannot);
    tcase_add_test(each, one_line_a_request_as_text);
    tcase_add_test(each, one_line_a_request_as_json);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
