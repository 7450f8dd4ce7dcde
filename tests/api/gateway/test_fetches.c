/* Who fetches, who waits for that, and who does not. */
#include "gateway/fetches.h"

#include "cachewarden/clock.h"
#include "patience.h"
#include "suite.h"

#include <pthread.h>

static struct fetches *fetches;

static void set_up(void)
{
    struct error error;

    ck_assert_int_eq(fetches_new(2, &fetches, &error), ERR_OK);
}

static void tear_down(void)
{
    fetches_free(&fetches);
}

static const struct gateway_digest *thing(unsigned char number)
{
    static _Thread_local struct gateway_digest digests[8];

    digests[number].bytes[0] = number;
    return &digests[number];
}

START_TEST(the_first_leads_and_others_wait)
{
    ck_assert_int_eq(fetches_enter(fetches, thing(1)), FETCH_LEADS);
    ck_assert_int_eq(fetches_enter(fetches, thing(1)), FETCH_WAITS);
    ck_assert(fetches_is_under_way(fetches, thing(1)));
    ck_assert(!fetches_is_under_way(fetches, thing(2)));
    ck_assert_int_eq(fetches_enter(fetches, thing(2)), FETCH_LEADS);
    fetches_leave(fetches, thing(1), true);
    ck_assert(!fetches_is_under_way(fetches, thing(1)));
    ck_assert(fetches_is_under_way(fetches, thing(2)));
    ck_assert_int_eq(fetches_enter(fetches, thing(1)), FETCH_LEADS);
}
END_TEST

START_TEST(more_than_may_lead_go_alone)
{
    ck_assert_int_eq(fetches_enter(fetches, thing(1)), FETCH_LEADS);
    ck_assert_int_eq(fetches_enter(fetches, thing(2)), FETCH_LEADS);
    ck_assert_int_eq(fetches_enter(fetches, thing(3)), FETCH_ALONE);
    ck_assert_int_eq(fetches_enter(fetches, thing(1)), FETCH_WAITS);
}
END_TEST

START_TEST(what_was_not_shared_is_not_waited_for)
{
    ck_assert_int_eq(fetches_enter(fetches, thing(1)), FETCH_LEADS);
    fetches_leave(fetches, thing(1), false);
    ck_assert_int_eq(fetches_enter(fetches, thing(1)), FETCH_ALONE);
    ck_assert_int_eq(fetches_enter(fetches, thing(1)), FETCH_ALONE);
    ck_assert_int_eq(fetches_enter(fetches, thing(2)), FETCH_LEADS);
}
END_TEST

static void *sleep_for_one(void *arg)
{
    (void)arg;
    fetches_sleep(fetches, thing(1), clock_deadline_ns(PATIENCE_MS));
    return NULL;
}

START_TEST(who_sleeps_is_woken)
{
    pthread_t sleeper;

    fetches_sleep(fetches, thing(1), clock_deadline_ns(PATIENCE_MS)); /* for nothing */
    ck_assert_int_eq(fetches_enter(fetches, thing(1)), FETCH_LEADS);
    fetches_sleep(fetches, thing(1), clock_deadline_ns(1)); /* until its time is over */
    ck_assert(fetches_is_under_way(fetches, thing(1)));
    ck_assert_int_eq(pthread_create(&sleeper, NULL, sleep_for_one, NULL), 0);
    fetches_leave(fetches, thing(1), true);
    pthread_join(sleeper, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway/fetches");
    TCase *tcase = tcase_create("fetches");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_first_leads_and_others_wait);
    tcase_add_test(tcase, more_than_may_lead_go_alone);
    tcase_add_test(tcase, what_was_not_shared_is_not_waited_for);
    tcase_add_test(tcase, who_sleeps_is_woken);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
