/*
 * When a draining server may stop listening. A load balancer learns from /health/ready that it must
 * send nobody any more, and until it has asked it goes on sending; a connection that arrives in the
 * moment of the stop is reset. So where somebody watches, the end is put off until they were told and
 * the requests have ceased. Where nobody does, nobody waits.
 */
#ifndef SERVER_DRAIN_H
#define SERVER_DRAIN_H

#include "http.h"

#include "cachewarden/app.h"

/* No request is under way (the caller has made sure): may the server stop? now_ns: clock_mono_ns. */
bool drain_may_end(const struct http *http, struct app *app, int64_t began_ns, int64_t now_ns);

#endif
