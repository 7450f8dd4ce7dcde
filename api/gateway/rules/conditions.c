#include "gateway/rules/conditions.h"

#include "gateway/rules/entity_tag.h"
#include "gateway/rules/http_date.h"

/* When it was last changed, as far as it says so. */
static int64_t changed_s(const struct response_head *stored)
{
    const int64_t came_s = stored->response_time_ms / 1000;
    int64_t seconds;

    if (fields_date(&stored->fields, STR("last-modified"), came_s, &seconds) ||
        fields_date(&stored->fields, STR("date"), came_s, &seconds))
        return seconds;
    return came_s;
}

bool stored_is_not_modified(const struct http_fields *request, const struct response_head *stored)
{
    int64_t since_s;

    if (stored->status < 200 || stored->status > 299)
        return false;
    if (fields_find(request, STR("if-none-match")))
        return entity_tag_is_listed(request, STR("if-none-match"),
                                    fields_value(&stored->fields, STR("etag")));
    return fields_date(request, STR("if-modified-since"), stored->response_time_ms / 1000,
                       &since_s) &&
           changed_s(stored) <= since_s;
}

/* A date is a strong validator only if nothing changed in the second in which the response was made. */
static bool is_same_date(struct str if_range, const struct response_head *stored)
{
    const int64_t came_s = stored->response_time_ms / 1000;
    int64_t wanted_s, modified_s, made_s;

    if (!http_date_parse(if_range, came_s, &wanted_s) ||
        !fields_date(&stored->fields, STR("last-modified"), came_s, &modified_s))
        return false;
    if (!fields_date(&stored->fields, STR("date"), came_s, &made_s))
        made_s = came_s;
    return wanted_s == modified_s && modified_s < made_s;
}

bool stored_is_in_range(const struct http_fields *request, const struct response_head *stored)
{
    const struct str if_range = fields_value(request, STR("if-range"));

    if (if_range.ptr == NULL)
        return true;
    return fields_count(request, STR("if-range")) == 1 &&
           (entity_tags_match_strongly(if_range, fields_value(&stored->fields, STR("etag"))) ||
            is_same_date(if_range, stored));
}

static bool is_not_about_body(const struct http_field *field, void *arg)
{
    static const struct str names[] = {
        STR("content-length"),   STR("content-type"),  STR("content-encoding"),
        STR("content-language"), STR("content-range"), STR("accept-ranges"),
        STR("content-md5"),      STR("digest"),        STR("content-digest"),
        STR("repr-digest"),
    };

    (void)arg;
    return !name_is_among(field->name, names, sizeof names / sizeof *names);
}

enum err not_modified_fields(struct arena *arena, const struct http_fields *stored,
                             struct http_fields *fields_out)
{
    return fields_filter(arena, stored, is_not_about_body, NULL, fields_out);
}
