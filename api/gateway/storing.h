/* What is stored of an upstream's responses. */
#ifndef API_GATEWAY_STORING_H
#define API_GATEWAY_STORING_H

#include "gateway/fetch.h"
#include "gateway/store.h"

/* What the route says of its responses. */
struct cache_policy storing_policy(const struct gateway_route *route);
/*
 * Whether the answer is for who shows who they are, where the key does not hold it: the upstream may have answered by
 * that. For Authorization there are rules (RFC 9111, section 3.5).
 */
bool storing_is_for_one(const struct passage *passage);
/* How old it is now. */
int64_t storing_age_s(const struct passage *passage, const struct response_head *head);

/* Why an answer to this request would not be stored, whatever it says: in a word, for people. NULL: it may be. */
const char *storing_request_forbids(const struct passage *passage);
/*
 * Stores the response where it may be, for which its body is read as far as one is stored. *why_not_out: in a word,
 * why it was not, which is no error; NULL: it was. Errors of the body.
 */
CW_MUST_CHECK enum err storing_take_response(const struct passage *passage,
                                             const struct gateway_key *key,
                                             const struct gateway_look *look,
                                             struct fetched *fetched, const char **why_not_out);
/* What was stored, with a new head, if it may be still; its body is look->stored's. Whether it was. */
bool storing_take_confirmed(const struct passage *passage, const struct gateway_key *key,
                            const struct gateway_look *look, const struct response_head *head);

#endif
