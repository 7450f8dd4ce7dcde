#include "http/metrics.h"

#include "http/status.h"

#include "cachewarden/exposition.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { COUNTERS_ALIGNMENT = 64, BOUNDS = 13, CLASSES = 5 };

/* Behind the statuses that are ours: what did not go out, and what another server has answered, by class. */
enum { NOT_ANSWERED = STATUS_COUNT, OTHERS, STATUSES = OTHERS + CLASSES };

/* A status check takes some 0.2 ms, a sign-in some 20 ms, and every wait of ours has ended after a
 * second or so. */
static const int64_t bounds_ns[BOUNDS] = {
    100000,   250000,   500000,    1000000,   2500000,    5000000,    10000000,
    25000000, 50000000, 100000000, 250000000, 1000000000, 5000000000,
};

/* One a route and worker. */
struct row {
    _Alignas(COUNTERS_ALIGNMENT) _Atomic uint64_t by_status[STATUSES];
    _Atomic uint64_t by_duration[BOUNDS + 1]; /* the last: above all bounds */
    _Atomic uint64_t nanoseconds;
};

struct metrics {
    struct metrics_routes routes;
    size_t row_count; /* of a worker: endpoints, routes of the gateway, and one for no route */
    int workers;
    struct row *rows;
    void *block; /* where they are; what a worker has not counted in yet takes no memory */
};

enum err metrics_new(const struct metrics_routes *routes, int workers, struct metrics **metrics_out)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    size_t row_count = routes->endpoint_count + routes->passed_count + 1;
    size_t size = row_count * (size_t)workers * sizeof(struct row);

    *metrics_out = NULL;
    if (!metrics)
        return ERR_NO_MEMORY;
    *metrics = (struct metrics){.routes = *routes,
                                .row_count = row_count,
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

static bool is_among(const struct route *route, const struct route *table, size_t count)
{
    return count > 0 && route >= table && route < table + count;
}

/* The route's place among the rows. A listener of its own has rows of its own, which count as those of the same
 * name. */
static size_t index_of(const struct metrics *metrics, const struct route *route)
{
    const struct metrics_routes *routes = &metrics->routes;

    if (!route)
        return metrics->row_count - 1;
    if (is_among(route, routes->endpoints, routes->endpoint_count))
        return (size_t)(route - routes->endpoints);
    if (is_among(route, routes->passed, routes->passed_count))
        return routes->endpoint_count + (size_t)(route - routes->passed);
    for (size_t i = 0; i < routes->endpoint_count; i++)
        if (strcmp(routes->endpoints[i].name, route->name) == 0)
            return i;
    return metrics->row_count - 1;
}

static size_t index_of_status(int status)
{
    size_t index = status_index(status);

    if (index < STATUS_COUNT)
        return index;
    return status >= 100 && status < 100 * (CLASSES + 1) ? OTHERS + (size_t)status / 100 - 1
                                                         : NOT_ANSWERED;
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
    add(&row->by_status[index_of_status(status)], 1);
    add(&row->by_duration[bound], 1);
    add(&row->nanoseconds, duration_ns > 0 ? (uint64_t)duration_ns : 0);
}

/* ---- telling ---- */

struct sums {
    uint64_t by_status[STATUSES], by_duration[BOUNDS + 1], nanoseconds;
};

static void add_up(const struct metrics *metrics, size_t index, struct sums *sums_out)
{
    memset(sums_out, 0, sizeof *sums_out);
    for (int worker = 0; worker < metrics->workers; worker++) {
        const struct row *row = row_at(metrics, worker, index);
        for (int i = 0; i < STATUSES; i++)
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
    const struct metrics_routes *routes = &metrics->routes;

    if (index < routes->endpoint_count)
        return routes->endpoints[index].name;
    index -= routes->endpoint_count;
    return index < routes->passed_count ? routes->passed[index].name : "none";
}

/* A prefix may be long. Good until the next; "" when memory is out, which the buffer knows. */
static const char *labels_of(const struct metrics *metrics, size_t index, struct strbuf *labels)
{
    labels->len = 0;
    strbuf_addf(labels, "route=\"%s\"", name_of(metrics, index));
    return labels->failed ? "" : labels->ptr;
}

static void add_status(struct strbuf *labels, size_t status)
{
    if (status < STATUS_COUNT)
        strbuf_addf(labels, ",class=\"%dxx\",status=\"%d\"", status_at(status) / 100,
                    status_at(status));
    else if (status == NOT_ANSWERED) /* the client was gone, or there was no room for it */
        strbuf_addf(labels, ",class=\"none\",status=\"none\"");
    else
        strbuf_addf(labels, ",class=\"%zuxx\",status=\"other\"", status - OTHERS + 1);
}

static void write_statuses(const struct metrics *metrics, struct strbuf *labels, struct strbuf *out)
{
    const char *name = "cachewarden_http_requests_total";

    exposition_family(
        out, name, "counter",
        "Requests answered, by route and status, from the first answer with it on; "
        "gateway:PREFIX: a route of the gateway; none: there is no such route, or the request "
        "could not be read.");
    for (size_t i = 0; i < metrics->row_count; i++) {
        struct sums sums;
        add_up(metrics, i, &sums);
        for (size_t k = 0; k < STATUSES; k++) {
            if (sums.by_status[k] == 0)
                continue;
            (void)labels_of(metrics, i, labels);
            add_status(labels, k);
            exposition_count(out, name, labels->failed ? "" : labels->ptr, sums.by_status[k]);
        }
    }
}

static void write_durations(const struct metrics *metrics, struct strbuf *labels,
                            struct strbuf *out)
{
    const char *name = "cachewarden_http_request_duration_seconds";

    exposition_family(
        out, name, "histogram",
        "From the whole head of a request until its answer is handed over, by route.");
    for (size_t i = 0; i < metrics->row_count; i++) {
        struct sums sums;
        add_up(metrics, i, &sums);
        exposition_histogram(out, name, labels_of(metrics, i, labels),
                             &(struct exposition_histogram){.bounds = bounds_ns,
                                                            .counts = sums.by_duration,
                                                            .bound_count = BOUNDS,
                                                            .sum = sums.nanoseconds,
                                                            .is_time = true});
    }
}

void metrics_write(const struct metrics *metrics, struct strbuf *out)
{
    struct strbuf labels;

    strbuf_init(&labels, NULL, 128);
    write_statuses(metrics, &labels, out);
    write_durations(metrics, &labels, out);
    out->failed = out->failed || labels.failed;
    strbuf_fini(&labels);
}
