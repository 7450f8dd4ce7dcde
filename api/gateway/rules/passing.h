/*
 * Which fields of a request the upstream sees, and which of its response the client sees and the cache keeps. Pure.
 *
 * What is no part of a key must not change a response that is stored: fields by which a client could have the
 * upstream see another host, path, method or caller go no further.
 */
#ifndef API_GATEWAY_RULES_PASSING_H
#define API_GATEWAY_RULES_PASSING_H

#include "gateway/rules/fields.h"

/*
 * Of a client's request: what says who it is or how it came is made anew. A method that is not safe may be replaced by
 * a field. A name with '_' is the one with '-' for many upstreams, and no key holds it: it goes no further.
 */
bool request_field_is_passed(const struct http_fields *request, struct str method, struct str name);

/* Of an upstream's response: tags are for us, and the fields of this gateway are its own. */
bool response_field_is_passed(const struct http_fields *response, struct str name);

/* As that, without cookies, and without what no-cache="…" or private="…" names. */
bool response_field_is_stored(const struct http_fields *response, struct str name);

/* All of them. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err request_fields_to_pass(struct arena *arena, struct str method,
                                              const struct http_fields *request,
                                              struct http_fields *passed_out);
CW_MUST_CHECK enum err response_fields_to_pass(struct arena *arena,
                                               const struct http_fields *response,
                                               struct http_fields *passed_out);
CW_MUST_CHECK enum err response_fields_to_store(struct arena *arena,
                                                const struct http_fields *response,
                                                struct http_fields *stored_out);

#endif
