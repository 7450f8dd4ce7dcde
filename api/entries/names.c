/* What entries and models may be called, and be: the same over HTTP and from the command line. */
#include "cachewarden/entries.h"

static bool is_text(struct str text, size_t max)
{
    return text.len >= 1 && text.len <= max && str_is_utf8(text) && !str_has_control(text);
}

static bool is_dots(struct str part)
{
    return str_eq(part, STR(".")) || str_eq(part, STR(".."));
}

/*
 * "a/../b" in a path is "a%2F..%2Fb". A proxy that decodes before it normalises makes another path of
 * it, and another permission than the one it asked for may be what that path needs.
 */
static bool has_dots(struct str label)
{
    struct str rest = label, part;

    while (str_split(&rest, '/', &part)) {
        if (is_dots(part))
            return true;
    }
    return false;
}

bool entry_is_label(struct str text)
{
    return is_text(text, ENTRY_LABEL_MAX) && !has_dots(text);
}

bool entry_is_model(struct str text)
{
    return is_text(text, ENTRY_MODEL_MAX) && str_find(text, '/') < 0 && !is_dots(text);
}

/* type "/" subtype, and whatever parameters (RFC 9110, section 8.3.1). */
bool entry_is_type(struct str content_type)
{
    struct str rest = content_type, type, name;

    if (content_type.len > ENTRY_TYPE_MAX || !str_split(&rest, ';', &type))
        return false;
    for (size_t i = 0; i < content_type.len; i++) {
        unsigned char c = (unsigned char)content_type.ptr[i];
        if ((c < ' ' && c != '\t') || c >= 0x7f)
            return false;
    }
    type = str_trim(type);
    return str_split(&type, '/', &name) && str_is_token(name) && str_is_token(type);
}
