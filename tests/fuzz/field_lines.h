/* Header fields out of a fuzzer's bytes: lines of "Name: value"; others are left out. */
#ifndef CACHEWARDEN_FUZZ_FIELD_LINES_H
#define CACHEWARDEN_FUZZ_FIELD_LINES_H

#include "cachewarden/http_field.h"

static inline size_t read_field_lines(struct str text, struct http_field *items, size_t most)
{
    struct str line;
    size_t count = 0;

    while (count < most && str_split(&text, '\n', &line)) {
        const ptrdiff_t colon = str_find(line, ':');

        if (colon >= 0)
            items[count++] = (struct http_field){str_sub(line, 0, (size_t)colon),
                                                 str_sub(line, (size_t)colon + 1, line.len)};
    }
    return count;
}

#endif
