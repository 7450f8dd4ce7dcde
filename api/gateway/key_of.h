/* The key of a request to a route. */
#ifndef API_GATEWAY_KEY_OF_H
#define API_GATEWAY_KEY_OF_H

#include "gateway/gateway_private.h"
#include "gateway/key.h"

/* `sent`: the fields that the upstream is sent. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err key_of(const struct gateway_route *route,
                              const struct gateway_request *request, struct call *call,
                              const struct http_fields *sent, struct gateway_key *key_out);

#endif
