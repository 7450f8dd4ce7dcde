/*
 * Whole numbers from 0 up as varints: seven bits a byte, the lowest first, in as few bytes as they take (LEB128). For
 * what is stored or signed. Each take_ takes what it read off *rest; false: it is not there, or not in this form.
 */
#ifndef API_ENTRIES_VARINT_H
#define API_ENTRIES_VARINT_H

#include "cachewarden/str.h"

/* Seven bits a byte: 63 bits are nine. */
enum { VARINT_SIZE_MAX = 9 };

static inline void varint_add(struct strbuf *out, int64_t number)
{
    uint64_t rest = number > 0 ? (uint64_t)number : 0;

    for (; rest >= 0x80; rest >>= 7)
        strbuf_add_char(out, (char)(rest | 0x80));
    strbuf_add_char(out, (char)rest);
}

static inline bool take_byte(struct str *rest, unsigned char *byte_out)
{
    if (rest->len == 0)
        return false;
    *byte_out = (unsigned char)rest->ptr[0];
    *rest = str_sub(*rest, 1, rest->len);
    return true;
}

static inline bool take_bytes(struct str *rest, size_t count, struct str *bytes_out)
{
    if (rest->len < count)
        return false;
    *bytes_out = str_sub(*rest, 0, count);
    *rest = str_sub(*rest, count, rest->len);
    return true;
}

static inline bool varint_take(struct str *rest, int64_t *number_out)
{
    uint64_t number = 0;
    unsigned char byte = 0x80;

    for (unsigned i = 0; byte & 0x80; i++) {
        if (i == VARINT_SIZE_MAX || !take_byte(rest, &byte))
            return false;
        number |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte == 0 && i > 0) /* a longer form of a shorter number */
            return false;
    }
    *number_out = (int64_t)number;
    return true;
}

#endif
