/* When the service manager is told that all is well, and when not. */
#include "process/watchdog.h"

#include "cw_server.h"
#include "stand.h"
#include "suite.h"

#include "cachewarden/clock.h"
#include "patience.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char *folder;
static int manager;
static struct watchdog watchdog;

/* A manager that wants to hear from us every two seconds. */
static void open_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    folder = cw_directory_new();
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", folder);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    setenv("WATCHDOG_USEC", "2000000", 1);
    unsetenv("WATCHDOG_PID");
}

static void close_manager(void)
{
    close(manager);
    cw_directory_remove(&folder);
}

/* Whether it was told so since the last time. */
static bool was_fed(void)
{
    char text[64];
    bool fed = false;
    ssize_t size;
    while ((size = recv(manager, text, sizeof text - 1, 0)) >= 0) {
        text[size] = '\0';
        ck_assert_str_eq(text, "WATCHDOG=1\n");
        fed = true;
    }
    return fed;
}

/* ---- whether ---- */

static int64_t period_with(const char *usec, const char *pid)
{
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    if (usec)
        setenv("WATCHDOG_USEC", usec, 1);
    if (pid)
        setenv("WATCHDOG_PID", pid, 1);
    watchdog_init(&watchdog, 10000);
    return watchdog.period_ns;
}

START_TEST(only_when_asked)
{
    char pid[16], parent[16];
    struct timespec wait;
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    snprintf(parent, sizeof parent, "%d", (int)getppid());
    ck_assert_int_eq(period_with("2000000", NULL), 500 * NS_PER_MS);
    ck_assert_int_eq(period_with("2000000", pid), 500 * NS_PER_MS);
    ck_assert(watchdog_wait(&watchdog, clock_mono_ns(), &wait));

    static const char *const nothing[] = {NULL, "", "0", "-1", "2s", "99999999999999999999"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        ck_assert_int_eq(period_with(nothing[i], NULL), 0);
    ck_assert_int_eq(period_with("2000000", parent), 0);
    ck_assert_int_eq(period_with("2000000", ""), 0);
    ck_assert(!watchdog_wait(&watchdog, clock_mono_ns(), &wait));
    ck_assert(!watchdog_is_due(&watchdog, clock_mono_ns() + NS_PER_S));
}
END_TEST

/* ---- when ---- */

START_TEST(four_times_a_period)
{
    struct timespec wait;
    const struct http_stats idle = {0};
    watchdog_init(&watchdog, 10000);
    int64_t now_ns = clock_mono_ns();
    ck_assert(watchdog_is_due(&watchdog, now_ns));
    watchdog_check(&watchdog, &idle, now_ns);
    ck_assert(was_fed());

    ck_assert(watchdog_wait(&watchdog, now_ns + 100 * NS_PER_MS, &wait));
    ck_assert_int_eq(wait.tv_sec, 0);
    ck_assert_int_eq(wait.tv_nsec, 400 * NS_PER_MS);
    ck_assert(!watchdog_is_due(&watchdog, now_ns + 499 * NS_PER_MS));
    ck_assert(watchdog_is_due(&watchdog, now_ns + 500 * NS_PER_MS));
    /* A look that is late does not wait for less than nothing. */
    ck_assert(watchdog_wait(&watchdog, now_ns + 3 * NS_PER_S, &wait));
    ck_assert_int_eq(wait.tv_sec, 0);
    ck_assert_int_eq(wait.tv_nsec, 0);
}
END_TEST

/* ---- progress: of a body timeout of 10 s, so 40 s of patience ---- */

static bool fed_after(struct http_stats *stats, int64_t *now_ns, int64_t seconds)
{
    *now_ns += seconds * NS_PER_S;
    watchdog_check(&watchdog, stats, *now_ns);
    return was_fed();
}

START_TEST(requests_that_hang_are_found_out)
{
    struct http_stats stats = {.requests = 5, .answers_by_class = {[2] = 5}};
    watchdog_init(&watchdog, 10000);
    int64_t now_ns = clock_mono_ns();
    ck_assert(fed_after(&stats, &now_ns, 0));

    stats.requests = 7;
    stats.requests_under_way = 2;
    ck_assert(fed_after(&stats, &now_ns, 1));
    ck_assert(fed_after(&stats, &now_ns, 40)); /* slow, but it may */
    ck_assert(!fed_after(&stats, &now_ns, 1));
    ck_assert(!fed_after(&stats, &now_ns, 100));
    /* Not dead after all. */
    stats.answers_by_class[5]++;
    stats.requests_under_way = 1;
    ck_assert(fed_after(&stats, &now_ns, 1));
}
END_TEST

START_TEST(one_that_hangs_among_others_is_not_enough)
{
    struct http_stats stats = {.requests = 1, .requests_under_way = 1};
    watchdog_init(&watchdog, 10000);
    int64_t now_ns = clock_mono_ns();
    for (int i = 0; i < 20; i++) {
        ck_assert(fed_after(&stats, &now_ns, 30));
        stats.requests++;
        stats.answers_by_class[2]++;
    }
}
END_TEST

/* It begins once and ends once, hours later. */
START_TEST(a_long_download_does_not_hang)
{
    struct http_stats stats = {.requests = 1, .requests_under_way = 1};
    watchdog_init(&watchdog, 10000);
    int64_t now_ns = clock_mono_ns();
    for (int i = 0; i < 20; i++) {
        ck_assert(fed_after(&stats, &now_ns, 30));
        stats.pieces++;
    }
    ck_assert(fed_after(&stats, &now_ns, 30));
    ck_assert(!fed_after(&stats, &now_ns, 41));
}
END_TEST

START_TEST(nothing_to_do_is_no_fault)
{
    struct http_stats stats = {.requests = 9, .answers_by_class = {[4] = 9}};
    watchdog_init(&watchdog, 10000);
    int64_t now_ns = clock_mono_ns();
    ck_assert(fed_after(&stats, &now_ns, 1));
    ck_assert(fed_after(&stats, &now_ns, 10000));
    /* The hours before a request do not count against it. */
    stats.requests++;
    stats.requests_under_way = 1;
    ck_assert(fed_after(&stats, &now_ns, 10000));
    ck_assert(fed_after(&stats, &now_ns, 39));
}
END_TEST

/* ---- the program ---- */

START_TEST(the_server_feeds_it_while_it_runs_and_while_it_drains)
{
    struct cw_server server;
    cw_server_start(&server, &(struct cw_server_options){
                                 .environment = (const char *const[]){
                                     "WATCHDOG_USEC=40000", "CACHEWARDEN_SERVER_DRAIN_S=600",
                                     "CACHEWARDEN_SERVER_BODY_TIMEOUT_MS=600000", NULL}});
    for (int i = 0; i < 5; i++)
        free(cw_server_wait_notify(&server, "WATCHDOG=1"));

    struct raw *raw = raw_open(server.port);
    raw_print(raw, "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                   "application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    ck_assert_int_eq(raw_reply(raw, PATIENCE_MS)->status, 100);
    cw_server_signal(&server, SIGTERM);
    free(cw_server_wait_notify(&server, "STOPPING=1"));
    for (int i = 0; i < 5; i++)
        free(cw_server_wait_notify(&server, "WATCHDOG=1"));
    raw_print(raw, "{}");
    raw_close(&raw);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    cw_server_stop(&server);
}
END_TEST

START_TEST(without_the_wish_it_says_nothing)
{
    struct cw_server server;
    char word[64];
    cw_server_start(&server, NULL);
    cw_server_signal(&server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    ck_assert_int_gt(recv(server.notify, word, sizeof word, MSG_DONTWAIT), 0);
    ck_assert_int_eq(strncmp(word, "STOPPING=1\n", 11), 0);
    ck_assert_int_lt(recv(server.notify, word, sizeof word, MSG_DONTWAIT), 0);
    cw_server_stop(&server);
}
END_TEST

static int64_t number_behind(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    ck_assert_msg(at != NULL, "no %s in \"%s\"", name, text);
    return strtoll(at + strlen(name), NULL, 10);
}

START_TEST(a_reload_is_told)
{
    struct cw_server server;
    cw_server_start(&server, &(struct cw_server_options){.config = "log: { level = \"info\"; };"});
    int64_t before_us = clock_mono_ns() / 1000;
    cw_server_signal(&server, SIGHUP);
    char *reloading = cw_server_wait_notify(&server, "RELOADING=1\n");
    char *ready = cw_server_wait_notify(&server, "READY=1\n");
    int64_t at_us = number_behind(reloading, "\nMONOTONIC_USEC=");
    ck_assert_int_ge(at_us, before_us);
    ck_assert_int_le(at_us, clock_mono_ns() / 1000);
    ck_assert_ptr_nonnull(strstr(ready, server.status));
    free(ready);
    free(reloading);

    /* One that fails goes on with the old settings, and is over too. */
    cw_file_write(server.directory, "test.conf", "nonsense = 1;", 0600);
    cw_server_signal(&server, SIGHUP);
    free(cw_server_wait_notify(&server, "RELOADING=1\n"));
    free(cw_server_wait_notify(&server, "READY=1\n"));
    cw_server_stop(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watchdog");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_manager, close_manager);
    tcase_add_test(all, only_when_asked);
    tcase_add_test(all, four_times_a_period);
    tcase_add_test(all, requests_that_hang_are_found_out);
    tcase_add_test(all, one_that_hangs_among_others_is_not_enough);
    tcase_add_test(all, a_long_download_does_not_hang);
    tcase_add_test(all, nothing_to_do_is_no_fault);
    suite_add_tcase(suite, all);
    TCase *program = tcase_create("program");
    tcase_add_test(program, the_server_feeds_it_while_it_runs_and_while_it_drains);
    tcase_add_test(program, without_the_wish_it_says_nothing);
    tcase_add_test(program, a_reload_is_told);
    suite_add_tcase(suite, program);
    return suite_run(suite);
}
