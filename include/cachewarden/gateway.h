/*
 * The response-cache gateway: paths that are passed on to other servers (docs/design/gateway.md).
 */
#ifndef CACHEWARDEN_GATEWAY_H
#define CACHEWARDEN_GATEWAY_H

#include "cachewarden/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A setting of gateway.routes; texts are borrowed for the life of who gets it. */
struct gateway_route_options {
    struct str prefix; /* "/", or without a slash at its end */
    const struct str *upstreams;
    size_t upstream_count;
    struct str upstream_ca; /* empty: the system's */
    bool is_public;         /* else each user has answers of their own */
    bool strip_prefix;
    bool pass_credentials;
    const struct str *models;
    size_t model_count;
    int64_t ttl_s;
    int64_t stale_while_revalidate_s, stale_if_error_s;
    int timeout_ms;
    int max_connections; /* 0: as many as may wait */
};

struct gateway_options {
    const struct gateway_route_options *routes;
    size_t route_count; /* 0: there is no gateway */
    int64_t memory_bytes;
    int max_waiting; /* worker threads that wait for upstreams */
};

#endif
