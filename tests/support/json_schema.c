#include "json_schema.h"

#include <stdint.h>
#include <string.h>

static bool has_type(const json_t *value, const char *type)
{
    return (strcmp(type, "null") == 0 && json_is_null(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "object") == 0 && json_is_object(value));
}

static bool has_one_type(const json_t *types, const json_t *value)
{
    const json_t *each;
    size_t i;
    bool has = json_is_string(types) && has_type(value, json_string_value(types));
    json_array_foreach(types, i, each) has = has || has_type(value, json_string_value(each));
    return has;
}

static bool members_fit(const json_t *schema, json_t *object)
{
    const json_t *properties = json_object_get(schema, "properties"), *each;
    const char *name;
    json_t *member;
    size_t i;
    bool is_good = true;
    json_array_foreach(json_object_get(schema, "required"), i, each)
    {
        is_good = is_good && json_object_get(object, json_string_value(each));
    }
    if (json_object_size(properties) == 0)
        return is_good;
    json_object_foreach(object, name, member)
    {
        const json_t *told = json_object_get(properties, name);
        is_good = is_good && told && json_schema_fits(told, member);
    }
    return is_good;
}

bool json_schema_fits(const json_t *schema, const json_t *value)
{
    const json_t *each;
    size_t i;
    bool is_good = has_one_type(json_object_get(schema, "type"), value);
    if (json_is_object(value))
        is_good = is_good && members_fit(schema, (json_t *)(uintptr_t)value);
    if (json_is_array(value)) {
        json_array_foreach(value, i, each)
        {
            is_good = is_good && json_schema_fits(json_object_get(schema, "items"), each);
        }
    }
    return is_good;
}
