#include "cachewarden/lock.h"

#include "cachewarden/clock.h"
#include "death.h"
#include "suite.h"

#include <sched.h>
#include <stdatomic.h>

static struct lock users, pool, leaf;

static void setup(void)
{
    lock_init(&users, LOCK_RANK_USERS, "users");
    lock_init(&pool, LOCK_RANK_POOL, "pool");
    lock_init(&leaf, LOCK_RANK_LEAF, "leaf");
}

static void teardown(void)
{
    lock_fini(&users);
    lock_fini(&pool);
    lock_fini(&leaf);
}

START_TEST(rising_ranks_are_fine)
{
    for (int round = 0; round < 3; round++) {
        lock_acquire(&users);
        lock_acquire(&pool);
        lock_acquire(&leaf);
        lock_assert_held(&users);
        lock_assert_held(&pool);
        lock_assert_held(&leaf);
        /* Given back in any order. */
        lock_release(&users);
        lock_assert_held(&pool);
        lock_release(&leaf);
        lock_release(&pool);
        lock_assert_none_held("the end of a round");
    }
}
END_TEST

START_TEST(what_was_given_back_no_longer_counts)
{
    lock_acquire(&pool);
    lock_release(&pool);
    lock_acquire(&users);
    lock_acquire(&pool);
    lock_release(&users);
    /* users is gone, pool is still held: leaf may follow, users may not. */
    lock_acquire(&leaf);
    lock_release(&leaf);
    lock_release(&pool);
    lock_acquire(&users);
    lock_release(&users);
}
END_TEST

static void take_in_the_wrong_order(void)
{
    lock_acquire(&pool);
    lock_acquire(&users);
    lock_release(&users);
    lock_release(&pool);
}

START_TEST(falling_ranks_abort_and_both_names_are_told)
{
    expect_debug_abort(take_in_the_wrong_order, "\"users\" (rank 40)", "\"pool\" (rank 60)");
}
END_TEST

static void take_two_of_one_rank(void)
{
    struct lock twin;

    lock_init(&twin, LOCK_RANK_POOL, "twin");
    lock_acquire(&pool);
    lock_acquire(&twin);
    lock_release(&twin);
    lock_release(&pool);
    lock_fini(&twin);
}

START_TEST(equal_ranks_abort)
{
    expect_debug_abort(take_two_of_one_rank, "\"twin\"", "\"pool\"");
}
END_TEST

static void take_behind_a_higher_one_given_last(void)
{
    lock_acquire(&users);
    lock_acquire(&leaf);
    lock_release(&users);
    lock_acquire(&pool);
    lock_release(&pool);
    lock_release(&leaf);
}

START_TEST(the_highest_held_counts_not_the_newest)
{
    expect_debug_abort(take_behind_a_higher_one_given_last, "\"pool\"", "\"leaf\"");
}
END_TEST

static void claim_to_hold(void)
{
    lock_assert_held(&pool);
}

START_TEST(holding_is_asserted)
{
    expect_debug_abort(claim_to_hold, "\"pool\"", "not held");
}
END_TEST

static void claim_to_hold_none(void)
{
    lock_acquire(&pool);
    lock_assert_none_held("a round trip");
    lock_release(&pool);
}

START_TEST(holding_none_is_asserted)
{
    expect_debug_abort(claim_to_hold_none, "a round trip", "\"pool\"");
}
END_TEST

#ifndef NDEBUG
/* Only a debug build notices these before the system calls them undefined; clang does while it
 * compiles, unless told not to. */

static CW_NO_LOCK_CHECK void take_twice(void)
{
    lock_acquire(&pool);
    lock_acquire(&pool);
}

static CW_NO_LOCK_CHECK void give_what_is_not_held(void)
{
    lock_release(&pool);
}

static CW_NO_LOCK_CHECK void destroy_while_held(void)
{
    lock_acquire(&pool);
    lock_fini(&pool);
}

static CW_NO_LOCK_CHECK void wait_without_the_lock(void)
{
    struct lock_cond cond;

    lock_cond_init(&cond);
    lock_cond_wait(&cond, &pool, 0);
}

START_TEST(undefined_uses_abort)
{
    expect_debug_abort(take_twice, "lock order", "\"pool\"");
    expect_debug_abort(give_what_is_not_held, "not held", "\"pool\"");
    expect_debug_abort(destroy_while_held, "destroyed while held", "\"pool\"");
    expect_debug_abort(wait_without_the_lock, "not held", "\"pool\"");
}
END_TEST

START_TEST(a_wrong_order_raises_sigabrt)
{
    take_in_the_wrong_order();
}
END_TEST
#endif

static void wait_while_holding_another(void)
{
    struct lock_cond cond;

    lock_cond_init(&cond);
    lock_acquire(&users);
    lock_acquire(&pool);
    lock_cond_wait(&cond, &pool, 0);
    lock_release(&pool);
    lock_release(&users);
    lock_cond_fini(&cond);
}

START_TEST(waiting_with_a_second_lock_aborts)
{
    expect_debug_abort(wait_while_holding_another, "\"pool\"", "\"users\"");
}
END_TEST

static void *take_a_lower_one(void *arg)
{
    (void)arg;
    lock_assert_none_held("a new thread");
    lock_acquire(&users);
    lock_release(&users);
    return NULL;
}

START_TEST(ranks_are_each_thread_s_own)
{
    pthread_t thread;

    lock_acquire(&pool);
    ck_assert_int_eq(pthread_create(&thread, NULL, take_a_lower_one, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    lock_release(&pool);
}
END_TEST

enum { THREADS = 4, TURNS = 20000 };
static long counter;

static void *count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        lock_acquire(&pool);
        counter++;
        lock_release(&pool);
    }
    return NULL;
}

START_TEST(one_thread_at_a_time)
{
    pthread_t threads[THREADS];

    counter = 0;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(counter, (long)THREADS * TURNS);
}
END_TEST

START_TEST(a_wait_ends_at_its_deadline)
{
    struct lock_cond cond;

    lock_cond_init(&cond);
    lock_acquire(&pool);
    int64_t deadline_ns = clock_deadline_ns(30);
    while (lock_cond_wait(&cond, &pool, deadline_ns))
        ; /* woken without a signal */
    ck_assert_int_ge(clock_mono_ns(), deadline_ns);
    lock_assert_held(&pool);

    /* Deadlines that have passed, as far as they go. */
    ck_assert(!lock_cond_wait(&cond, &pool, clock_mono_ns() - 1));
    ck_assert(!lock_cond_wait(&cond, &pool, 0));
    ck_assert(!lock_cond_wait(&cond, &pool, -1));
    ck_assert(!lock_cond_wait(&cond, &pool, INT64_MIN));
    lock_release(&pool);
    lock_cond_fini(&cond);
}
END_TEST

struct gate {
    struct lock_cond cond;
    int waiting, passed;
    bool open;
};
static struct gate gate;

static void *pass_the_gate(void *arg)
{
    (void)arg;
    lock_acquire(&pool);
    gate.waiting++;
    while (!gate.open)
        ck_assert(lock_cond_wait(&gate.cond, &pool, INT64_MAX));
    lock_assert_held(&pool);
    gate.passed++;
    lock_release(&pool);
    return NULL;
}

static void await_waiters(int count)
{
    for (;;) {
        lock_acquire(&pool);
        int waiting = gate.waiting;
        lock_release(&pool);
        if (waiting == count)
            return;
        sched_yield();
    }
}

START_TEST(a_signal_wakes_one_and_a_broadcast_all)
{
    pthread_t threads[THREADS];

    gate = (struct gate){.open = false};
    lock_cond_init(&gate.cond);

    ck_assert_int_eq(pthread_create(&threads[0], NULL, pass_the_gate, NULL), 0);
    await_waiters(1);
    lock_acquire(&pool);
    gate.open = true;
    lock_cond_signal(&gate.cond);
    lock_release(&pool);
    ck_assert_int_eq(pthread_join(threads[0], NULL), 0);
    ck_assert_int_eq(gate.passed, 1);

    gate.waiting = gate.passed = 0;
    gate.open = false;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, pass_the_gate, NULL), 0);
    await_waiters(THREADS);
    lock_acquire(&pool);
    gate.open = true;
    lock_cond_broadcast(&gate.cond);
    lock_release(&pool);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(gate.passed, THREADS);
    lock_cond_fini(&gate.cond);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/lock");
    TCase *tcase = tcase_create("lock");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, rising_ranks_are_fine);
    tcase_add_test(tcase, what_was_given_back_no_longer_counts);
    tcase_add_test(tcase, falling_ranks_abort_and_both_names_are_told);
    tcase_add_test(tcase, equal_ranks_abort);
    tcase_add_test(tcase, the_highest_held_counts_not_the_newest);
    tcase_add_test(tcase, holding_is_asserted);
    tcase_add_test(tcase, holding_none_is_asserted);
#ifndef NDEBUG
    tcase_add_test(tcase, undefined_uses_abort);
    tcase_add_test_raise_signal(tcase, a_wrong_order_raises_sigabrt, SIGABRT);
#endif
    tcase_add_test(tcase, waiting_with_a_second_lock_aborts);
    tcase_add_test(tcase, ranks_are_each_thread_s_own);
    tcase_add_test(tcase, one_thread_at_a_time);
    tcase_add_test(tcase, a_wait_ends_at_its_deadline);
    tcase_add_test(tcase, a_signal_wakes_one_and_a_broadcast_all);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
