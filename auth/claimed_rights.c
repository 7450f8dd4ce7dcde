#include "claimed_rights.h"

#include "cachewarden/arena.h"

static const struct json *get(struct arena *arena, const struct json *object, struct str name)
{
    struct str copy = str_dup(arena, name);

    return copy.ptr ? json_get(object, copy.ptr) : NULL;
}

/* Below an object, each way to read the dots: as they lead to the next member, or are part of its name. No
 * member is looked at twice, for its place tells how far the name was read. */
static const struct json *find_inside(struct arena *arena, const struct json *object,
                                      struct str name)
{
    const struct json *value = NULL, *member;

    for (size_t i = 0; i < name.len && !value; i++) {
        if (name.ptr[i] != '.')
            continue;
        struct str rest = str_sub(name, i + 1, name.len - i - 1);
        member = get(arena, object, str_sub(name, 0, i));
        value = member ? find_inside(arena, member, rest) : NULL;
    }
    return value ? value : get(arena, object, name);
}

const struct json *claim_find(struct arena *arena, const struct json *payload, struct str name)
{
    const struct json *value = get(arena, payload, name);

    return value ? value : find_inside(arena, payload, name);
}

static bool is_member(const struct json *groups, struct str group)
{
    if (group.len == 0)
        return false;
    if (json_kind(groups) == JSON_STRING)
        return str_eq(json_string(groups), group);
    for (size_t i = 0; i < json_count(groups); i++) {
        if (str_eq(json_string(json_at(groups, i)), group))
            return true;
    }
    return false;
}

struct claimed_rights claimed_rights_read(struct arena *arena, const struct json *payload,
                                          const struct claimed_rights_rules *rules)
{
    struct claimed_rights rights = {
        .has_superuser = rules->superuser_claim.len > 0,
        .has_groups = rules->groups_claim.len > 0,
    };

    if (rights.has_superuser)
        rights.is_superuser = json_bool(claim_find(arena, payload, rules->superuser_claim));
    if (rights.has_groups)
        rights.is_admin_member =
            is_member(claim_find(arena, payload, rules->groups_claim), rules->admin_group);
    return rights;
}
