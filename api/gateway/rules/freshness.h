/*
 * How old a response is and how long it is fresh, for a shared cache (RFC 9111, section 4.2), and for how long it may
 * be served although it is not (RFC 5861). Pure: times are passed in.
 */
#ifndef API_GATEWAY_RULES_FRESHNESS_H
#define API_GATEWAY_RULES_FRESHNESS_H

#include "gateway/rules/cache_control.h"

/* A response as it came; times are milliseconds since 1970. */
struct response_head {
    int status;
    struct http_fields fields;
    int64_t request_time_ms; /* when the request was sent */
    int64_t response_time_ms;
};

/* What a route says of its responses. */
struct cache_policy {
    int64_t ttl_s;                    /* freshness of what states none; 0: has none */
    int64_t stale_while_revalidate_s; /* where the response does not tell; 0: none */
    int64_t stale_if_error_s;
    int heuristic_percent; /* of the time since Last-Modified, for what states no freshness; 0: off */
    /* Keys hold who is asking, by a credential that was verified: Authorization is no reason not to store. */
    bool keyed_by_user;
};

enum freshness_source {
    FRESHNESS_NONE = 0,
    FRESHNESS_S_MAXAGE,
    FRESHNESS_MAX_AGE,
    FRESHNESS_EXPIRES,
    FRESHNESS_ROUTE,
    FRESHNESS_HEURISTIC,
};

/* All that has to be known of a stored response to judge it again and again. */
struct cache_terms {
    enum freshness_source source;
    int64_t lifetime_s;
    int64_t initial_age_ms; /* when it came */
    int64_t response_time_ms;
    bool validate_always;             /* no-cache */
    bool stale_forbidden;             /* must-revalidate and its like */
    int64_t stale_while_revalidate_s; /* beyond the lifetime; 0: none */
    int64_t stale_if_error_s;
    /* Its model was cleared softly: it is stale, and served while one request refreshes it. Told by who asks. */
    bool outdated;
};

void cache_terms_of(const struct response_head *response, const struct cache_policy *policy,
                    struct cache_terms *terms_out);

/* RFC 9111, section 4.2.3. Never negative, and at most CACHE_SECONDS_MAX seconds. */
int64_t cache_age_ms(const struct cache_terms *terms, int64_t now_ms);

/* Statuses that may be fresh although nothing says so (RFC 9110, section 15.1), but for partial answers. */
bool status_is_heuristically_cacheable(int status);

#endif
