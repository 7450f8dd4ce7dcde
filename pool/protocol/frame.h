/*
 * Where RESP2 replies end, without a look at what they say: to pass over one that is too large to be kept, and to know
 * where the next one begins. One thread at a time.
 */
#ifndef POOL_PROTOCOL_FRAME_H
#define POOL_PROTOCOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Beyond these it is no reply of Redis, and nothing is worth passing over. */
#define FRAME_STRING_MAX (1u << 30)
#define FRAME_ITEMS_MAX  (1u << 24)

enum frame_step {
    FRAME_MORE, /* all bytes belong to it, and it goes on */
    FRAME_END,  /* it is whole */
    FRAME_LOST  /* no RESP2, or beyond the limits: nothing is known of its end */
};

struct frame {
    uint64_t pending; /* elements that are not whole yet */
    uint64_t bytes;   /* of a string that are to come, the end of its line included */
    uint64_t number;  /* of a head, as far as it has come */
    char type;        /* of the line that has begun; '\0': none has */
    bool is_negative, has_digits;
};

void frame_begin(struct frame *frame);
/* *used_out: so many of the bytes belong to the reply. */
enum frame_step frame_take(struct frame *frame, const char *bytes, size_t size, size_t *used_out);

#endif
