/* Requests that the gateway passes on: between an exchange and the gateway. */
#ifndef SERVER_HTTP_GATEWAY_H
#define SERVER_HTTP_GATEWAY_H

#include "http/dispatch.h"

/* For a path that no row has. False: no route of the gateway has it either. */
bool gateway_dispatch(const struct dispatcher *dispatcher, struct exchange *exchange);

#endif
