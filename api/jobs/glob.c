#include "jobs/glob.h"

/*
 * Moves *at, which is behind a '[', behind its ']', as Redis reads it: what follows a backslash is itself,
 * and so is what a '-' leads to, even a ']'. What Redis reads otherwise than a shell, or not as what was
 * meant, is not taken. NULL, or what is wrong.
 */
static const char *skip_class(struct str pattern, size_t *at)
{
    size_t i = *at, first;

    if (i < pattern.len && pattern.ptr[i] == '!')
        return "[!a] is not known, write [^a]; where ! itself is meant, put it behind another";
    i += i < pattern.len && pattern.ptr[i] == '^';
    for (first = i; i < pattern.len && pattern.ptr[i] != ']'; i++) {
        if (pattern.ptr[i] == '\\')
            i++;
        else if (i + 2 < pattern.len && pattern.ptr[i + 1] == '-')
            i += 2;
        if (i < pattern.len && (unsigned char)pattern.ptr[i] >= 0x80)
            return "Brackets are for one byte, and this letter has several: write ? for each of "
                   "them";
    }
    if (i >= pattern.len)
        return "[ has no ], write \\[ where it is meant itself";
    if (i == first)
        return "[] has nothing in it, write \\] for a ] among others";
    *at = i + 1;
    return NULL;
}

/* NULL, or what is wrong. Stars in a row are one; an escaped one, and one in brackets, is none. */
static const char *find_mistake(struct str pattern)
{
    bool is_behind_star = false;
    const char *mistake = NULL;
    int stars = 0;

    for (size_t i = 0; i < pattern.len && !mistake;) {
        char c = pattern.ptr[i++];
        stars += c == '*' && !is_behind_star;
        is_behind_star = c == '*';
        if (c == '[')
            mistake = skip_class(pattern, &i);
        else if (c == '\\' && i++ == pattern.len)
            mistake = "A \\ at the end, write \\\\ where it is meant itself";
    }
    if (!mistake && stars > GLOB_STARS_MAX)
        mistake = "Must have at most four stars";
    return mistake;
}

enum err glob_check(struct str pattern, struct error *error)
{
    if (pattern.len == 0 || pattern.len > GLOB_MAX_SIZE || !str_is_utf8(pattern) ||
        str_has_control(pattern))
        return error_set(error, ERR_BAD_INPUT,
                         "pattern: Must be 1 to 512 bytes of UTF-8 without control characters.");
    const char *mistake = find_mistake(pattern);
    if (mistake)
        return error_set(error, ERR_BAD_INPUT, "pattern: %s.", mistake);
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
