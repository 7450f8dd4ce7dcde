#include "protocol/frame.h"

#include <string.h>

void frame_begin(struct frame *frame)
{
    *frame = (struct frame){.pending = 1};
}

static void end_element(struct frame *frame)
{
    frame->pending--;
    frame->type = '\0';
}

static bool begin_line(struct frame *frame, char type)
{
    frame->type = type;
    frame->number = 0;
    frame->is_negative = frame->has_digits = false;
    return type != '\0' && strchr("+-:$*", type);
}

/* The length of a string, or the size of an array, is there. */
static bool end_head(struct frame *frame)
{
    bool is_string = frame->type == '$', is_nil = frame->is_negative;

    if (!frame->has_digits)
        return false;
    if (is_string && !is_nil) {
        frame->bytes = frame->number + 2;
        frame->type = '\0';
        return true;
    }
    end_element(frame);
    if (!is_string && !is_nil)
        frame->pending += frame->number;
    return frame->pending <= FRAME_ITEMS_MAX;
}

static bool take_head(struct frame *frame, char c)
{
    uint64_t most = frame->type == '$' ? FRAME_STRING_MAX : FRAME_ITEMS_MAX;

    if (c == '\n')
        return end_head(frame);
    if (c == '\r')
        return true;
    if (c == '-' && !frame->has_digits && !frame->is_negative) {
        frame->is_negative = true;
        return true;
    }
    if (c < '0' || c > '9')
        return false;
    frame->has_digits = true;
    frame->number = frame->number * 10 + (uint64_t)(c - '0');
    return frame->number <= most;
}

/* One piece of whatever is going on. The number of bytes it took; 0: this is no reply. */
static size_t take_some(struct frame *frame, const char *bytes, size_t size)
{
    if (frame->bytes > 0) {
        size_t part = frame->bytes < size ? (size_t)frame->bytes : size;
        frame->bytes -= part;
        if (frame->bytes == 0)
            end_element(frame);
        return part;
    }
    if (frame->type == '\0')
        return begin_line(frame, *bytes);
    if (frame->type == '$' || frame->type == '*')
        return take_head(frame, *bytes);
    const char *end = memchr(bytes, '\n', size);
    if (!end)
        return size;
    end_element(frame);
    return (size_t)(end - bytes) + 1;
}

enum frame_step frame_take(struct frame *frame, const char *bytes, size_t size, size_t *used_out)
{
    size_t used = 0;

    while (used < size && frame->pending > 0) {
        size_t part = take_some(frame, bytes + used, size - used);
        if (part == 0)
            return FRAME_LOST;
        used += part;
    }
    *used_out = used;
    return frame->pending == 0 ? FRAME_END : FRAME_MORE;
}
