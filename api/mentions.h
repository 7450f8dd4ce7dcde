/* Whether a parameter's name stands in a text, in whatever disguise. Pure. */
#ifndef API_MENTIONS_H
#define API_MENTIONS_H

#include "cachewarden/str.h"

/*
 * Whether `name` (lower case letters and '_') stands anywhere in the text: in any case, under the
 * escapes of JSON and of forms, with another or no separator (userId, user-id), or as UTF-16. It
 * looks at bytes alone, so it holds for every media type, for nested objects, and for texts that
 * are no valid anything. It may find a name in a text that only talks about it; that costs a
 * refusal, the opposite mistake a change that nobody meant.
 */
bool mentions(struct str text, const char *name);

#endif
