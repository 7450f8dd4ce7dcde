/*
 * Requests that the gateway passes on: between an exchange and the gateway. Who explains what happens to a request goes
 * by the same functions.
 */
#ifndef SERVER_HTTP_GATEWAY_H
#define SERVER_HTTP_GATEWAY_H

#include "http/dispatch.h"
#include "http/guard.h"

/* For a path that no row has. False: no route of the gateway has it either. */
bool gateway_dispatch(const struct dispatcher *dispatcher, struct exchange *exchange);

/* Why the gateway passes a request on to nobody, whoever asks; status 0: nothing is against it. */
struct guard_verdict gateway_check(const struct http_request *request);
/* Whether it has a body, though it may be empty. */
bool gateway_has_body(const struct http_request *request);
/* As the gateway takes it; nobody is told when the client is gone, and nothing waits. */
struct gateway_request gateway_request_of(const struct http_request *request);

#endif
