/* One line a request: event http.request; of refused requests too. */
#ifndef SERVER_HTTP_ACCESS_LOG_H
#define SERVER_HTTP_ACCESS_LOG_H

#include "http/exchange.h"

/* In the order of the choices of log.access. */
enum access_log {
    ACCESS_LOG_ALL,
    ACCESS_LOG_FAILED, /* answered with 400 or above, or not at all; not misses of a cache */
    ACCESS_LOG_OFF,
};

/* ACCESS_LOG_ALL until it is called; from any thread. */
void access_log_configure(enum access_log which);

/*
 * At info what is asked for, but a request that we failed (5xx) at warn, whatever is asked for, and a probe or
 * a scrape that went well at debug.
 *
 * Never the query string (it may hold a token) nor a header's value. The log escapes values, so no
 * request can begin a line of its own. What went wrong is told in the words that are for us only
 * (error, detail). No lock may be held.
 */
void access_log_write(const struct exchange *exchange, size_t bytes_sent, int64_t duration_ns);

/* A copy with all that access_log_write tells, for when the exchange is over before its answer is. The caller's to
 * free. NULL: no memory. */
struct exchange *access_log_keep(const struct exchange *exchange);

#endif
