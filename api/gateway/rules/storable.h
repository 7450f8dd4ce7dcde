/* Whether a response may be stored by a shared cache (RFC 9111, section 3). Pure. */
#ifndef API_GATEWAY_RULES_STORABLE_H
#define API_GATEWAY_RULES_STORABLE_H

#include "gateway/rules/freshness.h"

enum storable {
    STORABLE = 0,
    UNSTORABLE_METHOD,   /* only answers to GET are */
    UNSTORABLE_STATUS,   /* interim, partial, not modified, or not understood where it must be */
    UNSTORABLE_REQUEST,  /* the request says no-store */
    UNSTORABLE_NO_STORE, /* the response does */
    UNSTORABLE_PRIVATE,  /* for one caller */
    UNSTORABLE_COOKIE,   /* it gives its caller a cookie, and no key holds whose it is */
    UNSTORABLE_AUTHORIZATION, /* the request was authorised, and the response does not say that it is for others */
    UNSTORABLE_VARY,         /* no other request would be answered by it */
    UNSTORABLE_NO_FRESHNESS, /* nothing says for how long */
    UNSTORABLE_NO_USE,       /* it is stale at once and cannot be validated */
};

/* `terms` are those of the response under the policy. */
CW_MUST_CHECK enum err storable_judge(struct arena *arena, struct str method,
                                      const struct http_fields *request,
                                      const struct response_head *response,
                                      const struct cache_policy *policy,
                                      const struct cache_terms *terms, enum storable *storable_out);

/* "no-store": for people. Never NULL. */
const char *storable_name(enum storable storable);

#endif
