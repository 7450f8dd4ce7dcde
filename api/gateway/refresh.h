/*
 * Refreshing in the background what was served stale (RFC 5861): a few threads ask the upstream what a client has
 * asked, on behalf of the same user, and store the response. One at a time for each thing that is stored; more than can
 * be done are left to the next request that finds it stale.
 */
#ifndef API_GATEWAY_REFRESH_H
#define API_GATEWAY_REFRESH_H

#include "gateway/key.h"
#include "gateway/passage.h"

struct refresher;

/* `run` does it, by its own thread: it is given a passage that nobody waits for. */
CW_MUST_CHECK enum err refresher_new(enum err (*run)(struct passage *passage),
                                     struct refresher **refresher_out, struct error *error);
/* Waits for what is under way, and forgets the rest. Harmless for NULL. */
void refresher_free(struct refresher **refresher);

/* `entry`: which stored thing it is. False: not now, or it is under way. */
bool refresher_ask(struct refresher *refresher, const struct passage *passage,
                   const struct gateway_digest *entry);

#endif
