#include "slowness.h"

#include <check.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BURST_NS     3000000  /* of the processor: longer than a turn of the scheduler's, */
#define PAUSE_NS     50000000 /* after a rest: six per cent of a core */
#define MEMORY_NS    60000000000
#define MEMORY_SLOTS 4096 /* more than there are bursts in that time */
#define BURSTS_MIN   10

struct burst {
    _Atomic int64_t at_ns;
    _Atomic int64_t factor_percent; /* 100: it had the processor to itself */
};

static struct burst bursts[MEMORY_SLOTS];
static _Atomic unsigned count;
static _Atomic pid_t watched; /* a test that check forked starts a control of its own */

static int64_t clock_of(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Two troubles: the processor is not had for long, and it is had late after a rest. */
static void *watch(void *arg)
{
    const struct timespec pause = {0, PAUSE_NS};
    (void)arg;
    for (unsigned i = 0;; i++) {
        int64_t rest = clock_of(CLOCK_MONOTONIC), used = clock_of(CLOCK_THREAD_CPUTIME_ID), now;
        nanosleep(&pause, NULL);
        int64_t begin = clock_of(CLOCK_MONOTONIC);
        while ((now = clock_of(CLOCK_THREAD_CPUTIME_ID)) - used < BURST_NS)
            continue;
        int64_t end = clock_of(CLOCK_MONOTONIC);
        struct burst *burst = &bursts[i % MEMORY_SLOTS];
        atomic_store(&burst->factor_percent,
                     max((end - begin) * 100 / (now - used), (begin - rest) * 100 / PAUSE_NS));
        atomic_store(&burst->at_ns, end);
        atomic_store(&count, i + 1);
    }
    return NULL;
}

/* Once a process. */
void slowness_watch(void)
{
    pthread_t thread;
    pid_t own = getpid();
    if (atomic_exchange(&watched, own) == own)
        return;
    atomic_store(&count, 0);
    int error = pthread_create(&thread, NULL, watch, NULL);
    ck_assert_msg(error == 0, "%s", strerror(error));
    pthread_detach(thread);
}

/* The worst of the last minute, in per cent. Who asks for the first time waits for a few bursts: the
 * machine is as it was a moment ago. */
static int64_t factor(void)
{
    const struct timespec pause = {0, 1000000};
    int64_t worst = 100;
    slowness_watch();
    while (atomic_load(&count) < BURSTS_MIN)
        nanosleep(&pause, NULL);
    int64_t since = clock_of(CLOCK_MONOTONIC) - MEMORY_NS;
    for (unsigned i = 0; i < MEMORY_SLOTS && i < atomic_load(&count); i++) {
        int64_t percent = atomic_load(&bursts[i].factor_percent);
        if (atomic_load(&bursts[i].at_ns) >= since && percent > worst)
            worst = percent;
    }
    return worst;
}

bool slowness_allows(int64_t took_ms, int64_t budget_ms)
{
    return took_ms <= budget_ms || took_ms <= budget_ms * factor() / 100;
}

int64_t slowness_stretch_ms(int64_t ms)
{
    return ms * factor() / 100;
}

void slowness_expect_within(int64_t took_ms, int64_t budget_ms, const char *file, int line)
{
    ck_assert_msg(slowness_allows(took_ms, budget_ms),
                  "%s:%d: %lld ms instead of %lld, on a machine %lld %% as slow as a quiet one",
                  file, line, (long long)took_ms, (long long)budget_ms, (long long)factor());
}
