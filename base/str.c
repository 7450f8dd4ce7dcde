#include "cachewarden/str.h"

#include "cachewarden/arena.h"

#include <stdarg.h>
#include <stdio.h>

/* memcmp and memchr must not be given NULL, not even with length 0. */
static bool same_bytes(const char *a, const char *b, size_t len)
{
    return len == 0 || memcmp(a, b, len) == 0;
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && same_bytes(a.ptr, b.ptr, a.len);
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && same_bytes(s.ptr, prefix.ptr, prefix.len);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || same_bytes(s.ptr + (s.len - suffix.len), suffix.ptr, suffix.len));
}

bool str_eq_secret(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;

    unsigned char difference = 0;
    for (size_t i = 0; i < a.len; i++) {
        difference = (unsigned char)(difference | (a.ptr[i] ^ b.ptr[i]));
        __asm__("" : "+r"(difference)); /* no leaving the loop at the first difference */
    }
    return difference == 0;
}

ptrdiff_t str_find(struct str s, char c)
{
    const char *found = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;

    return found ? found - s.ptr : -1;
}

struct str str_sub(struct str s, size_t from, size_t len)
{
    if (!s.ptr)
        return STR_NONE;
    if (from > s.len)
        from = s.len;
    if (len > s.len - from)
        len = s.len - from;
    return (struct str){s.ptr + from, len};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    return s;
}

bool str_split(struct str *rest, char separator, struct str *part_out)
{
    if (!rest->ptr)
        return false;

    ptrdiff_t at = str_find(*rest, separator);
    if (at < 0) {
        *part_out = *rest;
        *rest = STR_NONE;
    } else {
        *part_out = str_sub(*rest, 0, (size_t)at);
        *rest = str_sub(*rest, (size_t)at + 1, rest->len);
    }
    return true;
}

bool str_take_line(struct str *rest, struct str *line_out)
{
    return rest->len > 0 && str_split(rest, '\n', line_out);
}

struct str str_dup(struct arena *arena, struct str s)
{
    char *copy = arena_alloc(arena, s.len + 1);

    if (!copy)
        return STR_NONE;
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (struct str){copy, s.len};
}

struct str str_format(struct arena *arena, const char *format, ...)
{
    va_list args;
    char small[256]; /* most texts fit: they are formatted once */

    va_start(args, format);
    int len = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (len < 0)
        return STR_NONE;
    if ((size_t)len < sizeof small)
        return str_dup(arena, (struct str){small, (size_t)len});

    char *text = arena_alloc(arena, (size_t)len + 1);
    if (!text)
        return STR_NONE;
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return (struct str){text, (size_t)len};
}

void secret_wipe(void *memory, size_t size)
{
    if (size > 0)
        explicit_bzero(memory, size);
}

struct str str_of_int64(char buffer[STR_INT64_SIZE], int64_t value)
{
    char digits[STR_INT64_SIZE];
    char *first = digits + sizeof digits;
    /* Unsigned, because -INT64_MIN is not an int64_t. */
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--first = '-';

    size_t length = (size_t)(digits + sizeof digits - first);
    memcpy(buffer, first, length);
    buffer[length] = '\0';
    return (struct str){buffer, length};
}

void str_put_hex64(char out[STR_HEX64_SIZE], uint64_t value)
{
    for (int i = STR_HEX64_SIZE - 2; i >= 0; i--, value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
    out[STR_HEX64_SIZE - 1] = '\0';
}
