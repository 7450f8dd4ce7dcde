/*
 * What is for one connection only and goes no further (RFC 9110, section 7.6.1): fields that are so by their name,
 * and those that Connection names. Pure.
 */
#ifndef API_GATEWAY_RULES_HOP_BY_HOP_H
#define API_GATEWAY_RULES_HOP_BY_HOP_H

#include "gateway/rules/fields.h"

/*
 * `fields` are those of the message. Connection cannot take away what a message is understood by: Host,
 * Content-Length, Cache-Control and its like stay, whoever names them.
 */
bool field_is_hop_by_hop(const struct http_fields *fields, struct str name);

/* The fields of a message that are passed on. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err fields_end_to_end(struct arena *arena, const struct http_fields *fields,
                                         struct http_fields *passed_out);

#endif
