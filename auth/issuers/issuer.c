#include "issuers/issuer.h"

#include "issuers/issuer_keys.h"
#include "issuers/jwks_fetch.h"
#include "issuers/key_file.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    NAME_MAX_SIZE = 255, /* as a token's texts may have */
    URL_MAX_SIZE = 2048,
};

/* ---- copies ---- */

static bool copy_text(struct arena *arena, struct str *text)
{
    if (text->len == 0) {
        *text = STR_NONE;
        return true;
    }
    *text = str_dup(arena, *text);
    return text->ptr != NULL;
}

enum err issuer_spec_copy(struct arena *arena, const struct issuer_spec *spec,
                          struct issuer_spec *copy)
{
    *copy = *spec;
    struct str *algorithms = arena_calloc(arena, spec->algorithm_count, sizeof *algorithms);
    struct str *texts[] = {&copy->name,       &copy->audience,        &copy->jwks_file,
                           &copy->jwks_url,   &copy->secret_file,     &copy->jwks_ca,
                           &copy->user_claim, &copy->superuser_claim, &copy->groups_claim};

    if (!algorithms)
        return ERR_NO_MEMORY;
    copy->algorithms = algorithms;
    for (size_t i = 0; i < spec->algorithm_count; i++) {
        algorithms[i] = spec->algorithms[i];
        if (!copy_text(arena, &algorithms[i]))
            return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!copy_text(arena, texts[i]))
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

bool issuer_spec_same_keys(const struct issuer_spec *a, const struct issuer_spec *b)
{
    if (!str_eq(a->name, b->name) || !str_eq(a->jwks_url, b->jwks_url) ||
        !str_eq(a->jwks_ca, b->jwks_ca) || !str_eq(a->jwks_file, b->jwks_file) ||
        !str_eq(a->secret_file, b->secret_file) || a->algorithm_count != b->algorithm_count)
        return false;
    for (size_t i = 0; i < a->algorithm_count; i++) {
        if (!str_eq(a->algorithms[i], b->algorithms[i]))
            return false;
    }
    return true;
}

/* ---- what may be configured ---- */

static enum err check_text(struct str text, struct error *error)
{
    if (text.len <= NAME_MAX_SIZE && str_is_utf8(text) && !str_has_control(text))
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT,
                     "must have up to %d bytes of UTF-8 without control characters", NAME_MAX_SIZE);
}

static enum err check_texts(const struct issuer_spec *spec, const char **field_out,
                            struct error *error)
{
    const struct {
        const char *field;
        struct str text;
    } rows[] = {
        {"issuer", spec->name},
        {"audience", spec->audience},
        {"user_claim", spec->user_claim},
        {"superuser_claim", spec->superuser_claim},
        {"groups_claim", spec->groups_claim},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        *field_out = rows[i].field;
        enum err err = check_text(rows[i].text, error);
        if (err)
            return err;
    }
    *field_out = "issuer";
    if (spec->name.len == 0)
        return error_set(error, ERR_BAD_INPUT, "must not be empty");
    *field_out = "user_claim";
    if (spec->user_claim.len == 0)
        return error_set(error, ERR_BAD_INPUT, "must not be empty");
    return ERR_OK;
}

static bool is_hmac(enum jws_algorithm algorithm)
{
    return algorithm == JWS_HS256 || algorithm == JWS_HS384 || algorithm == JWS_HS512;
}

/* With a secret, algorithms for public keys would be a confusion, and the other way round. */
static enum err check_algorithms(const struct issuer_spec *spec, struct error *error)
{
    bool has_secret = spec->secret_file.len > 0;

    if (spec->algorithm_count == 0)
        return error_set(error, ERR_BAD_INPUT, "must name at least one");
    for (size_t i = 0; i < spec->algorithm_count; i++) {
        struct str name = spec->algorithms[i];
        enum jws_algorithm algorithm = jws_algorithm_from_name(name);
        if (algorithm == JWS_NO_ALGORITHM)
            return error_set(error, ERR_BAD_INPUT,
                             "must be of RS, PS, ES and HS with 256, 384 or 512, and EdDSA, not "
                             "\"%.*s\"",
                             name.len > 32 ? 32 : (int)name.len, name.len > 0 ? name.ptr : "");
        if (has_secret && !is_hmac(algorithm))
            return error_set(error, ERR_BAD_INPUT,
                             "has %.*s, which takes a public key: give jwks_file or jwks_url in "
                             "place of secret_file",
                             STR_ARG(name));
        if (!has_secret && is_hmac(algorithm))
            return error_set(error, ERR_BAD_INPUT,
                             "has %.*s, which takes a secret: give secret_file, in an entry of its "
                             "own",
                             STR_ARG(name));
        for (size_t j = 0; j < i; j++) {
            if (str_eq(spec->algorithms[j], name))
                return error_set(error, ERR_BAD_INPUT, "names %.*s twice", STR_ARG(name));
        }
    }
    if (has_secret && spec->algorithm_count > 1)
        return error_set(error, ERR_BAD_INPUT,
                         "must name one: a secret is for one algorithm (RFC 8725 section 3.1)");
    return ERR_OK;
}

static enum err check_ca(const struct issuer_spec *spec, struct error *error)
{
    if (spec->jwks_ca.len == 0 || str_starts(spec->jwks_url, STR("https://")))
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT, "is for a jwks_url that begins with https://");
}

static enum err check_ca_file(const struct issuer_spec *spec, struct error *error)
{
    if (spec->jwks_ca.len == 0)
        return ERR_OK;
    char *path = strndup(spec->jwks_ca.ptr, spec->jwks_ca.len);
    if (!path)
        return ERR_NO_MEMORY;
    bool is_readable = access(path, R_OK) == 0;
    free(path);
    if (!is_readable)
        return error_set(error, ERR_BAD_INPUT, "cannot be read");
    return ERR_OK;
}

static enum err check_file(const struct issuer_spec *spec, struct error *error)
{
    struct issuer_keys *keys = NULL;
    struct key_file_stamp stamp;
    enum err err = issuer_keys_load(spec, &stamp, &keys, error);

    issuer_keys_release(&keys);
    return err == ERR_UPSTREAM_DOWN || err == ERR_TOO_LARGE
               ? error_set(error, ERR_BAD_INPUT, "%s", error ? error->caller : "")
               : err;
}

static enum err check_source(const struct issuer_spec *spec, const char **field_out,
                             struct error *error)
{
    *field_out = "jwks_url";
    if (spec->jwks_url.len > URL_MAX_SIZE)
        return error_set(error, ERR_BAD_INPUT, "is longer than %d bytes", URL_MAX_SIZE);
    return spec->jwks_url.len > 0 ? jwks_fetch_check(spec->jwks_url, error) : ERR_OK;
}

enum err issuer_check_files(const struct issuer_spec *spec, const char **field_out,
                            struct error *error)
{
    struct error why;

    error_clear(&why);
    *field_out = "jwks_ca";
    enum err err = check_ca_file(spec, &why);
    if (!err && spec->jwks_url.len == 0) {
        *field_out = spec->jwks_file.len > 0 ? "jwks_file" : "secret_file";
        err = check_file(spec, &why);
    }
    return err ? error_set(error, err, "%s", why.caller) : ERR_OK;
}

enum err issuer_check_server(const struct issuer_spec *spec, int timeout_ms, size_t *count_out,
                             struct error *error)
{
    struct issuer_keys *keys;
    enum err err = issuer_keys_fetch(spec, NULL, timeout_ms, &keys, error);

    *count_out = err ? 0 : issuer_keys_count(keys);
    issuer_keys_release(&keys);
    return err;
}

enum err issuer_check(const struct issuer_spec *spec, const char **field_out, struct error *error)
{
    int sources =
        (spec->jwks_file.len > 0) + (spec->jwks_url.len > 0) + (spec->secret_file.len > 0);
    struct error why;

    error_clear(&why);
    *field_out = NULL;
    enum err err = sources == 1
                       ? check_texts(spec, field_out, &why)
                       : error_set(&why, ERR_BAD_INPUT,
                                   "must have one of jwks_file, jwks_url and secret_file, not %s",
                                   sources == 0 ? "none" : "several");
    if (!err) {
        *field_out = "algorithms";
        err = check_algorithms(spec, &why);
    }
    if (!err) {
        *field_out = "jwks_ca";
        err = check_ca(spec, &why);
    }
    if (!err)
        err = check_source(spec, field_out, &why);
    return err ? error_set(error, err, "%s", why.caller) : ERR_OK;
}
