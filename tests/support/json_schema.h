/* Whether a value is what the OpenAPI document says. */
#ifndef SUPPORT_JSON_SCHEMA_H
#define SUPPORT_JSON_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

/*
 * As much of JSON Schema as the document uses; anything else in it fails. Stricter in one thing: a member that the
 * schema does not tell of fails, unless it tells of none.
 */
bool json_schema_fits(const json_t *schema, const json_t *value);

#endif
