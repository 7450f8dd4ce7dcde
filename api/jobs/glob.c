#include "jobs/glob.h"

/* Stars in a row are one. An escaped one is none. */
static int count_stars(struct str pattern)
{
    bool is_behind_star = false;
    int stars = 0;

    for (size_t i = 0; i < pattern.len; i++) {
        bool is_star = pattern.ptr[i] == '*';
        stars += is_star && !is_behind_star;
        is_behind_star = is_star;
        if (pattern.ptr[i] == '\\')
            i++;
    }
    return stars;
}

enum err glob_check(struct str pattern, struct error *error)
{
    if (pattern.len == 0 || pattern.len > GLOB_MAX_SIZE || !str_is_utf8(pattern) ||
        str_has_control(pattern))
        return error_set(error, ERR_BAD_INPUT,
                         "pattern: Must be 1 to 512 bytes of UTF-8 without control characters.");
    if (count_stars(pattern) > GLOB_STARS_MAX)
        return error_set(error, ERR_BAD_INPUT, "pattern: Must have at most four stars.");
    return ERR_OK;
}

static bool is_special(char c)
{
    return c == '*' || c == '?' || c == '[' || c == ']' || c == '\\';
}

struct str glob_behind(struct arena *arena, struct str literal, struct str pattern)
{
    struct strbuf glob;

    strbuf_init(&glob, arena, literal.len + pattern.len + 16);
    for (size_t i = 0; i < literal.len; i++) {
        if (is_special(literal.ptr[i]))
            strbuf_add_char(&glob, '\\');
        strbuf_add_char(&glob, literal.ptr[i]);
    }
    strbuf_add(&glob, pattern.len > 0 ? pattern : STR("*"));
    return glob.failed ? STR_NONE : strbuf_str(&glob);
}
