#include "gateway/response_tags.h"

#include "cachewarden/arena.h"
#include "gateway/stored.h"

/* One more than may be: who has so many is not stored. */
enum { TAGS_MAX = STORED_TAGS_MAX + 1 };

static void add(struct str *tags, size_t *count, struct str tag)
{
    if (tag.len > 0 && *count < TAGS_MAX)
        tags[(*count)++] = tag;
}

static void add_surrogate_keys(const struct http_fields *fields, struct str *tags, size_t *count)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct str rest = fields->items[i].value, tag;
        if (!str_eq_nocase(fields->items[i].name, STR("Surrogate-Key")))
            continue;
        while (str_split(&rest, ' ', &tag))
            add(tags, count, str_trim(tag));
    }
}

enum err response_tags(struct arena *arena, const struct http_fields *fields,
                       const struct str **tags_out, size_t *count_out)
{
    struct field_list list = field_list_of(fields, STR("cache-tag"));
    struct str tag;
    size_t count = 0;

    *tags_out = NULL;
    *count_out = 0;
    if (!fields_find(fields, STR("cache-tag")) && !fields_find(fields, STR("surrogate-key")))
        return ERR_OK;
    struct str *tags = arena_calloc(arena, TAGS_MAX, sizeof *tags);
    if (!tags)
        return ERR_NO_MEMORY;
    while (field_list_next(&list, &tag))
        add(tags, &count, tag);
    add_surrogate_keys(fields, tags, &count);
    *tags_out = tags;
    *count_out = count;
    return ERR_OK;
}
