/* What a request that may have changed something takes out of the cache. */
#ifndef API_GATEWAY_CHANGES_H
#define API_GATEWAY_CHANGES_H

#include "gateway/fetch.h"
#include "gateway/key.h"

/*
 * After a response that is no error to an unsafe method: the route's models are cleared, for everybody, and the answers
 * to its target are dropped (RFC 9111, section 4.4). What Redis does not do is owed (owed.h), and no failure of the
 * request.
 */
void changes_follow(const struct passage *passage, const struct response_head *response);
/* Nobody knows whether the upstream did it: the same. */
void changes_suspect(const struct passage *passage);
/* What is stored under the key's path is known to be out of date: it is dropped. What Redis does not do is owed. */
void changes_drop(const struct passage *passage, const struct gateway_key *key);

#endif
