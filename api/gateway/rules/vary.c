#include "gateway/rules/vary.h"

#include <stdlib.h>

#define COUNT(names) (sizeof(names) / sizeof *(names))

/* A comma in these parts nothing, and a blank may be meant. */
static const struct str no_lists[] = {
    STR("authorization"),     STR("cookie"), STR("date"),    STR("host"),
    STR("if-modified-since"), STR("origin"), STR("referer"), STR("user-agent"),
};

static const struct str weighted[] = {
    STR("accept-language"),
    STR("accept-encoding"),
    STR("accept-charset"),
};

static int order(struct str a, struct str b)
{
    const int difference =
        memcmp(a.ptr ? a.ptr : "", b.ptr ? b.ptr : "", a.len < b.len ? a.len : b.len);

    if (difference != 0)
        return difference;
    return (a.len > b.len) - (a.len < b.len);
}

static int compare_names(const void *a, const void *b)
{
    return order(*(const struct str *)a, *(const struct str *)b);
}

static struct str lower_case(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.len);

    if (copy == NULL)
        return STR_NONE;
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (char)(text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? text.ptr[i] - 'A' + 'a'
                                                                  : text.ptr[i]);
    return (struct str){copy, text.len};
}

static enum err join_names(struct arena *arena, struct str *names, size_t count,
                           struct str *names_out)
{
    struct strbuf joined;

    qsort(names, count, sizeof *names, compare_names);
    strbuf_init(&joined, arena, 64);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && str_eq(names[i], names[i - 1]))
            continue;
        if (i > 0)
            strbuf_add_char(&joined, ',');
        strbuf_add(&joined, names[i]);
    }
    *names_out = strbuf_str(&joined);
    return joined.failed ? ERR_NO_MEMORY : ERR_OK;
}

enum err vary_of(struct arena *arena, const struct http_fields *response, enum vary *vary_out,
                 struct str *names_out)
{
    struct field_list list = field_list_of(response, STR("vary"));
    struct str names[VARY_NAMES_MAX], name;
    size_t count = 0;

    *names_out = STR_NONE;
    *vary_out = VARY_ANYTHING;
    while (field_list_next(&list, &name)) {
        if (str_eq(name, STR("*")) || !str_is_token(name) || name.len > VARY_NAME_SIZE_MAX ||
            count == VARY_NAMES_MAX)
            return ERR_OK;
        names[count] = lower_case(arena, name);
        if (names[count++].ptr == NULL)
            return ERR_NO_MEMORY;
    }
    *vary_out = count > 0 ? VARY_NAMES : VARY_NOTHING;
    return count > 0 ? join_names(arena, names, count, names_out) : ERR_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A list without the blanks beside its commas. What is in quotes stays as it is. */
static void add_list(struct strbuf *out, struct str value)
{
    struct str rest = str_trim(value);
    bool behind_comma = true;

    while (rest.len > 0) {
        size_t taken = quoted_string_length(rest), blanks = 0;

        while (blanks < rest.len && is_blank(rest.ptr[blanks]))
            blanks++;
        if (blanks > 0 && (behind_comma || rest.ptr[blanks] == ',')) {
            rest = str_sub(rest, blanks, rest.len);
            continue;
        }
        if (taken == 0)
            taken = rest.ptr[0] == '"' ? rest.len : 1;
        behind_comma = rest.ptr[0] == ',';
        strbuf_add(out, str_sub(rest, 0, taken));
        rest = str_sub(rest, taken, rest.len);
    }
}

static void add_plain(struct strbuf *out, struct str value)
{
    strbuf_add(out, str_trim(value));
}

static void add_lines(struct strbuf *out, const struct http_fields *request, struct str name,
                      void (*add)(struct strbuf *out, struct str value))
{
    bool is_first = true;

    for (size_t i = 0; i < request->count; i++) {
        if (!str_eq_nocase(request->items[i].name, name))
            continue;
        if (!is_first)
            strbuf_add_char(out, ',');
        add(out, request->items[i].value);
        is_first = false;
    }
}

enum { PREFERENCES_MAX = 32 };

struct preference {
    struct str name; /* in lower case */
    int weight;      /* thousandths */
};

/* The heaviest first; those of one weight are in no order. */
static int compare_preferences(const void *a, const void *b)
{
    const struct preference *first = a, *second = b;

    if (first->weight != second->weight)
        return second->weight - first->weight;
    return order(first->name, second->name);
}

/* "1", "0.5", "0.123" */
static bool read_weight(struct str text, int *weight_out)
{
    int weight = 0, worth = 100;

    if (text.len == 0 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1') ||
        (text.len > 1 && text.ptr[1] != '.'))
        return false;
    for (size_t i = 2; i < text.len; i++, worth /= 10) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        weight += (text.ptr[i] - '0') * worth;
    }
    *weight_out = weight + (text.ptr[0] - '0') * 1000;
    return *weight_out <= 1000;
}

/* "de" or "de;q=0.5" */
static bool read_preference(struct arena *arena, struct str element, struct preference *preference)
{
    const ptrdiff_t semicolon = str_find(element, ';');
    struct str name = element;

    preference->weight = 1000;
    if (semicolon >= 0) {
        struct str parameter = str_trim(str_sub(element, (size_t)semicolon + 1, element.len));

        name = str_trim(str_sub(element, 0, (size_t)semicolon));
        if (!str_eq_nocase(str_sub(parameter, 0, 2), STR("q=")) ||
            !read_weight(str_sub(parameter, 2, parameter.len), &preference->weight))
            return false;
    }
    preference->name = lower_case(arena, name);
    return str_is_token(preference->name);
}

/* false: it is no list of preferences, or a long one, and is taken as it is. */
static bool add_preferences(struct strbuf *out, struct arena *arena,
                            const struct http_fields *request, struct str name)
{
    struct field_list list = field_list_of(request, name);
    struct preference found[PREFERENCES_MAX];
    struct str element;
    size_t count = 0;

    for (; field_list_next(&list, &element); count++)
        if (count == PREFERENCES_MAX || !read_preference(arena, element, &found[count]))
            return false;
    qsort(found, count, sizeof *found, compare_preferences);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && compare_preferences(&found[i], &found[i - 1]) == 0)
            continue;
        if (i > 0)
            strbuf_add_char(out, ',');
        strbuf_add(out, found[i].name);
        strbuf_add_char(out, ';');
        strbuf_add_int64(out, found[i].weight);
    }
    return true;
}

/* "=" and the value, or "-". */
static void add_value(struct strbuf *out, struct arena *arena, const struct http_fields *request,
                      struct str name)
{
    if (fields_find(request, name) == NULL) {
        strbuf_add_char(out, '-');
        return;
    }
    strbuf_add_char(out, '=');
    if (name_is_among(name, no_lists, COUNT(no_lists)))
        add_lines(out, request, name, add_plain);
    else if (!name_is_among(name, weighted, COUNT(weighted)) ||
             !add_preferences(out, arena, request, name))
        add_lines(out, request, name, add_list);
}

/* Behind its length, so that no value can pass for another one and a name. */
static void add_part(struct strbuf *key, struct str part)
{
    strbuf_add_int64(key, (int64_t)part.len);
    strbuf_add_char(key, ':');
    strbuf_add(key, part);
}

enum err vary_key(struct arena *arena, struct str names, const struct http_fields *request,
                  struct str *key_out)
{
    struct field_list list = field_list_in(names);
    struct strbuf key, value;
    struct str name;

    strbuf_init(&key, arena, 64);
    while (field_list_next(&list, &name)) {
        strbuf_init(&value, arena, 64);
        add_value(&value, arena, request, name);
        if (value.failed)
            return ERR_NO_MEMORY;
        add_part(&key, name);
        add_part(&key, strbuf_str(&value));
    }
    *key_out = strbuf_str(&key);
    return key.failed ? ERR_NO_MEMORY : ERR_OK;
}
