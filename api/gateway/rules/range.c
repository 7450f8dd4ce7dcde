#include "gateway/rules/range.h"

#include <stdlib.h>

/* Digits; more than fit are the greatest number there is. */
static bool read_position(struct str text, int64_t *position_out)
{
    int64_t position = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(position, 10, &position) ||
            __builtin_add_overflow(position, text.ptr[i] - '0', &position))
            position = INT64_MAX;
    }
    *position_out = position;
    return text.len > 0;
}

/* "5-9", "5-" or "-5". length 0: it is one, but nothing of the body is in it. */
static bool read_range(struct str text, int64_t body_length, struct byte_range *range)
{
    const ptrdiff_t dash = str_find(text, '-');
    int64_t first, last = INT64_MAX;

    if (dash < 0)
        return false;
    const struct str before = str_sub(text, 0, (size_t)dash);
    const struct str behind = str_sub(text, (size_t)dash + 1, text.len);
    if (behind.len > 0 && !read_position(behind, &last))
        return false;
    if (before.len == 0) {
        const int64_t wanted = last < body_length ? last : body_length;

        *range = (struct byte_range){body_length - wanted, wanted};
        return behind.len > 0;
    }
    if (!read_position(before, &first) || last < first)
        return false;
    *range = (struct byte_range){first, 0};
    if (first < body_length)
        range->length = (last < body_length ? last : body_length - 1) - first + 1;
    return true;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct byte_range *first = a, *second = b;

    return (first->first > second->first) - (first->first < second->first);
}

/* false: there is a gap between two of them. */
static bool join_ranges(struct byte_range *ranges, size_t count, struct byte_range *range_out)
{
    qsort(ranges, count, sizeof *ranges, compare_ranges);
    *range_out = ranges[0];
    for (size_t i = 1; i < count; i++) {
        const int64_t end = ranges[i].first + ranges[i].length;

        if (ranges[i].first > range_out->first + range_out->length)
            return false;
        if (end > range_out->first + range_out->length)
            range_out->length = end - range_out->first;
    }
    return true;
}

/* Of an empty body the last bytes can be asked for, and there is no way to say in a 206 which these are. */
static bool is_suffix_of_nothing(struct str text, int64_t body_length)
{
    return body_length == 0 && str_starts(text, STR("-")) && !str_eq(text, STR("-0"));
}

enum range range_of(const struct http_fields *request, int64_t body_length,
                    struct byte_range *range_out)
{
    const struct str text = fields_value(request, STR("range"));
    struct byte_range ranges[RANGES_MAX], range;
    struct str part;
    size_t count = 0, named = 0;

    if (!str_eq_nocase(str_sub(text, 0, 6), STR("bytes=")) ||
        fields_count(request, STR("range")) != 1)
        return RANGE_WHOLE;
    struct field_list list = field_list_in(str_sub(text, 6, text.len));
    for (; field_list_next(&list, &part); named++) {
        if (named == RANGES_MAX || !read_range(part, body_length, &range) ||
            is_suffix_of_nothing(part, body_length))
            return RANGE_WHOLE;
        if (range.length > 0)
            ranges[count++] = range;
    }
    if (count == 0)
        return named > 0 ? RANGE_UNSATISFIABLE : RANGE_WHOLE;
    return join_ranges(ranges, count, range_out) ? RANGE_PART : RANGE_WHOLE;
}

struct str content_range(struct arena *arena, const struct byte_range *range, int64_t body_length)
{
    if (range == NULL)
        return str_format(arena, "bytes */%lld", (long long)body_length);
    return str_format(arena, "bytes %lld-%lld/%lld", (long long)range->first,
                      (long long)(range->first + range->length - 1), (long long)body_length);
}
