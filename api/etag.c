#include "etag.h"

/* What may stand between the quotes: visible characters but the quote itself, and bytes above 127. */
static bool is_tag_byte(char byte)
{
    unsigned char c = (unsigned char)byte;

    return c > ' ' && c != '"' && c != 0x7f;
}

/* Takes one tag off *rest: [W/]"…". A comma may stand inside the quotes. */
static bool take_tag(struct str *rest, struct str *tag_out)
{
    struct str text = *rest;
    size_t end = 1;

    if (str_starts(text, STR("W/")))
        text = str_sub(text, 2, text.len);
    if (!str_starts(text, STR("\"")))
        return false;
    while (end < text.len && is_tag_byte(text.ptr[end]))
        end++;
    if (end == text.len || text.ptr[end] != '"')
        return false;
    *tag_out = str_sub(text, 1, end - 1);
    *rest = str_sub(text, end + 1, text.len);
    return true;
}

/* Behind a tag: blanks, and then a comma or the end. */
static bool take_comma(struct str *rest)
{
    *rest = str_trim(*rest);
    if (rest->len == 0)
        return true;
    if (rest->ptr[0] != ',')
        return false;
    *rest = str_trim(str_sub(*rest, 1, rest->len));
    return true;
}

enum etag_answer etag_compare(struct str if_none_match, struct str etag)
{
    struct str rest = str_trim(if_none_match), tag;
    enum etag_answer answer = rest.len > 0 ? ETAG_DIFFERS : ETAG_NOT_ASKED;

    if (str_eq(rest, STR("*")))
        return ETAG_ANY;
    while (rest.len > 0) {
        /* An empty part is no tag. */
        if (rest.ptr[0] != ',') {
            if (!take_tag(&rest, &tag))
                return ETAG_MALFORMED;
            if (etag.len > 0 && str_eq(tag, etag))
                answer = ETAG_MATCHES;
        }
        if (!take_comma(&rest))
            return ETAG_MALFORMED;
    }
    return answer;
}
