/* Whether a stored response may answer a request now (RFC 9111, section 4, and RFC 5861). Pure. */
#ifndef API_GATEWAY_RULES_REUSE_H
#define API_GATEWAY_RULES_REUSE_H

#include "gateway/rules/freshness.h"

enum reuse {
    REUSE_FRESH,
    REUSE_STALE,                  /* the request takes it: max-stale */
    REUSE_STALE_WHILE_REVALIDATE, /* and one request refreshes it */
    REUSE_VALIDATE,               /* ask the upstream first */
    REUSE_MISS,                   /* nothing is stored */
    REUSE_BYPASS,                 /* not a question for a cache: neither looked up nor stored */
    REUSE_GATEWAY_TIMEOUT,        /* only-if-cached, and nothing may be served: 504 */
};

struct reuse_verdict {
    enum reuse reuse;
    bool serve_on_error; /* if the upstream fails, or answers 500, 502, 503 or 504 */
    bool by_request;     /* without its directives, it would have been served */
    int64_t age_s;
    int64_t ttl_s; /* how long it is fresh still; negative: how long it has been stale */
};

/* `terms` NULL: nothing is stored. */
void reuse_judge(const struct http_fields *request, const struct cache_terms *terms, int64_t now_ms,
                 struct reuse_verdict *verdict_out);

/* Statuses by which an upstream says that it fails (RFC 5861, section 4). */
bool status_is_error(int status);

#endif
