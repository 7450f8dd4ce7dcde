#include "scan.h"

static bool read_cursor(struct str text, uint64_t *cursor_out)
{
    uint64_t cursor = 0;

    if (text.len == 0 || text.len > 20)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.ptr[i] - (unsigned)'0';
        if (digit > 9 || cursor > (UINT64_MAX - digit) / 10)
            return false;
        cursor = cursor * 10 + digit;
    }
    *cursor_out = cursor;
    return true;
}

bool scan_portion_read(const struct value *reply, struct str literal,
                       struct scan_portion *portion_out)
{
    if (reply->kind != VALUE_ARRAY || reply->count != 2 || reply->items[0].kind != VALUE_STRING ||
        reply->items[1].kind != VALUE_ARRAY)
        return false;
    portion_out->keys = reply->items[1].items;
    portion_out->count = reply->items[1].count;
    for (size_t i = 0; i < portion_out->count; i++) {
        const struct value *key = &portion_out->keys[i];
        if (key->kind != VALUE_STRING || !str_starts(key->text, literal))
            return false;
    }
    return read_cursor(reply->items[0].text, &portion_out->cursor);
}
