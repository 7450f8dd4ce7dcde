/*
 * Which requests a response answers beside its own: those with the same values of the fields that Vary names
 * (RFC 9111, section 4.1). Pure.
 */
#ifndef API_GATEWAY_RULES_VARY_H
#define API_GATEWAY_RULES_VARY_H

#include "gateway/rules/fields.h"

enum { VARY_NAMES_MAX = 16, VARY_NAME_SIZE_MAX = 64 };

enum vary {
    VARY_NOTHING, /* one response answers all */
    VARY_NAMES,
    VARY_ANYTHING /* "*", no list of names, or more than are taken: no other request */
};

/*
 * The names in lower case, sorted, each once, with commas between: the same whatever the order and the lines
 * were. They lie in the arena; empty but for VARY_NAMES. ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err vary_of(struct arena *arena, const struct http_fields *response,
                               enum vary *vary_out, struct str *names_out);

/*
 * What a request has under these names, as part of a key: two requests have the same only if their values mean the
 * same. A field that is absent is not one that is empty. Lines are one list; blanks at commas mean nothing, but in
 * fields that are no lists. Of Accept-Language, Accept-Encoding and Accept-Charset neither case nor order does, but
 * that of weights. `request` is what the upstream is sent, for that is what it chose by. ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err vary_key(struct arena *arena, struct str names,
                                const struct http_fields *request, struct str *key_out);

#endif
