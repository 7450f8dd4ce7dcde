/*
 * Dictionaries of structured fields (RFC 8941, section 3.2). The whole of a dictionary is read, and one fault makes
 * all of it none. Only what a cache directive can be is kept of a member's value; parameters are not. Pure.
 */
#ifndef API_GATEWAY_RULES_STRUCTURED_FIELD_H
#define API_GATEWAY_RULES_STRUCTURED_FIELD_H

#include "gateway/rules/fields.h"

#include <stdint.h>

enum sf_kind { SF_INTEGER, SF_BOOLEAN, SF_STRING, SF_OTHER };

struct sf_member {
    struct str key;
    enum sf_kind kind;
    int64_t integer; /* SF_BOOLEAN: 0 or 1 */
    struct str text; /* SF_STRING: between its quotes, escapes as they came */
};

enum { SF_MEMBERS_MAX = 64 };

struct sf_dictionary {
    size_t count; /* 0 is an empty one, which stands for none */
    struct sf_member members[SF_MEMBERS_MAX];
};

/*
 * All lines of a name as one. A key that comes again replaces the value of the first. false: it is no dictionary,
 * or has more members than fit. Texts stay in the fields.
 */
bool sf_dictionary_parse(const struct http_fields *fields, struct str name,
                         struct sf_dictionary *dictionary_out);

#endif
