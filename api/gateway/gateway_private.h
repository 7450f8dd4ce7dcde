/* What the files of the gateway share. Read-only once it is open. */
#ifndef API_GATEWAY_GATEWAY_PRIVATE_H
#define API_GATEWAY_GATEWAY_PRIVATE_H

#include "cachewarden/gateway.h"
#include "cachewarden/routes.h"
#include "gateway/upstream.h"

struct gateway_route {
    const struct gateway *gateway;
    struct route row;
    struct gateway_route_options options; /* its texts are the gateway's */
    struct upstream *upstream;
};

struct gateway {
    struct arena *arena;
    struct upstream_places *places;
    struct gateway_route *routes; /* the longest prefix first */
    size_t route_count;
};

#endif
