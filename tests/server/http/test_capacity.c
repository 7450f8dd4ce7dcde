/* What the edge refuses to work with, and how much it raises; http_start and http_check agree. */
#include "http/capacity.h"

#include "edge.h"
#include "suite.h"

#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* An account that nobody has: the limit of processes counts all of an account. */
#define NOBODYS_UID 61234

/* Each test is a process of its own, so what it gives up is its own, too. */
static void become_nobody(void)
{
    if (getuid() != 0)
        return;
    ck_assert_int_eq(setgroups(0, NULL), 0);
    ck_assert_int_eq(setresgid(NOBODYS_UID, NOBODYS_UID, NOBODYS_UID), 0);
    ck_assert_int_eq(setresuid(NOBODYS_UID, NOBODYS_UID, NOBODYS_UID), 0);
}

static void limit_to(__rlimit_resource_t resource, rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {soft, hard};

    ck_assert_int_eq(setrlimit(resource, &limit), 0);
}

/* Both refuse with these words. */
static void expect_refused(const struct http_options *options, const char *words)
{
    struct error of_check = {0}, of_start = {0};
    struct http *http = NULL;

    ck_assert_int_eq(http_check(options, &of_check), ERR_BAD_INPUT);
    ck_assert_int_eq(http_start(options, &http, &of_start), ERR_BAD_INPUT);
    ck_assert_str_eq(of_check.caller, of_start.caller);
    ck_assert_msg(strstr(of_check.caller, words) != NULL, "expected: %s\ngot: %s", words,
                  of_check.caller);
    ck_assert_uint_lt(strlen(of_check.caller), sizeof of_check.caller - 1); /* is not cut */
    ck_assert_ptr_null(http);
}

/* ---- descriptors ---- */

START_TEST(the_soft_limit_is_raised_to_the_hard_one)
{
    struct http_options options = edge_options();
    struct error error;
    struct rlimit limit;
    int connections;

    limit_to(RLIMIT_NOFILE, 64, 700);
    ck_assert_int_eq(capacity_descriptors(&options, &connections, &error), ERR_OK);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, 700);
    ck_assert_int_eq(connections, 700 - 256);
    options.redis_connections = 100;
    ck_assert_int_eq(capacity_descriptors(&options, &connections, &error), ERR_OK);
    ck_assert_int_eq(connections, 700 - 256 - 100);
}
END_TEST

START_TEST(threads_that_would_have_no_descriptors_are_refused)
{
    struct http_options options = edge_options();

    limit_to(RLIMIT_NOFILE, 1024, 1024);
    options.threads = 800;
    expect_refused(&options,
                   "server.threads: 800 need 1088 open files (0 for Redis), and 1024 are allowed; "
                   "raise LimitNOFILE= or ulimit -Hn, or lower server.threads");
    options.threads = 64;
    options.redis_connections = 1024;
    expect_refused(&options, "or redis.pool_size");
}
END_TEST

/* ---- threads ---- */

static const int few_threads = 20;

START_TEST(threads_that_cannot_be_had_are_refused)
{
    struct http_options options = edge_options();
    struct error error = {0};
    struct http *http = NULL;

    limit_to(RLIMIT_NPROC, few_threads, few_threads);
    become_nobody();
    options.threads = 64;
    ck_assert_int_eq(http_check(&options, &error), ERR_OK); /* it starts none */
    ck_assert_int_eq(http_start(&options, &http, &error), ERR_BAD_INPUT);
    ck_assert_ptr_null(http);
    ck_assert_msg(strncmp(error.caller, "server.threads: 64 and 16 others take 80, ", 42) == 0 &&
                      strstr(error.caller, " can be had (Resource temporarily") &&
                      strstr(error.caller, "or lower server.threads"),
                  "%s", error.caller);
}
END_TEST

static void *do_nothing(void *unused)
{
    return unused;
}

START_TEST(threads_that_fit_leave_nothing_behind)
{
    struct error error = {0};
    pthread_t thread;

    ck_assert_msg(capacity_threads(200, &error) == ERR_OK, "%s", error.caller);
    ck_assert_int_eq(pthread_create(&thread, NULL, do_nothing, NULL), 0);
    pthread_join(thread, NULL);
}
END_TEST

/* ---- addresses ---- */

START_TEST(addresses_that_are_not_ours_are_refused_without_a_port)
{
    struct http_options options = edge_options();
    struct listen_address listen = {"192.0.2.1", 8000, false};

    options.listen = &listen;
    expect_refused(&options, "server.listen: 192.0.2.1:8000 cannot be listened on: Cannot assign "
                             "requested address; give an address of this machine, or * for all");
    listen.host = "no-such-host.invalid";
    expect_refused(&options, "server.listen: look-up of the host no-such-host.invalid: ");
    listen.host = "127.0.0.1";
    listen.tls = true;
    expect_refused(&options, "needs server.tls.certificate");
    options.tls_certificate = "/nonexistent/certificate.pem";
    expect_refused(&options, "server.tls.certificate: /nonexistent/certificate.pem: ");
}
END_TEST

START_TEST(more_addresses_than_can_be_had_are_refused)
{
    struct http_options options = edge_options();
    struct listen_address listen[HTTP_LISTEN_MAX + 1];

    for (size_t i = 0; i <= HTTP_LISTEN_MAX; i++)
        listen[i] = (struct listen_address){"127.0.0.1", 0, false};
    options.listen = listen;
    options.listen_count = HTTP_LISTEN_MAX + 1;
    expect_refused(&options, "server.listen: number of addresses: 17 is out of range");
    options.listen_count = HTTP_LISTEN_MAX;
    edge_open(&options);
    ck_assert_int_gt(http_port(edge_http(), HTTP_LISTEN_MAX - 1), 0);
    ck_assert_int_gt(http_connections_max(edge_http()), 0);
    edge_close();
}
END_TEST

/* A port that a server has is that server's: to look at settings beside it is no mistake. */
START_TEST(a_port_in_use_is_no_fault_of_the_settings)
{
    struct http_options options = edge_options();
    struct listen_address listen = {"127.0.0.1", 0, false};
    struct error error;

    edge_open(&options);
    listen.port = edge_port();
    options.listen = &listen;
    ck_assert_msg(http_check(&options, &error) == ERR_OK, "%s", error.caller);
    edge_close();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/http/capacity");
    TCase *tcase = tcase_create("limits");

    tcase_add_test(tcase, the_soft_limit_is_raised_to_the_hard_one);
    tcase_add_test(tcase, threads_that_would_have_no_descriptors_are_refused);
    tcase_add_test(tcase, threads_that_cannot_be_had_are_refused);
    tcase_add_test(tcase, threads_that_fit_leave_nothing_behind);
    tcase_add_test(tcase, addresses_that_are_not_ours_are_refused_without_a_port);
    tcase_add_test(tcase, more_addresses_than_can_be_had_are_refused);
    tcase_add_test(tcase, a_port_in_use_is_no_fault_of_the_settings);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
