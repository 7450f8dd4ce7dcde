#include "issuers/issuer_claims.h"

#include "tokens/claimed_rights.h"

#include "cachewarden/digest.h"
#include "cachewarden/json.h"

#include <inttypes.h>

enum { ISSUER_BYTES = 16 };

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
    const struct json *value = claim_find(arena, payload, spec->user_claim);

    if (!value)
        return error_set_detail(error, ERR_UNAUTHENTICATED, "token: the user claim is missing");
    return read_name(arena, value, "the user claim", user_out, error);
}

/* Goes into names of members, keys and records, where a name of any length and letters could not. */
static enum err read_issuer(struct arena *arena, struct str name, struct str *issuer_out)
{
    unsigned char digest[DIGEST_SHA256_SIZE];
    enum err err = digest_sha256(name, digest);

    if (err)
        return err;
    *issuer_out = hex_encode(arena, (struct str){(const char *)digest, ISSUER_BYTES});
    return issuer_out->ptr ? ERR_OK : ERR_NO_MEMORY;
}

enum err issuer_claims_read(const struct issuer_spec *spec, const struct issuer_claims_rules *rules,
                            struct arena *arena, struct str text, struct issuer_claims *claims,
                            struct error *error)
{
    const struct claims_rules common = {
        .issuer = spec->name, .audience = spec->audience, .leeway_s = rules->leeway_s};
    struct token_claims *token = &claims->claims.token;
    const struct json *payload = NULL;

    *claims = (struct issuer_claims){.is_foreign = true, .accounts = spec->accounts};
    enum err err = claims_parse(&common, arena, text, &payload, &claims->claims, error);
    if (err)
        return err;
    if (!token->is_own)
        return error_set_detail(error, ERR_UNAUTHENTICATED, "token: iss is missing");
    token->is_own = false;
    err = read_name(arena, json_get(payload, "sub"), "sub", &token->subject, error);
    if (!err)
        err = read_issuer(arena, spec->name, &token->issuer);
    if (!err)
        err = read_user(arena, spec, payload, &claims->user, error);
    if (err)
        return err;
    /* A subject that looks like an account's id is none where subjects get ids of their own. */
    if (spec->accounts != ISSUER_ACCOUNTS_PROVISION &&
        !str_to_int64(claims->user, 1, INT64_MAX, &token->user_id))
        return error_set_detail(error, ERR_UNAUTHENTICATED,
                                "token: the user claim is not a positive integer, and the issuer "
                                "has accounts = none or local");
    const struct claimed_rights_rules rights = {spec->superuser_claim, spec->groups_claim,
                                                rules->admin_group};
    token->rights = claimed_rights_read(arena, payload, &rights);
    return ERR_OK;
}

struct str issuer_claims_peek(struct arena *arena, struct str payload)
{
    const struct json *root = NULL;

    if (json_parse(arena, payload, &root, NULL) != ERR_OK)
        return STR_NONE;
    return json_string(json_get(root, "iss"));
}
