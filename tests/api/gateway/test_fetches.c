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

static const struct fetch_name *thing_behind(unsigned char number, unsigned char clears)
{
    static _Thread_local struct fetch_name names[8][8];
    struct fetch_name *name = &names[number][clears];

    name->entry.bytes[0] = name->begun.bytes[0] = number;
    name->begun.bytes[1] = 1 + clears; /* no thing's own place */
    return name;
}

static const struct fetch_name *thing(unsigned char number)
{
    return thing_behind(number, 0);
}

static enum fetch_turn enter(unsigned char number)
{
    return fetches_enter(fetches, thing(number), false);
}

START_TEST(the_first_leads_and_others_wait)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    ck_assert_int_eq(enter(1), FETCH_WAITS);
    ck_assert(fetches_is_under_way(fetches, &thing(1)->begun));
    ck_assert(!fetches_is_under_way(fetches, &thing(2)->begun));
    ck_assert_int_eq(enter(2), FETCH_LEADS);
    fetches_leave(fetches, thing(1), FETCH_SHARED);
    ck_assert(!fetches_is_under_way(fetches, &thing(1)->begun));
    ck_assert(fetches_is_under_way(fetches, &thing(2)->begun));
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
    fetches_rest(fetches, &thing(1)->begun, clock_deadline_ns(PATIENCE_MS));
    ck_assert(fetches_is_under_way(fetches, &thing(1)->begun));
    ck_assert_int_eq(enter(1), FETCH_WAITS);
    /* It takes no place of those who lead. */
    ck_assert_int_eq(enter(2), FETCH_LEADS);
    ck_assert_int_eq(enter(3), FETCH_LEADS);
    fetches_leave(fetches, thing(2), FETCH_SHARED);
    fetches_rest(fetches, &thing(1)->begun, clock_mono_ns());
    ck_assert(!fetches_is_under_way(fetches, &thing(1)->begun));
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    ck_assert_int_eq(enter(1), FETCH_WAITS);
}
END_TEST

START_TEST(who_comes_for_its_turn_leads)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_rest(fetches, &thing(1)->begun, clock_deadline_ns(PATIENCE_MS));
    ck_assert_int_eq(enter(1), FETCH_WAITS);
    ck_assert_int_eq(fetches_enter(fetches, thing(1), true), FETCH_LEADS);
    ck_assert_int_eq(fetches_enter(fetches, thing(1), true), FETCH_WAITS);
    fetches_leave(fetches, thing(1), FETCH_FAILED);
    ck_assert_int_eq(enter(1), FETCH_BESIDE);
}
END_TEST

START_TEST(what_nobody_comes_back_for_rests_no_longer)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_rest(fetches, &thing(1)->begun, clock_deadline_ns(PATIENCE_MS));
    fetches_end_rest(fetches, &thing(2)->begun);
    ck_assert_int_eq(enter(1), FETCH_WAITS);
    fetches_end_rest(fetches, &thing(1)->begun);
    ck_assert(!fetches_is_under_way(fetches, &thing(1)->begun));
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    /* Who is at it stays. */
    fetches_end_rest(fetches, &thing(1)->begun);
    ck_assert_int_eq(enter(1), FETCH_WAITS);
}
END_TEST

START_TEST(who_sleeps_beside_a_rest_wakes_at_its_end)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_rest(fetches, &thing(1)->begun, clock_deadline_ns(20));
    fetches_sleep(fetches, &thing(1)->begun, clock_deadline_ns(10 * (int64_t)PATIENCE_MS));
    ck_assert(!fetches_is_under_way(fetches, &thing(1)->begun));
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

/* However many clears come one after the other, many who miss at once are one request. */
START_TEST(what_is_void_again_and_again_is_shared_still)
{
    for (unsigned char clears = 0; clears < 4; clears++) {
        ck_assert_int_eq(fetches_enter(fetches, thing_behind(1, clears), false), FETCH_LEADS);
        ck_assert_int_eq(fetches_enter(fetches, thing_behind(1, clears), false), FETCH_WAITS);
        fetches_leave(fetches, thing_behind(1, clears), FETCH_LEFT);
    }
}
END_TEST

static enum fetch_turn enter_behind(unsigned char number, unsigned char clears)
{
    return fetches_enter(fetches, thing_behind(number, clears), false);
}

START_TEST(who_has_to_respect_a_clear_does_not_meet_what_began_before_it)
{
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    ck_assert_int_eq(enter_behind(1, 1), FETCH_LEADS);
    ck_assert_int_eq(enter_behind(1, 1), FETCH_WAITS);
    fetches_leave(fetches, thing(1), FETCH_LEFT);
    ck_assert(fetches_is_under_way(fetches, &thing_behind(1, 1)->begun));
    ck_assert_int_eq(enter_behind(1, 2), FETCH_LEADS);
    fetches_rest(fetches, &thing_behind(1, 2)->begun, clock_deadline_ns(PATIENCE_MS));
    ck_assert_int_eq(enter_behind(1, 2), FETCH_WAITS);
    /* Who leaves another fetch of the thing wakes nobody there. */
    fetches_leave(fetches, thing_behind(1, 1), FETCH_SHARED);
    ck_assert(fetches_is_under_way(fetches, &thing_behind(1, 2)->begun));
    ck_assert_int_eq(enter_behind(1, 3), FETCH_LEADS);
    fetches_leave(fetches, thing_behind(1, 3), FETCH_UNSHARED);
    /* What a thing is like no clear changes. */
    ck_assert_int_eq(enter_behind(1, 4), FETCH_ALONE);
}
END_TEST

static void *sleep_for_one(void *arg)
{
    (void)arg;
    fetches_sleep(fetches, &thing(1)->begun, clock_deadline_ns(PATIENCE_MS));
    return NULL;
}

START_TEST(who_sleeps_is_woken)
{
    pthread_t sleeper;

    fetches_sleep(fetches, &thing(1)->begun, clock_deadline_ns(PATIENCE_MS)); /* for nothing */
    ck_assert_int_eq(enter(1), FETCH_LEADS);
    fetches_sleep(fetches, &thing(1)->begun, clock_deadline_ns(1)); /* until its time is over */
    ck_assert(fetches_is_under_way(fetches, &thing(1)->begun));
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
    tcase_add_test(tcase, what_nobody_comes_back_for_rests_no_longer);
    tcase_add_test(tcase, who_sleeps_beside_a_rest_wakes_at_its_end);
    tcase_add_test(tcase, who_left_leaves_it_to_the_next);
    tcase_add_test(tcase, what_is_void_again_and_again_is_shared_still);
    tcase_add_test(tcase, who_has_to_respect_a_clear_does_not_meet_what_began_before_it);
    tcase_add_test(tcase, who_sleeps_is_woken);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
