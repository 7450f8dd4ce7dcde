/*
 * What the cache does with a request, and what Cache-Status says of it: for who serves it, and for who explains it.
 * Nothing is asked here.
 */
#ifndef API_GATEWAY_VERDICT_H
#define API_GATEWAY_VERDICT_H

#include "gateway/passage.h"
#include "gateway/rules/reuse.h"

/* Cache-Status of the 504 for who wants what is stored alone, and nothing may be served. */
#define VERDICT_NOTHING_STATUS STR("Cachewarden; detail=\"only-if-cached\"")

struct verdict {
    struct reuse_verdict reuse;
    struct cache_terms terms;    /* of what is stored, if anything is */
    struct response_head stored; /* as long as the look has it */
    enum forwarded forwarded;    /* why it is not answered with what is stored, if it is not */
};

/* Whether the cache is asked at all: for GET and HEAD without a body. */
bool verdict_may_ask(const struct passage *passage);
/* Why not, where it is not asked. */
enum forwarded verdict_unasked(const struct passage *passage);
/* Of a look that went well, while the user's cache is on. */
void verdict_judge(const struct passage *passage, const struct gateway_look *look,
                   struct verdict *verdict_out);
/* Whether what is stored is the answer, without a question upstream. */
bool verdict_is_served(const struct verdict *verdict);
/* Tells of an answer with what is stored. */
void verdict_tell_served(const struct verdict *verdict, const struct gateway_look *look,
                         struct cache_status *status);

#endif
