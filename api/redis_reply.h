/* For a reply of Redis that cannot be believed, and for the texts that make a command. */
#ifndef API_REDIS_REPLY_H
#define API_REDIS_REPLY_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>

/*
 * For a reply of Redis that came but cannot be believed: ERR_UPSTREAM_REFUSED with the fixed words
 * for the caller and `format` for the log. Returns the code.
 */
enum err refuse_reply(struct error *error, const char *format, ...) CW_PRINTF(2, 3);

/*
 * Whether memory was found for all these texts. What makes a text gives {NULL,0} without, which to
 * a pipeline is an empty argument: a command must not be sent on half a name.
 */
bool texts_made(size_t count, const struct str *texts);
#define TEXTS_MADE(...)                                                        \
    texts_made(sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str), \
               (const struct str[]){__VA_ARGS__})

#endif
