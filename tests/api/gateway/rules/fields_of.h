/* Header fields as a test writes them: lines of "Name: value". */
#ifndef CACHEWARDEN_TESTS_FIELDS_OF_H
#define CACHEWARDEN_TESTS_FIELDS_OF_H

#include "gateway/rules/fields.h"

#include <check.h>

enum { FIELDS_OF_MAX = 64 };

/* Up to three heads of a thread live at once; lines are parted by '\n'. What follows the colon and one blank is the
 * value. */
static inline struct http_fields fields_of(const char *lines)
{
    static _Thread_local struct http_field items[3][FIELDS_OF_MAX];
    static _Thread_local unsigned turn;
    struct http_fields fields = {items[turn++ % 3], 0};
    struct str rest = str_from(lines), line;

    while (str_split(&rest, '\n', &line)) {
        const ptrdiff_t colon = str_find(line, ':');

        if (colon < 0)
            continue;
        ck_assert_uint_lt(fields.count, FIELDS_OF_MAX);
        fields.items[fields.count++] = (struct http_field){
            str_sub(line, 0, (size_t)colon), str_sub(line, (size_t)colon + 2, line.len)};
    }
    return fields;
}

#endif
