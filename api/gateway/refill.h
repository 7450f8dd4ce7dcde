/*
 * How many requests a second the misses of a route may make, over all nodes (gateway.refill_per_s): what is behind the
 * gateway stands a purge of everything. Time is cut into windows of a twentieth of a second, or of one request where
 * that is longer. What was made in the window of now is counted in Redis, so that no second has more than allowed.
 *
 * On a node those who find no room stand in a queue (refill_queue.h), and are told when to come again: each comes for
 * its turn and costs nothing meanwhile. Turns are those of one node that asks alone. Of several nodes another one may
 * have been quicker; then the turns of this node move, and may become too late for some who have waited.
 * Without Redis nobody is held up: then nothing is stored either. Any thread.
 */
#ifndef API_GATEWAY_REFILL_H
#define API_GATEWAY_REFILL_H

#include "cachewarden/app.h"
#include "gateway/refill_queue.h"

struct refill;

/* per_s 0: no bound, and NULL. `route` tells routes apart, on all nodes in the same way. ERR_NO_MEMORY; ERR_INTERNAL:
 * there is no digest. */
CW_MUST_CHECK enum err refill_new(const struct app *app, struct str route, int64_t per_s,
                                  struct refill **refill_out);
void refill_free(struct refill **refill);

/* Whether there may be room, as far as the node knows; costs no round trip. NULL: there is. */
bool refill_may_ask(struct refill *refill, struct refill_caller *caller);
/* When the turn of a place is, as far as is known now; costs no round trip. */
int64_t refill_turn_ns(struct refill *refill, int64_t place_ns);
/* Whoever has this place does not come for it: those behind it come the sooner. */
void refill_give_back(struct refill *refill, int64_t place_ns);
/* Takes it; a round trip. False: there is none. NULL: there is. */
bool refill_take(struct refill *refill, struct refill_caller *caller, struct work work);

#endif
