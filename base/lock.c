#include "cachewarden/lock.h"

#include "cachewarden/clock.h"
#include "cachewarden/die.h"

#include <errno.h>
#include <time.h>

/* A mutex that does not do what it promises: nothing after it can be trusted. */
static void check(int result, const char *what, const char *name)
{
    if (result == 0)
        return;
    die("%s of lock \"%s\" failed with errno %d", what, name, result);
}

#ifndef NDEBUG

/* Six locks at once would already be a strange design; the ranks allow ten. */
enum { HELD_MAX = 16 };
static _Thread_local const struct lock *held[HELD_MAX];
static _Thread_local int held_count;

static int held_index(const struct lock *lock)
{
    for (int i = held_count - 1; i >= 0; i--) {
        if (held[i] == lock)
            return i;
    }
    return -1;
}

/* Before the mutex is taken: a wrong order has to be told even on the day it would deadlock. */
static void held_check_order(const struct lock *lock)
{
    for (int i = 0; i < held_count; i++) {
        if (held[i]->rank < lock->rank)
            continue;
        die("lock order: taking \"%s\" (rank %d) while holding \"%s\" (rank %d)", lock->name,
            (int)lock->rank, held[i]->name, (int)held[i]->rank);
    }
    if (held_count == HELD_MAX)
        die("lock \"%s\": %d locks are held already", lock->name, held_count);
}

static void held_add(const struct lock *lock)
{
    held[held_count++] = lock;
}

static void held_remove(const struct lock *lock)
{
    lock_assert_held(lock);
    int i = held_index(lock);
    for (held_count--; i < held_count; i++)
        held[i] = held[i + 1];
}

void lock_assert_held(const struct lock *lock)
{
    if (held_index(lock) >= 0)
        return;
    die("lock \"%s\" is not held by this thread", lock->name);
}

void lock_assert_none_held(const char *doing)
{
    if (held_count == 0)
        return;
    die("%s while holding lock \"%s\"", doing, held[held_count - 1]->name);
}

/* Waiting gives one lock back; any other would be held for as long as the wait lasts. */
static void held_check_wait(const struct lock *lock)
{
    lock_assert_held(lock);
    for (int i = 0; i < held_count; i++) {
        if (held[i] == lock)
            continue;
        die("waiting with lock \"%s\" while holding \"%s\"", lock->name, held[i]->name);
    }
}

static void held_check_fini(const struct lock *lock)
{
    if (held_index(lock) < 0)
        return;
    die("lock \"%s\" is destroyed while held", lock->name);
}

#else

static void held_check_order(const struct lock *lock)
{
    (void)lock;
}

static void held_add(const struct lock *lock)
{
    (void)lock;
}

static void held_remove(const struct lock *lock)
{
    (void)lock;
}

void lock_assert_held(const struct lock *lock)
{
    (void)lock;
}

void lock_assert_none_held(const char *doing)
{
    (void)doing;
}

static void held_check_wait(const struct lock *lock)
{
    (void)lock;
}

static void held_check_fini(const struct lock *lock)
{
    (void)lock;
}

#endif

void lock_init(struct lock *lock, enum lock_rank rank, const char *name)
{
    check(pthread_mutex_init(&lock->mutex, NULL), "making", name);
    lock->name = name;
    lock->rank = rank;
}

void lock_fini(struct lock *lock)
{
    held_check_fini(lock);
    check(pthread_mutex_destroy(&lock->mutex), "destroying", lock->name);
}

/* clang sees no capability in a pthread mutex, so the two that stand for it are left out. */

CW_NO_LOCK_CHECK void lock_acquire(struct lock *lock)
{
    held_check_order(lock);
    check(pthread_mutex_lock(&lock->mutex), "taking", lock->name);
    held_add(lock);
}

CW_NO_LOCK_CHECK void lock_release(struct lock *lock)
{
    held_remove(lock);
    check(pthread_mutex_unlock(&lock->mutex), "giving", lock->name);
}

void lock_cond_init(struct lock_cond *cond)
{
    pthread_condattr_t attributes;

    check(pthread_condattr_init(&attributes), "making a condition", "");
    /* Deadlines are monotonic: a step of the wall clock must neither stretch nor cut a wait. */
    check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC), "making a condition", "");
    check(pthread_cond_init(&cond->cond, &attributes), "making a condition", "");
    check(pthread_condattr_destroy(&attributes), "making a condition", "");
}

void lock_cond_fini(struct lock_cond *cond)
{
    check(pthread_cond_destroy(&cond->cond), "destroying a condition", "");
}

bool lock_cond_wait(struct lock_cond *cond, struct lock *lock, int64_t deadline_ns)
{
    if (deadline_ns < 0)
        deadline_ns = 0;
    struct timespec deadline = {
        .tv_sec = (time_t)(deadline_ns / NS_PER_S),
        .tv_nsec = (long)(deadline_ns % NS_PER_S),
    };

    held_check_wait(lock);
    int result = pthread_cond_timedwait(&cond->cond, &lock->mutex, &deadline);
    if (result == ETIMEDOUT)
        return false;
    check(result, "waiting", lock->name);
    return true;
}

void lock_cond_signal(struct lock_cond *cond)
{
    check(pthread_cond_signal(&cond->cond), "signalling a condition", "");
}

void lock_cond_broadcast(struct lock_cond *cond)
{
    check(pthread_cond_broadcast(&cond->cond), "signalling a condition", "");
}
