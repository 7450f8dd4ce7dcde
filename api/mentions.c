#include "mentions.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The number that `count` hex digits at the start of `s` stand for, or -1. */
static int hex_number(struct str s, size_t count)
{
    int number = 0;

    if (s.len < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        int digit = hex_digit(s.ptr[i]);
        if (digit < 0)
            return -1;
        number = number * 16 + digit;
    }
    return number;
}

/* Takes one character off *rest, seen through the escapes of JSON (\u005f) and of forms (%5f). */
static int take_unmasked(struct str *rest)
{
    size_t length = 1;
    int c = (unsigned char)rest->ptr[0];
    int escaped = -1;

    if (c == '%') {
        escaped = hex_number(str_sub(*rest, 1, 2), 2);
        length = escaped >= 0 ? 3 : 1;
    } else if (c == '\\' && rest->len > 1 && rest->ptr[1] == 'u') {
        escaped = hex_number(str_sub(*rest, 2, 4), 4);
        length = escaped >= 0 ? 6 : 1;
    }
    *rest = str_sub(*rest, length, rest->len);
    return escaped >= 0 ? escaped : c;
}

static bool is_separator(int c)
{
    return c == '_' || c == '-' || c == '\0';
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* The name begins with its first letter, so that of a text full of separators none is looked at twice. */
static bool begins_with(struct str rest, const char *name)
{
    for (bool is_first = true; *name != '\0'; name++) {
        int c;
        if (is_separator(*name))
            continue;
        do {
            if (rest.len == 0)
                return false;
            c = take_unmasked(&rest);
        } while (!is_first && is_separator(c));
        if (lower(c) != *name)
            return false;
        is_first = false;
    }
    return true;
}

bool mentions(struct str text, const char *name)
{
    while (text.len > 0) {
        if (begins_with(text, name))
            return true;
        (void)take_unmasked(&text);
    }
    return false;
}
