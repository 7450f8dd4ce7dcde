/*
 * Sleeping on a word (futex(2)), private to the process. Used where one wake must release many
 * sleepers without a lock: what a condition variable would add here, every sleeper taking the
 * lock again one after the other, was measured to be slow.
 */
#ifndef POOL_FUTEX_H
#define POOL_FUTEX_H

#include "cachewarden/clock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FUTEX_NO_DEADLINE INT64_MAX

/* Sleeps while *word is `seen`. False once deadline_ns (clock_mono_ns) has passed; true otherwise,
 * also without a wake: look at the word again. */
static inline bool futex_wait(atomic_int *word, int seen, int64_t deadline_ns)
{
    const struct timespec until = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
                                   .tv_nsec = (long)(deadline_ns % NS_PER_S)};
    /* The bitset form takes a point of CLOCK_MONOTONIC, the plain one a duration. Without a
     * deadline the kernel sets no timer, which saves about a microsecond. */
    long result =
        syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen,
                deadline_ns == FUTEX_NO_DEADLINE ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    return result == 0 || errno != ETIMEDOUT;
}

static inline void futex_wake_all(atomic_int *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

#endif
