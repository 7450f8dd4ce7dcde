#include "issuers/jwk.h"

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

/* The parts of a key, by its type, which is one that the algorithm takes. */
static enum err read_parts(struct arena *arena, const struct json *jwk,
                           enum jws_algorithm algorithm, struct jws_key **key_out,
                           struct error *error)
{
    struct str type = json_string(json_get(jwk, "kty"));
    struct str first, second;
    enum err err;

    if (str_eq(type, STR("oct"))) {
        err = read_bytes(arena, jwk, "k", &first, error);
        return err ? err : jws_key_new_secret(algorithm, first, key_out, error);
    }
    if (str_eq(type, STR("OKP"))) {
        err = read_bytes(arena, jwk, "x", &first, error);
        return err ? err : jws_key_new_ed25519(algorithm, first, key_out, error);
    }
    bool is_rsa = str_eq(type, STR("RSA"));
    if ((err = read_bytes(arena, jwk, is_rsa ? "n" : "x", &first, error)) != ERR_OK ||
        (err = read_bytes(arena, jwk, is_rsa ? "e" : "y", &second, error)) != ERR_OK)
        return err;
    return is_rsa ? jws_key_new_rsa(algorithm, first, second, key_out, error)
                  : jws_key_new_ec(algorithm, first, second, key_out, error);
}

/* A key for each algorithm that fits. Of a key that is none the first reason is told. */
static enum err make_keys(struct arena *arena, const struct jwk_rules *rules,
                          const struct json *document, struct jwk *jwk, struct error *error)
{
    struct str type = json_string(json_get(document, "kty"));
    struct str curve = json_string(json_get(document, "crv")), name;
    bool is_accepted = false, fits = false;

    enum err err = read_text(document, "alg", &jwk->names_algorithm, &name, error);
    for (size_t i = 0; !err && i < rules->algorithm_count && jwk->count < JWK_KEYS_MAX; i++) {
        enum jws_algorithm algorithm = rules->algorithms[i];
        if (jwk->names_algorithm && !str_eq(name, str_from(jws_algorithm_name(algorithm))))
            continue;
        is_accepted = true;
        if (!jws_algorithm_takes(algorithm, type, curve))
            continue;
        fits = true;
        err = read_parts(arena, document, algorithm, &jwk->keys[jwk->count], error);
        /* A secret that is too short for one algorithm is long enough for another. */
        if (!err)
            jwk->count++;
        else if (err == ERR_BAD_INPUT && str_eq(type, STR("oct")))
            err = ERR_OK;
    }
    if (err || jwk->count > 0)
        return err;
    if (fits)
        return ERR_BAD_INPUT; /* of a secret: why is told */
    return refuse(error, jwk->names_algorithm && !is_accepted
                             ? "its alg is not one of those that are accepted"
                             : "its kty and crv are for none of the algorithms that are accepted");
}

enum err jwk_read(struct arena *arena, const struct jwk_rules *rules, const struct json *document,
                  struct jwk *jwk, struct error *error)
{
    enum err err;

    *jwk = (struct jwk){0};
    if (json_kind(document) != JSON_OBJECT || json_kind(json_get(document, "kty")) != JSON_STRING)
        return refuse(error, "it is no JWK: an object with a kty");
    if (!rules->accepts_secrets && str_eq(json_string(json_get(document, "kty")), STR("oct")))
        return refuse(error, "a secret in a key set is not accepted");
    jwk->names_use = json_get(document, "use") != NULL;
    if ((err = read_text(document, "kid", &jwk->has_kid, &jwk->kid, error)) != ERR_OK ||
        (err = check_purpose(document, error)) != ERR_OK)
        return err;
    err = make_keys(arena, rules, document, jwk, error);
    if (err)
        jwk_free_keys(jwk);
    return err;
}

void jwk_free_keys(struct jwk *jwk)
{
    for (size_t i = 0; i < jwk->count; i++)
        jws_key_free(&jwk->keys[i]);
    jwk->count = 0;
}
