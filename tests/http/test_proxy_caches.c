/*
 * Caches of others in front of an application, cleared by Cachewarden: nginx (conf/examples/nginx-proxy-cache.conf) and
 * Varnish (conf/examples/varnish.vcl), each as Debian has it. Both ask who it is and which version their cache has, and
 * keep answers under user and version.
 */
#include "control_data.h"
#include "patience.h"
#include "scripted_origin.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct stand stand;
static struct scripted_origin *application;
static pid_t proxy;
static struct http_client *front;
static char *folder;
static atomic_int answers;

/* ---- the application ---- */

/* Each answer is another one, good for a day; it says for whom it is. */
static char *answer(void *arg, const struct origin_request *request)
{
    const char *user = strcasestr(request->head, "\r\nX-User-Id: ");
    char body[128], *text;

    (void)arg;
    snprintf(body, sizeof body, "%d %.*s %s", atomic_fetch_add(&answers, 1) + 1,
             user ? (int)strcspn(user + 13, "\r") : 6, user ? user + 13 : "nobody", request->body);
    ck_assert_int_gt(asprintf(&text,
                              "HTTP/1.1 200 OK\r\nCache-Control: max-age=86400\r\n"
                              "Content-Length: %zu\r\n\r\n%s",
                              strlen(body), body),
                     0);
    return text;
}

/* ---- the proxies ---- */

/* The text with `from`, which must be there, made `to`; frees the text. */
static char *replaced(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from), *out;

    ck_assert_msg(at != NULL, "no \"%s\" in the example", from);
    ck_assert_int_gt(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)), 0);
    free(text);
    return out;
}

static char *with_number(char *text, const char *from, const char *format, int number)
{
    char to[128];

    snprintf(to, sizeof to, format, number);
    return replaced(text, from, to);
}

static void configure_nginx(int port, int cachewarden_port)
{
    char *text = cw_file_read(CW_SOURCE_DIR "/conf/examples/nginx-proxy-cache.conf"), *whole;

    ck_assert_ptr_nonnull(text);
    text = with_number(text, "listen 80;", "listen 127.0.0.1:%d;", port);
    text = with_number(text, "127.0.0.1:8000", "127.0.0.1:%d", cachewarden_port);
    text = with_number(text, "127.0.0.1:9000", "127.0.0.1:%d", scripted_origin_port(application));
    text = replaced(text, "/var/cache/nginx/per_user", "kept");
    /* How long it waits is for a machine that has nothing else to do. */
    text = replaced(text, "proxy_read_timeout 1s;", "proxy_read_timeout 60s;");
    ck_assert_int_gt(
        asprintf(&whole,
                 "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr crit;\n"
                 "events { worker_connections 64; }\nhttp {\naccess_log off;\n"
                 "client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n"
                 "uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n%s\n}\n",
                 text),
        0);
    cw_file_write(folder, "proxy.conf", whole, 0644);
    free(text);
    free(whole);
}

static void configure_varnish(int cachewarden_port)
{
    char *text = cw_file_read(CW_SOURCE_DIR "/conf/examples/varnish.vcl");

    ck_assert_ptr_nonnull(text);
    text = with_number(text, "\"8000\"", "\"%d\"", cachewarden_port);
    text = with_number(text, "\"9000\"", "\"%d\"", scripted_origin_port(application));
    text = replaced(text, ".first_byte_timeout = 1s;", ".first_byte_timeout = 60s;");
    cw_file_write(folder, "proxy.conf", text, 0644);
    free(text);
}

static void run_nginx(const char *path)
{
    execlp("nginx", "nginx", "-e", "stderr", "-p", folder, "-c", path, (char *)NULL);
    execl("/usr/sbin/nginx", "nginx", "-e", "stderr", "-p", folder, "-c", path, (char *)NULL);
}

static void run_varnish(const char *path, int port)
{
    char listen[64], working[400];

    snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    snprintf(working, sizeof working, "%s/working", folder);
    execlp("varnishd", "varnishd", "-F", "-j", "none", "-n", working, "-a", listen, "-T", "none",
           "-f", path, "-s", "malloc,16m", "-p", "thread_pools=1", (char *)NULL);
    execl("/usr/sbin/varnishd", "varnishd", "-F", "-j", "none", "-n", working, "-a", listen, "-T",
          "none", "-f", path, "-s", "malloc,16m", "-p", "thread_pools=1", (char *)NULL);
}

static bool is_served(const void *unused)
{
    int status;

    (void)unused;
    ck_assert_msg(waitpid(proxy, &status, WNOHANG) == 0, "the proxy has ended: %d", status);
    return http_get(front, "/", NULL)->status != 0;
}

/* In front of Cachewarden on that port. */
static void start_proxy(bool is_varnish, int cachewarden_port)
{
    int port = support_free_port();
    char path[400], url[64];

    application = scripted_origin_start(&(struct scripted_origin_options){.answer = answer});
    folder = cw_directory_new();
    ck_assert_int_eq(chmod(folder, 0755), 0);
    if (is_varnish)
        configure_varnish(cachewarden_port);
    else
        configure_nginx(port, cachewarden_port);
    snprintf(path, sizeof path, "%s/proxy.conf", folder);
    proxy = fork();
    ck_assert_int_ge(proxy, 0);
    if (proxy == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (is_varnish)
            run_varnish(path, port);
        else
            run_nginx(path);
        _exit(127);
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    front = http_client_new(url);
    stand_wait(is_served, NULL, "the proxy serves");
}

static void stop_proxy(void)
{
    int status;

    http_client_free(&front);
    kill(proxy, SIGTERM);
    ck_assert_int_eq(waitpid(proxy, &status, 0), proxy);
    scripted_origin_stop(&application);
    cw_directory_remove(&folder);
}

/* ---- through them ---- */

static void open_stand(void)
{
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   "CACHEWARDEN_LIMITS_ENABLED=false", NULL}});
    control_set_version(stand.redis, stand.alice.id, 5);
    control_set_version(stand.redis, stand.bob.id, 5);
}

static void close_stand(void)
{
    stand_close(&stand);
}

static char *get(const char *path, const char *credential, const char *cache)
{
    const struct http_reply *reply = http_get(front, path, credential);

    expect_status(reply, 200);
    if (cache)
        expect_header(reply, "X-Cache", cache);
    return strdup(reply->body);
}

/* Asked for twice in a row: the second is what was kept, or another answer. */
static void expect_kept(const char *path, const char *credential, bool is_kept)
{
    char *first = get(path, credential, NULL);
    char *second = get(path, credential, is_kept ? "HIT" : NULL);

    ck_assert_msg((strcmp(first, second) == 0) == is_kept, "\"%s\", then \"%s\"", first, second);
    free(first);
    free(second);
}

/* What tells alice and bob apart is who they are. */
static void expect_same_version(void)
{
    char version[32];
    const struct http_reply *reply = http_get(front, "/", stand.alice.bearer);

    snprintf(version, sizeof version, "%s", http_header(reply, "X-Cache-Version"));
    expect_header(http_get(front, "/", stand.bob.bearer), "X-Cache-Version", version);
}

START_TEST(hit_clear_miss)
{
    start_proxy(_i == 1, stand.server.port);
    expect_same_version();
    char *alices = get("/orders?x=1", stand.alice.bearer, "MISS");
    char *bobs = get("/orders?x=1", stand.bob.bearer, "MISS");
    char *again = get("/orders?x=1", stand.alice.bearer, "HIT");
    char owner[32];

    ck_assert_str_eq(alices, again);
    snprintf(owner, sizeof owner, " %lld ", (long long)stand.alice.id);
    ck_assert_ptr_nonnull(strstr(alices, owner));
    snprintf(owner, sizeof owner, " %lld ", (long long)stand.bob.id);
    ck_assert_ptr_nonnull(strstr(bobs, owner));
    free(again);
    free(get("/orders?x=2", stand.alice.bearer, "MISS"));

    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 200);
    again = get("/orders?x=1", stand.alice.bearer, "MISS");
    ck_assert_str_ne(alices, again);
    free(again);
    expect_kept("/orders?x=1", stand.alice.bearer, true);
    again = get("/orders?x=1", stand.bob.bearer, "HIT");
    ck_assert_str_eq(bobs, again);
    free(again);
    free(alices);
    free(bobs);
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.bob.bearer), 200);
    stop_proxy();
}
END_TEST

/* Nobody says in a field whose answer it is. */
START_TEST(what_a_client_says)
{
    start_proxy(_i == 1, stand.server.port);
    char claim[64], version[64], *alices = get("/a", stand.alice.bearer, "MISS");
    const struct http_reply *reply = http_get(front, "/a", stand.alice.bearer);

    snprintf(version, sizeof version, "X-Cache-Version: %s", http_header(reply, "X-Cache-Version"));
    snprintf(claim, sizeof claim, "X-User-Id: %lld", (long long)stand.alice.id);
    const char *claims[] = {stand.bob.bearer,      claim, version, "X-Asked-Url: /a",
                            "X-Asked-Method: GET", NULL};
    reply = http_send(front, "GET", "/a", claims, NULL, 0);
    expect_status(reply, 200);
    ck_assert_str_ne(reply->body, alices);
    snprintf(claim, sizeof claim, " %lld ", (long long)stand.bob.id);
    ck_assert_ptr_nonnull(strstr(reply->body, claim));
    const char *nobodys[] = {claims[1], version, NULL};
    int before = atomic_load(&answers);
    expect_status(http_send(front, "GET", "/a", nobodys, NULL, 0), 401);
    ck_assert_int_eq(atomic_load(&answers), before);
    free(alices);
    stop_proxy();
}
END_TEST

START_TEST(bodies_are_passed_on)
{
    start_proxy(_i == 1, stand.server.port);
    char expected[128];

    for (int i = 0; i < 2; i++) {
        const struct http_reply *reply =
            http_post_json(front, "/orders", stand.alice.bearer, "{\"a\":1}");
        expect_status(reply, 200);
        snprintf(expected, sizeof expected, "%d %lld {\"a\":1}", atomic_load(&answers),
                 (long long)stand.alice.id);
        ck_assert_str_eq(reply->body, expected);
    }
    stop_proxy();
}
END_TEST

START_TEST(a_cache_that_is_off)
{
    start_proxy(_i == 1, stand.server.port);
    expect_kept("/off", stand.alice.bearer, true);
    expect_status(http_post(stand.http, "/api/cache/disable/", stand.alice.bearer), 200);
    expect_kept("/off", stand.alice.bearer, false);
    const struct http_reply *reply = http_get(front, "/off", stand.alice.bearer);
    expect_header(reply, "X-Cache-Enabled", "false");
    ck_assert_int_eq(http_header_count(reply, "X-Cache-Version"), 0);
    expect_kept("/off", stand.bob.bearer, true);
    expect_status(http_post(stand.http, "/api/cache/enable/", stand.alice.bearer), 200);
    expect_kept("/off", stand.alice.bearer, true);
    stop_proxy();
}
END_TEST

/* Cachewarden is away: the application is asked each time, and told of nobody. */
START_TEST(without_an_answer)
{
    start_proxy(_i == 1, support_free_port());
    expect_kept("/a", stand.alice.bearer, false);
    char *body = get("/a", stand.alice.bearer, NULL);
    ck_assert_ptr_nonnull(strstr(body, "nobody"));
    free(body);
    stop_proxy();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy caches");
    TCase *shared = tcase_create("nginx and Varnish");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_loop_test(shared, hit_clear_miss, 0, 2);
    tcase_add_loop_test(shared, what_a_client_says, 0, 2);
    tcase_add_loop_test(shared, bodies_are_passed_on, 0, 2);
    tcase_add_loop_test(shared, a_cache_that_is_off, 0, 2);
    tcase_add_loop_test(shared, without_an_answer, 0, 2);
    suite_add_tcase(suite, shared);
    return suite_run(suite);
}
