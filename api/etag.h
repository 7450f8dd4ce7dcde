/* Entity tags in If-None-Match (RFC 9110, sections 8.8.3 and 13.1.2). Pure. */
#ifndef API_ETAG_H
#define API_ETAG_H

#include "cachewarden/str.h"

enum etag_answer {
    ETAG_NOT_ASKED = 0, /* the field is absent or empty */
    ETAG_ANY,           /* "*": whatever is there */
    ETAG_MATCHES,       /* the tag is in the list */
    ETAG_DIFFERS,
    ETAG_MALFORMED /* no list of tags: a read goes on without it, a write must not */
};

/*
 * Whether If-None-Match, as it was sent, names the tag of what is there (without its quotes; empty: nothing
 * is there). Tags are compared weakly, as the field wants it: W/"a" is "a". A list of any length, with
 * empty parts, is taken; the whole of it must be sound.
 */
enum etag_answer etag_compare(struct str if_none_match, struct str etag);

#endif
