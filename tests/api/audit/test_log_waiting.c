/* A record that waits for long is in the log while it waits, and so are those behind it. */
#include "audit_case.h"
#include "cachewarden/audit.h"

#include "audit/store.h"

#include <time.h>

/* No write fails within the loopback's patience: what is logged is so for its waiting alone. */
static void open_patient(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .has_no_users = true});
    log_capture_start();
}

static int waiting(void)
{
    char *log = log_capture_read();
    int count = audit_records_count(log, "event=audit.unsaved reason=waiting");
    ck_assert_int_eq(audit_records_count(log, "event=audit.unsaved"), count);
    free(log);
    return count;
}

static void await_waiting(int count)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    while (waiting() < count && clock_mono_ns() < deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
    ck_assert_int_eq(waiting(), count);
}

enum { MANY = 3 * AUDIT_BATCH };

START_TEST(what_waits_behind_a_write_is_logged_before_it_fails)
{
    write_records(0, 1);
    drain();
    int before = waiting();
    redis_server_pause(redis);
    /* More than a batch: one is under way, the others are queued. */
    write_records(1, MANY);
    await_waiting(before + MANY);
    /* From now on before audit_write returns. */
    audit_records_write(&loopback, AUDIT_CLEARS, MANY + 1, 1);
    ck_assert_int_eq(waiting(), before + MANY + 1);
    redis_server_resume(redis);
    drain();
    ck_assert_int_eq(audit_records_in(redis, "changes"), MANY + 1);
    ck_assert_int_eq(audit_records_in(redis, "clears"), 1);
    char *log = log_capture_end();
    for (int i = 1; i <= MANY + 1; i++) {
        char target[32];
        snprintf(target, sizeof target, "target=user:%d ", i);
        ck_assert_msg(audit_records_count(log, target) == 1, "%s", target);
    }
    free(log);
    log_capture_start();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/audit/log_waiting");
    TCase *tcase = tcase_create("delay");
    tcase_add_checked_fixture(tcase, open_patient, close_all);
    tcase_add_test(tcase, what_waits_behind_a_write_is_logged_before_it_fails);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
