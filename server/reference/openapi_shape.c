/* From examples of a value to a JSON Schema (draft 2020-12, which OpenAPI 3.1 speaks). */
#include "reference/openapi.h"

/* Members of one object at most; no body of ours comes near it. */
enum { MEMBERS_MAX = 64 };

struct shape {
    struct json_writer *json;
    struct arena *arena;
    bool closed;
};

static void write_values(const struct shape *shape, const struct json *const *values, size_t count);

static const char *type_name(enum json_kind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "boolean",  [JSON_INTEGER] = "integer",
        [JSON_REAL] = "number",   [JSON_STRING] = "string", [JSON_ARRAY] = "array",
        [JSON_OBJECT] = "object",
    };
    return names[kind];
}

static unsigned kinds_of(const struct json *const *values, size_t count)
{
    unsigned kinds = 0;

    for (size_t i = 0; i < count; i++)
        kinds |= 1u << json_kind(values[i]);
    return kinds;
}

static void write_type(struct json_writer *json, unsigned kinds)
{
    bool is_one = (kinds & (kinds - 1)) == 0;

    json_name(json, "type");
    if (!is_one)
        json_open_array(json);
    for (int kind = JSON_NULL; kind <= JSON_OBJECT; kind++)
        if (kinds & 1u << kind)
            json_write_string(json, str_from(type_name((enum json_kind)kind)));
    if (!is_one)
        json_close_array(json);
}

/* ---- objects ---- */

struct members {
    const char *names[MEMBERS_MAX];
    size_t count;
};

static bool add_member(struct str name, const struct json *value, void *arg)
{
    struct members *members = arg;

    (void)value;
    for (size_t i = 0; i < members->count; i++)
        if (str_eq(str_from(members->names[i]), name))
            return true;
    if (members->count < MEMBERS_MAX)
        members->names[members->count++] = name.ptr;
    return true;
}

/* The values of a member, of those that have it, behind each other in values_out. */
static size_t member_values(const struct json *const *values, size_t count, const char *name,
                            const struct json **values_out)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        if (json_get(values[i], name))
            values_out[found++] = json_get(values[i], name);
    return found;
}

static size_t count_objects(const struct json *const *values, size_t count)
{
    size_t objects = 0;

    for (size_t i = 0; i < count; i++)
        objects += json_kind(values[i]) == JSON_OBJECT;
    return objects;
}

static void write_required(const struct shape *shape, const struct members *members,
                           const struct json *const *values, size_t count,
                           const struct json **scratch)
{
    size_t objects = count_objects(values, count);

    json_name(shape->json, "required");
    json_open_array(shape->json);
    for (size_t i = 0; i < members->count; i++)
        if (member_values(values, count, members->names[i], scratch) == objects)
            json_write_string(shape->json, str_from(members->names[i]));
    json_close_array(shape->json);
}

static void write_members(const struct shape *shape, const struct json *const *values, size_t count)
{
    struct members *members = arena_alloc(shape->arena, sizeof *members);
    const struct json **scratch = arena_alloc(shape->arena, count * sizeof *scratch);

    if (!members || !scratch) {
        shape->json->out->failed = true;
        return;
    }
    members->count = 0;
    for (size_t i = 0; i < count; i++)
        json_each(values[i], add_member, members);
    json_name(shape->json, "properties");
    json_open_object(shape->json);
    for (size_t i = 0; i < members->count; i++) {
        json_name(shape->json, members->names[i]);
        write_values(shape, scratch, member_values(values, count, members->names[i], scratch));
    }
    json_close_object(shape->json);
    write_required(shape, members, values, count, scratch);
    if (shape->closed)
        json_add_bool(shape->json, "additionalProperties", false);
}

/* ---- arrays ---- */

static void write_items(const struct shape *shape, const struct json *const *values, size_t count)
{
    size_t total = 0, at = 0;

    for (size_t i = 0; i < count; i++)
        total += json_kind(values[i]) == JSON_ARRAY ? json_count(values[i]) : 0;
    json_name(shape->json, "items");
    if (total == 0) { /* nothing is known of them; the only empty list of ours is one of names */
        json_open_object(shape->json);
        json_add_string(shape->json, "type", STR("string"));
        json_close_object(shape->json);
        return;
    }
    const struct json **items = arena_alloc(shape->arena, total * sizeof *items);
    if (!items) {
        shape->json->out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; json_kind(values[i]) == JSON_ARRAY && j < json_count(values[i]); j++)
            items[at++] = json_at(values[i], j);
    write_values(shape, items, total);
}

static void write_values(const struct shape *shape, const struct json *const *values, size_t count)
{
    unsigned kinds = kinds_of(values, count);

    if (kinds & 1u << JSON_REAL)
        kinds &= ~(1u << JSON_INTEGER); /* a number may happen to be whole */
    json_open_object(shape->json);
    write_type(shape->json, kinds);
    if (kinds & 1u << JSON_OBJECT)
        write_members(shape, values, count);
    if (kinds & 1u << JSON_ARRAY)
        write_items(shape, values, count);
    json_close_object(shape->json);
}

void openapi_write_shape(struct json_writer *json, struct arena *arena,
                         const struct json *const *values, size_t count, bool closed)
{
    const struct shape shape = {json, arena, closed};

    write_values(&shape, values, count);
}

/* ---- values ---- */

static bool write_member(struct str name, const struct json *value, void *arg)
{
    json_name(arg, name.ptr);
    openapi_write_value(arg, value);
    return true;
}

void openapi_write_value(struct json_writer *json, const struct json *value)
{
    switch (json_kind(value)) {
    case JSON_NULL:
        json_write_null(json);
        break;
    case JSON_BOOL:
        json_write_bool(json, json_bool(value));
        break;
    case JSON_INTEGER:
        json_write_integer(json, json_integer(value));
        break;
    case JSON_REAL:
        json_write_real(json, json_real(value), 3);
        break;
    case JSON_STRING:
        json_write_string(json, json_string(value));
        break;
    case JSON_ARRAY:
        json_open_array(json);
        for (size_t i = 0; i < json_count(value); i++)
            openapi_write_value(json, json_at(value, i));
        json_close_array(json);
        break;
    case JSON_OBJECT:
        json_open_object(json);
        json_each(value, write_member, json);
        json_close_object(json);
        break;
    }
}
