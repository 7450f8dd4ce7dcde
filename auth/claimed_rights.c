#include "claimed_rights.h"

#include "cachewarden/arena.h"

static const struct json *get(struct arena *arena, const struct json *object, struct str name)
{
    struct str copy = str_dup(arena, name);

    return copy.ptr ? json_get(object, copy.ptr) : NULL;
}

const struct json *claim_find(struct arena *arena, const struct json *payload, struct str name)
{
    const struct json *value = get(arena, payload, name);
    struct str part;

    if (value || str_find(name, '.') < 0)
        return value;
    value = payload;
    while (value && str_split(&name, '.', &part))
        value = get(arena, value, part);
    return value;
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
