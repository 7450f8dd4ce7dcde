/*
 * The bodies of a request that is passed on: the client's on its way to the upstream, and the upstream's on its way
 * to the client. The latter goes on when the request has been answered, and may be with another thread then; the
 * former cannot be read any more.
 */
#ifndef API_GATEWAY_RELAY_H
#define API_GATEWAY_RELAY_H

#include "cachewarden/body_source.h"
#include "cachewarden/str.h"

#include <stdbool.h>

struct relay;

/* `request`: the client's body, borrowed; NULL: none. NULL: no memory. */
struct relay *relay_new(const struct body_source *request);
/* For one that was not handed over: closes the upstream's body, too. Harmless for NULL. */
void relay_free(struct relay **relay);

/* What the upstream is sent, good as long as the relay; NULL: there is no body. */
const struct body_source *relay_request(struct relay *relay);
/* The request has been answered: what was not read of its body will not be. */
void relay_end_request(struct relay *relay);

/* Takes the upstream's body over. */
void relay_take(struct relay *relay, const struct body_source *upstream);
/*
 * Reads of it until there are more than `limit` bytes, the watch is over, or it has ended: *is_whole_out. They are
 * buffered for as long as the relay, and given before the rest. ERR_NO_MEMORY; ERR_UPSTREAM_DOWN, nobody wants it;
 * what the body fails with.
 */
CW_MUST_CHECK enum err relay_read(struct relay *relay, size_t limit, struct body_watch watch,
                                  const struct work *work, bool *is_whole_out);
struct str relay_bytes(const struct relay *relay);
/* Hands the relay over: it ends when *body_out is closed. */
void relay_hand_over(struct relay **relay, struct body_source *body_out);

#endif
