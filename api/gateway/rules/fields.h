/*
 * Header fields as they came, in their order, and lists in them (RFC 9110, sections 5.3 and 5.6). Names are compared
 * without regard to case. A field may hold any byte. Pure.
 */
#ifndef API_GATEWAY_RULES_FIELDS_H
#define API_GATEWAY_RULES_FIELDS_H

#include "cachewarden/arena.h"
#include "cachewarden/http_field.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stddef.h>

struct http_fields {
    struct http_field *items;
    size_t count;
};

/* The first of that name; NULL: there is none. */
const struct http_field *fields_find(const struct http_fields *fields, struct str name);
/* Its value without blanks around it; {NULL,0}: there is none. A value that is empty has a pointer. */
struct str fields_value(const struct http_fields *fields, struct str name);
size_t fields_count(const struct http_fields *fields, struct str name);

/* How many of `names` there are is the size of the array. */
bool name_is_among(struct str name, const struct str *names, size_t count);

/*
 * A walk over a list, through all lines of a name. A comma in a quoted string ends nothing; one that is not
 * closed ends with its line. Empty elements are left out.
 */
struct field_list {
    const struct http_fields *fields;
    struct str name;
    size_t next_line;
    struct str rest;
};

struct field_list field_list_of(const struct http_fields *fields, struct str name);
/* A list that is no field's: what stands in the quotes of no-cache="…". */
struct field_list field_list_in(struct str text);
/* Elements come without blanks around them. */
bool field_list_next(struct field_list *list, struct str *element_out);
bool field_list_has(const struct http_fields *fields, struct str name, struct str element);

/* How long the quoted string is with which `text` begins, its quotes included. 0: it begins with none, or that does not
 * end. */
size_t quoted_string_length(struct str text);

/* The fields of which keep() is true. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err fields_filter(struct arena *arena, const struct http_fields *fields,
                                     bool (*keep)(const struct http_field *field, void *arg),
                                     void *arg, struct http_fields *kept_out);

#endif
