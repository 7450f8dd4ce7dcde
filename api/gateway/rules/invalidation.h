/*
 * What is no longer true after a request that may change something (RFC 9111, section 4.4): its target, and what
 * Location and Content-Location name of the same origin. Pure.
 */
#ifndef API_GATEWAY_RULES_INVALIDATION_H
#define API_GATEWAY_RULES_INVALIDATION_H

#include "gateway/rules/fields.h"

/* Methods that change nothing, as they are registered; one that is not known may. */
bool method_is_safe(struct str method);

struct request_target {
    struct str target; /* as it was sent: "/path?query" */
    const struct str *
        origins; /* "http://host:port": all that are this one, as clients and the upstream name it */
    size_t origin_count;
};

enum { INVALIDATED_MAX = 3 };

struct invalidated {
    struct str targets[INVALIDATED_MAX]; /* "/path?query"; in the arena or in what was passed */
    size_t count;                        /* 0: nothing is */
};

/* After an answer that is no error. What names another origin is not followed. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err invalidated_by(struct arena *arena, struct str method, int status,
                                      const struct request_target *request,
                                      const struct http_fields *response,
                                      struct invalidated *invalidated_out);

#endif
