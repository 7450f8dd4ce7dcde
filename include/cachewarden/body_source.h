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

/* For whom a piece is waited for, and until when. What it names is there for as long as it is set. */
struct body_watch {
    /* Asked about twice a second while nothing comes; true ends the body with ERR_UPSTREAM_DOWN. NULL: never. */
    bool (*is_unwanted)(void *with);
    void *with;
    int64_t until_ns; /* clock_mono_ns; 0: for as long as the source itself waits */
    /* Set by next(), which then gives nothing: nothing came until then. The body has not ended, and its next piece may
     * be asked for. */
    bool is_over;
};

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
    /* Where whoever asks for a piece says so: body_source_next. NULL: it waits for nobody, or does not care. */
    struct body_watch *watch;
};

/* The next piece for this watch; NULL: nobody's. */
CW_MUST_CHECK static inline enum err body_source_next(const struct body_source *source,
                                                      struct body_watch *watch,
                                                      const struct work *work, char *buffer,
                                                      size_t size, size_t *len_out)
{
    if (!source->watch || !watch)
        return source->next(source->with, work, buffer, size, len_out);
    *source->watch = *watch;
    source->watch->is_over = false;
    enum err err = source->next(source->with, work, buffer, size, len_out);
    watch->is_over = source->watch->is_over;
    *source->watch = (struct body_watch){0};
    return err;
}

#endif
