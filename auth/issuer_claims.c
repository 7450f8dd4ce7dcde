#include "issuer_claims.h"

#include "cachewarden/json.h"

#include <inttypes.h>

static const struct json *get(struct arena *arena, const struct json *object, struct str name)
{
    struct str copy = str_dup(arena, name);

    return copy.ptr ? json_get(object, copy.ptr) : NULL;
}

/* The claim of that very name, as "https://id.example/groups" is one; else dots lead to a member of
 * a member, as in Keycloak's "realm_access.roles". */
static const struct json *find(struct arena *arena, const struct json *payload, struct str name)
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

/* A number stands for its digits: issuers write either. Empty when it is absent (NULL). */
static enum err read_name(struct arena *arena, const struct json *value, const char *claim,
                          struct str *name_out, struct error *error)
{
    if (json_kind(value) != JSON_INTEGER)
        return claims_read_text(value, claim, name_out, error);
    *name_out = str_format(arena, "%" PRId64, json_integer(value));
    return name_out->ptr ? ERR_OK : ERR_NO_MEMORY;
}

static enum err read_user(struct arena *arena, const struct issuer_spec *spec,
                          const struct json *payload, struct str *user_out, struct error *error)
{
    const struct json *value = find(arena, payload, spec->user_claim);

    if (!value)
        return error_set_detail(error, ERR_UNAUTHENTICATED, "token: the user claim is missing");
    return read_name(arena, value, "the user claim", user_out, error);
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

static void read_rights(struct arena *arena, const struct issuer_spec *spec,
                        const struct issuer_claims_rules *rules, const struct json *payload,
                        struct issuer_claims *claims)
{
    claims->has_superuser_claim = spec->superuser_claim.len > 0;
    claims->has_groups_claim = spec->groups_claim.len > 0;
    if (claims->has_superuser_claim)
        claims->is_superuser = json_bool(find(arena, payload, spec->superuser_claim));
    if (claims->has_groups_claim)
        claims->is_admin_member =
            is_member(find(arena, payload, spec->groups_claim), rules->admin_group);
}

enum err issuer_claims_read(const struct issuer_spec *spec, const struct issuer_claims_rules *rules,
                            struct arena *arena, struct str text, struct issuer_claims *claims,
                            struct error *error)
{
    const struct claims_rules common = {
        .issuer = spec->name, .audience = spec->audience, .leeway_s = rules->leeway_s};
    struct token_claims *token = &claims->claims.token;
    const struct json *payload = NULL;

    *claims = (struct issuer_claims){.is_foreign = true};
    enum err err = claims_parse(&common, arena, text, &payload, &claims->claims, error);
    if (err)
        return err;
    if (!token->is_own)
        return error_set_detail(error, ERR_UNAUTHENTICATED, "token: iss is missing");
    token->is_own = false;
    err = read_name(arena, json_get(payload, "sub"), "sub", &token->subject, error);
    if (!err)
        err = read_user(arena, spec, payload, &claims->user, error);
    if (err)
        return err;
    /* A subject that looks like an account's id is none where subjects get ids of their own. */
    if (!spec->provision && !str_to_int64(claims->user, 1, INT64_MAX, &token->user_id))
        return error_set_detail(error, ERR_UNAUTHENTICATED,
                                "token: the user claim is not a positive integer, and the issuer "
                                "has no provision = true");
    read_rights(arena, spec, rules, payload, claims);
    return ERR_OK;
}

struct str issuer_claims_peek(struct arena *arena, struct str payload)
{
    const struct json *root = NULL;

    if (json_parse(arena, payload, &root, NULL) != ERR_OK)
        return STR_NONE;
    return json_string(json_get(root, "iss"));
}
