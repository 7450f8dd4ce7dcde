/* base64url, hex and percent-encoding of str.h: strict, and NUL behind every result. */
#include "cachewarden/str.h"

#include "cachewarden/arena.h"

static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* One more than a digit's value; 0 for what is no digit. Every token passes through here. */
static const unsigned char base64url_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

/* A digit's value, or one beyond 63. */
static unsigned digit_at(const char *text)
{
    return base64url_values[(unsigned char)*text] - 1U;
}

bool base64url_decode(struct arena *arena, struct str text, struct str *bytes_out)
{
    /* One digit left over holds 6 bits: no byte at all. */
    if (text.len % 4 == 1)
        return false;
    size_t left = text.len % 4, whole = text.len - left;
    size_t len = whole / 4 * 3 + left * 3 / 4;
    unsigned char *bytes = arena_alloc(arena, len + 1);
    if (!bytes)
        return false;

    unsigned char *to = bytes;
    unsigned seen = 0; /* all values, to be judged at the end: no branch a digit */
    const char *from = text.ptr;
    for (size_t i = 0; i < whole; i += 4, from += 4) {
        unsigned a = digit_at(from), b = digit_at(from + 1), c = digit_at(from + 2),
                 d = digit_at(from + 3);
        seen |= a | b | c | d;
        *to++ = (unsigned char)(a << 2 | b >> 4);
        *to++ = (unsigned char)(b << 4 | c >> 2);
        *to++ = (unsigned char)(c << 6 | d);
    }
    /* Two or three digits more. The bits behind the last byte must be zero: two texts must not mean
     * the same bytes (RFC 4648 section 3.5). */
    unsigned spare = 0;
    if (left > 0) {
        unsigned a = digit_at(from), b = digit_at(from + 1), c = left == 3 ? digit_at(from + 2) : 0;
        seen |= a | b | c;
        *to++ = (unsigned char)(a << 2 | b >> 4);
        if (left == 3)
            *to++ = (unsigned char)(b << 4 | c >> 2);
        spare = left == 3 ? c & 3 : b & 15;
    }
    if (seen > 63 || spare != 0)
        return false;

    *to = '\0';
    *bytes_out = (struct str){(const char *)bytes, len};
    return true;
}

struct str base64url_encode(struct arena *arena, struct str bytes)
{
    if (bytes.len > SIZE_MAX / 4)
        return STR_NONE;
    size_t len = bytes.len / 3 * 4 + (bytes.len % 3 * 4 + 2) / 3;
    char *text = arena_alloc(arena, len + 1);
    if (!text)
        return STR_NONE;

    unsigned bits = 0, held = 0;
    size_t used = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = (bits << 8 | (unsigned char)bytes.ptr[i]) & 0xffff;
        held += 8;
        while (held >= 6) {
            held -= 6;
            text[used++] = base64url_digits[bits >> held & 63];
        }
    }
    if (held > 0)
        text[used++] = base64url_digits[bits << (6 - held) & 63];
    text[used] = '\0';
    return (struct str){text, used};
}

struct str hex_encode(struct arena *arena, struct str bytes)
{
    static const char digits[] = "0123456789abcdef";

    if (bytes.len > SIZE_MAX / 4)
        return STR_NONE;
    char *text = arena_alloc(arena, bytes.len * 2 + 1);
    if (!text)
        return STR_NONE;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        text[2 * i] = digits[byte >> 4];
        text[2 * i + 1] = digits[byte & 15];
    }
    text[bytes.len * 2] = '\0';
    return (struct str){text, bytes.len * 2};
}

/* -1 for what is no hexadecimal digit. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte two digits stand for, or -1. */
static int hex_byte(const char *digits)
{
    int high = hex_value(digits[0]);
    int low = hex_value(digits[1]);

    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool hex_decode(struct arena *arena, struct str text, struct str *bytes_out)
{
    if (text.len % 2 != 0)
        return false;
    char *bytes = arena_alloc(arena, text.len / 2 + 1);
    if (!bytes)
        return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int byte = hex_byte(text.ptr + i);
        if (byte < 0)
            return false;
        bytes[i / 2] = (char)byte;
    }
    bytes[text.len / 2] = '\0';
    *bytes_out = (struct str){bytes, text.len / 2};
    return true;
}

bool percent_decode(struct arena *arena, struct str text, struct str *bytes_out)
{
    char *bytes = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    if (!bytes)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int byte = (unsigned char)text.ptr[i];
        if (byte == '%') {
            if (text.len - i < 3)
                return false;
            byte = hex_byte(text.ptr + i + 1);
            i += 2;
        }
        /* -1: a bad escape. 0: C code behind us would see a shorter text than we checked. */
        if (byte <= 0)
            return false;
        bytes[len++] = (char)byte;
    }
    bytes[len] = '\0';
    *bytes_out = (struct str){bytes, len};
    return true;
}
