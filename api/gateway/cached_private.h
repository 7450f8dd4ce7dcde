/*
 * What the files of cached.c share: cached.c decides, cached_stored.c answers with what is stored, cached_fetch.c asks
 * the upstream.
 */
#ifndef API_GATEWAY_CACHED_PRIVATE_H
#define API_GATEWAY_CACHED_PRIVATE_H

#include "gateway/fetch.h"
#include "gateway/sharing.h"
#include "gateway/verdict.h"

/* A request that asks the cache, and what is known of it. */
struct cached_request {
    struct passage *passage;
    struct gateway_key key;
    struct gateway_look look;
    struct verdict verdict;
    struct sharing sharing;
    bool is_off; /* the user's cache is */
};

/* ---- cached_stored.c ---- */

/* Sees to the body of what is stored. With the body, all of it lies elsewhere. False: it is there no longer. */
bool cached_get_body(struct cached_request *cached);
/* Whether all is there that the answer is made of. */
bool cached_has_what_is_needed(struct cached_request *cached);
/* What is stored, under this head. */
CW_MUST_CHECK enum err cached_answer(struct cached_request *cached,
                                     const struct response_head *head, int64_t age_s,
                                     enum cache_result result);
/* Without the upstream, unless the body is gone. */
CW_MUST_CHECK enum err cached_serve_stored(struct cached_request *cached, enum cache_result result);
/* only-if-cached, and nothing may be served (RFC 9111, section 5.2.1.7). Nothing was asked upstream either. */
CW_MUST_CHECK enum err cached_serve_nothing(struct cached_request *cached);

/* ---- cached_fetch.c ---- */

CW_MUST_CHECK enum err cached_serve_miss(struct cached_request *cached);
/* Asks whether what is stored is good still. */
CW_MUST_CHECK enum err cached_serve_validated(struct cached_request *cached);
/* Nothing of it is stored. */
CW_MUST_CHECK enum err cached_serve_past(struct cached_request *cached);

#endif
