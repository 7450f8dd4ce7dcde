#include "cachewarden/thread.h"

#include "cachewarden/clock.h"
#include "patience.h"
#include "suite.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

struct report {
    bool takes_signals;
    size_t stack_size;
};

static void *report_self(void *arg)
{
    struct report *report = arg;
    pthread_attr_t attributes;
    sigset_t blocked;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    report->takes_signals = !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGHUP);
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &report->stack_size);
    pthread_attr_destroy(&attributes);
    return NULL;
}

START_TEST(takes_no_signals_and_has_its_stack)
{
    const size_t wanted = 256 * 1024;
    struct report report = {0};
    struct error error = {0};
    pthread_t thread;
    sigset_t blocked;

    ck_assert_int_eq(thread_start(&thread, "cw-test", wanted, report_self, &report, &error),
                     ERR_OK);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(!report.takes_signals);
    ck_assert_uint_eq(report.stack_size, wanted);
    /* Whoever started it takes signals as before. */
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    ck_assert(!sigismember(&blocked, SIGTERM));
}
END_TEST

START_TEST(a_stack_that_is_too_small)
{
    struct report report;
    struct error error = {0};
    pthread_t thread;

    ck_assert_int_eq(thread_start(&thread, "cw-test", 1, report_self, &report, &error),
                     ERR_INTERNAL);
    ck_assert_ptr_nonnull(strstr(error.detail, "cw-test"));
}
END_TEST

struct work {
    _Atomic int done, has_name;
    _Atomic bool may_go_on;
    int64_t rest_ms;
};

static int64_t count_one(void *arg)
{
    struct work *work = arg;
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof name);
    work->has_name += strcmp(name, "cw-test") == 0;
    work->done++;
    return work->rest_ms;
}

static void wait_done(struct work *work, int wanted)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    while (work->done < wanted && clock_mono_ns() < deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    ck_assert_int_ge(work->done, wanted);
}

START_TEST(does_it_at_once_and_again)
{
    struct work work = {.rest_ms = _i};
    struct periodic *periodic;
    struct error error = {0};

    ck_assert_int_eq(periodic_start("cw-test", count_one, &work, &periodic, &error), ERR_OK);
    ck_assert(periodic_wait_first(periodic, clock_deadline_ns(PATIENCE_MS)));
    wait_done(&work, 20);
    periodic_stop(&periodic);
    ck_assert_ptr_null(periodic);
    int done = work.done;
    ck_assert_int_eq(work.has_name, done);
    nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
    ck_assert_int_eq(work.done, done);
}
END_TEST

START_TEST(a_rest_is_not_waited_for)
{
    struct work work = {.rest_ms = PATIENCE_MS};
    struct periodic *periodic;
    struct error error = {0};
    int64_t began_ns = clock_mono_ns();

    ck_assert_int_eq(periodic_start("cw-test", count_one, &work, &periodic, &error), ERR_OK);
    wait_done(&work, 1);
    periodic_stop(&periodic);
    periodic_stop(&periodic); /* of none */
    ck_assert_int_eq(work.done, 1);
    ck_assert_int_lt(clock_mono_ns() - began_ns, PATIENCE_MS * NS_PER_MS);
}
END_TEST

static int64_t wait_for_leave(void *arg)
{
    struct work *work = arg;

    while (!work->may_go_on)
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    return count_one(arg);
}

START_TEST(the_first_is_waited_for_until_the_deadline)
{
    struct work work = {.rest_ms = 1};
    struct periodic *periodic;
    struct error error = {0};

    ck_assert_int_eq(periodic_start("cw-test", wait_for_leave, &work, &periodic, &error), ERR_OK);
    ck_assert(!periodic_wait_first(periodic, clock_deadline_ns(10)));
    ck_assert_int_eq(work.done, 0);
    work.may_go_on = true;
    ck_assert(periodic_wait_first(periodic, clock_deadline_ns(PATIENCE_MS)));
    ck_assert(periodic_wait_first(periodic, 0));
    periodic_stop(&periodic);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/thread");
    TCase *tcase = tcase_create("thread");
    tcase_add_test(tcase, takes_no_signals_and_has_its_stack);
    tcase_add_test(tcase, a_stack_that_is_too_small);
    tcase_add_loop_test(tcase, does_it_at_once_and_again, 0, 2);
    tcase_add_test(tcase, a_rest_is_not_waited_for);
    tcase_add_test(tcase, the_first_is_waited_for_until_the_deadline);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
