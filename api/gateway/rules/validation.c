#include "gateway/rules/validation.h"

#include "gateway/rules/entity_tag.h"
#include "gateway/rules/http_date.h"
#include "gateway/rules/passing.h"

#define COUNT(names) (sizeof(names) / sizeof *(names))

static bool has_date(const struct response_head *response, struct str name, int64_t *seconds_out)
{
    return fields_date(&response->fields, name, response->response_time_ms / 1000, seconds_out);
}

/* Of a value that becomes a line of a request. */
static struct str line_value(const struct http_fields *fields, struct str name)
{
    const struct str value = fields_value(fields, name);

    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] < ' ' || value.ptr[i] == 0x7f)
            return STR_NONE;
    return value;
}

bool response_can_be_validated(const struct response_head *response)
{
    int64_t modified_s;

    return (response->status == 200 || response->status == 203) &&
           (line_value(&response->fields, STR("etag")).len > 0 ||
            has_date(response, STR("last-modified"), &modified_s));
}

static bool is_no_condition(const struct http_field *field, void *arg)
{
    static const struct str names[] = {
        STR("if-none-match"),       STR("if-modified-since"), STR("if-match"),
        STR("if-unmodified-since"), STR("if-range"),          STR("range"),
    };

    (void)arg;
    return !name_is_among(field->name, names, COUNT(names));
}

enum err validation_fields(struct arena *arena, const struct http_fields *request,
                           const struct response_head *stored, struct http_fields *fields_out)
{
    const struct str etag = line_value(&stored->fields, STR("etag"));
    struct http_fields kept, all;
    int64_t modified_s;
    const enum err err = fields_filter(arena, request, is_no_condition, NULL, &kept);

    if (err != ERR_OK)
        return err;
    all = (struct http_fields){arena_calloc(arena, kept.count + 2, sizeof *all.items), kept.count};
    if (all.items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < kept.count; i++)
        all.items[i] = kept.items[i];
    if (etag.len > 0)
        all.items[all.count++] = (struct http_field){STR("If-None-Match"), etag};
    if (has_date(stored, STR("last-modified"), &modified_s))
        all.items[all.count++] = (struct http_field){
            STR("If-Modified-Since"), fields_value(&stored->fields, STR("last-modified"))};
    *fields_out = all;
    return ERR_OK;
}

/* A validator that one of both does not have says nothing. */
static bool has_other_date(const struct http_fields *received, const struct response_head *stored)
{
    int64_t received_s, stored_s;

    return fields_date(received, STR("last-modified"), stored->response_time_ms / 1000,
                       &received_s) &&
           (!has_date(stored, STR("last-modified"), &stored_s) || received_s != stored_s);
}

bool not_modified_is_about(const struct http_fields *received, const struct response_head *stored)
{
    const struct str etag = fields_value(received, STR("etag"));

    if (etag.len > 0)
        return entity_tags_match_weakly(etag, fields_value(&stored->fields, STR("etag")));
    return !has_other_date(received, stored);
}

/* What says how the stored bytes are to be read. */
static bool belongs_to_body(struct str name)
{
    static const struct str names[] = {STR("content-length"), STR("content-encoding"),
                                       STR("content-range")};

    return name_is_among(name, names, COUNT(names));
}

static bool is_updated_by(const struct http_fields *received, struct str name)
{
    return !belongs_to_body(name) && response_field_is_stored(received, name);
}

static bool stays(const struct http_fields *received, struct str name)
{
    static const struct str of_the_moment[] = {STR("age"), STR("date")};

    if (name_is_among(name, of_the_moment, COUNT(of_the_moment)) ||
        response_directives_name(received, name))
        return false;
    return fields_find(received, name) == NULL || !is_updated_by(received, name);
}

enum err freshened_fields(struct arena *arena, const struct http_fields *stored,
                          const struct http_fields *received, struct http_fields *fields_out)
{
    struct http_fields all = {
        arena_calloc(arena, stored->count + received->count, sizeof *all.items), 0};

    if (all.items == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < stored->count; i++)
        if (stays(received, stored->items[i].name))
            all.items[all.count++] = stored->items[i];
    for (size_t i = 0; i < received->count; i++)
        if (is_updated_by(received, received->items[i].name))
            all.items[all.count++] = received->items[i];
    *fields_out = all;
    return ERR_OK;
}

static bool has_other_length(const struct http_fields *received, int64_t body_length)
{
    const struct str text = fields_value(received, STR("content-length"));
    int64_t length;

    return text.ptr && (!str_to_int64(text, 0, INT64_MAX, &length) || length != body_length);
}

enum head_effect head_effect_of(int status, const struct http_fields *received,
                                const struct response_head *stored, int64_t body_length)
{
    const struct str etag = fields_value(received, STR("etag"));

    if (status != 200 || stored->status != 200)
        return HEAD_SAYS_NOTHING;
    if (has_other_length(received, body_length) || has_other_date(received, stored) ||
        (etag.len > 0 && !str_eq(etag, fields_value(&stored->fields, STR("etag")))))
        return HEAD_INVALIDATES;
    return HEAD_FRESHENS;
}
