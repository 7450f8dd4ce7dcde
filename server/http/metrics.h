/*
 * Requests by route, status and duration. Each worker thread has numbers of its own, in cache
 * lines of its own, and adds without an atomic read-modify-write; a reader sums them up. Counting a
 * request costs some nanoseconds.
 */
#ifndef SERVER_HTTP_METRICS_H
#define SERVER_HTTP_METRICS_H

#include "cachewarden/error.h"
#include "cachewarden/routes.h"

#include <stdint.h>

struct metrics;

/* The endpoints, and the routes of the gateway; borrowed. */
struct metrics_routes {
    const struct route *endpoints, *passed;
    size_t endpoint_count, passed_count;
};

/* ERR_NO_MEMORY. */
CW_MUST_CHECK enum err metrics_new(const struct metrics_routes *routes, int workers,
                                   struct metrics **metrics_out);
void metrics_free(struct metrics **metrics);

/* One answer. Only thread `worker` may use its number. `route` NULL: none was found. */
void metrics_count(struct metrics *metrics, int worker, const struct route *route, int status,
                   int64_t duration_ns);

/* Appends all of it in Prometheus' text format. Any thread, at any time. */
void metrics_write(const struct metrics *metrics, struct strbuf *out);

#endif
