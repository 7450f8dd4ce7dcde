#include "gateway/rules/fields.h"

/* Most names differ by their lengths. */
static bool is_name(struct str name, struct str other)
{
    return name.len == other.len && str_eq_nocase(name, other);
}

const struct http_field *fields_find(const struct http_fields *fields, struct str name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (is_name(fields->items[i].name, name))
            return &fields->items[i];
    return NULL;
}

struct str fields_value(const struct http_fields *fields, struct str name)
{
    const struct http_field *field = fields_find(fields, name);

    if (field == NULL)
        return STR_NONE;
    struct str value = str_trim(field->value);
    return value.ptr ? value : STR("");
}

size_t fields_count(const struct http_fields *fields, struct str name)
{
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++)
        count += is_name(fields->items[i].name, name);
    return count;
}

bool name_is_among(struct str name, const struct str *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_name(name, names[i]))
            return true;
    return false;
}

size_t quoted_string_length(struct str text)
{
    if (text.len == 0 || text.ptr[0] != '"')
        return 0;
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] == '"')
            return i + 1;
        if (text.ptr[i] == '\\')
            i++;
    }
    return 0;
}

/* Where the first comma is that stands in no quoted string, or the end. */
static size_t element_length(struct str text)
{
    size_t i = 0;

    while (i < text.len && text.ptr[i] != ',') {
        if (text.ptr[i] == '"') {
            size_t quoted = quoted_string_length(str_sub(text, i, text.len));

            i = quoted > 0 ? i + quoted : text.len;
        } else {
            i++;
        }
    }
    return i;
}

struct field_list field_list_of(const struct http_fields *fields, struct str name)
{
    return (struct field_list){.fields = fields, .name = name};
}

struct field_list field_list_in(struct str text)
{
    return (struct field_list){.rest = text};
}

static bool next_line(struct field_list *list)
{
    while (list->fields && list->next_line < list->fields->count) {
        const struct http_field *field = &list->fields->items[list->next_line++];

        if (is_name(field->name, list->name)) {
            list->rest = field->value;
            return true;
        }
    }
    return false;
}

bool field_list_next(struct field_list *list, struct str *element_out)
{
    for (;;) {
        while (list->rest.len > 0) {
            size_t length = element_length(list->rest);
            struct str element = str_trim(str_sub(list->rest, 0, length));

            list->rest = str_sub(list->rest, length + 1, list->rest.len);
            if (element.len > 0) {
                *element_out = element;
                return true;
            }
        }
        if (!next_line(list))
            return false;
    }
}

bool field_list_has(const struct http_fields *fields, struct str name, struct str element)
{
    struct field_list list = field_list_of(fields, name);
    struct str found;

    while (field_list_next(&list, &found))
        if (str_eq_nocase(found, element))
            return true;
    return false;
}

enum err fields_filter(struct arena *arena, const struct http_fields *fields,
                       bool (*keep)(const struct http_field *field, void *arg), void *arg,
                       struct http_fields *kept_out)
{
    struct http_fields kept = {arena_calloc(arena, fields->count, sizeof *fields->items), 0};

    if (kept.items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < fields->count; i++)
        if (keep(&fields->items[i], arg))
            kept.items[kept.count++] = fields->items[i];
    *kept_out = kept;
    return ERR_OK;
}
