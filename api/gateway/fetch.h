/* One request to the upstream of a passage, and its response. */
#ifndef API_GATEWAY_FETCH_H
#define API_GATEWAY_FETCH_H

#include "gateway/passage.h"
#include "gateway/relay.h"

struct fetched {
    struct response_head head; /* as it came; sound */
    struct relay *relay;       /* the body's; NULL: there is none */
    bool is_whole;             /* the body was read to its end, or there is none */
    bool was_sent;             /* some of the request, at least; where there is no response, too */
};

/* With these fields in place of the passage's own. Errors of upstream_send. fetch_end the result. */
CW_MUST_CHECK enum err fetch_head(const struct passage *passage, const struct http_fields *fields,
                                  struct fetched *fetched_out);
/* Reads the body, up to `limit` bytes, for a few seconds at most, or to its end: fetched->is_whole. ERR_UPSTREAM_DOWN:
 * nobody wants it any more; and what the body fails with. */
CW_MUST_CHECK enum err fetch_body(const struct passage *passage, size_t limit,
                                  struct fetched *fetched);
/* What was read of it. */
struct str fetched_bytes(const struct fetched *fetched);
/* Closes what was not handed over. */
void fetch_end(struct fetched *fetched);

#endif
