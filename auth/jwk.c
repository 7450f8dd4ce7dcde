#include "jwk.h"

#include "cachewarden/arena.h"

static enum err refuse(struct error *error, const char *why)
{
    return error_set(error, ERR_BAD_INPUT, "%s", why);
}

/* A member that may be absent, but not be something else than a string. */
static enum err read_text(const struct json *jwk, const char *name, bool *present_out,
                          struct str *text_out, struct error *error)
{
    const struct json *value = json_get(jwk, name);

    *present_out = value != NULL;
    *text_out = json_string(value);
    if (!value || json_kind(value) == JSON_STRING)
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT, "%s is not a string", name);
}

/* A member that has to be there, with base64url of at least one byte. */
static enum err read_bytes(struct arena *arena, const struct json *jwk, const char *name,
                           struct str *bytes_out, struct error *error)
{
    const struct json *value = json_get(jwk, name);

    if (json_kind(value) == JSON_STRING && base64url_decode(arena, json_string(value), bytes_out) &&
        bytes_out->len > 0)
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT, "%s is missing, or no base64url", name);
}

static bool has_verify(const struct json *operations)
{
    for (size_t i = 0; i < json_count(operations); i++) {
        if (str_eq(json_string(json_at(operations, i)), STR("verify")))
            return true;
    }
    return false;
}

/* RFC 7517 sections 4.2 and 4.3: a key for encryption does not sign. */
static enum err check_purpose(const struct json *jwk, struct error *error)
{
    const struct json *use = json_get(jwk, "use"), *operations = json_get(jwk, "key_ops");

    if (use && !str_eq(json_string(use), STR("sig")))
        return refuse(error, "use is not sig");
    if (operations && (json_kind(operations) != JSON_ARRAY || !has_verify(operations)))
        return refuse(error, "key_ops does not have verify");
    return ERR_OK;
}

/* The parts of a key, by its type. `algorithm` is not one that takes it: ERR_BAD_INPUT. */
static enum err read_parts(struct arena *arena, const struct json *jwk,
                           enum jws_algorithm algorithm, struct jws_key **key_out,
                           struct error *error)
{
    struct str type = json_string(json_get(jwk, "kty")), curve = json_string(json_get(jwk, "crv"));
    struct str first, second;
    enum err err;

    if (str_eq(type, STR("oct"))) {
        err = read_bytes(arena, jwk, "k", &first, error);
        return err ? err : jws_key_new_secret(algorithm, first, key_out, error);
    }
    if (str_eq(type, STR("RSA"))) {
        if ((err = read_bytes(arena, jwk, "n", &first, error)) != ERR_OK ||
            (err = read_bytes(arena, jwk, "e", &second, error)) != ERR_OK)
            return err;
        return jws_key_new_rsa(algorithm, first, second, key_out, error);
    }
    if (str_eq(type, STR("EC")) && str_eq(curve, STR("P-256"))) {
        if ((err = read_bytes(arena, jwk, "x", &first, error)) != ERR_OK ||
            (err = read_bytes(arena, jwk, "y", &second, error)) != ERR_OK)
            return err;
        return jws_key_new_p256(algorithm, first, second, key_out, error);
    }
    if (str_eq(type, STR("OKP")) && str_eq(curve, STR("Ed25519"))) {
        err = read_bytes(arena, jwk, "x", &first, error);
        return err ? err : jws_key_new_ed25519(algorithm, first, key_out, error);
    }
    return refuse(error, "kty is not oct, RSA, EC with P-256 or OKP with Ed25519");
}

/* With the algorithm the JWK names, or the first of the rules that takes it. */
static enum err make_key(struct arena *arena, const struct jwk_rules *rules, const struct json *jwk,
                         struct jws_key **key_out, struct error *error)
{
    struct str name;
    bool has_name;

    enum err err = read_text(jwk, "alg", &has_name, &name, error);
    if (err)
        return err;
    err = refuse(error, "its alg is not one of those that are accepted");
    for (size_t i = 0; i < rules->algorithm_count; i++) {
        if (has_name && !str_eq(name, str_from(jws_algorithm_name(rules->algorithms[i]))))
            continue;
        err = read_parts(arena, jwk, rules->algorithms[i], key_out, error);
        if (err != ERR_BAD_INPUT)
            return err;
    }
    return err;
}

enum err jwk_read(struct arena *arena, const struct jwk_rules *rules, const struct json *jwk,
                  struct jws_key **key_out, bool *has_kid_out, struct str *kid_out,
                  struct error *error)
{
    enum err err;

    *key_out = NULL;
    *has_kid_out = false;
    *kid_out = STR_NONE;
    if (json_kind(jwk) != JSON_OBJECT || json_kind(json_get(jwk, "kty")) != JSON_STRING)
        return refuse(error, "it is no JWK: an object with a kty");
    if (!rules->accepts_secrets && str_eq(json_string(json_get(jwk, "kty")), STR("oct")))
        return refuse(error, "a secret in a key set is not accepted");
    if ((err = read_text(jwk, "kid", has_kid_out, kid_out, error)) != ERR_OK ||
        (err = check_purpose(jwk, error)) != ERR_OK)
        return err;
    return make_key(arena, rules, jwk, key_out, error);
}
