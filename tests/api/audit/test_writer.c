/* What the thread does while Redis is away: a record that waits is in the log at once, and once. */
#include "audit_case.h"
#include "cachewarden/audit.h"

#include <time.h>

/* Until there are `count` records in the log; each only once. */
static void wait_for_logged(int count)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    for (;;) {
        char *log = log_capture_read();
        int logged = audit_records_count(log, "event=audit.unsaved");
        ck_assert_int_le(logged, count);
        free(log);
        if (logged == count)
            return;
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%d of %d are in the log", logged, count);
        nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
    }
}

static void expect_each_once(int from, int count)
{
    char *log = log_capture_read();
    for (int i = from; i < from + count; i++) {
        char target[32];
        snprintf(target, sizeof target, "target=user:%d ", i);
        ck_assert_msg(audit_records_count(log, target) == 1, "%s %d times", target,
                      audit_records_count(log, target));
    }
    free(log);
}

START_TEST(what_waits_is_in_the_log_at_once)
{
    write_records(0, 1);
    drain();
    redis_server_kill(redis);
    write_records(1, 100);
    wait_for_logged(100);
    /* From now on before audit_write returns: the program may be killed any moment. */
    write_records(101, 1);
    expect_each_once(1, 101);
    redis_server_restart(redis);
    drain();
    expect_each_once(1, 101);
    /* When it is back, all is as before. */
    write_records(102, 1);
    drain();
    char *log = log_capture_end();
    ck_assert_int_eq(audit_records_count(log, "target=user:102 "), 0);
    free(log);
    log_capture_start();
}
END_TEST

/* A Redis that takes commands and does not answer: a whole batch is lost to the log, and the next
 * ones wait behind it. */
START_TEST(what_waits_behind_silence_is_in_the_log)
{
    enum { RECORDS = 1000 };
    begin_silence();
    write_records(1, RECORDS);
    wait_for_logged(RECORDS);
    expect_each_once(1, RECORDS);
    redis_server_resume(redis);
    drain();
    expect_each_once(1, RECORDS);
}
END_TEST

START_TEST(closing_logs_nothing_twice)
{
    redis_server_kill(redis);
    write_records(0, 200);
    wait_for_logged(200);
    loopback_close(&loopback);
    expect_each_once(0, 200);
}
END_TEST

/* When the newest record of the part was written, in ms, by its id. */
static int64_t newest_ms(const char *part)
{
    redisReply *reply = redis_server_ask(redis, "XREVRANGE cw:audit:%s + - COUNT 1", part);
    ck_assert_uint_eq(reply->elements, 1);
    int64_t ms = strtoll(reply->element[0]->element[0]->str, NULL, 10);
    freeReplyObject(reply);
    return ms;
}

/* Ids of different parts tell what came first by their milliseconds alone. */
START_TEST(parts_in_turn_have_rising_times)
{
    int64_t before_ms = 0;
    for (int i = 0; i < 20; i++) {
        audit_records_write(&loopback, AUDIT_CHANGES, i, 1);
        audit_records_write(&loopback, AUDIT_CLEARS, i, 1);
        audit_records_write(&loopback, AUDIT_SIGN_INS, i, 1);
        drain();
        int64_t changes_ms = newest_ms("changes"), clears_ms = newest_ms("clears"),
                sign_ins_ms = newest_ms("sign_ins");
        ck_assert_int_gt(changes_ms, before_ms);
        ck_assert_int_gt(clears_ms, changes_ms);
        ck_assert_int_gt(sign_ins_ms, clears_ms);
        before_ms = sign_ins_ms;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/audit/writer");
    TCase *tcase = tcase_create("writer");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, what_waits_is_in_the_log_at_once);
    tcase_add_test(tcase, closing_logs_nothing_twice);
    tcase_add_test(tcase, parts_in_turn_have_rising_times);
    suite_add_tcase(suite, tcase);
    TCase *silence = tcase_create("silence");
    tcase_add_checked_fixture(silence, open_hasty, close_all);
    tcase_add_test(silence, what_waits_behind_silence_is_in_the_log);
    suite_add_tcase(suite, silence);
    return suite_run(suite);
}
