/* What the files share that write the OpenAPI document. */
#ifndef SERVER_REFERENCE_OPENAPI_PRIVATE_H
#define SERVER_REFERENCE_OPENAPI_PRIVATE_H

#include "reference/openapi.h"

struct openapi_writer {
    struct json_writer *json;
    struct arena *arena; /* of what is read and collected on the way */
};

/* Each writes one member of the object that is open: `headers` of the components, and of an answer;
 * `schema`, no more than a type; `parameters`, `requestBody` (where the route reads one), `responses`. */
void openapi_write_header_components(struct json_writer *json);
void openapi_write_headers(struct json_writer *json, const struct route *route, int status);
void openapi_write_type(struct json_writer *json, const char *type);
void openapi_write_parameters(struct json_writer *json, const struct route *route);
void openapi_write_request_body(const struct openapi_writer *writer, const struct route *route,
                                const struct sample *samples, size_t count);
void openapi_write_responses(const struct openapi_writer *writer, const struct route *route,
                             const struct sample *samples, size_t count);

/* The rows of the route table that openapi_headers.c speaks of by name; NULL behind the last. */
const char *openapi_named_row(size_t i);

#endif
