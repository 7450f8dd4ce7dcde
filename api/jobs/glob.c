#include "jobs/glob.h"

/* Behind a range's '-' stands `end`. Redis takes a ] and a \ there as the end itself, and turns z-a round. */
static const char *check_range(char begin, char end)
{
    if (begin == '\\' || end == '\\')
        return "A range with a \\ at an end is not known, write each byte by itself";
    if (end == ']')
        return "[a-] is not known, write [-a]";
    if ((unsigned char)end < (unsigned char)begin)
        return "A range goes upwards, write [a-z] for [z-a], and [-az] where - is meant itself";
    return NULL;
}

/* Moves *at behind one byte, an escaped one, or a range. NULL, or what is wrong. */
static const char *skip_member(struct str pattern, size_t *at)
{
    const char *here = pattern.ptr + *at;
    size_t left = pattern.len - *at, size = here[0] == '\\' ? 2 : 1;
    const char *mistake = NULL;

    if (left >= 2 && here[0] == '[' && (here[1] == ':' || here[1] == '=' || here[1] == '.'))
        return "[[:digit:]] is not known, write [0-9], and \\[ where it is meant itself";
    /* An escaped byte begins no range for Redis: for it \a-z is a, - and z. */
    if (left >= size + 2 && here[size] == '-' && (size == 1 || here[size + 1] != ']')) {
        mistake = check_range(here[0], here[size + 1]);
        size += 2;
    }
    for (size_t i = 0; i < size && i < left && !mistake; i++)
        if ((unsigned char)here[i] >= 0x80)
            mistake = "Brackets are for one byte, and this letter has several: write ? for each of "
                      "them";
    *at += size;
    return mistake;
}

/* Moves *at, which is behind a '[', behind its ']'. What Redis reads otherwise than a shell, or not as what was
 * meant, is not taken. NULL, or what is wrong. */
static const char *skip_class(struct str pattern, size_t *at)
{
    size_t i = *at, first;
    const char *mistake = NULL;

    if (i < pattern.len && pattern.ptr[i] == '!')
        return "[!a] is not known, write [^a]; where ! itself is meant, put it behind another";
    i += i < pattern.len && pattern.ptr[i] == '^';
    for (first = i; i < pattern.len && pattern.ptr[i] != ']' && !mistake;)
        mistake = skip_member(pattern, &i);
    if (mistake)
        return mistake;
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
