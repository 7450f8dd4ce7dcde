/*
 * Standard error that nobody reads: a pipe that is full before the server starts, a stream socket as the
 * journal's is, a terminal after Ctrl-S. Requests are answered at the speed of answers, what is lost is
 * counted and told, and SIGTERM ends the server.
 */
#include "patience.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* More lines than any of them holds; a wait for each would take minutes. */
enum { CLIENTS = 8, REQUESTS = 500, LINES = CLIENTS * REQUESTS, SOON_MS = LINES * 100 / 8 };

static struct cw_server server;
static int ends[2]; /* reading, the server's */
static char key[STAND_KEY_SIZE];

/* ---- who does not read ---- */

static void open_pipe(void)
{
    static const char line[4096] = {[4095] = '\n'};
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], line, sizeof line) > 0)
        ;
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
}

static void open_socket(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void open_terminal(void)
{
    struct termios mode;
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert(ends[0] >= 0 && grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0);
    ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(ends[1], 0);
    ck_assert_int_eq(tcgetattr(ends[1], &mode), 0);
    cfmakeraw(&mode);
    ck_assert_int_eq(tcsetattr(ends[1], TCSANOW, &mode), 0);
    ck_assert_int_eq(tcflow(ends[1], TCOOFF), 0); /* what Ctrl-S does */
}

static const struct {
    const char *name;
    void (*open)(void);
} kinds[] = {{"pipe", open_pipe}, {"socket", open_socket}, {"terminal", open_terminal}};
enum { KINDS = sizeof kinds / sizeof *kinds, TERMINAL = 2 };

/* ---- the server ---- */

static void make_key(void)
{
    struct cw_result result;
    cw_run(&(struct cw_command){.arguments = (const char *const[]){"key", "create", "p", "--scope",
                                                                   "metrics", NULL},
                                .directory = server.directory},
           &result);
    ck_assert_msg(result.status == 0, "%s", result.err);
    const char *end = strrchr(result.out, '\n'), *at = end;
    while (at > result.out && at[-1] != '\n')
        at--;
    snprintf(key, sizeof key, "x-api-key: %.*s", (int)(end - at), at);
    cw_result_fini(&result);
}

static void start(int kind)
{
    kinds[kind].open();
    cw_server_start(&server,
                    &(struct cw_server_options){
                        .log_fd = ends[1],
                        .environment = (const char *const[]){"CACHEWARDEN_SERVER_DRAIN_S=600",
                                                             CW_DEFAULT_THREADS, NULL},
                    });
    make_key();
}

static long long lost(void)
{
    static const char name[] = "\ncachewarden_log_lines_dropped_total ";
    struct http_client *http = http_client_new(server.base_url);
    const struct http_reply *reply = http_get(http, "/metrics", key);
    expect_status(reply, 200);
    const char *at = strstr(reply->body, name);
    ck_assert_msg(at != NULL, "%s", reply->body);
    long long count = strtoll(at + strlen(name), NULL, 10);
    http_client_free(&http);
    return count;
}

static void *ask(void *arg)
{
    struct http_client *http = http_client_new(server.base_url);
    (void)arg;
    for (int i = 0; i < REQUESTS; i++)
        expect_status(http_get(http, "/auth/me", NULL), 401);
    http_client_free(&http);
    return NULL;
}

/* Returns how long they took. */
static int64_t ask_all(void)
{
    pthread_t threads[CLIENTS];
    int64_t from_ms = stand_now_ms();
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, NULL), 0);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    return stand_now_ms() - from_ms;
}

START_TEST(nothing_stops)
{
    start(_i);
    int64_t took_ms = ask_all();
    ck_assert_msg(slowness_allows(took_ms, SOON_MS), "%s: %d ms", kinds[_i].name, (int)took_ms);
    ck_assert_msg(lost() > 0, "%s", kinds[_i].name);
    /* The end is logged, too. */
    cw_server_signal(&server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    cw_server_stop(&server);
}
END_TEST

static bool is_under_way(const void *unused)
{
    (void)unused;
    struct http_client *http = http_client_new(server.base_url);
    bool yes = http_get(http, "/health/ready", NULL)->status == 503;
    http_client_free(&http);
    return yes;
}

/* A request under way holds the drain up, and the second signal ends that. */
START_TEST(a_second_signal_stops_at_once)
{
    start(_i);
    ask_all();
    struct raw *slow = raw_open(server.port);
    raw_print(slow, "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                    "application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    expect_status(raw_reply(slow, PATIENCE_MS), 100);
    cw_server_signal(&server, SIGTERM);
    stand_wait(is_under_way, NULL, "it drains");
    cw_server_signal(&server, SIGTERM);
    (void)cw_server_wait(&server);
    raw_close(&slow);
    cw_server_stop(&server);
}
END_TEST

/* ---- who reads again ---- */

static char text[1 << 22];
static size_t text_size;

static bool has_been_told(const void *unused)
{
    struct pollfd readable = {.fd = ends[0], .events = POLLIN};
    (void)unused;
    while (poll(&readable, 1, 0) == 1 && readable.revents & POLLIN) {
        ssize_t size = read(ends[0], text + text_size, sizeof text - 1 - text_size);
        ck_assert_int_gt(size, 0);
        text_size += (size_t)size;
    }
    return memmem(text, text_size, "event=log.dropped lines=", 24) != NULL;
}

/* The sum of what was told; every line is whole. */
static long long read_lines(void)
{
    long long sum = 0, count;
    for (char *at = text, *end; (end = memchr(at, '\n', (size_t)(text + text_size - at)));
         at = end + 1) {
        *end = '\0';
        if (*at == '\0' && end - at == 4095)
            continue; /* what the pipe was full of */
        ck_assert_msg(strncmp(at, "time=20", 7) == 0 && !strstr(at + 1, "time="), "%s", at);
        ck_assert_msg(!strstr(at, "event=http.request") || strstr(at, " error="), "%s", at);
        const char *told = strstr(at, "event=log.dropped lines=");
        if (told && sscanf(told, "event=log.dropped lines=%lld", &count) == 1)
            sum += count;
    }
    return sum;
}

START_TEST(what_was_lost_is_told_once_somebody_reads)
{
    start(_i);
    ask_all();
    if (_i == TERMINAL)
        ck_assert_int_eq(tcflow(ends[1], TCOON), 0);
    /* No request comes: it is told all the same. */
    stand_wait(has_been_told, NULL, "event=log.dropped");
    cw_server_signal(&server, SIGHUP); /* several lines; the last says that it is done */
    free(cw_server_wait_notify(&server, "READY=1"));
    long long counted = lost();
    cw_server_signal(&server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    has_been_told(NULL);
    ck_assert_int_eq(read_lines(), counted);
    ck_assert_int_gt(counted, 0);
    cw_server_stop(&server);
}
END_TEST

/* ---- who cannot start ---- */

START_TEST(a_start_that_fails_ends)
{
    struct cw_server other;
    cw_server_start(&other, NULL);
    open_pipe();
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        char listen[64];
        snprintf(listen, sizeof listen, "127.0.0.1:%d", other.port);
        dup2(ends[1], STDERR_FILENO);
        setenv("DATABASE_URL", "sqlite:users.db", 1);
        if (chdir(other.directory) == 0)
            execl(CW_BINARY, CW_BINARY, "serve", "--listen", listen, (char *)NULL);
        _exit(127);
    }
    server = (struct cw_server){.pid = pid};
    ck_assert_int_eq(cw_server_wait(&server), 1);
    cw_server_stop(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unread log");
    TCase *each = tcase_create("all");
    tcase_add_loop_test(each, nothing_stops, 0, KINDS);
    tcase_add_loop_test(each, a_second_signal_stops_at_once, 0, KINDS);
    tcase_add_loop_test(each, what_was_lost_is_told_once_somebody_reads, 0, KINDS);
    tcase_add_test(each, a_start_that_fails_ends);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
