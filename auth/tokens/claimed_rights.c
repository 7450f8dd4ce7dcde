#include "tokens/claimed_rights.h"

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

/* One that does not fit, or that could be taken for two, is not shown; it counts all the same. */
static void add_group(struct claimed_rights *rights, struct str group, struct str admin_group)
{
    if (group.len == 0)
        return;
    rights->is_admin_member |= str_eq(group, admin_group);
    if (str_has_control(group) || group.len >= sizeof rights->groups - rights->groups_len)
        return;
    memcpy(rights->groups + rights->groups_len, group.ptr, group.len);
    rights->groups_len += group.len;
    rights->groups[rights->groups_len++] = '\n';
}

static void add_groups(struct claimed_rights *rights, const struct json *groups,
                       struct str admin_group)
{
    if (json_kind(groups) == JSON_STRING) {
        add_group(rights, json_string(groups), admin_group);
        return;
    }
    for (size_t i = 0; i < json_count(groups); i++)
        add_group(rights, json_string(json_at(groups, i)), admin_group);
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
        add_groups(&rights, claim_find(arena, payload, rules->groups_claim), rules->admin_group);
    return rights;
}
