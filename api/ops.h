/*
 * The operations behind the rows of routes.def, one a row. Each reads typed parameters, asks a
 * service, writes its answer into call->reply and returns an error code; permission, parameters
 * and status codes are other people's business. They are in the folder of their capability.
 */
#ifndef API_OPS_H
#define API_OPS_H

#include "cachewarden/call.h"

#define ROUTE(method, path, name, operation, ...) enum err operation(struct call *call);
#include "routes.def"
#undef ROUTE

#endif
