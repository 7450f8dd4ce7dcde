#include "metrics.h"

#include "cachewarden/clock.h"
#include "cachewarden/exposition.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { CACHE_LINE = 64, CLASSES = 6, BUCKETS = 13, LABELS_SIZE = 128 };

/* Upper bounds: a status check takes some 0.2 ms, a sign-in some 20 ms, and every wait of ours has
 * ended after a second or so. */
static const struct {
    int64_t ns;
    const char *seconds;
} bounds[BUCKETS] = {
    {100000, "0.0001"},  {250000, "0.00025"}, {500000, "0.0005"},  {1000000, "0.001"},
    {2500000, "0.0025"}, {5000000, "0.005"},  {10000000, "0.01"},  {25000000, "0.025"},
    {50000000, "0.05"},  {100000000, "0.1"},  {250000000, "0.25"}, {1000000000, "1"},
    {5000000000, "5"},
};

/* One a route and worker. */
struct row {
    _Alignas(CACHE_LINE) _Atomic uint64_t by_class[CLASSES];
    _Atomic uint64_t by_duration[BUCKETS + 1]; /* the last: longer than all bounds */
    _Atomic uint64_t nanoseconds;
};

struct metrics {
    const struct route *routes;
    size_t route_count;
    size_t row_count; /* of a worker: the routes, and one for no route */
    int workers;
    struct row *rows;
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
                                .rows = aligned_alloc(CACHE_LINE, size)};
    if (!metrics->rows) {
        free(metrics);
        return ERR_NO_MEMORY;
    }
    memset(metrics->rows, 0, size);
    *metrics_out = metrics;
    return ERR_OK;
}

void metrics_free(struct metrics **metrics)
{
    if (*metrics)
        free((*metrics)->rows);
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
    int class = status / 100, bucket = 0;

    while (bucket < BUCKETS && duration_ns > bounds[bucket].ns)
        bucket++;
    add(&row->by_class[class >= 0 && class < CLASSES ? class : 5], 1);
    add(&row->by_duration[bucket], 1);
    add(&row->nanoseconds, duration_ns > 0 ? (uint64_t)duration_ns : 0);
}

/* ---- telling ---- */

struct sums {
    uint64_t by_class[CLASSES], by_duration[BUCKETS + 1], nanoseconds;
};

static void add_up(const struct metrics *metrics, size_t index, struct sums *sums_out)
{
    memset(sums_out, 0, sizeof *sums_out);
    for (int worker = 0; worker < metrics->workers; worker++) {
        const struct row *row = row_at(metrics, worker, index);
        for (int i = 0; i < CLASSES; i++)
            sums_out->by_class[i] += atomic_load_explicit(&row->by_class[i], memory_order_relaxed);
        for (int i = 0; i <= BUCKETS; i++)
            sums_out->by_duration[i] +=
                atomic_load_explicit(&row->by_duration[i], memory_order_relaxed);
        sums_out->nanoseconds += atomic_load_explicit(&row->nanoseconds, memory_order_relaxed);
    }
}

static const char *name_of(const struct metrics *metrics, size_t index)
{
    return index < metrics->route_count ? metrics->routes[index].name : "none";
}

static void write_classes(const struct metrics *metrics, struct strbuf *out)
{
    const char *name = "cachewarden_http_requests_total";

    exposition_family(out, name, "counter",
                      "Requests answered, by route and class of the status; none: there is no such "
                      "route, or the request could not be read.");
    for (size_t i = 0; i < metrics->row_count; i++) {
        struct sums sums;
        add_up(metrics, i, &sums);
        for (int class = 2; class < CLASSES; class ++) {
            char labels[LABELS_SIZE];
            if (class == 3) /* nothing of ours redirects */
                continue;
            snprintf(labels, sizeof labels, "route=\"%s\",class=\"%dxx\"", name_of(metrics, i),
                     class);
            exposition_count(out, name, labels, sums.by_class[class]);
        }
    }
}

static void write_durations_of(const struct metrics *metrics, size_t index, struct strbuf *out)
{
    char labels[LABELS_SIZE];
    struct sums sums;
    uint64_t count = 0;

    add_up(metrics, index, &sums);
    for (int i = 0; i <= BUCKETS; i++) {
        count += sums.by_duration[i];
        snprintf(labels, sizeof labels, "route=\"%s\",le=\"%s\"", name_of(metrics, index),
                 i < BUCKETS ? bounds[i].seconds : "+Inf");
        exposition_count(out, "cachewarden_http_request_duration_seconds_bucket", labels, count);
    }
    snprintf(labels, sizeof labels, "route=\"%s\"", name_of(metrics, index));
    exposition_seconds(out, "cachewarden_http_request_duration_seconds_sum", labels,
                       sums.nanoseconds);
    exposition_count(out, "cachewarden_http_request_duration_seconds_count", labels, count);
}

void metrics_write(const struct metrics *metrics, struct strbuf *out)
{
    write_classes(metrics, out);
    exposition_family(out, "cachewarden_http_request_duration_seconds", "histogram",
                      "From the first byte of a request to the last of its answer, by route.");
    for (size_t i = 0; i < metrics->row_count; i++)
        write_durations_of(metrics, i, out);
}
