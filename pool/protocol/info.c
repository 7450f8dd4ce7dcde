/* What INFO tells, and HELLO. */
#include "cachewarden/redis.h"
#include "cachewarden/value.h"

struct str redis_info_field(struct str info, const char *name)
{
    struct str line, wanted = str_from(name);

    while (str_split(&info, '\n', &line)) {
        if (!str_starts(line, wanted) || line.len == wanted.len || line.ptr[wanted.len] != ':')
            continue;
        size_t end = str_ends(line, STR("\r")) ? line.len - 1 : line.len;
        return str_sub(line, wanted.len + 1, end - wanted.len - 1);
    }
    return STR_NONE;
}

/* HELLO without an argument answers pairs, and changes nothing. */
static struct str hello_field(const struct value *hello, struct str name)
{
    for (size_t i = 0; i + 1 < hello->count; i += 2)
        if (hello->items[i].kind == VALUE_STRING && str_eq(hello->items[i].text, name))
            return hello->items[i + 1].text;
    return STR_NONE;
}

enum redis_role redis_role_of(const struct value *told)
{
    struct str role = STR_NONE;

    if (told->kind == VALUE_ARRAY)
        role = hello_field(told, STR("role"));
    else if (told->kind == VALUE_STRING)
        role = redis_info_field(told->text, "role");
    if (str_eq(role, STR("master")))
        return REDIS_ROLE_PRIMARY;
    return str_eq(role, STR("slave")) || str_eq(role, STR("replica")) ? REDIS_ROLE_REPLICA
                                                                      : REDIS_ROLE_UNTOLD;
}
