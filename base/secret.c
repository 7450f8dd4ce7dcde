#include "cachewarden/secret.h"

struct str secret_line(struct str text)
{
    while (text.len > 0 && text.ptr[text.len - 1] == '\n') {
        text.len--;
        if (text.len > 0 && text.ptr[text.len - 1] == '\r')
            text.len--;
    }
    return text;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

const char *secret_edge_fault(struct str secret)
{
    if (secret.len == 0)
        return NULL;
    char first = secret.ptr[0], last = secret.ptr[secret.len - 1];
    if (str_starts(secret, STR("\xef\xbb\xbf")))
        return "begins with a byte order mark; save it as UTF-8 without one";
    if (str_starts(secret, STR("\xff\xfe")) || str_starts(secret, STR("\xfe\xff")))
        return "is UTF-16; save it as UTF-8 without a byte order mark";
    if (last == '\r')
        return "ends in a carriage return, of a line as Windows writes them; take it out, with "
               "tr -d '\\r' for instance";
    if (is_blank(last))
        return "ends in a blank; take it out";
    if (is_blank(first))
        return "begins with a blank; take it out";
    return NULL;
}
