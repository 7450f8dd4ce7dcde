/* What the cache did with a request, as Cache-Status says it (RFC 9211). Pure. */
#ifndef API_GATEWAY_RULES_CACHE_STATUS_H
#define API_GATEWAY_RULES_CACHE_STATUS_H

#include "cachewarden/arena.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Why a request went to the upstream. */
enum forwarded {
    FORWARDED_NOT = 0, /* it is a hit */
    FORWARDED_BYPASS,  /* the cache was not asked: switched off, or Redis is away */
    FORWARDED_METHOD,
    FORWARDED_URI_MISS,  /* nothing of that path is stored */
    FORWARDED_VARY_MISS, /* nothing that fits what Vary names */
    FORWARDED_MISS,      /* nothing, and why is not known */
    FORWARDED_STALE,
    FORWARDED_REQUEST, /* it is fresh, but not for this request */
    FORWARDED_PARTIAL, /* parts of it are not there */
};

struct cache_status {
    enum forwarded forwarded;
    int forwarded_status; /* what the upstream answered; 0: what the client gets, or nothing yet */
    bool has_ttl;
    int64_t ttl_s; /* negative: it is stale */
    bool stored;
    bool collapsed;    /* the answer of another request's was waited for */
    struct str detail; /* for people; empty: none */
};

/* The value of a field line: "Cachewarden; hit; ttl=30". It goes behind those of caches nearer the origin. {NULL,0}:
 * memory is out. */
struct str cache_status_text(struct arena *arena, const struct cache_status *status);

#endif
