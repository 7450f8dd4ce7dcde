/*
 * What a strict parser would refuse, refused before anything else looks at the request: framing
 * that two parsers could read in two ways, fields that must not come twice, a wrong Host. The
 * library has read the head strictly already (packaging/civetweb); this is the second lock on the
 * same door, and adds what depends on our settings. Pure: no network, no clock, no memory.
 */
#ifndef SERVER_HTTP_GUARD_H
#define SERVER_HTTP_GUARD_H

#include "http/exchange.h"

struct guard_policy {
    const char *const *allowed_hosts; /* without port, lower case; IPv6 in brackets or not */
    size_t allowed_host_count;        /* 0: any */
};

/* status 0: nothing against it. Else what to answer; the connection closes after each of them. */
struct guard_verdict {
    int status;
    struct str detail; /* a fixed sentence: nothing of the request is repeated */
};

/*
 * Fills request->known and known_count from request->fields. Of a target in absolute form the path
 * stays, and its host takes the place of the field's (RFC 9112, section 3.2.2).
 */
void guard_index(struct http_request *request);

/*
 * 400: framing or fields at odds with RFC 9112, section 6, or RFC 9110, section 7.2.
 * 417: an expectation other than 100-continue. 421: a host that is not ours, or a target of another
 * scheme than http and https. Without allowed hosts a target may name what Host names, or this very
 * machine. 431: too many fields. Needs guard_index() before.
 */
struct guard_verdict guard_check(const struct http_request *request,
                                 const struct guard_policy *policy);

#endif
