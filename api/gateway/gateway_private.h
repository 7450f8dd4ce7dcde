/* What the files of the gateway share. Read-only once it is open. */
#ifndef API_GATEWAY_GATEWAY_PRIVATE_H
#define API_GATEWAY_GATEWAY_PRIVATE_H

#include "cachewarden/gateway.h"
#include "cachewarden/routes.h"
#include "gateway/store.h"
#include "gateway/upstream.h"

struct fetches;
struct gateway_metrics;
struct owed;
struct refill;
struct refresher;

struct gateway_route {
    const struct gateway *gateway;
    struct route *row;                    /* among the gateway's */
    struct gateway_route_options options; /* its texts are the gateway's */
    struct upstream *upstream;
    struct gateway_metrics *metrics;
    struct refill *refill; /* NULL: without a bound */
    uint16_t number;       /* among the gateway's */
};

struct gateway {
    struct app *app;
    struct arena *arena;
    struct gateway_store *store;
    struct refresher *refresher;
    struct fetches *fetches;
    struct owed *owed;
    atomic_bool stops; /* whoever waits for an upstream gives up */
    size_t stored_max; /* bytes of a body that is stored */
    struct upstream_places *places;
    int max_waiting;
    int64_t refill_per_s;
    struct gateway_route *routes; /* the longest prefix first */
    struct route *rows;           /* as they were configured; of routes[].row */
    size_t route_count;
};

#endif
