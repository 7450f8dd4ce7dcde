/*
 * Whether a request comes from a page of this very server. Browsers say where a request that may
 * change something comes from (Origin, RFC 6454); nothing else can be told from a page elsewhere
 * that makes the browser send our cookie. Pure.
 */
#ifndef SERVER_HTTP_ORIGIN_H
#define SERVER_HTTP_ORIGIN_H

#include "http/exchange.h"

struct origin_policy {
    /* server.origins: as browsers write them, "https://cache.example". Given, they alone count. */
    const char *const *origins;
    size_t origin_count;
};

/*
 * No Origin, "null", or one that is not ours: false. Without configured origins ours is the Host of
 * the request: with https whatever we speak ourselves, for TLS may end at a proxy in front; with
 * http only where the request did not come by TLS (`is_secure`), so that a page somebody slipped
 * into a connection without TLS does not speak for the one with it. Needs guard_index() before.
 */
bool origin_is_own(const struct http_request *request, const struct origin_policy *policy,
                   bool is_secure);

#endif
