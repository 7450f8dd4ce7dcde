/*
 * The service manager's watchdog: a server that hangs is ended and started anew.
 *
 * The manager says how often it wants to hear from us ($WATCHDOG_USEC) and ends the process when it
 * does not. The main thread tells it, between two signals, so a main thread that hangs is found out. It
 * does so only while the workers get on: some request has begun or ended since the last look, or a piece of a body
 * that streams has moved, or none is under way. One request that hangs is not enough; when all of them do, nobody is
 * served.
 *
 * Used by the main thread alone.
 */
#ifndef SERVER_PROCESS_WATCHDOG_H
#define SERVER_PROCESS_WATCHDOG_H

#include "http/http.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct watchdog {
    int64_t period_ns;      /* between two looks; 0: nobody asked */
    int64_t stall_limit_ns; /* how long nothing at all may move */
    int64_t next_ns;        /* when to look next, of clock_mono_ns() */
    int64_t moved_ns;       /* when something was last seen moving */
    uint64_t seen;          /* beginnings and ends of requests at the last look */
    bool is_stuck;
};

/*
 * Reads the manager's wish from the environment: $WATCHDOG_USEC in microseconds, for this process if
 * $WATCHDOG_PID is absent or ours. Anything else asks for nothing. body_timeout_ms is how long a request
 * may do nothing but wait for its client, or for a server behind the gateway.
 */
void watchdog_init(struct watchdog *watchdog, int64_t body_timeout_ms);

/* How long to wait for the next look; false: for ever. */
bool watchdog_wait(const struct watchdog *watchdog, int64_t now_ns, struct timespec *wait_out);
bool watchdog_is_due(const struct watchdog *watchdog, int64_t now_ns);

/* Looks, and tells the manager if all is well; else logs once that it is not. */
void watchdog_check(struct watchdog *watchdog, const struct http_stats *stats, int64_t now_ns);

#endif
