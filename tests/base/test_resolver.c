/* Names: who waits for a look-up and for how long, what is kept, and how often name servers are asked. */
#include "resolver_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/str.h"
#include "log_capture.h"
#include "patience.h"
#include "suite.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME "cache.test"

/* What name servers say, in place of them. */
static atomic_int last_byte = 1; /* of 192.0.2.x */
static atomic_int failure;       /* getaddrinfo's; 0: an answer */
static atomic_bool is_silent;
static atomic_int asked;

static struct error error;
static struct resolver_answer answer;

static void doze(void)
{
    nanosleep(&(struct timespec){0, 2000000}, NULL);
}

static int look_up(const char *host, struct resolver_answer *answer_out)
{
    (void)host;
    atomic_fetch_add(&asked, 1);
    while (atomic_load(&is_silent))
        doze();
    *answer_out = (struct resolver_answer){.count = 2};
    for (size_t i = 0; i < answer_out->count; i++) {
        struct resolver_address *address = &answer_out->addresses[i];
        address->socket.v4 = (struct sockaddr_in){
            .sin_family = AF_INET,
            .sin_addr.s_addr =
                htonl(0xc0000200U + (unsigned)atomic_load(&last_byte) + (unsigned)i)};
        address->size = sizeof address->socket.v4;
    }
    return atomic_load(&failure);
}

/* As it is, but for who answers: what is to happen by itself within a test says so. */
static struct resolver_tuning tuning_of(void)
{
    struct resolver_tuning tuning = resolver_default_tuning;

    tuning.look_up = look_up;
    tuning.refresh_ms = tuning.retry_ms = PATIENCE_MS;
    tuning.interval_ms = 1;
    return tuning;
}

static void begin(void)
{
    struct resolver_tuning tuning = tuning_of();

    error_clear(&error);
    resolver_tune(&tuning);
}

static enum err find(int64_t timeout_ms)
{
    return resolver_find(NAME, 6379, clock_deadline_ns(timeout_ms), &answer, &error);
}

static const char *found(size_t i)
{
    static char text[RESOLVER_TEXT_SIZE];

    resolver_write(&answer.addresses[i], text);
    return text;
}

static void await_asked(int count)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    while (atomic_load(&asked) < count) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "asked %d times", atomic_load(&asked));
        doze();
    }
}

static void await_ended(uint64_t count)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    struct resolver_stats stats;

    for (resolver_stats_read(&stats); stats.lookups < count; resolver_stats_read(&stats)) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%d ended", (int)stats.lookups);
        doze();
    }
}

START_TEST(what_is_numeric_is_looked_up_by_nobody)
{
    begin();
    atomic_store(&is_silent, true);
    ck_assert_int_eq(resolver_find("192.0.2.7", 6379, 0, &answer, &error), ERR_OK);
    ck_assert_uint_eq(answer.count, 1);
    ck_assert_str_eq(found(0), "192.0.2.7");
    ck_assert_int_eq(ntohs(answer.addresses[0].socket.v4.sin_port), 6379);
    ck_assert_int_eq(resolver_find("2001:db8::1", 443, 0, &answer, &error), ERR_OK);
    ck_assert_str_eq(found(0), "2001:db8::1");
    ck_assert_int_eq(ntohs(answer.addresses[0].socket.v6.sin6_port), 443);
    resolver_renew("192.0.2.7");
    resolver_renew(NULL);
    resolver_renew("nobody.test");
    struct resolver_stats stats;
    resolver_stats_read(&stats);
    ck_assert_uint_eq(stats.names, 0);
    ck_assert_int_eq(atomic_load(&asked), 0);
}
END_TEST

START_TEST(all_addresses_in_their_order)
{
    begin();
    ck_assert_int_eq(find(PATIENCE_MS), ERR_OK);
    ck_assert_uint_eq(answer.count, 2);
    ck_assert_str_eq(found(0), "192.0.2.1");
    ck_assert_str_eq(found(1), "192.0.2.2");
    ck_assert_int_eq(ntohs(answer.addresses[1].socket.v4.sin_port), 6379);
    /* Names ignore case, and are looked up once. */
    ck_assert_int_eq(
        resolver_find("Cache.Test", 1, clock_deadline_ns(PATIENCE_MS), &answer, &error), ERR_OK);
    ck_assert_int_eq(atomic_load(&asked), 1);
}
END_TEST

/* However many ask while name servers are silent, there is one look-up, and each waits for as long as it wants. */
START_TEST(a_first_answer_is_waited_for_as_long_as_is_wanted)
{
    begin();
    atomic_store(&is_silent, true);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(find(2), ERR_TIMEOUT);
    ck_assert_msg(strstr(error.detail, NAME) && strstr(error.detail, "in time"), "%s",
                  error.detail);
    await_asked(1);
    ck_assert_int_eq(atomic_load(&asked), 1);
    atomic_store(&is_silent, false);
    ck_assert_int_eq(find(PATIENCE_MS), ERR_OK);
    ck_assert_str_eq(found(0), "192.0.2.1");
    ck_assert_int_eq(atomic_load(&asked), 1);
}
END_TEST

static void *ask_patiently(void *arg)
{
    struct resolver_answer mine;
    struct error why;

    (void)arg;
    ck_assert_int_eq(resolver_find(NAME, 1, clock_deadline_ns(PATIENCE_MS), &mine, &why), ERR_OK);
    return NULL;
}

START_TEST(a_long_wait_for_the_first_answer_is_said_once)
{
    struct resolver_tuning tuning = tuning_of();
    pthread_t threads[4];

    tuning.say_ms = 1;
    resolver_tune(&tuning);
    log_capture_start();
    atomic_store(&is_silent, true);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_patiently, NULL), 0);
    char *text = log_capture_read();
    for (; !strstr(text, "name.lookup_waits"); text = log_capture_read()) {
        free(text);
        doze();
    }
    free(text);
    atomic_store(&is_silent, false);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    text = log_capture_read();
    for (; !strstr(text, "name.lookup_works"); text = log_capture_read()) {
        free(text);
        doze();
    }
    free(text);
    text = log_capture_end();
    const char *said = strstr(text, "name.lookup_waits host=" NAME);
    ck_assert_msg(said != NULL, "%s", text);
    ck_assert_msg(!strstr(said + 1, "name.lookup_waits"), "%s", text);
    free(text);
}
END_TEST

START_TEST(the_last_answer_is_used_while_name_servers_are_silent)
{
    begin();
    ck_assert_int_eq(find(PATIENCE_MS), ERR_OK);
    atomic_store(&is_silent, true);
    resolver_renew(NAME);
    await_asked(2);
    /* Whoever asks now has nothing to wait with. */
    ck_assert_int_eq(find(0), ERR_OK);
    ck_assert_str_eq(found(0), "192.0.2.1");
    /* Silence is not asked again and again. */
    for (int i = 0; i < 5; i++) {
        resolver_renew(NAME);
        doze();
    }
    ck_assert_int_eq(atomic_load(&asked), 2);
}
END_TEST

START_TEST(the_last_answer_is_used_while_name_servers_fail)
{
    struct resolver_stats stats;

    begin();
    log_capture_start();
    ck_assert_int_eq(find(PATIENCE_MS), ERR_OK);
    atomic_store(&failure, EAI_AGAIN);
    for (int i = 2; i <= 4; i++) {
        resolver_renew(NAME);
        await_ended((uint64_t)i);
        ck_assert_int_eq(find(0), ERR_OK);
        ck_assert_str_eq(found(0), "192.0.2.1");
    }
    resolver_stats_read(&stats);
    ck_assert_uint_eq(stats.failures, 3);
    ck_assert_uint_eq(stats.names, 1);
    ck_assert_uint_eq(stats.overdue, 1);
    atomic_store(&failure, 0);
    atomic_store(&last_byte, 7);
    resolver_renew(NAME);
    await_ended(5);
    ck_assert_int_eq(find(0), ERR_OK);
    ck_assert_str_eq(found(0), "192.0.2.7");
    resolver_stats_read(&stats);
    ck_assert_uint_eq(stats.overdue, 0);
    char *text = log_capture_read();
    for (; !strstr(text, "name.lookup_works"); text = log_capture_read()) {
        free(text);
        doze();
    }
    free(text);
    text = log_capture_end();
    const char *said = strstr(text, "name.lookup_failed host=" NAME);
    ck_assert_msg(said && strstr(said, "uses=\"the last answer\""), "%s", text);
    ck_assert_msg(!strstr(said + 1, "name.lookup_failed"), "%s", text);
    free(text);
}
END_TEST

/* Whoever comes because what the name led to has gone sees where it leads now. */
START_TEST(a_renewal_is_waited_for)
{
    struct resolver_tuning tuning = tuning_of();

    tuning.renew_wait_ms = PATIENCE_MS;
    resolver_tune(&tuning);
    ck_assert_int_eq(find(PATIENCE_MS), ERR_OK);
    atomic_store(&last_byte, 9);
    doze(); /* the interval */
    resolver_renew(NAME);
    ck_assert_int_eq(find(PATIENCE_MS), ERR_OK);
    ck_assert_str_eq(found(0), "192.0.2.9");
}
END_TEST

START_TEST(renewals_have_an_interval)
{
    struct resolver_tuning tuning = tuning_of();

    tuning.interval_ms = PATIENCE_MS;
    resolver_tune(&tuning);
    ck_assert_int_eq(find(PATIENCE_MS), ERR_OK);
    for (int i = 0; i < 100; i++) {
        resolver_renew(NAME);
        ck_assert_int_eq(find(0), ERR_OK);
    }
    ck_assert_int_eq(atomic_load(&asked), 1);
}
END_TEST

START_TEST(an_unknown_name_is_asked_about_once_an_interval)
{
    struct resolver_tuning tuning = tuning_of();

    tuning.interval_ms = PATIENCE_MS;
    resolver_tune(&tuning);
    atomic_store(&failure, EAI_NONAME);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(find(PATIENCE_MS), ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.detail, NAME) && strstr(error.detail, gai_strerror(EAI_NONAME)),
                  "%s", error.detail);
    ck_assert_int_eq(atomic_load(&asked), 1);
}
END_TEST

START_TEST(an_unknown_name_becomes_known)
{
    begin();
    atomic_store(&failure, EAI_NONAME);
    ck_assert_int_eq(find(PATIENCE_MS), ERR_UPSTREAM_DOWN);
    atomic_store(&failure, 0);
    doze(); /* the interval */
    ck_assert_int_eq(find(PATIENCE_MS), ERR_OK);
}
END_TEST

START_TEST(names_are_looked_up_again_while_nobody_asks)
{
    struct resolver_tuning tuning = tuning_of();

    tuning.refresh_ms = tuning.retry_ms = 1;
    resolver_tune(&tuning);
    ck_assert_int_eq(find(PATIENCE_MS), ERR_OK);
    atomic_store(&last_byte, 5);
    await_ended((uint64_t)atomic_load(&asked) + 2);
    ck_assert_int_eq(find(0), ERR_OK);
    ck_assert_str_eq(found(0), "192.0.2.5");
    atomic_store(&failure, EAI_AGAIN);
    await_ended((uint64_t)atomic_load(&asked) + 3);
    atomic_store(&failure, 0);
    atomic_store(&last_byte, 6);
    await_ended((uint64_t)atomic_load(&asked) + 2);
    ck_assert_int_eq(find(0), ERR_OK);
    ck_assert_str_eq(found(0), "192.0.2.6");
}
END_TEST

START_TEST(the_end_waits_for_no_look_up)
{
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        begin();
        atomic_store(&is_silent, true);
        exit(find(5) == ERR_TIMEOUT ? 42 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 42);
}
END_TEST

/* Nobody waits for it, and the log is no longer there when it ends. */
START_TEST(a_look_up_that_outlives_the_log_says_nothing)
{
    struct resolver_stats stats;

    begin();
    log_capture_start();
    atomic_store(&failure, EAI_AGAIN);
    atomic_store(&is_silent, true);
    ck_assert_int_eq(find(5), ERR_TIMEOUT);
    await_asked(1);
    resolver_stop();
    resolver_stats_read(&stats);
    atomic_store(&is_silent, false);
    await_ended(stats.lookups + 1);
    ck_assert_int_eq(find(PATIENCE_MS), ERR_UPSTREAM_DOWN);
    char *log = log_capture_end();
    ck_assert_msg(!strstr(log, "name.lookup_failed"), "%s", log);
    free(log);
}
END_TEST

START_TEST(there_is_a_limit_to_names)
{
    begin();
    for (int i = 0; i <= RESOLVER_NAMES_MAX; i++) {
        char host[32];
        snprintf(host, sizeof host, "host-%d.test", i);
        ck_assert_int_eq(resolver_find(host, 1, clock_deadline_ns(PATIENCE_MS), &answer, &error),
                         i < RESOLVER_NAMES_MAX ? ERR_OK : ERR_NO_MEMORY);
    }
}
END_TEST

/* With the C library itself. */
START_TEST(localhost)
{
    ck_assert_int_eq(
        resolver_find("localhost", 80, clock_deadline_ns(PATIENCE_MS), &answer, &error), ERR_OK);
    bool is_there = false;
    for (size_t i = 0; i < answer.count; i++)
        is_there = is_there || strcmp(found(i), "127.0.0.1") == 0 || strcmp(found(i), "::1") == 0;
    ck_assert(is_there);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/resolver");
    TCase *tcase = tcase_create("resolver");

    tcase_add_test(tcase, what_is_numeric_is_looked_up_by_nobody);
    tcase_add_test(tcase, all_addresses_in_their_order);
    tcase_add_test(tcase, a_first_answer_is_waited_for_as_long_as_is_wanted);
    tcase_add_test(tcase, a_long_wait_for_the_first_answer_is_said_once);
    tcase_add_test(tcase, the_last_answer_is_used_while_name_servers_are_silent);
    tcase_add_test(tcase, the_last_answer_is_used_while_name_servers_fail);
    tcase_add_test(tcase, a_renewal_is_waited_for);
    tcase_add_test(tcase, renewals_have_an_interval);
    tcase_add_test(tcase, an_unknown_name_is_asked_about_once_an_interval);
    tcase_add_test(tcase, an_unknown_name_becomes_known);
    tcase_add_test(tcase, names_are_looked_up_again_while_nobody_asks);
    tcase_add_test(tcase, the_end_waits_for_no_look_up);
    tcase_add_test(tcase, a_look_up_that_outlives_the_log_says_nothing);
    tcase_add_test(tcase, there_is_a_limit_to_names);
    tcase_add_test(tcase, localhost);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
