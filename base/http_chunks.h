/* The chunks of a body (RFC 9112, section 7.1), read strictly: a line ends with CR LF, and nothing else does. Pure. */
#ifndef BASE_HTTP_CHUNKS_H
#define BASE_HTTP_CHUNKS_H

#include "cachewarden/str.h"

enum http_chunks_state {
    CHUNKS_SIZE, /* first digit of a chunk's size */
    CHUNKS_SIZE_MORE,
    CHUNKS_EXTENSION,
    CHUNKS_SIZE_END, /* a line feed comes */
    CHUNKS_DATA,     /* `left` bytes of the body come, which whoever reads them takes off */
    CHUNKS_DATA_END,
    CHUNKS_DATA_LINE_FEED,
    CHUNKS_TRAILER, /* first byte of a line */
    CHUNKS_TRAILER_MORE,
    CHUNKS_TRAILER_LINE_FEED,
    CHUNKS_LAST_LINE_FEED,
    CHUNKS_WHOLE,
    CHUNKS_BROKEN
};

/* All zero: before the first chunk. */
struct http_chunks {
    enum http_chunks_state state;
    int64_t left;
    size_t
        extra_size; /* of this chunk's size and extensions, or of the trailers: dropped, and bounded */
};

/* Takes what is no data off the front of `bytes`; how many bytes that were. It ends at data, at the end of the body,
 * and where it is broken. */
size_t http_chunks_take(struct http_chunks *chunks, struct str bytes);
/* So much of the data was read. */
void http_chunks_read(struct http_chunks *chunks, size_t size);

#endif
