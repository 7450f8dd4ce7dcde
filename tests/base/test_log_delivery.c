/* How lines of the log get out, or do not. */
#include "cachewarden/log.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "death.h"
#include "log_pipe.h"
#include "slowness.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

START_TEST(errno_is_left_alone)
{
    errno = ERANGE;
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_int_eq(errno, ERANGE);
    log_set_fd(-1);
    errno = ERANGE;
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_int_eq(errno, ERANGE);
}
END_TEST

START_TEST(lines_that_cannot_be_written_are_counted)
{
    uint64_t lost = log_lost();

    log_set_fd(-1);
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_uint_eq(log_lost(), lost + 1);

    int full = open("/dev/full", O_WRONLY);
    ck_assert_int_ge(full, 0);
    log_set_fd(full);
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_uint_eq(log_lost(), lost + 2);
    close(full);

    log_set_fd(ends[1]);
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_uint_eq(log_lost(), lost + 2);
    ck_assert_uint_gt(written().len, 0);
}
END_TEST

START_TEST(a_reader_that_has_gone_kills_nobody)
{
    uint64_t lost = log_lost();

    close(ends[0]);
    for (int i = 0; i < 3; i++)
        log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", i));
    ck_assert_uint_eq(log_lost(), lost + 3);
    ends[0] = dup(ends[1]); /* for teardown */
}
END_TEST

static void on_sigpipe(int number)
{
    (void)number;
}

START_TEST(a_sigpipe_handler_of_the_program_stays)
{
    struct sigaction action = {.sa_handler = on_sigpipe}, now;

    ck_assert_int_eq(sigaction(SIGPIPE, &action, NULL), 0);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    ck_assert_int_eq(sigaction(SIGPIPE, NULL, &now), 0);
    ck_assert(now.sa_handler == on_sigpipe);
}
END_TEST

/* Fills the pipe until not even one more byte fits. */
static size_t fill_pipe(void)
{
    static const char bytes[4096];
    size_t total = 0;

    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    for (size_t size = sizeof bytes; size > 0; size = size == 1 ? 0 : 1) {
        ssize_t sent;
        while ((sent = write(ends[1], bytes, size)) > 0)
            total += (size_t)sent;
    }
    return total;
}

static void drain(size_t total)
{
    char bytes[4096];

    while (total > 0) {
        ssize_t got = read(ends[0], bytes, total < sizeof bytes ? total : sizeof bytes);
        ck_assert_int_gt(got, 0);
        total -= (size_t)got;
    }
}

START_TEST(a_reader_that_sleeps_holds_nobody_up_for_long)
{
    enum { COUNT = 1000 };
    uint64_t lost = log_lost();

    /* The pipe is full, it blocks, and nobody reads. */
    fill_pipe();
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
    int64_t before_ns = clock_mono_ns();
    for (int i = 0; i < COUNT; i++)
        log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", i));
    /* One wait a line is 100 s. */
    expect_within_ms((clock_mono_ns() - before_ns) / NS_PER_MS, 30 * 1000);
    ck_assert_uint_eq(log_lost(), lost + COUNT);
}
END_TEST

START_TEST(what_was_lost_is_told_once_it_can_be)
{
    size_t total = fill_pipe();

    for (int i = 0; i < 3; i++)
        log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", i));
    log_report_lost(); /* it cannot */
    drain(total);
    log_event(LOG_LEVEL_INFO, "next", LOG_INT("n", 4));
    log_event(LOG_LEVEL_INFO, "next", LOG_INT("n", 5));
    struct str lines[4], rest = written();
    for (int i = 0; i < 4; i++)
        ck_assert(str_split(&rest, '\n', &lines[i]));
    ck_assert(str_ends(lines[0], STR(" level=warn event=log.dropped lines=3")));
    ck_assert(str_ends(lines[1], STR(" event=next n=4")));
    ck_assert(str_ends(lines[2], STR(" event=next n=5")));
    ck_assert_uint_eq(lines[3].len, 0);

    total = fill_pipe();
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 6));
    drain(total);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON); /* what was lost had a level that is told */
    log_report_lost();
    log_report_lost();
    rest = written();
    ck_assert(str_ends(rest, STR(",\"level\":\"warn\",\"event\":\"log.dropped\",\"lines\":1}\n")));
    ck_assert_ptr_eq(strchr(rest.ptr, '\n'), rest.ptr + rest.len - 1);
}
END_TEST

START_TEST(words_for_people_go_the_same_way)
{
    size_t total = fill_pipe();

    errno = ERANGE;
    log_say("%s: %d\n", "lost", 1);
    ck_assert_int_eq(errno, ERANGE);
    drain(total);
    log_say("%s: %d\n", "found", 2);
    ck_assert(str_eq(written(), STR("found: 2\n")));
}
END_TEST

static void drain_on_signal(int number)
{
    static char bytes[4096];

    (void)number;
    /* The writing end is non-blocking, the reading end is not: one page is room for any line. */
    if (read(ends[0], bytes, sizeof bytes) < 0)
        abort();
}

START_TEST(a_reader_that_is_only_slow_gets_the_line)
{
    struct sigaction action = {.sa_handler = drain_on_signal};
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    uint64_t lost = log_lost();

    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    size_t total = fill_pipe();
    /* The signal comes while the line waits for room, and makes it. */
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    log_event(LOG_LEVEL_INFO, "late", LOG_CSTR("value", "whole"));
    ck_assert_uint_eq(log_lost(), lost);
    drain(total - 4096);
    ck_assert(str_eq(tail_of(written()), STR("event=late value=whole")));
}
END_TEST

/* So many lines are in the pipe at most, and fit: none has to wait. */
enum { THREADS = 4, LINES = 1500, IN_THE_PIPE = 100 };

static sem_t room;

static void *write_many_lines(void *arg)
{
    char filler[200];
    int number = *(const int *)arg;

    memset(filler, 'a' + number, sizeof filler);
    for (int i = 0; i < LINES; i++) {
        while (sem_wait(&room) != 0)
            ;
        log_event(LOG_LEVEL_INFO, "many", LOG_INT("thread", number), LOG_INT("line", i),
                  LOG_STR("filler", ((struct str){filler, (size_t)(i % 200) + 1})));
    }
    return NULL;
}

/* Checks one line of write_many_lines and counts it for its thread. */
static void check_whole(const char *line, int next[THREADS])
{
    int number, count;
    char filler[300];

    ck_assert_msg(sscanf(line, "time=%*s level=info event=many thread=%d line=%d filler=%299s",
                         &number, &count, filler) == 3,
                  "%s", line);
    ck_assert_int_ge(number, 0);
    ck_assert_int_lt(number, THREADS);
    ck_assert_int_eq(count, next[number]++);
    ck_assert_uint_eq(strlen(filler), (size_t)(count % 200) + 1);
    for (const char *c = filler; *c; c++)
        ck_assert_int_eq(*c, 'a' + number);
}

START_TEST(lines_of_threads_do_not_mix)
{
    pthread_t threads[THREADS];
    int numbers[THREADS], next[THREADS] = {0}, lines = 0;
    char line[LOG_LINE_MAX];
    FILE *reader = fdopen(dup(ends[0]), "r");

    ck_assert_int_eq(sem_init(&room, 0, IN_THE_PIPE), 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many_lines, &numbers[i]), 0);
    }
    while (lines < THREADS * LINES) {
        ck_assert_ptr_nonnull(fgets(line, sizeof line, reader));
        check_whole(line, next);
        sem_post(&room);
        lines++;
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(written().len, 0);
    fclose(reader);
}
END_TEST

static void log_while_holding_a_lock(void)
{
    struct lock lock;

    /* Not into the test's stderr, where the abort's message is looked for. */
    log_set_fd(ends[1]);
    lock_init(&lock, LOCK_RANK_POOL, "pool");
    lock_acquire(&lock);
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    lock_release(&lock);
    lock_fini(&lock);
}

START_TEST(no_lock_is_held_across_a_line)
{
    expect_debug_abort(log_while_holding_a_lock, "log write", "\"pool\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/log_delivery");
    TCase *tcase = tcase_create("log_delivery");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, errno_is_left_alone);
    tcase_add_test(tcase, lines_that_cannot_be_written_are_counted);
    tcase_add_test(tcase, a_reader_that_has_gone_kills_nobody);
    tcase_add_test(tcase, a_sigpipe_handler_of_the_program_stays);
    tcase_add_test(tcase, a_reader_that_sleeps_holds_nobody_up_for_long);
    tcase_add_test(tcase, a_reader_that_is_only_slow_gets_the_line);
    tcase_add_test(tcase, what_was_lost_is_told_once_it_can_be);
    tcase_add_test(tcase, words_for_people_go_the_same_way);
    tcase_add_test(tcase, lines_of_threads_do_not_mix);
    tcase_add_test(tcase, no_lock_is_held_across_a_line);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
