/* The queue and its thread: every record ends in the stream or in the log, whatever Redis does. */
#include "cachewarden/app.h"

#include "audit/store.h"
#include "audit_case.h"
#include "cachewarden/audit.h"
#include "slowness.h"

#include <pthread.h>

/* Of the records in the log, those that are there for good, not because they wait. */
static int unsaved(const char *log)
{
    return audit_records_count(log, "event=audit.unsaved") -
           audit_records_count(log, "reason=waiting");
}

static int64_t in_stream(void)
{
    return audit_records_in(redis, "changes");
}

START_TEST(all_are_in_the_stream_after_a_drain)
{
    drain(); /* nothing to wait for */
    write_records(0, 1000);
    drain();
    ck_assert_int_eq(in_stream(), 1000);
    char *log = log_capture_end();
    ck_assert_str_eq(log, "");
    free(log);
}
END_TEST

static void *write_many(void *arg)
{
    write_records(*(int *)arg, 100);
    return NULL;
}

START_TEST(many_threads)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    int from[THREADS];
    for (int i = 0; i < THREADS; i++) {
        from[i] = i * 100;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, &from[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    drain();
    char *log = log_capture_end();
    ck_assert_int_eq(in_stream() + audit_records_count(log, "event=audit.unsaved"), THREADS * 100);
    free(log);
}
END_TEST

START_TEST(a_redis_that_comes_back)
{
    write_records(0, 1);
    drain();
    redis_server_kill(redis);
    write_records(1, 100);
    ck_assert_int_eq(audit_drain(loopback.app, clock_deadline_ns(100)), ERR_TIMEOUT);
    redis_server_restart(redis);
    drain();
    char *log = log_capture_end();
    ck_assert_int_ge(audit_records_count(log, "event=audit.delayed"), 1);
    /* A batch that was on its way when the connection broke may have arrived: that is the log's. */
    ck_assert_int_eq(in_stream() + unsaved(log), 100);
    free(log);
}
END_TEST

START_TEST(a_redis_that_refuses)
{
    redis_server_do(redis, "SET cw:audit:changes x");
    write_records(0, 10);
    drain();
    char *log = log_capture_end();
    ck_assert_int_eq(audit_records_count(log, "event=audit.unsaved reason=upstream_refused"), 10);
    for (int i = 0; i < 10; i++) {
        char target[32];
        snprintf(target, sizeof target, "target=user:%d ", i);
        ck_assert_int_eq(audit_records_count(log, target), 1);
    }
    free(log);
    log_capture_start();
}
END_TEST

/* Sent, and no answer: nobody may send it again, so it is in the log (and maybe in the stream). */
START_TEST(a_redis_that_does_not_answer)
{
    begin_silence();
    write_records(1, 1);
    drain();
    redis_server_resume(redis);
    char *log = log_capture_end();
    ck_assert_int_eq(audit_records_count(log, "event=audit.unsaved reason=uncertain"), 1);
    ck_assert_int_eq(audit_records_count(log, "target=user:1 "), 1);
    free(log);
    log_capture_start();
}
END_TEST

START_TEST(a_full_queue_goes_to_the_log)
{
    enum { RECORDS = 6000 };
    redis_server_kill(redis);
    write_records(0, RECORDS);
    char *log = log_capture_read();
    int full = audit_records_count(log, "reason=\"queue full\"");
    /* The first may still find the connection, and nobody at its other end. */
    int uncertain = audit_records_count(log, "reason=uncertain");
    free(log);
    /* 4096 wait, and one batch is out of the queue. */
    ck_assert_int_ge(full + uncertain, RECORDS - 4096 - AUDIT_BATCH);
    ck_assert_int_lt(full, RECORDS);
    redis_server_restart(redis);
    drain();
    log = log_capture_end();
    ck_assert_int_eq(in_stream() + unsaved(log), RECORDS);
    ck_assert_int_eq(audit_records_count(log, "event=audit.unsaved"), RECORDS);
    free(log);
    log_capture_start();
}
END_TEST

START_TEST(closing_writes_what_is_left)
{
    write_records(0, 500);
    loopback_close(&loopback);
    ck_assert_int_eq(in_stream(), 500);
    char *log = log_capture_end();
    ck_assert_str_eq(log, "");
    free(log);
    log_capture_start();
}
END_TEST

START_TEST(closing_without_redis_logs_what_is_left)
{
    redis_server_kill(redis);
    write_records(0, 500);
    int64_t start_ns = clock_mono_ns();
    loopback_close(&loopback);
    expect_within_ms((clock_mono_ns() - start_ns) / NS_PER_MS, 10 * 1000);
    char *log = log_capture_end();
    ck_assert_int_eq(audit_records_count(log, "event=audit.unsaved"), 500);
    free(log);
    log_capture_start();
}
END_TEST

START_TEST(closing_does_not_wait_for_ever)
{
    begin_silence();
    write_records(1, 500);
    int64_t start_ns = clock_mono_ns();
    loopback_close(&loopback);
    expect_within_ms((clock_mono_ns() - start_ns) / NS_PER_MS, 20 * 1000);
    redis_server_resume(redis);
    char *log = log_capture_end();
    ck_assert_int_eq(audit_records_count(log, "event=audit.unsaved"), 500);
    free(log);
    log_capture_start();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/audit");
    TCase *tcase = tcase_create("audit");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, all_are_in_the_stream_after_a_drain);
    tcase_add_test(tcase, many_threads);
    tcase_add_test(tcase, a_redis_that_comes_back);
    tcase_add_test(tcase, a_redis_that_refuses);
    tcase_add_test(tcase, a_full_queue_goes_to_the_log);
    tcase_add_test(tcase, closing_writes_what_is_left);
    tcase_add_test(tcase, closing_without_redis_logs_what_is_left);
    suite_add_tcase(suite, tcase);
    TCase *silence = tcase_create("silence");
    tcase_add_checked_fixture(silence, open_hasty, close_all);
    tcase_add_test(silence, a_redis_that_does_not_answer);
    tcase_add_test(silence, closing_does_not_wait_for_ever);
    suite_add_tcase(suite, silence);
    return suite_run(suite);
}
