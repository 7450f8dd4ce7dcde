#include "process/watchdog.h"

#include "process/notify.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <stdlib.h>
#include <unistd.h>

/* Looks in one wish of the manager, so that a busy machine may be late for three of them. */
#define LOOKS_A_PERIOD 4
/* What a request may take besides waiting for its client's body: its turn at hashing a password, the
 * users database, Redis, and a client that is slow to read (all of them bounded, all below 10 s), or silent
 * while a body streams (30 s). */
#define STALL_MORE_MS 30000

/* A positive number that the environment has under this name; 0: none. */
static int64_t number_from(const char *name)
{
    int64_t number;
    struct str text = str_from(getenv(name));
    return str_to_int64(text, 1, INT64_MAX / 1000, &number) ? number : 0;
}

void watchdog_init(struct watchdog *watchdog, int64_t body_timeout_ms)
{
    int64_t now_ns = clock_mono_ns();
    int64_t wish_us = number_from("WATCHDOG_USEC");
    bool is_for_us = !getenv("WATCHDOG_PID") || number_from("WATCHDOG_PID") == getpid();
    *watchdog = (struct watchdog){
        .period_ns = is_for_us ? wish_us * 1000 / LOOKS_A_PERIOD : 0,
        .stall_limit_ns = (body_timeout_ms + STALL_MORE_MS) * NS_PER_MS,
        .next_ns = now_ns,
        .moved_ns = now_ns,
    };
}

bool watchdog_wait(const struct watchdog *watchdog, int64_t now_ns, struct timespec *wait_out)
{
    if (watchdog->period_ns == 0)
        return false;
    int64_t left_ns = watchdog->next_ns > now_ns ? watchdog->next_ns - now_ns : 0;
    *wait_out = (struct timespec){.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
    return true;
}

bool watchdog_is_due(const struct watchdog *watchdog, int64_t now_ns)
{
    return watchdog->period_ns > 0 && now_ns >= watchdog->next_ns;
}

/* Beginnings, ends, and what streams meanwhile: with any of them, some worker is alive. */
static uint64_t movements(const struct http_stats *stats)
{
    uint64_t count = stats->requests + stats->pieces;
    for (size_t class = 0; class < sizeof stats->answers_by_class / sizeof(uint64_t); class ++)
        count += stats->answers_by_class[class];
    return count;
}

void watchdog_check(struct watchdog *watchdog, const struct http_stats *stats, int64_t now_ns)
{
    uint64_t seen = movements(stats);
    if (stats->requests_under_way == 0 || seen != watchdog->seen)
        watchdog->moved_ns = now_ns;
    watchdog->seen = seen;
    watchdog->next_ns = now_ns + watchdog->period_ns;

    bool is_stuck = now_ns - watchdog->moved_ns > watchdog->stall_limit_ns;
    if (!is_stuck)
        notify_manager("WATCHDOG=1", (struct str){0});
    else if (!watchdog->is_stuck)
        log_event(LOG_LEVEL_ERROR, "server.stuck", LOG_INT("requests", stats->requests_under_way),
                  LOG_INT("for_s", (now_ns - watchdog->moved_ns) / NS_PER_S));
    watchdog->is_stuck = is_stuck;
}
