/*
 * Two nodes behind HAProxy, with one Redis and one PostgreSQL, and the configuration we ship
 * (conf/examples/haproxy.cfg): each is restarted in turn under load, and no request is lost.
 */
#include "postgres_server.h"
#include "stand.h"
#include "suite.h"

#include "cachewarden/str.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Clients rest between two requests: the nodes are to be under load, not the machine. */
enum { CLIENTS = 4, REST_US = 5000, ROUNDS = 3, ENVIRONMENT_MAX = 32 };

static struct postgres_server *postgres;
static struct stand stand; /* its server is node a */
static struct cw_server b;
static pid_t haproxy;
static char proxy_url[64];
static char listen_of[2][64];
static const char *environment_of[2][ENVIRONMENT_MAX];

/* ---- nodes ---- */

/* The stand's environment, but for where to listen. */
static void make_environment(int node)
{
    size_t count = 0;
    environment_of[node][count++] = listen_of[node];
    for (char **variable = stand.environment; *variable; variable++) {
        ck_assert_uint_lt(count + 1, ENVIRONMENT_MAX);
        if (strncmp(*variable, "CACHEWARDEN_LISTEN=", 19) != 0)
            environment_of[node][count++] = *variable;
    }
    environment_of[node][count] = NULL;
}

/* In a folder of its own, so that its log begins with it. */
static void start_node(struct cw_server *server, int node)
{
    cw_server_start(server, &(struct cw_server_options){.environment = environment_of[node]});
}

static void open_nodes(const int ports[2])
{
    static char database_variable[POSTGRES_URL_SIZE + 16];
    char url[POSTGRES_URL_SIZE];
    for (int i = 0; i < 2; i++)
        snprintf(listen_of[i], sizeof listen_of[i], "CACHEWARDEN_LISTEN=127.0.0.1:%d", ports[i]);
    postgres = postgres_server_start(NULL);
    postgres_server_url(postgres, POSTGRES_DATABASE, url);
    snprintf(database_variable, sizeof database_variable, "DATABASE_URL=%s", url);
    /* A drain as long as the slowest machine needs; it ends as soon as it may. */
    stand_open(&stand, &(struct stand_options){
                           .environment = (const char *const[]){
                               listen_of[0], database_variable, "CACHEWARDEN_LIMITS_ENABLED=false",
                               "CACHEWARDEN_LOG_LEVEL=debug", /* shows the probes */
                               "CACHEWARDEN_SERVER_DRAIN_S=60", NULL}});
    make_environment(0);
    make_environment(1);
    start_node(&b, 1);
}

/* ---- HAProxy ---- */

/* The text with every `from` made `to`; frees the text. */
static char *replaced(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "no \"%s\" in the example", from);
    size_t size = strlen(text) + strlen(to) + 1;
    char *out = malloc(size);
    snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    free(text);
    return out;
}

static char *example_with(const int ports[2], int proxy_port)
{
    char place[64];
    char *text = cw_file_read(CW_SOURCE_DIR "/conf/examples/haproxy.cfg");
    ck_assert_ptr_nonnull(text);
    snprintf(place, sizeof place, "bind 127.0.0.1:%d", proxy_port);
    text = replaced(text, "bind :80", place);
    snprintf(place, sizeof place, "127.0.0.1:%d", ports[0]);
    text = replaced(text, "192.0.2.11:8000", place);
    snprintf(place, sizeof place, "127.0.0.1:%d", ports[1]);
    return replaced(text, "192.0.2.12:8000", place);
}

static void start_haproxy(const int ports[2])
{
    char path[512];
    int proxy_port = support_free_port();
    char *text = example_with(ports, proxy_port);
    cw_file_write(stand.directory, "haproxy.cfg", text, 0600);
    free(text);
    snprintf(path, sizeof path, "%s/haproxy.cfg", stand.directory);
    snprintf(proxy_url, sizeof proxy_url, "http://127.0.0.1:%d", proxy_port);
    haproxy = fork();
    if (haproxy == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("haproxy", "haproxy", "-db", "-q", "-f", path, (char *)NULL);
        _exit(127);
    }
}

static bool is_served(const void *unused)
{
    (void)unused;
    int status;
    ck_assert_msg(waitpid(haproxy, &status, WNOHANG) == 0, "haproxy has ended: %d", status);
    struct http_client *http = http_client_new(proxy_url);
    bool yes = http_get(http, "/health/live", NULL)->status == 200;
    http_client_free(&http);
    return yes;
}

/* ---- load ---- */

struct load {
    pthread_t thread;
    int clears, answers;
    char failure[512]; /* of the first request that was not answered as it should be */
};

static atomic_bool is_over;

static void note(struct load *load, const struct http_reply *reply, const char *what)
{
    load->answers++;
    if (reply->status != 200 && !load->failure[0])
        snprintf(load->failure, sizeof load->failure, "%s: %d %s", what, reply->status,
                 reply->status ? reply->body : reply->failure);
}

static void *put_load(void *arg)
{
    struct load *load = arg;
    struct http_client *http = http_client_new(proxy_url);
    while (!atomic_load(&is_over)) {
        const struct http_reply *reply = http_post(http, "/api/cache/clear/", stand.alice.bearer);
        load->clears += reply->status == 200;
        note(load, reply, "clear");
        note(load, http_get(http, "/api/cache/status/", stand.alice.bearer), "status");
        usleep(REST_US);
    }
    http_client_free(&http);
    return NULL;
}

static int64_t version(void)
{
    struct http_client *http = http_client_new(proxy_url);
    const struct http_reply *reply = http_get(http, "/api/cache/status/", stand.alice.bearer);
    expect_status(reply, 200);
    int64_t number = -1;
    ck_assert(str_to_int64(str_from(http_header(reply, "X-Cache-Version")), 1, INT64_MAX, &number));
    http_client_free(&http);
    return number;
}

/* It has its share of the load, and HAProxy asks it how it is. */
static bool is_in_service(const void *with)
{
    char *log = cw_server_log(with);
    const char *probe = strstr(log, "route=health.ready");
    bool yes = strstr(log, "route=cache.clear") && probe && strstr(probe + 1, "route=health.ready");
    free(log);
    return yes;
}

/* Ends the node as systemd would, and waits until its successor is in service. */
static void restart(struct cw_server *server, int node)
{
    cw_server_stop(server);
    start_node(server, node);
    stand_wait(is_in_service, server, "the node is in service again");
}

START_TEST(a_rolling_restart_loses_nothing)
{
    struct load loads[CLIENTS] = {0};
    const int ports[2] = {support_free_port(), support_free_port()};
    open_nodes(ports);
    start_haproxy(ports);
    stand_wait(is_served, NULL, "HAProxy serves");

    int64_t before = version(), clears = 0;
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(pthread_create(&loads[i].thread, NULL, put_load, &loads[i]), 0);
    stand_wait(is_in_service, &stand.server, "node a is in service");
    stand_wait(is_in_service, &b, "node b is in service");
    for (int round = 0; round < ROUNDS; round++) {
        restart(&stand.server, 0);
        restart(&b, 1);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(loads[i].thread, NULL);
        ck_assert_msg(!loads[i].failure[0], "%s", loads[i].failure);
        ck_assert_int_gt(loads[i].answers, 0);
        clears += loads[i].clears;
    }
    ck_assert_int_eq(version() - before, clears);

    cw_server_stop(&b);
    stand_close(&stand); /* while HAProxy is there to be told */
    kill(haproxy, SIGTERM);
    waitpid(haproxy, NULL, 0);
    postgres_server_stop(&postgres);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("two nodes");
    TCase *tcase = tcase_create("behind HAProxy");
    tcase_add_test(tcase, a_rolling_restart_loses_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
