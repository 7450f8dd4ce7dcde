/*
 * Debian's nginx in front of an application, with the configuration we ship
 * (conf/examples/nginx-auth-request.conf): it asks about each request, and the application hears who it
 * is. Also as nginx asks when nobody tells it to leave the body out: it announces one and sends none.
 */
#include "control_data.h"
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUESTION_WITHOUT_BODY \
    "\t\tproxy_pass_request_body off;\n\t\tproxy_set_header Content-Length \"\";\n"
#define KEPT "\t\tproxy_http_version 1.1;\n\t\tproxy_set_header Connection \"\";\n"

static struct stand stand;
static pid_t nginx;
static struct http_client *front;
static char front_url[64];
static int front_port;

/* ---- nginx ---- */

/* The text with `from`, which must be there, made `to`; frees the text. */
static char *replaced(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from), *out;

    ck_assert_msg(at != NULL, "no \"%s\" in the example", from);
    ck_assert_int_gt(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)), 0);
    free(text);
    return out;
}

static char *number(const char *format, int port)
{
    static char text[64];

    snprintf(text, sizeof text, format, port);
    return text;
}

/* The example on free ports; behind it an application that says what it was told. */
static char *configuration(int port, bool announces_a_body, bool keeps)
{
    int application_port = support_free_port();
    char *example = cw_file_read(CW_SOURCE_DIR "/conf/examples/nginx-auth-request.conf"), *text;

    ck_assert_ptr_nonnull(example);
    front_port = support_free_port();
    example = replaced(example, "listen 80;", number("listen 127.0.0.1:%d;", front_port));
    example = replaced(example, "127.0.0.1:8000", number("127.0.0.1:%d", port));
    example = replaced(example, "127.0.0.1:9000", number("127.0.0.1:%d", application_port));
    /* How long it waits is for a machine that has nothing else to do. */
    example = replaced(example, "proxy_read_timeout 1s;", "proxy_read_timeout 60s;");
    if (announces_a_body)
        example = replaced(example, QUESTION_WITHOUT_BODY, "");
    if (!keeps)
        example = replaced(replaced(example, "\tkeepalive 16;\n", ""), KEPT, "");
    snprintf(front_url, sizeof front_url, "http://127.0.0.1:%d", front_port);
    ck_assert_int_gt(
        asprintf(&text,
                 "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr crit;\n"
                 "events { worker_connections 64; }\nhttp {\naccess_log off;\n"
                 "client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n"
                 "uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n%s\n"
                 "server { listen 127.0.0.1:%d; location / { return 200 \"$request_method "
                 "user=$http_x_user_id version=$http_x_cache_version enabled=$http_x_cache_enabled "
                 "length=$content_length\"; } }\n}\n",
                 example, application_port),
        0);
    free(example);
    return text;
}

static bool is_served(const void *unused)
{
    int status;

    (void)unused;
    ck_assert_msg(waitpid(nginx, &status, WNOHANG) == 0, "nginx has ended: %d", status);
    return http_get(front, "/", NULL)->status != 0;
}

/* In front of Cachewarden on that port. */
static void start_nginx(int port, bool announces_a_body, bool keeps)
{
    char path[512], *text = configuration(port, announces_a_body, keeps);

    cw_file_write(stand.directory, "nginx.conf", text, 0600);
    free(text);
    snprintf(path, sizeof path, "%s/nginx.conf", stand.directory);
    nginx = fork();
    ck_assert_int_ge(nginx, 0);
    if (nginx == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("nginx", "nginx", "-e", "stderr", "-p", stand.directory, "-c", path, (char *)NULL);
        execl("/usr/sbin/nginx", "nginx", "-e", "stderr", "-p", stand.directory, "-c", path,
              (char *)NULL);
        _exit(127);
    }
    front = http_client_new(front_url);
    stand_wait(is_served, NULL, "nginx serves");
}

static void stop_nginx(void)
{
    int status;

    http_client_free(&front);
    kill(nginx, SIGTERM);
    ck_assert_int_eq(waitpid(nginx, &status, 0), nginx);
}

/* A body that never comes would be waited for until nginx, after 5 s, takes it for no answer. */
static void open_stand(void)
{
    stand_open(&stand,
               &(struct stand_options){.environment = (const char *const[]){
                                           "CACHEWARDEN_LIMITS_ENABLED=false",
                                           "CACHEWARDEN_SERVER_BODY_TIMEOUT_MS=600000", NULL}});
    control_set_version(stand.redis, stand.alice.id, 5);
    control_set_version(stand.redis, stand.bob.id, 7);
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* ---- through nginx ---- */

/* What the application was told. */
static void expect_told(const struct http_reply *reply, const char *method, int64_t user,
                        int version, size_t length)
{
    char told[128], size[32] = "";

    if (length > 0)
        snprintf(size, sizeof size, "%zu", length);
    snprintf(told, sizeof told, "%s user=%lld version=%d enabled=true length=%s", method,
             (long long)user, version, size);
    expect_body(reply, 200, told);
    snprintf(told, sizeof told, "%d", version);
    expect_header(reply, "X-Cache-Version", told);
    expect_header(reply, "X-Cache-Enabled", "true");
}

static void post(const char *type, const char *body, size_t size)
{
    const char *headers[] = {stand.alice.bearer, type, NULL};

    expect_told(http_send(front, "POST", "/orders?x=1", headers, body, size), "POST",
                stand.alice.id, 5, size);
}

/* After each with a body another user's without: nothing of the one may be taken for the other. */
static void ask_about_all_kinds(void)
{
    static char large[100000];
    static const char gzip[] = "\x1f\x8b\x08\0\0\0\0\0\x02\x03\x03\0\0\0\0\0\0\0\0\0";
    const char *claims[] = {stand.bob.bearer, "X-User-Id: 1", "X-Cache-Version: 99", NULL};

    memset(large, 'x', sizeof large);
    for (int round = 0; round < 3; round++) {
        post("Content-Type: application/json", "{\"a\":1}", 7);
        expect_told(http_send(front, "GET", "/", claims, NULL, 0), "GET", stand.bob.id, 7, 0);
        post("Content-Type: application/x-www-form-urlencoded", "a=1&user_id=2", 13);
        expect_told(http_get(front, "/", stand.bob.bearer), "GET", stand.bob.id, 7, 0);
        post("Content-Type: text/plain", large, sizeof large);
        post("Content-Encoding: gzip", gzip, sizeof gzip - 1);
        expect_told(http_get(front, "/", stand.bob.bearer), "GET", stand.bob.id, 7, 0);
        expect_status(http_call(front, "DELETE", "/orders/1", stand.bob.bearer), 200);
        const struct http_reply *reply = http_post_json(front, "/", NULL, "{\"a\":1}");
        expect_status(reply, 401);
        expect_header(reply, "WWW-Authenticate", "Bearer");
    }
}

/* A body that looks like a request, and one whose end is not announced. */
static void ask_about_odd_bodies(void)
{
    static const char smuggled[] =
        "GET /api/cache/check/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n";
    struct raw *raw = raw_open(front_port);

    for (int i = 0; i < 3; i++) {
        post("Content-Type: text/plain", smuggled, sizeof smuggled - 1);
        raw_print(raw,
                  "POST / HTTP/1.1\r\nHost: a\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "5\r\nhello\r\n0\r\n\r\n",
                  stand.alice.bearer);
        const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
        expect_status(reply, 200);
        expect_header(reply, "X-Cache-Version", "5");
        expect_told(http_get(front, "/", stand.bob.bearer), "GET", stand.bob.id, 7, 0);
    }
    raw_close(&raw);
}

/* Loop index: bit 0: as nginx asks by default, bit 1: connections are kept. */
START_TEST(nginx_asks_about_requests)
{
    start_nginx(stand.server.port, (_i & 1) != 0, (_i & 2) != 0);
    ask_about_all_kinds();
    ask_about_odd_bodies();
    stop_nginx();
}
END_TEST

START_TEST(a_cache_that_is_off_has_no_version)
{
    start_nginx(stand.server.port, false, true);
    expect_status(http_post(stand.http, "/api/cache/disable/", stand.alice.bearer), 200);
    char told[128];
    snprintf(told, sizeof told,
             "GET user=%lld version= enabled=false length=", (long long)stand.alice.id);
    const struct http_reply *reply = http_get(front, "/", stand.alice.bearer);
    expect_body(reply, 200, told);
    ck_assert_int_eq(http_header_count(reply, "X-Cache-Version"), 0);
    expect_status(http_post(stand.http, "/api/cache/enable/", stand.alice.bearer), 200);
    stop_nginx();
}
END_TEST

START_TEST(without_an_answer_the_application_is_asked_without_one)
{
    start_nginx(support_free_port(), true, true); /* nobody is there */
    const char *headers[] = {stand.alice.bearer, "X-User-Id: 1", "X-Cache-Version: 5", NULL};
    const char *told = "POST user= version= enabled=false length=2";
    expect_body(http_send(front, "POST", "/", headers, "{}", 2), 200, told);
    expect_body(http_send(front, "POST", "/", headers, "{}", 2), 200, told);
    stop_nginx();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nginx");
    TCase *shared = tcase_create("in front of an application");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_loop_test(shared, nginx_asks_about_requests, 0, 4);
    tcase_add_test(shared, a_cache_that_is_off_has_no_version);
    tcase_add_test(shared, without_an_answer_the_application_is_asked_without_one);
    suite_add_tcase(suite, shared);
    return suite_run(suite);
}
