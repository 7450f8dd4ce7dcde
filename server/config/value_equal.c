/* Whether two settings are the same: what a reload has to tell, and to apply. */
#include "config/config_private.h"

#include <string.h>

typedef bool same_value(const struct setting *row, const void *a, const void *b);

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_texts(const struct config_texts *a, const struct config_texts *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static bool same_database(const struct config_database *a, const struct config_database *b)
{
    return a->given == b->given && a->number == b->number && same_text(a->url, b->url);
}

static bool same_list(const struct setting_table *fields, const struct config_list *a,
                      const struct config_list *b, same_value *same)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count * fields->count; i++) {
        size_t item = i / fields->count * fields->item_size;
        if (!same(&fields->rows[i % fields->count], (const char *)a->items + item,
                  (const char *)b->items + item))
            return false;
    }
    return true;
}

bool value_equal(const struct setting *row, const void *a, const void *b)
{
    const void *left = setting_field_const(row, a), *right = setting_field_const(row, b);
    switch (row->kind) {
    case KIND_TEXT:
    case KIND_SECRET:
    case KIND_URL:
        return same_text(*(char *const *)left, *(char *const *)right);
    case KIND_INTEGER:
        return *(const int64_t *)left == *(const int64_t *)right;
    case KIND_BOOLEAN:
        return *(const bool *)left == *(const bool *)right;
    case KIND_CHOICE:
        return *(const int *)left == *(const int *)right;
    case KIND_TEXTS:
    case KIND_SECRETS:
        return same_texts(left, right);
    case KIND_DATABASE:
        return same_database(left, right);
    case KIND_CACHES:
    case KIND_ISSUERS:
    case KIND_ROUTES:
        break;
    }
    return same_list(setting_fields(row->kind), left, right, value_equal);
}

/* What stands behind the '@', as it is found when a URL is shown: the last one before the query. */
static struct str place_of(struct str url, struct str *scheme_out)
{
    ptrdiff_t colon = str_find(url, ':'), query = str_find(url, '?');
    size_t end = query < 0 ? url.len : (size_t)query, begin = colon < 0 ? 0 : (size_t)colon;

    *scheme_out = str_sub(url, 0, begin);
    for (size_t i = begin; i < end; i++)
        if (url.ptr[i] == '@')
            begin = i;
    return str_sub(url,
                   url.len > begin && url.ptr[begin] == '@'               ? begin + 1
                   : str_starts(str_sub(url, begin, url.len), STR("://")) ? begin + 3
                                                                          : begin,
                   url.len);
}

static bool same_place(const char *a, const char *b)
{
    struct str scheme_a, scheme_b;

    if (!a || !b)
        return a == b;
    struct str place_a = place_of(str_from(a), &scheme_a),
               place_b = place_of(str_from(b), &scheme_b);

    return str_eq(scheme_a, scheme_b) && str_eq(place_a, place_b);
}

bool value_equal_but_login(const struct setting *row, const void *a, const void *b)
{
    const void *left = setting_field_const(row, a), *right = setting_field_const(row, b);

    if (row->kind == KIND_URL)
        return same_place(*(char *const *)left, *(char *const *)right);
    if (row->kind == KIND_DATABASE) {
        const struct config_database *one = left, *other = right;
        return one->given == other->given && one->number == other->number &&
               same_place(one->url, other->url);
    }
    return setting_fields(row->kind)
               ? same_list(setting_fields(row->kind), left, right, value_equal_but_login)
               : value_equal(row, a, b);
}
