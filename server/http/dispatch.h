/* The walk of one request, top to bottom. Knows the rooms, but no HTTP library and no socket. */
#ifndef SERVER_HTTP_DISPATCH_H
#define SERVER_HTTP_DISPATCH_H

#include "http/exchange.h"

struct router;

/* Read-only while requests run. */
struct dispatcher {
    struct app *app;
    const struct router *router;
    size_t max_body; /* for rows that state no limit of their own */
};

/*
 * Fills exchange->response from exchange->request, which guard has let through. exchange->call has
 * been through call_init() with no route, and has request_id and client_address.
 */
void dispatch_run(const struct dispatcher *dispatcher, struct exchange *exchange);

#endif
