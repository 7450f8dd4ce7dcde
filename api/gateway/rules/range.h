/* Parts of a stored body (RFC 9110, section 14). Pure. */
#ifndef API_GATEWAY_RULES_RANGE_H
#define API_GATEWAY_RULES_RANGE_H

#include "gateway/rules/fields.h"

#include <stdint.h>

/* A Range that names more is not followed. */
enum { RANGES_MAX = 16 };

enum range {
    RANGE_WHOLE, /* nothing is asked, or what is no range, or parts that do not touch: 200 */
    RANGE_PART,  /* 206; several that touch are one */
    RANGE_UNSATISFIABLE, /* 416 */
};

struct byte_range {
    int64_t first, length; /* length > 0 */
};

/* Of a body of that length, 0 or more. Whether If-Range lets it be is asked before. */
enum range range_of(const struct http_fields *request, int64_t body_length,
                    struct byte_range *range_out);

/* "bytes 0-4/10"; without a range, for a 416, "bytes" and "*" before the slash. {NULL,0}: memory is out. */
struct str content_range(struct arena *arena, const struct byte_range *range, int64_t body_length);

#endif
