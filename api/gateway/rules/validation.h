/*
 * A stored response is validated: what the upstream is asked, and what its answer changes (RFC 9111, sections 3.2,
 * 4.3.1, 4.3.4 and 4.3.5). Pure.
 */
#ifndef API_GATEWAY_RULES_VALIDATION_H
#define API_GATEWAY_RULES_VALIDATION_H

#include "gateway/rules/freshness.h"

/*
 * Whether it has a validator that an upstream can be asked about. Only what was a success is: a 304 says that what is
 * there now is unchanged, and that is no error of before.
 */
bool response_can_be_validated(const struct response_head *response);

/*
 * The fields of the upstream's request: the client's without its own conditions and range, and those of the stored
 * response. What Vary names is among the client's. ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err validation_fields(struct arena *arena, const struct http_fields *request,
                                         const struct response_head *stored,
                                         struct http_fields *fields_out);

/* Whether a 304 is about what is stored. If it is not, the upstream has to be asked again, without conditions. */
bool not_modified_is_about(const struct http_fields *received, const struct response_head *stored);

/*
 * What is stored with the fields of a 304, or of an answer to HEAD, in the place of those of the same names. What
 * belongs to the body stays as it was: it is the body that was stored. Age and Date are those received, or none.
 * Whether the result may be stored is asked again. ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err freshened_fields(struct arena *arena, const struct http_fields *stored,
                                        const struct http_fields *received,
                                        struct http_fields *fields_out);

enum head_effect {
    HEAD_SAYS_NOTHING, /* of another status */
    HEAD_FRESHENS,
    HEAD_INVALIDATES, /* what is there now is not what is stored */
};

/* What an answer to HEAD means for the stored answer to GET, whose body has that length. */
enum head_effect head_effect_of(int status, const struct http_fields *received,
                                const struct response_head *stored, int64_t body_length);

#endif
