/* A request on its way through the gateway, and what its steps share. It lives in its call's arena. */
#ifndef API_GATEWAY_PASSAGE_H
#define API_GATEWAY_PASSAGE_H

#include "gateway/gateway_private.h"
#include "gateway/rules/cache_status.h"
#include "gateway/rules/freshness.h"

struct sharing;

struct passage {
    const struct gateway_route *route;
    const struct gateway_request *request;
    struct call *call;
    bool is_head;
    struct http_fields came; /* as the client sent them */
    struct http_fields sent; /* as the upstream is sent them */
    struct str target;
    struct cache_status status; /* what the answer will tell */
    struct sharing *sharing;    /* with others who want the same; NULL: with none */
    enum { REFILL_FREE, REFILL_REFUSED, REFILL_STALE } refill; /* what no place for it led to */
    int64_t upstream_ms; /* that it took for what the cache answers with */
};

/* ERR_BAD_INPUT: such a path is not passed on. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err passage_begin(struct passage *passage, const struct gateway_route *route,
                                     const struct gateway_request *request, struct call *call);
/* Its client has gone away. */
bool passage_is_left(const struct passage *passage);

#endif
