/*
 * Clears that a change owes and Redis has not taken. What is owed is a state of the route, not an attempt: until Redis
 * has taken it, the node serves nothing from the cache that the clear would have dropped, and tries again. Only this
 * node knows of it.
 *
 * A route remembers that its models are owed, and some paths; with more of them it owes everything. So it takes the
 * same room, however many changes there are.
 */
#ifndef API_GATEWAY_OWED_H
#define API_GATEWAY_OWED_H

#include "gateway/gateway_private.h"

/* gateway->routes are there already. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err owed_new(const struct gateway *gateway, struct owed **owed_out,
                                struct error *error);
void owed_free(struct owed **owed);

/* The route's models were not cleared. `why` is for the log, which says it when the first clear is owed. */
void owed_note_models(const struct gateway_route *route, const struct error *why);
/* The path was not dropped. */
void owed_note_path(const struct gateway_route *route, const struct gateway_path *path,
                    const struct error *why);
/* Nobody could tell what is to be dropped. */
void owed_note_all(const struct gateway_route *route, const struct error *why);

/*
 * Whether nothing is owed that concerns the route's own answers. If something is, this tries to clear it, unless
 * somebody else is at it or has just failed: false then, at once. The work has time and an error of its own.
 */
bool owed_settle(const struct gateway_route *route, struct arena *arena);
/* The same of all routes, while nobody asks: other nodes know nothing of what this one owes, and serve it. Not from two
 * threads at once. */
void owed_settle_all(const struct gateway *gateway);
/* Whether it has a tag of the application's that another route owes a clear of. */
bool owed_has_tag_of(const struct gateway *gateway, const struct stored_response *response);

#endif
