#include "gateway/rules/entity_tag.h"

/* How long the tag is with which `text` begins; a backslash is a character like others. 0: there is none. */
static size_t tag_length(struct str text)
{
    const size_t start = str_starts(text, STR("W/")) ? 2 : 0;

    if (start >= text.len || text.ptr[start] != '"')
        return 0;
    const ptrdiff_t end = str_find(str_sub(text, start + 1, text.len), '"');
    return end >= 0 ? start + (size_t)end + 2 : 0;
}

static bool is_sound(struct str tag)
{
    return tag.len > 0 && tag_length(tag) == tag.len;
}

static struct str opaque_part(struct str tag)
{
    return is_sound(tag) && str_starts(tag, STR("W/")) ? str_sub(tag, 2, tag.len) : tag;
}

bool entity_tag_is_strong(struct str tag)
{
    return is_sound(tag) && tag.ptr[0] == '"';
}

bool entity_tags_match_weakly(struct str a, struct str b)
{
    return a.len > 0 && str_eq(opaque_part(a), opaque_part(b));
}

bool entity_tags_match_strongly(struct str a, struct str b)
{
    return entity_tag_is_strong(a) && str_eq(a, b);
}

/* Takes what stands before the next comma that is in no tag. */
static struct str take_element(struct str *rest)
{
    size_t length = tag_length(*rest);

    while (length < rest->len && rest->ptr[length] != ',')
        length++;
    struct str element = str_trim(str_sub(*rest, 0, length));
    *rest = str_trim(str_sub(*rest, length + 1, rest->len));
    return element;
}

bool entity_tag_is_listed(const struct http_fields *fields, struct str name, struct str tag)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct str rest = str_trim(fields->items[i].value);

        if (!str_eq_nocase(fields->items[i].name, name))
            continue;
        while (rest.len > 0) {
            const struct str element = take_element(&rest);

            if (str_eq(element, STR("*")) || entity_tags_match_weakly(element, tag))
                return true;
        }
    }
    return false;
}
