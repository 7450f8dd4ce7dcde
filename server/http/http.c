/* The life of the server: its parts, draining, stopping, counters. The library is started in listener.c,
 * requests are in connection.c. */
#include "http/http_private.h"

#include "http/capacity.h"
#include "http/certificates.h"
#include "http/router.h"

#include "cachewarden/clock.h"
#include "cachewarden/exposition.h"
#include "cachewarden/health.h"
#include "cachewarden/random.h"

#include <civetweb.h>

#include <civetweb_extra.h>

#include <stdlib.h>

/* A request's memory: what the first block holds costs no malloc. */
enum { REQUEST_ARENA_FIRST = 16 * 1024, REQUEST_ARENA_MORE = 8 * 1024 * 1024 };

/* ---- life ---- */

static enum err make_workers(struct http *http, struct error *error)
{
    size_t count = (size_t)http->options.threads;
    size_t limit = REQUEST_ARENA_MORE +
                   4 * http->options.max_body; /* a body, what it was grown from, and its JSON */

    http->workers = aligned_alloc(alignof(struct worker), count * sizeof *http->workers);
    if (!http->workers)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    memset(http->workers, 0, count * sizeof *http->workers);
    for (size_t i = 0; i < count; i++) {
        struct worker *worker = &http->workers[i];
        worker->http = http;
        worker->arena = arena_new(REQUEST_ARENA_FIRST, limit);
        random_bytes(&worker->id_state, sizeof worker->id_state);
        if (!worker->arena)
            return error_set(error, ERR_NO_MEMORY, "out of memory");
    }
    return ERR_OK;
}

/* ---- what the services tell of us ---- */

static void waiting_stats(const struct http *http, struct mg_waiting_stats *stats_out)
{
    const struct mg_context *library = atomic_load(&http->library);

    memset(stats_out, 0, sizeof *stats_out);
    if (library)
        mg_get_waiting_stats(library, stats_out);
}

static void write_metrics(const void *with, struct strbuf *out)
{
    const struct http *http = with;
    struct mg_waiting_stats waiting;
    struct http_stats stats;

    http_stats_read(http, &stats);
    waiting_stats(http, &waiting);
    exposition_family(out, "cachewarden_build_info", "gauge", "Always 1.");
    exposition_count(out, "cachewarden_build_info", "version=\"" CW_VERSION "\"", 1);
    exposition_single(out, "cachewarden_http_workers", "gauge",
                      "Threads that serve a request each.", (uint64_t)http->options.threads);
    exposition_single(out, "cachewarden_http_connections", "gauge",
                      "Connections that have a thread now.", (uint64_t)stats.active_connections);
    exposition_single(out, "cachewarden_http_connections_waiting", "gauge",
                      "Connections without one: silent, slow, or waiting for one.",
                      (uint64_t)waiting.waiting);
    exposition_single(
        out, "cachewarden_http_connections_evicted_total", "counter",
        "Connections that made room for others: silent ones, and the oldest waiting bytes.",
        (uint64_t)waiting.evicted);
    exposition_single(
        out, "cachewarden_http_answers_cut_total", "counter",
        "Answers that did not go out whole: the client was gone, too slow, or had to make room.",
        (uint64_t)waiting.cut);
    exposition_single(out, "cachewarden_http_waiting_bytes", "gauge",
                      "Bytes of requests that are not whole, and of answers that are not taken.",
                      (uint64_t)waiting.bytes);
    exposition_single(out, "cachewarden_http_connections_total", "counter",
                      "Connections since the start.", stats.connections);
    exposition_single(out, "cachewarden_http_requests_under_way", "gauge",
                      "Requests being answered, this one too.", (uint64_t)stats.requests_under_way);
    if (http->options.certificates)
        certificates_write_metrics(http->options.certificates, clock_wall_s(), out);
    metrics_write(http->metrics, out);
    app_write_metrics(http->options.app, out);
}

static void make_edge(struct http *http)
{
    http->edge = (struct app_edge){
        .schema = http->options.schema, .write_metrics = write_metrics, .with = http};
    http->options.app->edge = &http->edge;
}

static enum err make_parts(struct http *http, struct error *error)
{
    const struct http_options *options = &http->options;
    size_t route_count = options->route_count;
    const struct route *routes = options->routes ? options->routes : routes_table(&route_count);
    enum err err = router_new(routes, route_count, &http->router, error);

    if (err != ERR_OK)
        return err;
    struct metrics_routes counted = {.endpoints = routes, .endpoint_count = route_count};
    counted.passed = gateway_rows(options->app->gateway, &counted.passed_count);
    http->dispatcher = (struct dispatcher){options->app, http->router, options->max_body};
    http->guard = (struct guard_policy){options->allowed_hosts, options->allowed_host_count};
    http->origins = (struct origin_policy){options->origins, options->origin_count};
    http->ports = calloc(options->listen_count, sizeof *http->ports);
    if (!http->ports || metrics_new(&counted, options->threads, &http->metrics) != ERR_OK)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    make_edge(http);
    return make_workers(http, error);
}

enum err http_start(const struct http_options *options, struct http **http_out, struct error *error)
{
    enum err err = http_check(options, error);
    int connections_max;

    if (err == ERR_OK)
        err = capacity_descriptors(options, &connections_max, error);
    if (err == ERR_OK)
        err = capacity_threads(options->threads, error);
    if (err != ERR_OK)
        return err;
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    http->options = *options;
    http->connections_max = connections_max;
    lock_init(&http->lock, LOCK_RANK_HTTP, "http");
    lock_cond_init(&http->finished);

    err = make_parts(http, error);
    if (err == ERR_OK)
        err = listener_start(http, error);
    if (err != ERR_OK) {
        http_stop(&http);
        return err;
    }
    *http_out = http;
    return ERR_OK;
}

enum err http_renew_tls(struct http *http, const struct tls_files *files,
                        bool changed_out[TLS_PARTS], struct error *error)
{
    memset(changed_out, 0, TLS_PARTS * sizeof *changed_out);
    return http->tls ? tls_renew(http->tls, files, changed_out, error) : ERR_OK;
}

int http_port(const struct http *http, size_t index)
{
    return index < http->options.listen_count ? http->ports[index] : 0;
}

int http_connections_max(const struct http *http)
{
    return http->connections_max;
}

void http_drain(struct http *http)
{
    atomic_store(&http->draining, true);
}

static int under_way(const struct http *http)
{
    struct mg_waiting_stats waiting;

    /* First those: a request that goes from them to a worker is rather seen twice than never. */
    waiting_stats(http, &waiting);
    int count = waiting.unfinished;
    for (int i = 0; i < http->options.threads; i++)
        count += atomic_load(&http->workers[i].is_busy);
    return count;
}

enum err http_wait_idle(struct http *http, int64_t deadline_ns)
{
    bool is_idle, in_time = true;

    lock_acquire(&http->lock);
    while (!(is_idle = under_way(http) == 0) && in_time)
        in_time = lock_cond_wait(&http->finished, &http->lock, deadline_ns);
    lock_release(&http->lock);
    return is_idle ? ERR_OK : ERR_TIMEOUT;
}

int64_t http_last_request_ns(const struct http *http)
{
    int64_t last_ns = 0;

    for (int i = 0; i < http->options.threads; i++) {
        int64_t ended_ns = atomic_load_explicit(&http->workers[i].ended_ns, memory_order_relaxed);
        if (ended_ns > last_ns)
            last_ns = ended_ns;
    }
    return last_ns;
}

void http_stop(struct http **http)
{
    struct http *gone = *http;

    if (!gone)
        return;
    gateway_stop(gone->options.app->gateway);
    if (gone->library)
        mg_stop(gone->library); /* returns once every worker has ended */
    tls_free(&gone->tls);
    for (int i = 0; gone->workers && i < gone->options.threads; i++)
        arena_free(&gone->workers[i].arena);
    free(gone->workers);
    if (gone->options.app->edge == &gone->edge)
        gone->options.app->edge = NULL;
    metrics_free(&gone->metrics);
    router_free(&gone->router);
    free(gone->ports);
    lock_cond_fini(&gone->finished);
    lock_fini(&gone->lock);
    free(gone);
    *http = NULL;
}

void http_stats_read(const struct http *http, struct http_stats *stats_out)
{
    struct mg_waiting_stats waiting;

    waiting_stats(http, &waiting);
    memset(stats_out, 0, sizeof *stats_out);
    stats_out->connections = (uint64_t)waiting.accepted;
    for (int i = 0; i < http->options.threads; i++) {
        const struct worker *worker = &http->workers[i];
        stats_out->requests += atomic_load_explicit(&worker->requests, memory_order_relaxed);
        stats_out->pieces += atomic_load_explicit(&worker->pieces, memory_order_relaxed);
        stats_out->active_connections +=
            atomic_load_explicit(&worker->has_connection, memory_order_relaxed);
        for (int class = 0; class < 6; class ++)
            stats_out->answers_by_class[class] +=
                atomic_load_explicit(&worker->by_class[class], memory_order_relaxed);
    }
    stats_out->requests_under_way = under_way(http);
}
