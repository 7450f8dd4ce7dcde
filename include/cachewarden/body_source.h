/*
 * A body that comes a piece at a time, so that it need not be in memory as a whole: the answer that an operation
 * gives (call_give_source), or the request's body that it reads (call->body_source). It is copied by
 * value; what `with` points to belongs to whoever has it.
 */
#ifndef CACHEWARDEN_BODY_SOURCE_H
#define CACHEWARDEN_BODY_SOURCE_H

#include "cachewarden/work.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BODY_LENGTH_UNKNOWN = -1 };

struct body_source {
    int64_t length; /* of the whole body, or BODY_LENGTH_UNKNOWN */
    /*
     * The next bytes into `buffer`, which has room for `size`; *len_out of them, 0: the body ends here. Its work's
     * memory is good until it returns. Any error ends the body, and is logged: its reader learns that it is not whole.
     */
    enum err (*next)(void *with, const struct work *work, char *buffer, size_t size,
                     size_t *len_out);
    /* Once, by any thread and under no lock, when nobody asks for more. */
    void (*close)(void *with);
    void *with;
    bool is_at_hand; /* asking for the first of it does not wait for anybody */
};

#endif
