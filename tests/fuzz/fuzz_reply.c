/*
 * Bytes from Redis to values. However the bytes are cut into pieces, the same replies must come
 * out; what comes out must hold together; and nothing may follow what was refused.
 */
#include "protocol/reply.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_LIMIT = 8 << 20, DEPTH_MAX = 8 };

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

/* A number that depends on everything in the value; on the way each part is read. */
static uint64_t digest(const struct value *value, int depth)
{
    uint64_t sum = (uint64_t)value->kind * 1099511628211u + (uint64_t)value->integer;

    expect(depth <= DEPTH_MAX);
    expect(value->kind != VALUE_MISSING);
    if (value->kind == VALUE_STRING || value->kind == VALUE_STATUS || value->kind == VALUE_ERROR) {
        expect(value->text.ptr[value->text.len] == '\0');
        for (size_t i = 0; i < value->text.len; i++)
            sum = sum * 31 + (unsigned char)value->text.ptr[i];
    }
    expect(value->kind == VALUE_ARRAY || value->count == 0);
    for (size_t i = 0; i < value->count; i++)
        sum = sum * 33 + digest(&value->items[i], depth + 1);
    expect((value_fault(value) == REDIS_FAULT_NONE) == (value->kind != VALUE_ERROR));
    return sum;
}

struct outcome {
    enum reply_status status;
    size_t replies;
    uint64_t sum;
};

/* Feeds pieces of `step` bytes; 0: all at once. */
static struct outcome read_all(const char *bytes, size_t size, size_t step)
{
    struct arena *arena = arena_new(4096, ARENA_LIMIT);
    struct reply_reader *reader = reply_reader_new();
    struct outcome outcome = {.status = REPLY_MORE};
    struct value value = {.kind = VALUE_MISSING};

    expect(arena && reader);
    for (size_t at = 0; at < size && outcome.status == REPLY_MORE;) {
        size_t piece = step == 0 || step > size - at ? size - at : step;
        expect(reply_reader_feed(reader, bytes + at, piece));
        at += piece;
        while ((outcome.status = reply_reader_next(reader, arena, &value)) == REPLY_READY) {
            outcome.replies++;
            outcome.sum = outcome.sum * 37 + digest(&value, 0);
        }
    }
    if (outcome.status != REPLY_MORE)
        expect(reply_reader_next(reader, arena, &value) == outcome.status);
    expect(reply_reader_left(reader) <= size);
    reply_reader_free(&reader);
    arena_free(&arena);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct outcome whole = read_all(bytes, size, 0);

    for (size_t step = 1; step <= 7; step += 3) {
        struct outcome parts = read_all(bytes, size, step);
        expect(parts.status == whole.status);
        expect(parts.replies == whole.replies);
        expect(parts.sum == whole.sum);
    }
    return 0;
}
