#include "text.h"

#include <string.h>

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/*
 * RFC 3629 section 4. The second byte's range is what keeps out overlong forms (E0, F0),
 * surrogates (ED) and anything past U+10FFFF (F4); the first byte's keeps out the rest.
 */
size_t text_utf8_length(const char *bytes, size_t available)
{
    const unsigned char *b = (const unsigned char *)bytes;
    unsigned char low = 0x80, high = 0xbf;
    size_t length;

    if (available == 0)
        return 0;
    if (b[0] < 0x80)
        return 1;
    if (b[0] >= 0xc2 && b[0] <= 0xdf)
        length = 2;
    else if (b[0] >= 0xe0 && b[0] <= 0xef)
        length = 3;
    else if (b[0] >= 0xf0 && b[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (available < length)
        return 0;

    if (b[0] == 0xe0)
        low = 0xa0;
    else if (b[0] == 0xed)
        high = 0x9f;
    else if (b[0] == 0xf0)
        low = 0x90;
    else if (b[0] == 0xf4)
        high = 0x8f;
    if (b[1] < low || b[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (!is_continuation(b[i]))
            return 0;
    }
    return length;
}

uint32_t text_utf8_value(const char *bytes, size_t length)
{
    static const unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *b = (const unsigned char *)bytes;
    uint32_t value = b[0] & lead_bits[length];

    for (size_t i = 1; i < length; i++)
        value = value << 6 | (b[i] & 0x3f);
    return value;
}

size_t text_utf8_prefix(const char *bytes, size_t length, size_t limit)
{
    if (length <= limit)
        return length;

    /* Step back over the continuation bytes of the sequence that the limit cuts, if it does. */
    size_t end = limit;
    for (int back = 0; back < 3 && end > 0 && is_continuation((unsigned char)bytes[end]); back++)
        end--;
    return is_continuation((unsigned char)bytes[end]) ? limit : end;
}

bool text_is_unsafe(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

/* The letter behind the backslash for those that have one, else 0. */
static char short_escape(uint32_t character)
{
    switch (character) {
    case '"':
    case '\\':
        return (char)character;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

size_t text_json_escape(char out[TEXT_ESCAPE_SIZE], const char *bytes, size_t length,
                        size_t *taken_out)
{
    static const char hex[] = "0123456789abcdef";
    size_t sequence = text_utf8_length(bytes, length);

    if (sequence == 0) {
        *taken_out = 1;
        memcpy(out, "\xef\xbf\xbd", 3);
        return 3;
    }
    *taken_out = sequence;

    uint32_t character = text_utf8_value(bytes, sequence);
    char letter = short_escape(character);
    out[0] = '\\';
    if (letter) {
        out[1] = letter;
        return 2;
    }
    if (text_is_unsafe(character)) { /* all of these have four digits */
        out[1] = 'u';
        for (int i = 0; i < 4; i++)
            out[2 + i] = hex[character >> (12 - 4 * i) & 15];
        return 6;
    }
    memcpy(out, bytes, sequence);
    return sequence;
}

void text_put_digits(char *out, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}
