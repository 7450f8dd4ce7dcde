/* Conditions of a client that a stored response answers (RFC 9110, section 13; RFC 9111, section 4.3.2). Pure. */
#ifndef API_GATEWAY_RULES_CONDITIONS_H
#define API_GATEWAY_RULES_CONDITIONS_H

#include "gateway/rules/freshness.h"

/*
 * Whether the client has it: 304. If-None-Match counts before If-Modified-Since. A response without Last-Modified
 * is as old as its Date. Only of what succeeded.
 */
bool stored_is_not_modified(const struct http_fields *request, const struct response_head *stored);

/* Whether a range of it may be sent, by If-Range: without one, or with one that is strongly the same. */
bool stored_is_in_range(const struct http_fields *request, const struct response_head *stored);

/* What a 304 has of the head of what is stored: not what is about the body. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err not_modified_fields(struct arena *arena, const struct http_fields *stored,
                                           struct http_fields *fields_out);

#endif
