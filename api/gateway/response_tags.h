/* The tags that an upstream names for a response: Cache-Tag is a list with commas, Surrogate-Key one with blanks. */
#ifndef API_GATEWAY_RESPONSE_TAGS_H
#define API_GATEWAY_RESPONSE_TAGS_H

#include "gateway/rules/fields.h"

/* In the arena; more than are ever stored are not read (STORED_TAGS_MAX). ERR_NO_MEMORY. */
CW_MUST_CHECK enum err response_tags(struct arena *arena, const struct http_fields *fields,
                                     const struct str **tags_out, size_t *count_out);

#endif
