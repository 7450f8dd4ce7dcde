/*
 * Mutexes with a name and a rank. A thread may acquire a lock only when its rank is higher than
 * every rank the thread holds already; debug builds (no NDEBUG) assert it, so a wrong order
 * fails in the first test that walks it, not in production. No lock is held across the
 * network, a callback or a log write. The ranks below are printed in ARCHITECTURE.md.
 */
#ifndef CACHEWARDEN_LOCK_H
#define CACHEWARDEN_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What clang's -Wthread-safety is told (gcc sees nothing). A function of yours that is to be called
 * with the lock held says so behind its declaration: static void wake_locked(struct pool *pool)
 * CW_NEEDS_LOCK(&pool->lock); clang then refuses callers that do not hold it, and locks that are
 * never released.
 */
#if defined(__clang__)
#define CW_LOCK_TYPE           __attribute__((capability("mutex")))
#define CW_ACQUIRES_LOCK(lock) __attribute__((acquire_capability(lock)))
#define CW_RELEASES_LOCK(lock) __attribute__((release_capability(lock)))
#define CW_NEEDS_LOCK(lock)    __attribute__((requires_capability(lock)))
#define CW_ASSERTS_LOCK(lock)  __attribute__((assert_capability(lock)))
/* For a function whose acquiring and releasing clang cannot follow; say why where it is used. */
#define CW_NO_LOCK_CHECK __attribute__((no_thread_safety_analysis))
#else
#define CW_LOCK_TYPE
#define CW_ACQUIRES_LOCK(lock)
#define CW_RELEASES_LOCK(lock)
#define CW_NEEDS_LOCK(lock)
#define CW_ASSERTS_LOCK(lock)
#define CW_NO_LOCK_CHECK
#endif

enum lock_rank {
    LOCK_RANK_CONFIG = 10,   /* server/: the settings in force, swapped by SIGHUP */
    LOCK_RANK_HTTP = 20,     /* server/: drain and connection counting */
    LOCK_RANK_IDENTITY = 30, /* auth/: cache of accounts and keys */
    LOCK_RANK_USERS = 40,    /* auth/: the one writer of the users database */
    LOCK_RANK_HASHING = 45,  /* auth/: how many password hashes run at once */
    LOCK_RANK_AUDIT = 50,    /* api/: queue of audit records */
    LOCK_RANK_LIMITS = 55,   /* api/: local limits */
    LOCK_RANK_POOL = 60,     /* pool/: idle connections, the forming batch */
    LOCK_RANK_BREAKER = 70,  /* pool/: circuit breaker */
    LOCK_RANK_LEAF = 90      /* holds nothing else while held */
};

struct CW_LOCK_TYPE lock {
    pthread_mutex_t mutex;
    const char *name;
    enum lock_rank rank;
};

/* `name` is for messages and has to outlive the lock. A mutex that fails ends the process: nothing
 * behind it could be trusted. */
void lock_init(struct lock *lock, enum lock_rank rank, const char *name);
void lock_fini(struct lock *lock);
void lock_acquire(struct lock *lock) CW_ACQUIRES_LOCK(lock);
void lock_release(struct lock *lock) CW_RELEASES_LOCK(lock);
/* Debug builds abort when the calling thread does not hold it; release builds do nothing. */
void lock_assert_held(const struct lock *lock) CW_ASSERTS_LOCK(lock);
/* For what may take long, such as "a log write": debug builds abort when the thread holds any lock. */
void lock_assert_none_held(const char *doing);

/* A condition that waits on monotonic time. */
struct lock_cond {
    pthread_cond_t cond;
};
void lock_cond_init(struct lock_cond *cond);
void lock_cond_fini(struct lock_cond *cond);
/* Releases the lock while waiting, holds it again on return; it must be the only one held. False once
 * deadline_ns (clock_mono_ns) has passed; may also return true without a signal: check your condition. */
bool lock_cond_wait(struct lock_cond *cond, struct lock *lock, int64_t deadline_ns)
    CW_NEEDS_LOCK(lock);
void lock_cond_signal(struct lock_cond *cond);
void lock_cond_broadcast(struct lock_cond *cond);

#endif
