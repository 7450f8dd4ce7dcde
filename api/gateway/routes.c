/* The routes of the gateway: their life, and which one a path has. */
#include "gateway/gateway_private.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "gateway/cached.h"
#include "gateway/fetches.h"
#include "gateway/metrics.h"
#include "gateway/owed.h"
#include "gateway/refill.h"
#include "gateway/refresh.h"
#include "gateway/service.h"
#include "gateway/sharing.h"

#include <stdlib.h>

/* ---- life ---- */

static bool copy_texts(struct arena *arena, const struct str **texts, size_t count)
{
    struct str *copies = arena_calloc(arena, count, sizeof *copies);

    for (size_t i = 0; copies && i < count; i++) {
        copies[i] = str_dup(arena, (*texts)[i]);
        if (!copies[i].ptr)
            return false;
    }
    *texts = copies;
    return copies != NULL;
}

static bool copy_options(struct arena *arena, const struct gateway_route_options *from,
                         struct gateway_route_options *to)
{
    *to = *from;
    to->prefix = str_dup(arena, from->prefix);
    to->upstream_ca = str_dup(arena, from->upstream_ca);
    return to->prefix.ptr && to->upstream_ca.ptr &&
           copy_texts(arena, &to->upstreams, to->upstream_count) &&
           copy_texts(arena, &to->models, to->model_count);
}

/* What the walk of a request asks of an endpoint. No operation: gateway_serve is. */
static bool make_row(struct arena *arena, struct gateway_route *route)
{
    struct str name = str_format(arena, "gateway:%.*s", STR_ARG(route->options.prefix));

    *route->row = (struct route){
        .method = METHOD_OTHER,
        .path = route->options.prefix.ptr,
        .name = name.ptr,
        .permit = route->options.is_public ? PERMIT_PUBLIC : PERMIT_USER,
        .effect = EFFECT_WRITE,
        .body = BODY_STREAM,
        .error_format = ERROR_FORMAT_DETAIL,
        .summary = "passed on by the gateway",
    };
    return name.ptr != NULL;
}

static enum err open_route(struct gateway *gateway, const struct gateway_route_options *options,
                           struct gateway_route *route, struct error *error)
{
    route->gateway = gateway;
    if (!copy_options(gateway->arena, options, &route->options) ||
        !make_row(gateway->arena, route) || gateway_metrics_new(&route->metrics) != ERR_OK)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    enum err err =
        refill_new(gateway->app, route->options.prefix, gateway->refill_per_s, &route->refill);
    if (err != ERR_OK)
        return error_set(error, err, "no memory for a route, or no digest of its prefix");
    const struct upstream_options upstream = {
        .urls = route->options.upstreams,
        .url_count = route->options.upstream_count,
        .timeout_ms = route->options.timeout_ms,
        .max_connections = route->options.max_connections,
        .ca_file = route->options.upstream_ca,
        .places = gateway->places,
        .stops = &gateway->stops,
    };
    return upstream_new(&upstream, &route->upstream, error);
}

static int longest_first(const void *a, const void *b)
{
    const struct gateway_route *left = a, *right = b;
    size_t of_left = left->options.prefix.len, of_right = right->options.prefix.len;

    return (of_left < of_right) - (of_left > of_right);
}

static enum err open_routes(struct gateway *gateway, const struct gateway_options *options,
                            struct error *error)
{
    gateway->max_waiting = options->max_waiting;
    gateway->refill_per_s = options->refill_per_s;
    gateway->places = upstream_places_new(options->max_waiting);
    gateway->routes = arena_calloc(gateway->arena, options->route_count, sizeof *gateway->routes);
    gateway->rows = arena_calloc(gateway->arena, options->route_count, sizeof *gateway->rows);
    if (!gateway->places || !gateway->routes || !gateway->rows)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < options->route_count; i++) {
        gateway->routes[i].row = &gateway->rows[i];
        gateway->route_count++;
        enum err err = open_route(gateway, &options->routes[i], &gateway->routes[i], error);
        if (err != ERR_OK)
            return err;
    }
    qsort(gateway->routes, gateway->route_count, sizeof *gateway->routes, longest_first);
    for (size_t i = 0; i < gateway->route_count; i++)
        gateway->routes[i].number = (uint16_t)i;
    return ERR_OK;
}

enum err gateway_open(struct app *app, const struct gateway_options *options,
                      struct gateway **gateway_out, struct error *error)
{
    struct gateway *gateway = calloc(1, sizeof *gateway);

    *gateway_out = NULL;
    if (gateway)
        gateway->arena = arena_new(4096, 0);
    if (!gateway || !gateway->arena) {
        free(gateway);
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    }
    gateway->app = app;
    gateway->stored_max = options->stored_max;
    enum err err = gateway_store_new(app, (size_t)options->memory_bytes, &gateway->store, error);
    if (err == ERR_OK)
        err = open_routes(gateway, options, error);
    if (err == ERR_OK)
        err = fetches_new(options->max_waiting, &gateway->fetches, error);
    if (err == ERR_OK)
        err = owed_new(gateway, &gateway->owed, error);
    if (err == ERR_OK)
        err = refresher_new(cached_refresh, &gateway->refresher, error);
    if (err != ERR_OK) {
        gateway_close(&gateway);
        return err;
    }
    *gateway_out = gateway;
    return ERR_OK;
}

void gateway_stop(struct gateway *gateway)
{
    if (gateway)
        atomic_store(&gateway->stops, true);
}

void gateway_settle(const struct gateway *gateway)
{
    if (gateway)
        owed_settle_all(gateway);
}

void gateway_close(struct gateway **gateway)
{
    struct gateway *gone = *gateway;

    if (!gone)
        return;
    gateway_stop(gone);
    refresher_free(&gone->refresher);
    for (size_t i = 0; i < gone->route_count; i++) {
        upstream_free(&gone->routes[i].upstream);
        refill_free(&gone->routes[i].refill);
        gateway_metrics_free(&gone->routes[i].metrics);
    }
    fetches_free(&gone->fetches);
    owed_free(&gone->owed);
    upstream_places_free(&gone->places);
    gateway_store_free(&gone->store);
    arena_free(&gone->arena);
    free(gone);
    *gateway = NULL;
}

/* ---- matching ---- */

/* "/app" is "/app" and "/app/x", not "/apple"; "/" is all. */
static bool is_below(struct str path, struct str prefix)
{
    return prefix.len == 1 ||
           (str_starts(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/'));
}

const struct gateway_route *gateway_match(const struct gateway *gateway, struct str path)
{
    if (!gateway || path.len == 0 || path.ptr[0] != '/')
        return NULL;
    for (size_t i = 0; i < gateway->route_count; i++)
        if (is_below(path, gateway->routes[i].options.prefix))
            return &gateway->routes[i];
    return NULL;
}

const struct route *gateway_row(const struct gateway_route *route)
{
    return route->row;
}

const struct route *gateway_rows(const struct gateway *gateway, size_t *count_out)
{
    *count_out = gateway ? gateway->route_count : 0;
    return gateway ? gateway->rows : NULL;
}

static struct refill *refill_of(const struct gateway *gateway, const struct gateway_wait *wait)
{
    return gateway->routes[wait->route].refill;
}

bool gateway_still_waits(const struct gateway *gateway, struct gateway_wait *wait)
{
    struct gateway_digest begun;

    if (!wait->is_paused)
        return false;
    memcpy(begun.bytes, wait->begun, sizeof begun.bytes);
    int64_t now_ns = clock_mono_ns();
    if (wait->turn_ns > 0) /* it may be sooner now */
        wait->turn_ns = refill_turn_ns(refill_of(gateway, wait), wait->place_ns);
    bool is_early =
        wait->turn_ns > 0 ? now_ns < wait->turn_ns : fetches_is_under_way(gateway->fetches, &begun);
    wait->is_paused = now_ns < wait->until_ns && is_early;
    if (wait->is_paused)
        sharing_set_pause(wait);
    return wait->is_paused;
}

void gateway_waits_no_more(const struct gateway *gateway, const struct gateway_wait *wait,
                           bool is_left)
{
    struct gateway_digest begun;

    if (!gateway || !wait->is_paused)
        return;
    gateway_metrics_note_paused(&gateway->routes[wait->route], is_left);
    if (wait->turn_ns == 0)
        return;
    refill_give_back(refill_of(gateway, wait), wait->place_ns);
    if (!wait->leads)
        return;
    memcpy(begun.bytes, wait->begun, sizeof begun.bytes);
    fetches_end_rest(gateway->fetches, &begun);
}
