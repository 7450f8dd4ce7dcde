/* What the client is given. */
#ifndef API_GATEWAY_ANSWER_H
#define API_GATEWAY_ANSWER_H

#include "gateway/fetch.h"
#include "gateway/stored.h"

/* The upstream's response as it came; its body goes over to the reply. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err answer_with_response(const struct passage *passage, struct fetched *fetched,
                                            enum cache_result result);

struct stored_answer {
    struct response_head head;
    struct str body; /* of a length of its own where it is not there: for HEAD and 304 */
    uint64_t body_length;
    struct stored_copy *copy; /* in whose memory the body lies; not taken over */
    int64_t age_s;
};

/* Whether the answer needs no body: the client has it already, or asks for the head alone. */
bool answer_needs_no_body(const struct passage *passage, const struct response_head *stored);
/* What is stored, or that the client has it, or the part of it that was asked for. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err answer_with_stored(const struct passage *passage,
                                          const struct stored_answer *stored,
                                          enum cache_result result);

#endif
