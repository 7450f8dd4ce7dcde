/*
 * What an upstream is sent: the target, and the fields. What the client says of itself is dropped, what was verified
 * is set.
 */
#ifndef API_GATEWAY_REQUEST_H
#define API_GATEWAY_REQUEST_H

#include "gateway/gateway_private.h"
#include "gateway/rules/fields.h"

/*
 * Whether a path means the same to all who read it. One with a segment "." or "..", in any spelling, is another path
 * to some upstreams, perhaps one of another route; one with a NUL ends there for some.
 */
bool request_path_is_plain(struct str path);

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
