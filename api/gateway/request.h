/*
 * What an upstream is sent: the target, and the fields. What the client says of itself is dropped, what was verified
 * is set.
 */
#ifndef API_GATEWAY_REQUEST_H
#define API_GATEWAY_REQUEST_H

#include "gateway/gateway_private.h"
#include "gateway/rules/fields.h"

/*
 * Why a target is not passed on, in a sentence; NULL: it means the same to all who read it. A path with a segment "."
 * or "..", in any spelling, is another path to some upstreams, perhaps one of another route; one with a NUL ends there
 * for some. No target has a fragment (RFC 9112, section 3.2), but some cut one off, and see another path than we do.
 */
const char *request_target_fault(const struct gateway_request *request);

/* Whether the upstream sees paths without the prefix. */
bool request_is_stripped(const struct gateway_route *route);

/* Path and query, without the prefix where the route strips it. {NULL,0}: memory is out. */
struct str request_target(const struct gateway_route *route, const struct gateway_request *request,
                          struct arena *arena);

/* "https://host": what the upstream is told of how it was asked, as part of a key. {NULL,0}: memory is out. */
struct str request_origin(const struct gateway_request *request, struct arena *arena);

/* All but those that frame the body. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err request_fields(const struct gateway_route *route,
                                      const struct gateway_request *request,
                                      const struct call *call, struct http_fields *fields_out);

#endif
