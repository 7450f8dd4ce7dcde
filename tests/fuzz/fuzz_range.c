/*
 * A body's length, which is the first eight bytes, and a Range: a part lies in the body; one that is asked for alone
 * comes out the same when it is asked for again by the bounds it has.
 */
#include "gateway/rules/range.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_part(struct arena *arena, const struct byte_range *part, int64_t body_length)
{
    struct byte_range again = {0};

    must(part->first >= 0 && part->length > 0 && part->length <= body_length - part->first);
    struct http_field field = {STR("range"),
                               str_format(arena, "bytes=%lld-%lld", (long long)part->first,
                                          (long long)(part->first + part->length - 1))};
    must(range_of(&(struct http_fields){&field, 1}, body_length, &again) == RANGE_PART);
    must(again.first == part->first && again.length == part->length);
    must(content_range(arena, part, body_length).len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(1024, (size_t)1 << 20);
    struct byte_range part;
    int64_t body_length;

    if (arena && size >= sizeof body_length) {
        memcpy(&body_length, data, sizeof body_length);
        body_length &= INT64_MAX;
        struct http_field field = {
            STR("Range"), {(const char *)data + sizeof body_length, size - sizeof body_length}};
        if (range_of(&(struct http_fields){&field, 1}, body_length, &part) == RANGE_PART)
            check_part(arena, &part, body_length);
    }
    arena_free(&arena);
    return 0;
}
