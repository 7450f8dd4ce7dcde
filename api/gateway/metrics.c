#include "gateway/metrics.h"

#include "cachewarden/clock.h"
#include "cachewarden/exposition.h"
#include "gateway/service.h"
#include "shard.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

enum gateway_metric {
    GATEWAY_HITS,
    GATEWAY_MISSES,
    GATEWAY_STALES,
    GATEWAY_BYPASSES,
    GATEWAY_BUSY,
    GATEWAY_FAILURES,
    GATEWAY_LEFT,
    GATEWAY_COALESCED,
    GATEWAY_REFILL_WAITED,
    GATEWAY_REFILL_STALE,
    GATEWAY_REFILL_REFUSED,
    GATEWAY_STORED,
    GATEWAY_SAVED_MS,
    GATEWAY_BYTES,
    GATEWAY_METRICS
};

struct metrics_shard {
    alignas(SHARD_ALIGNMENT) _Atomic uint64_t of[GATEWAY_METRICS];
};

struct gateway_metrics {
    struct metrics_shard shards[SHARDS];
};

enum err gateway_metrics_new(struct gateway_metrics **metrics_out)
{
    *metrics_out = aligned_alloc(alignof(struct gateway_metrics), sizeof **metrics_out);
    if (!*metrics_out)
        return ERR_NO_MEMORY;
    memset(*metrics_out, 0, sizeof **metrics_out);
    return ERR_OK;
}

void gateway_metrics_free(struct gateway_metrics **metrics)
{
    free(*metrics);
    *metrics = NULL;
}

/* ---- what happened ---- */

static void add(const struct gateway_route *route, enum gateway_metric which, uint64_t number)
{
    atomic_fetch_add_explicit(&route->metrics->shards[shard_own()].of[which], number,
                              memory_order_relaxed);
}

static enum gateway_metric outcome_of(const struct passage *passage, enum err err)
{
    if (err == ERR_UPSTREAM_DOWN && passage_is_left(passage))
        return GATEWAY_LEFT; /* no fault of the upstream */
    if (err != ERR_OK)
        return err == ERR_BUSY ? GATEWAY_BUSY : GATEWAY_FAILURES;
    switch (passage->call->reply.cache_result) {
    case CACHE_RESULT_HIT:
        return GATEWAY_HITS;
    case CACHE_RESULT_STALE:
        return GATEWAY_STALES;
    case CACHE_RESULT_MISS:
        return GATEWAY_MISSES;
    default:
        return GATEWAY_BYPASSES;
    }
}

static uint64_t body_size(const struct reply *reply)
{
    if (reply->has_content)
        return reply->content.len;
    return reply->source.next && reply->source.length > 0 ? (uint64_t)reply->source.length : 0;
}

void gateway_metrics_note(const struct passage *passage, enum err err)
{
    const struct gateway_route *route = passage->route;
    enum gateway_metric outcome = outcome_of(passage, err);

    /* What the client did wrong, or our memory, is no matter of the route. */
    if (err != ERR_OK && err != ERR_BUSY && err != ERR_UPSTREAM_DOWN && err != ERR_TIMEOUT)
        return;
    add(route, outcome, 1);
    if (outcome == GATEWAY_HITS || outcome == GATEWAY_STALES) {
        add(route, GATEWAY_BYTES, body_size(&passage->call->reply));
        if (passage->upstream_ms > 0)
            add(route, GATEWAY_SAVED_MS, (uint64_t)passage->upstream_ms);
    }
    if (passage->refill != REFILL_FREE)
        add(route, passage->refill == REFILL_STALE ? GATEWAY_REFILL_STALE : GATEWAY_REFILL_REFUSED,
            1);
    else if (passage->request->wait && passage->request->wait->has_queued)
        add(route, GATEWAY_REFILL_WAITED, 1);
    if (passage->status.stored)
        add(route, GATEWAY_STORED, 1);
    if (passage->status.collapsed)
        add(route, GATEWAY_COALESCED, 1);
}

void gateway_metrics_note_paused(const struct gateway_route *route, bool is_left)
{
    add(route, is_left ? GATEWAY_LEFT : GATEWAY_BUSY, 1);
}

/* ---- telling ---- */

static const struct {
    enum gateway_metric which;
    const char *family, *label, *help; /* of several with one name the first has the help */
} samples[] = {
    {GATEWAY_HITS, "cachewarden_gateway_requests_total", ",result=\"hit\"",
     "Requests to the gateway, by what its cache did."},
    {GATEWAY_MISSES, "cachewarden_gateway_requests_total", ",result=\"miss\"", NULL},
    {GATEWAY_STALES, "cachewarden_gateway_requests_total", ",result=\"stale\"", NULL},
    {GATEWAY_BYPASSES, "cachewarden_gateway_requests_total", ",result=\"bypass\"", NULL},
    {GATEWAY_BUSY, "cachewarden_gateway_requests_total", ",result=\"busy\"", NULL},
    {GATEWAY_FAILURES, "cachewarden_gateway_requests_total", ",result=\"failed\"", NULL},
    {GATEWAY_LEFT, "cachewarden_gateway_requests_total", ",result=\"left\"", NULL},
    {GATEWAY_COALESCED, "cachewarden_gateway_coalesced_total", "",
     "Requests that waited for the response to another one and shared it."},
    {GATEWAY_REFILL_WAITED, "cachewarden_gateway_refill_total", ",result=\"waited\"",
     "Requests that missed while as many asked the upstream as gateway.refill_per_s allows."},
    {GATEWAY_REFILL_STALE, "cachewarden_gateway_refill_total", ",result=\"stale\"", NULL},
    {GATEWAY_REFILL_REFUSED, "cachewarden_gateway_refill_total", ",result=\"refused\"", NULL},
    {GATEWAY_STORED, "cachewarden_gateway_stored_total", "",
     "Responses of upstreams that were stored on their way to a client."},
    {GATEWAY_BYTES, "cachewarden_gateway_cache_bytes_total", "",
     "Bytes of bodies answered from the cache."},
};

static uint64_t read_metric(const struct gateway_route *route, enum gateway_metric which)
{
    uint64_t sum = 0;

    for (int i = 0; i < SHARDS; i++)
        sum += atomic_load_explicit(&route->metrics->shards[i].of[which], memory_order_relaxed);
    return sum;
}

/* A prefix has no quotation marks and no backslashes: the settings are checked for them. */
static const char *labels_of(const struct gateway_route *route, const char *more,
                             struct strbuf *labels)
{
    labels->len = 0;
    strbuf_addf(labels, "route=\"%.*s\"%s", STR_ARG(route->options.prefix), more);
    return labels->failed ? "" : labels->ptr;
}

static void write_counts(const struct gateway *gateway, struct strbuf *labels, struct strbuf *out)
{
    static const char saved[] = "cachewarden_gateway_saved_seconds_total";

    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        if (samples[i].help)
            exposition_family(out, samples[i].family, "counter", samples[i].help);
        for (size_t r = 0; r < gateway->route_count; r++)
            exposition_count(out, samples[i].family,
                             labels_of(&gateway->routes[r], samples[i].label, labels),
                             read_metric(&gateway->routes[r], samples[i].which));
    }
    exposition_family(out, saved, "counter",
                      "What upstreams took for the responses that the cache answered with.");
    for (size_t r = 0; r < gateway->route_count; r++)
        exposition_seconds(out, saved, labels_of(&gateway->routes[r], "", labels),
                           read_metric(&gateway->routes[r], GATEWAY_SAVED_MS) * NS_PER_MS);
}

static void write_upstreams(const struct gateway *gateway, struct strbuf *labels,
                            struct strbuf *out)
{
    static const char active[] = "cachewarden_gateway_upstream_requests";

    exposition_family(out, active, "gauge",
                      "Requests that are with an upstream now, or whose answer comes from there.");
    for (size_t r = 0; r < gateway->route_count; r++)
        exposition_count(out, active, labels_of(&gateway->routes[r], "", labels),
                         (uint64_t)upstream_active(gateway->routes[r].upstream));
    exposition_single(out, "cachewarden_gateway_waiting", "gauge",
                      "Workers that wait for an upstream now.",
                      (uint64_t)upstream_places_taken(gateway->places));
    exposition_single(out, "cachewarden_gateway_waiting_max", "gauge",
                      "Workers that may wait for upstreams at once.",
                      (uint64_t)gateway->max_waiting);
}

void gateway_write_metrics(const struct gateway *gateway, struct strbuf *out)
{
    struct memory_use use;
    struct strbuf labels;

    strbuf_init(&labels, NULL, 128);
    write_counts(gateway, &labels, out);
    write_upstreams(gateway, &labels, out);
    out->failed = out->failed || labels.failed;
    strbuf_fini(&labels);
    gateway_store_read_use(gateway->store, &use);
    exposition_single(out, "cachewarden_gateway_memory_bytes", "gauge",
                      "Stored responses in this node's memory.", use.bytes);
    exposition_single(out, "cachewarden_gateway_memory_responses", "gauge",
                      "How many of them there are.", use.count);
    exposition_single(out, "cachewarden_gateway_memory_evicted_total", "counter",
                      "Those that made room for others.", use.evicted);
}
