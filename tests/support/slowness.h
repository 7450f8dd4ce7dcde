/*
 * How slow the machine is while a test runs: for tests of promises in milliseconds. A control beside
 * the test uses a little of the processor all the time and sees how long that takes; where others
 * have the processor, it takes a multiple, and so may what is promised.
 */
#ifndef CACHEWARDEN_TESTS_SLOWNESS_H
#define CACHEWARDEN_TESTS_SLOWNESS_H

#include <stdbool.h>
#include <stdint.h>

/* Begins to look now, for tests in which what is measured takes seconds: else the control sees only how the machine is
 * behind them. */
void slowness_watch(void);

/* Whether that is within the budget, as much longer as this machine is slower than a quiet one. For
 * any thread. */
bool slowness_allows(int64_t took_ms, int64_t budget_ms);

/* So much time, as much longer as this machine is slower now than a quiet one: for a time limit of the
 * program that must run out in a test, but not before the test has done its part. */
int64_t slowness_stretch_ms(int64_t ms);

/* Ends the test when more than that was taken. */
#define expect_within_ms(took_ms, budget_ms) \
    slowness_expect_within(took_ms, budget_ms, __FILE__, __LINE__)
void slowness_expect_within(int64_t took_ms, int64_t budget_ms, const char *file, int line);

#endif
