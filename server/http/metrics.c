#include "http/metrics.h"

#include "http/status.h"

#include "cachewarden/exposition.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNTERS_ALIGNMENT = 64, BOUNDS = 13, ROUTE_LABELS_SIZE = 128 };

/* A status check takes some 0.2 ms, a sign-in some 20 ms, and every wait of ours has ended after a
 * second or so. */
static const int64_t bounds_ns[BOUNDS] = {
    100000,   250000,   500000,    1000000,   2500000,    5000000,    10000000,
    25000000, 50000000, 100000000, 250000000, 1000000000, 5000000000,
};

/* One a route and worker. */
struct row {
    _Alignas(
        COUNTERS_ALIGNMENT) _Atomic uint64_t by_status[STATUS_COUNT + 1]; /* the last: any other */
    _Atomic uint64_t by_duration[BOUNDS + 1]; /* the last: above all bounds */
    _Atomic uint64_t nanoseconds;
};

struct metrics {
    const struct route *routes;
    size_t route_count;
    size_t row_count; /* of a worker: the routes, and one for no route */
    int workers;
    struct row *rows;
    void *block; /* where they are; what a worker has not counted in yet takes no memory */
};

enum err metrics_new(const struct route *routes, size_t route_count, int workers,
                     struct metrics **metrics_out)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    size_t size = (route_count + 1) * (size_t)workers * sizeof(struct row);

    *metrics_out = NULL;
    if (!metrics)
        return ERR_NO_MEMORY;
    *metrics = (struct metrics){.routes = routes,
                                .route_count = route_count,
                                .row_count = route_count + 1,
                                .workers = workers,
                                .block = calloc(1, size + COUNTERS_ALIGNMENT)};
    if (!metrics->block) {
        free(metrics);
        return ERR_NO_MEMORY;
    }
    uintptr_t from = (uintptr_t)metrics->block;
    metrics->rows =
        (struct row *)((from + COUNTERS_ALIGNMENT - 1) / COUNTERS_ALIGNMENT * COUNTERS_ALIGNMENT);
    *metrics_out = metrics;
    return ERR_OK;
}

void metrics_free(struct metrics **metrics)
{
    if (*metrics)
        free((*metrics)->block);
    free(*metrics);
    *metrics = NULL;
}

/* The route's place in the table; behind the last: not in it. A listener of its own has rows of its
 * own, which count as those of the same name. */
static size_t index_of(const struct metrics *metrics, const struct route *route)
{
    if (!route)
        return metrics->route_count;
    if (route >= metrics->routes && route < metrics->routes + metrics->route_count)
        return (size_t)(route - metrics->routes);
    for (size_t i = 0; i < metrics->route_count; i++)
        if (strcmp(metrics->routes[i].name, route->name) == 0)
            return i;
    return metrics->route_count;
}

static struct row *row_at(const struct metrics *metrics, int worker, size_t index)
{
    return &metrics->rows[(size_t)worker * metrics->row_count + index];
}

/* By the only thread that writes it. */
static void add(_Atomic uint64_t *number, uint64_t more)
{
    uint64_t value = atomic_load_explicit(number, memory_order_relaxed);

    atomic_store_explicit(number, value + more, memory_order_relaxed);
}

void metrics_count(struct metrics *metrics, int worker, const struct route *route, int status,
                   int64_t duration_ns)
{
    struct row *row = row_at(metrics, worker, index_of(metrics, route));
    size_t bound = 0;

    while (bound < BOUNDS && duration_ns > bounds_ns[bound])
        bound++;
    add(&row->by_status[status_index(status)], 1);
    add(&row->by_duration[bound], 1);
    add(&row->nanoseconds, duration_ns > 0 ? (uint64_t)duration_ns : 0);
}

/* ---- telling ---- */

struct sums {
    uint64_t by_status[STATUS_COUNT + 1], by_duration[BOUNDS + 1], nanoseconds;
};

static void add_up(const struct metrics *metrics, size_t index, struct sums *sums_out)
{
    memset(sums_out, 0, sizeof *sums_out);
    for (int worker = 0; worker < metrics->workers; worker++) {
        const struct row *row = row_at(metrics, worker, index);
        for (int i = 0; i <= STATUS_COUNT; i++)
            sums_out->by_status[i] +=
                atomic_load_explicit(&row->by_status[i], memory_order_relaxed);
        for (int i = 0; i <= BOUNDS; i++)
            sums_out->by_duration[i] +=
                atomic_load_explicit(&row->by_duration[i], memory_order_relaxed);
        sums_out->nanoseconds += atomic_load_explicit(&row->nanoseconds, memory_order_relaxed);
    }
}

static const char *name_of(const struct metrics *metrics, size_t index)
{
    return index < metrics->route_count ? metrics->routes[index].name : "none";
}

static void write_statuses(const struct metrics *metrics, struct strbuf *out)
{
    const char *name = "cachewarden_http_requests_total";

    exposition_family(
        out, name, "counter",
        "Requests answered, by route and status, from the first answer with it on; none: "
        "there is no such route, or the request could not be read.");
    for (size_t i = 0; i < metrics->row_count; i++) {
        struct sums sums;
        add_up(metrics, i, &sums);
        for (size_t k = 0; k <= STATUS_COUNT; k++) {
            char labels[ROUTE_LABELS_SIZE];
            if (sums.by_status[k] == 0)
                continue;
            if (k < STATUS_COUNT)
                snprintf(labels, sizeof labels, "route=\"%s\",class=\"%dxx\",status=\"%d\"",
                         name_of(metrics, i), status_at(k) / 100, status_at(k));
            else /* the answer did not go out: the client was gone, or there was no room for it */
                snprintf(labels, sizeof labels, "route=\"%s\",class=\"none\",status=\"none\"",
                         name_of(metrics, i));
            exposition_count(out, name, labels, sums.by_status[k]);
        }
    }
}

static void write_durations(const struct metrics *metrics, struct strbuf *out)
{
    const char *name = "cachewarden_http_request_duration_seconds";

    exposition_family(
        out, name, "histogram",
        "From the whole head of a request until its answer is handed over, by route.");
    for (size_t i = 0; i < metrics->row_count; i++) {
        char labels[ROUTE_LABELS_SIZE];
        struct sums sums;
        add_up(metrics, i, &sums);
        snprintf(labels, sizeof labels, "route=\"%s\"", name_of(metrics, i));
        exposition_histogram(out, name, labels,
                             &(struct exposition_histogram){.bounds = bounds_ns,
                                                            .counts = sums.by_duration,
                                                            .bound_count = BOUNDS,
                                                            .sum = sums.nanoseconds,
                                                            .is_time = true});
    }
}

void metrics_write(const struct metrics *metrics, struct strbuf *out)
{
    write_statuses(metrics, out);
    write_durations(metrics, out);
}
