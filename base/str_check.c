/* The strict small parsers of str.h: what a string is, answered yes or no. */
#include "cachewarden/str.h"

#include "text.h"

bool str_to_int64(struct str s, int64_t min, int64_t max, int64_t *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    struct str digits = negative ? str_sub(s, 1, s.len) : s;

    /* 19 digits hold every int64_t, and never overflow a uint64_t. */
    if (digits.len == 0 || digits.len > 19)
        return false;
    if (digits.ptr[0] == '0' && (digits.len > 1 || negative))
        return false;

    uint64_t magnitude = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        magnitude = magnitude * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;

    /* INT64_MIN has no positive counterpart, so it is reached from one above. */
    int64_t value = negative ? -(int64_t)(magnitude - 1) - 1 : (int64_t)magnitude;
    if (value < min || value > max)
        return false;
    *out = value;
    return true;
}

/* Nearly all text is ASCII: eight bytes at a time as long as none has its high bit set. */
static size_t ascii_prefix(const char *bytes, size_t length)
{
    size_t i = 0;
    uint64_t word;

    for (; i + sizeof word <= length; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

bool str_is_utf8(struct str s)
{
    size_t i = s.len > 0 ? ascii_prefix(s.ptr, s.len) : 0;

    while (i < s.len) {
        size_t length = text_utf8_length(s.ptr + i, s.len - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

bool str_has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return true;
        /* U+0080 to U+009F are C2 80 to C2 9F, and C2 is never a continuation byte. */
        if (c == 0xc2 && i + 1 < s.len && ((unsigned char)s.ptr[i + 1] & 0xe0) == 0x80)
            return true;
    }
    return false;
}

static bool is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool str_is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_token_char(s.ptr[i]))
            return false;
    }
    return s.len > 0;
}
