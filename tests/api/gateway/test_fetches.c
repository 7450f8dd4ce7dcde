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

static enum fetch_turn enter(unsigned char number)
{
    return fetches_enter(fetches, thing(number), false);
}

START_TEST(the_first_leads_and_others_wait)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    ck_assert_int_eq(enter(1), FETCH_WAITS);
    ck_assert(fetches_is_under_way(fetches, thing(1)));
    ck_assert(!fetches_is_under_way(fetches, thing(2)));
    ck_assert_int_eq(enter(2), FETCH_LEADS);
    fetches_leave(fetches, thing(1), FETCH_SHARED);
    ck_assert(!fetches_is_under_way(fetches, thing(1)));
    ck_assert(fetches_is_under_way(fetches, thing(2)));
    ck_assert_int_eq(enter(1), FETCH_LEADS);
}
END_TEST

START_TEST(more_than_may_lead_go_alone)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    ck_assert_int_eq(enter(2), FETCH_LEADS);
    ck_assert_int_eq(enter(3), FETCH_BESIDE);
    ck_assert_int_eq(enter(1), FETCH_WAITS);
}
END_TEST

START_TEST(what_was_not_shared_is_not_waited_for)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_leave(fetches, thing(1), FETCH_UNSHARED);
    ck_assert_int_eq(enter(1), FETCH_ALONE);
    ck_assert_int_eq(enter(1), FETCH_ALONE);
    ck_assert_int_eq(enter(2), FETCH_LEADS);
}
END_TEST

START_TEST(what_another_node_fetches_is_looked_for_by_one)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_rest(fetches, thing(1), clock_deadline_ns(PATIENCE_MS));
    ck_assert(fetches_is_under_way(fetches, thing(1)));
    ck_assert_int_eq(enter(1), FETCH_WAITS);
    /* It takes no place of those who lead. */
    ck_assert_int_eq(enter(2), FETCH_LEADS);
    ck_assert_int_eq(enter(3), FETCH_LEADS);
    fetches_leave(fetches, thing(2), FETCH_SHARED);
    fetches_rest(fetches, thing(1), clock_mono_ns());
    ck_assert(!fetches_is_under_way(fetches, thing(1)));
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    ck_assert_int_eq(enter(1), FETCH_WAITS);
}
END_TEST

START_TEST(who_comes_for_its_turn_leads)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_rest(fetches, thing(1), clock_deadline_ns(PATIENCE_MS));
    ck_assert_int_eq(enter(1), FETCH_WAITS);
    ck_assert_int_eq(fetches_enter(fetches, thing(1), true), FETCH_LEADS);
    ck_assert_int_eq(fetches_enter(fetches, thing(1), true), FETCH_WAITS);
    fetches_leave(fetches, thing(1), FETCH_FAILED);
    ck_assert_int_eq(enter(1), FETCH_BESIDE);
}
END_TEST

START_TEST(who_sleeps_beside_a_rest_wakes_at_its_end)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_rest(fetches, thing(1), clock_deadline_ns(20));
    fetches_sleep(fetches, thing(1), clock_deadline_ns(10 * (int64_t)PATIENCE_MS));
    ck_assert(!fetches_is_under_way(fetches, thing(1)));
}
END_TEST

START_TEST(who_left_leaves_it_to_the_next)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_leave(fetches, thing(1), FETCH_LEFT);
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_leave(fetches, thing(1), FETCH_UNSHARED);
    /* Of another thing nothing is forgotten. */
    ck_assert_int_eq(enter(2), FETCH_LEADS);
    fetches_leave(fetches, thing(2), FETCH_LEFT);
    ck_assert_int_eq(enter(1), FETCH_ALONE);
}
END_TEST

/* Once a clear came in between. Where that goes on, they would wait one after the other. */
START_TEST(what_is_void_again_is_not_waited_for)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_leave(fetches, thing(1), FETCH_VOID);
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_leave(fetches, thing(1), FETCH_VOID);
    ck_assert_int_eq(enter(1), FETCH_ALONE);
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
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_sleep(fetches, thing(1), clock_deadline_ns(1)); /* until its time is over */
    ck_assert(fetches_is_under_way(fetches, thing(1)));
    ck_assert_int_eq(pthread_create(&sleeper, NULL, sleep_for_one, NULL), 0);
    fetches_leave(fetches, thing(1), FETCH_SHARED);
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
    tcase_add_test(tcase, what_another_node_fetches_is_looked_for_by_one);
    tcase_add_test(tcase, who_comes_for_its_turn_leads);
    tcase_add_test(tcase, who_sleeps_beside_a_rest_wakes_at_its_end);
    tcase_add_test(tcase, who_left_leaves_it_to_the_next);
    tcase_add_test(tcase, what_is_void_again_is_not_waited_for);
    tcase_add_test(tcase, who_sleeps_is_woken);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
