/* In which order misses ask, and who is refused: by times that are made up. */
#include "gateway/refill_queue.h"

#include "cachewarden/clock.h"
#include "suite.h"

#include <string.h>

enum { MANY = 14, WINDOW_MS = 500, BOUND_MS = 3000, TRIP_MS = 3, FIRST_MS = 1000 };

struct miss {
    struct refill_caller caller;
    int64_t at_ns; /* when it asks next; 0: never again */
    int64_t came_ns, served_ns;
};

static struct refill_queue queue;
static int64_t window_ends_ns; /* in Redis, of one request */

static int64_t ms(int64_t count)
{
    return count * NS_PER_MS;
}

static void open_queue(void)
{
    queue = (struct refill_queue){.step_ns = ms(WINDOW_MS)};
    window_ends_ns = 0;
}

static struct refill_caller patient(void)
{
    return (struct refill_caller){.latest_ns = INT64_MAX};
}

/* It begins when the request has got there. */
static bool take(struct refill_caller *caller, int64_t now_ns)
{
    bool is_open = now_ns + ms(TRIP_MS) >= window_ends_ns;

    if (is_open)
        window_ends_ns = now_ns + ms(TRIP_MS + WINDOW_MS);
    refill_queue_close(&queue, window_ends_ns + ms(1));
    if (!is_open)
        refill_queue_stand(&queue, caller, now_ns + ms(TRIP_MS));
    return is_open;
}

static void ask(struct miss *miss)
{
    int64_t now_ns = miss->at_ns;

    miss->at_ns = 0;
    if (refill_queue_may_ask(&queue, &miss->caller, now_ns) && take(&miss->caller, now_ns))
        miss->served_ns = now_ns;
    else if (miss->caller.has_place)
        miss->at_ns = miss->caller.turn_ns;
}

static struct miss *next_of(struct miss *misses)
{
    struct miss *next = NULL;

    for (int i = 0; i < MANY; i++)
        if (misses[i].at_ns > 0 && (!next || misses[i].at_ns < next->at_ns))
            next = &misses[i];
    return next;
}

/* Each turn comes some milliseconds too early for its window. */
START_TEST(who_came_first_is_served_first_and_who_has_waited_is_not_refused)
{
    struct miss misses[MANY], *miss;

    for (int i = 0; i < MANY; i++) {
        misses[i] = (struct miss){.came_ns = ms(FIRST_MS + (int64_t)i * 20)};
        misses[i].at_ns = misses[i].came_ns;
        misses[i].caller.latest_ns = misses[i].came_ns + ms(BOUND_MS);
    }
    int asked = 0, served = 0;
    while ((miss = next_of(misses))) {
        int64_t now_ns = miss->at_ns;
        ask(miss);
        asked++;
        ck_assert_msg(miss->at_ns > 0 || miss->served_ns > 0 || now_ns == miss->came_ns,
                      "%d was refused after %d ms", (int)(miss - misses),
                      (int)((now_ns - miss->came_ns) / NS_PER_MS));
        if (miss->served_ns > 0)
            ck_assert_int_eq(miss - misses, served++);
    }
    ck_assert_int_eq(served, 6); /* 2.5 s for the last of them, and what turns may move */
    ck_assert_int_le(asked, MANY + 2 * served);
}
END_TEST

/* Another node was quicker. */
START_TEST(who_loses_a_window_keeps_its_place_and_all_behind_move)
{
    struct refill_caller first = patient(), second = patient(), new = patient();
    int64_t now_ns = ms(FIRST_MS), window_ns = ms(WINDOW_MS);

    refill_queue_close(&queue, now_ns + window_ns);
    ck_assert(!refill_queue_may_ask(&queue, &first, now_ns));
    ck_assert(!refill_queue_may_ask(&queue, &second, now_ns));
    ck_assert_int_eq(first.turn_ns, now_ns + window_ns);
    ck_assert_int_eq(second.turn_ns, first.turn_ns + window_ns);

    now_ns = first.turn_ns;
    ck_assert(refill_queue_may_ask(&queue, &first, now_ns));
    refill_queue_close(&queue, now_ns + window_ns / 2);
    refill_queue_stand(&queue, &first, now_ns);
    ck_assert_int_eq(first.turn_ns, now_ns + window_ns / 2);
    ck_assert(!refill_queue_may_ask(&queue, &second, second.turn_ns));
    ck_assert_int_eq(second.turn_ns, first.turn_ns + window_ns);
    ck_assert(!refill_queue_may_ask(&queue, &new, now_ns));
    ck_assert_int_eq(new.turn_ns, second.turn_ns + window_ns);
    ck_assert(refill_queue_may_ask(&queue, &first, first.turn_ns));
}
END_TEST

/* Those who come late together for one window move the others by that window, and not by one each. */
START_TEST(a_window_moves_the_turns_once)
{
    struct refill_caller late[3], new = patient();

    for (int i = 0; i < 3; i++) {
        late[i] = patient();
        refill_queue_close(&queue, ms(FIRST_MS));
        ck_assert(!refill_queue_may_ask(&queue, &late[i], ms(FIRST_MS) - 1));
    }
    int64_t now_ns = late[2].turn_ns + ms(100);
    refill_queue_close(&queue, now_ns + ms(WINDOW_MS));
    for (int i = 0; i < 3; i++) {
        refill_queue_stand(&queue, &late[i], now_ns);
        ck_assert_int_eq(late[i].turn_ns, now_ns + ms(WINDOW_MS));
    }
    ck_assert(!refill_queue_may_ask(&queue, &new, now_ns));
    ck_assert_int_eq(new.turn_ns, now_ns - ms(100) + ms(2 * WINDOW_MS));
}
END_TEST

/* ---- who goes away ---- */

static struct refill_caller stand_at(int64_t now_ns)
{
    struct refill_caller caller = patient();

    ck_assert(!refill_queue_may_ask(&queue, &caller, now_ns));
    ck_assert(caller.has_place);
    return caller;
}

static int64_t turn_at(const struct refill_caller *caller, int64_t now_ns)
{
    return refill_queue_turn_ns(&queue, caller->place_ns, now_ns);
}

START_TEST(who_is_behind_it_comes_sooner)
{
    int64_t now_ns = ms(FIRST_MS), closed_ns = now_ns + ms(WINDOW_MS);
    struct refill_caller callers[4];

    refill_queue_close(&queue, closed_ns);
    for (int i = 0; i < 4; i++)
        callers[i] = stand_at(now_ns);
    refill_queue_give_back(&queue, callers[1].place_ns, now_ns);
    ck_assert_int_eq(turn_at(&callers[0], now_ns), closed_ns);
    ck_assert_int_eq(turn_at(&callers[2], now_ns), closed_ns + ms(WINDOW_MS));
    ck_assert_int_eq(turn_at(&callers[3], now_ns), closed_ns + ms(2 * WINDOW_MS));
    /* The last one leaves, and with it the gap before it. */
    refill_queue_give_back(&queue, callers[2].place_ns, now_ns);
    refill_queue_give_back(&queue, callers[3].place_ns, now_ns);
    struct refill_caller new = stand_at(now_ns);
    ck_assert_int_eq(new.turn_ns, closed_ns + ms(WINDOW_MS));
    ck_assert(!refill_queue_may_ask(&queue, &new, new.turn_ns - 1));
    ck_assert(refill_queue_may_ask(&queue, &new, new.turn_ns));
}
END_TEST

START_TEST(a_turn_that_is_over_is_nobodys)
{
    int64_t now_ns = ms(FIRST_MS), closed_ns = now_ns + ms(WINDOW_MS);

    refill_queue_close(&queue, closed_ns);
    struct refill_caller first = stand_at(now_ns), second = stand_at(now_ns);
    refill_queue_give_back(&queue, first.place_ns, closed_ns);
    ck_assert_int_eq(turn_at(&second, closed_ns), closed_ns + ms(WINDOW_MS));
}
END_TEST

/* As if they had never come, however many come and go, and in whatever order. */
START_TEST(turns_are_those_of_who_is_left)
{
    enum { ROUNDS = 3, STEPS = 2000, WAITING_MAX = 700 };
    static struct refill_caller waiting[WAITING_MAX];
    uint64_t chance = 1;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t now_ns = ms(FIRST_MS) + (int64_t)round * ms(1000000), closed_ns = now_ns + ms(10);
        int count = 0;
        refill_queue_close(&queue, closed_ns);
        for (int i = 0; i < STEPS; i++) {
            chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
            size_t at = count > 0 ? (size_t)(chance >> 33) % (size_t)count : 0;
            if (count == 0 || (chance >> 20) % 100 < 55) {
                waiting[count++] = stand_at(now_ns);
            } else {
                refill_queue_give_back(&queue, waiting[at].place_ns, now_ns);
                count--;
                memmove(&waiting[at], &waiting[at + 1], ((size_t)count - at) * sizeof *waiting);
            }
            if (queue.gap_count == REFILL_GAPS_MAX)
                break;
            for (int k = 0; k < count; k++)
                ck_assert_int_eq(turn_at(&waiting[k], now_ns), closed_ns + k * ms(WINDOW_MS));
        }
        /* And when the first of them have asked. */
        int64_t later_ns = closed_ns + (count / 2) * ms(WINDOW_MS);
        for (int k = count / 2 + 1; k < count; k++)
            ck_assert_int_eq(turn_at(&waiting[k], later_ns), closed_ns + k * ms(WINDOW_MS));
        ck_assert_int_eq(turn_at(&waiting[count - 1], later_ns + ms(1000)),
                         closed_ns + (count - 1) * ms(WINDOW_MS));
    }
}
END_TEST

START_TEST(more_than_can_be_noted_is_lost)
{
    static struct refill_caller callers[2 * REFILL_GAPS_MAX + 4];
    int64_t now_ns = ms(FIRST_MS);
    int count = 2 * REFILL_GAPS_MAX + 4;

    refill_queue_close(&queue, now_ns + 1);
    for (int i = 0; i < count; i++)
        callers[i] = stand_at(now_ns);
    for (int i = 0; i < count; i += 2)
        refill_queue_give_back(&queue, callers[i].place_ns, now_ns);
    ck_assert_int_eq(queue.gap_count, REFILL_GAPS_MAX);
    ck_assert_int_eq(turn_at(&callers[count - 1], now_ns),
                     now_ns + 1 + (count - 1 - REFILL_GAPS_MAX) * ms(WINDOW_MS));
}
END_TEST

START_TEST(who_would_wait_for_too_long_takes_no_place)
{
    struct refill_caller hasty = {.latest_ns = ms(FIRST_MS + BOUND_MS)}, next = patient();
    int64_t turn_ns = ms(FIRST_MS + BOUND_MS) - 1;

    /* It would be in time, if turns did not move at all. */
    refill_queue_close(&queue, turn_ns);
    for (int i = 0; i < 2; i++) {
        ck_assert(!refill_queue_may_ask(&queue, &hasty, ms(FIRST_MS)));
        ck_assert(!hasty.has_place);
        ck_assert_int_eq(hasty.turn_ns, turn_ns);
    }
    ck_assert(!refill_queue_may_ask(&queue, &next, ms(FIRST_MS)));
    ck_assert_int_eq(next.turn_ns, turn_ns);
    /* Of who has a place what it was told holds, until its time is over. */
    next.latest_ns = turn_ns + 1;
    refill_queue_close(&queue, turn_ns + 1);
    refill_queue_stand(&queue, &next, turn_ns);
    ck_assert(next.has_place);
    refill_queue_close(&queue, turn_ns + 2);
    refill_queue_stand(&queue, &next, turn_ns);
    ck_assert(!next.has_place);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway/refill_queue");
    TCase *tcase = tcase_create("refill_queue");

    tcase_add_checked_fixture(tcase, open_queue, NULL);
    tcase_add_test(tcase, who_came_first_is_served_first_and_who_has_waited_is_not_refused);
    tcase_add_test(tcase, who_loses_a_window_keeps_its_place_and_all_behind_move);
    tcase_add_test(tcase, a_window_moves_the_turns_once);
    tcase_add_test(tcase, who_is_behind_it_comes_sooner);
    tcase_add_test(tcase, a_turn_that_is_over_is_nobodys);
    tcase_add_test(tcase, turns_are_those_of_who_is_left);
    tcase_add_test(tcase, more_than_can_be_noted_is_lost);
    tcase_add_test(tcase, who_would_wait_for_too_long_takes_no_place);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
