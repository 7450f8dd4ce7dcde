#include "http_chunks.h"

enum { EXTRA_MAX_SIZE = 16 * 1024 };

/* -1: none. */
static int digit_of(unsigned char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static enum http_chunks_state after_size(struct http_chunks *chunks, unsigned char byte)
{
    int digit = digit_of(byte);

    if (digit >= 0) {
        if (chunks->left > (INT64_MAX >> 4) || ++chunks->extra_size > EXTRA_MAX_SIZE)
            return CHUNKS_BROKEN;
        chunks->left = chunks->left * 16 + digit;
        return CHUNKS_SIZE_MORE;
    }
    if (chunks->state == CHUNKS_SIZE)
        return CHUNKS_BROKEN;
    if (byte == '\r')
        return CHUNKS_SIZE_END;
    return byte == ';' || byte == ' ' || byte == '\t' ? CHUNKS_EXTENSION : CHUNKS_BROKEN;
}

static enum http_chunks_state after_text(struct http_chunks *chunks, unsigned char byte,
                                         enum http_chunks_state end)
{
    if (byte == '\r')
        return end;
    bool is_good = (byte >= ' ' || byte == '\t') && byte != 0x7f;
    return is_good && ++chunks->extra_size <= EXTRA_MAX_SIZE ? chunks->state : CHUNKS_BROKEN;
}

static enum http_chunks_state after_size_line(struct http_chunks *chunks)
{
    chunks->extra_size = 0;
    return chunks->left > 0 ? CHUNKS_DATA : CHUNKS_TRAILER;
}

static enum http_chunks_state after(struct http_chunks *chunks, unsigned char byte)
{
    switch (chunks->state) {
    case CHUNKS_SIZE:
    case CHUNKS_SIZE_MORE:
        return after_size(chunks, byte);
    case CHUNKS_EXTENSION:
        return after_text(chunks, byte, CHUNKS_SIZE_END);
    case CHUNKS_SIZE_END:
        return byte == '\n' ? after_size_line(chunks) : CHUNKS_BROKEN;
    case CHUNKS_DATA_END:
        return byte == '\r' ? CHUNKS_DATA_LINE_FEED : CHUNKS_BROKEN;
    case CHUNKS_DATA_LINE_FEED:
        return byte == '\n' ? CHUNKS_SIZE : CHUNKS_BROKEN;
    case CHUNKS_TRAILER:
        if (byte == '\r')
            return CHUNKS_LAST_LINE_FEED;
        chunks->state = CHUNKS_TRAILER_MORE;
        return after_text(chunks, byte, CHUNKS_TRAILER_LINE_FEED);
    case CHUNKS_TRAILER_MORE:
        return after_text(chunks, byte, CHUNKS_TRAILER_LINE_FEED);
    case CHUNKS_TRAILER_LINE_FEED:
        return byte == '\n' ? CHUNKS_TRAILER : CHUNKS_BROKEN;
    case CHUNKS_LAST_LINE_FEED:
        return byte == '\n' ? CHUNKS_WHOLE : CHUNKS_BROKEN;
    case CHUNKS_DATA:
    case CHUNKS_WHOLE:
    case CHUNKS_BROKEN:
        break;
    }
    return CHUNKS_BROKEN;
}

size_t http_chunks_take(struct http_chunks *chunks, struct str bytes)
{
    size_t taken = 0;

    while (taken < bytes.len && chunks->state < CHUNKS_WHOLE && chunks->state != CHUNKS_DATA)
        chunks->state = after(chunks, (unsigned char)bytes.ptr[taken++]);
    return taken;
}

void http_chunks_read(struct http_chunks *chunks, size_t size)
{
    chunks->left -= (int64_t)size;
    if (chunks->left == 0)
        chunks->state = CHUNKS_DATA_END;
}
