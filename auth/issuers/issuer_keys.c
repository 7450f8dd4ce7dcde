#include "issuers/issuer_keys.h"

#include "issuers/jwks.h"
#include "issuers/jwks_fetch.h"
#include "issuers/key_file.h"

#include "cachewarden/digest.h"
#include "cachewarden/secret.h"

#include <stdlib.h>

struct issuer_keys {
    atomic_int owners;
    struct jwks *jwks;      /* or */
    struct jws_key *secret; /* one of them */
    unsigned char digest[DIGEST_SHA256_SIZE];
};

static void free_keys(struct issuer_keys *keys)
{
    jwks_free(&keys->jwks);
    jws_key_free(&keys->secret);
    free(keys);
}

static enum err fill_set(struct issuer_keys *keys, const struct issuer_spec *spec, struct str text,
                         struct error *error)
{
    enum jws_algorithm algorithms[JWS_ALGORITHM_END];
    struct jwk_rules rules = {.algorithms = algorithms};

    if (str_starts(text, STR("\xef\xbb\xbf")))
        return error_set(error, ERR_BAD_INPUT,
                         "it begins with a byte order mark; save it as UTF-8 without one");
    for (size_t i = 0; i < spec->algorithm_count && i < JWS_ALGORITHM_END; i++)
        algorithms[rules.algorithm_count++] = jws_algorithm_from_name(spec->algorithms[i]);
    return jwks_parse(&rules, text, &keys->jwks, error);
}

static enum err fill_secret(struct issuer_keys *keys, const struct issuer_spec *spec,
                            struct str text, struct error *error)
{
    struct str secret = secret_line(text);
    const char *fault = secret_edge_fault(secret);

    if (fault)
        return error_set(error, ERR_BAD_INPUT, "the secret %s", fault);
    return jws_key_new_secret(jws_algorithm_from_name(spec->algorithms[0]), secret, &keys->secret,
                              error);
}

enum err issuer_keys_new(const struct issuer_spec *spec, struct str text,
                         struct issuer_keys **keys_out, struct error *error)
{
    struct issuer_keys *keys = calloc(1, sizeof *keys);
    bool is_secret = spec->secret_file.len > 0;

    *keys_out = NULL;
    if (!keys)
        return ERR_NO_MEMORY;
    atomic_init(&keys->owners, 1);
    enum err err = digest_sha256(text, keys->digest);
    if (!err && is_secret)
        err = fill_secret(keys, spec, text, error);
    else if (!err)
        err = fill_set(keys, spec, text, error);
    if (err)
        free_keys(keys);
    else
        *keys_out = keys;
    return err;
}

enum err issuer_keys_load(const struct issuer_spec *spec, struct key_file_stamp *stamp_out,
                          struct issuer_keys **keys_out, struct error *error)
{
    bool is_secret = spec->secret_file.len > 0;
    size_t max = is_secret ? ISSUER_SECRET_MAX_SIZE : JWKS_MAX_SIZE, size = 0;
    struct str path = is_secret ? spec->secret_file : spec->jwks_file;
    char *memory = malloc(max + 1), *name = strndup(path.ptr, path.len);
    enum err err = ERR_NO_MEMORY;

    *keys_out = NULL;
    *stamp_out = (struct key_file_stamp){0};
    if (memory && name)
        err = key_file_read(name, memory, max + 1, &size, stamp_out, error);
    if (!err && size > max)
        err = error_set(error, ERR_TOO_LARGE, "the key file has more than %zu bytes", max);
    if (!err)
        err = issuer_keys_new(spec, (struct str){memory, size}, keys_out, error);
    if (memory)
        secret_wipe(memory, size);
    free(memory);
    free(name);
    return err;
}

enum err issuer_keys_fetch(const struct issuer_spec *spec, const atomic_bool *stops, int timeout_ms,
                           struct issuer_keys **keys_out, struct error *error)
{
    const struct jwks_fetch_options options = {
        .url = spec->jwks_url.ptr,
        .ca_file = spec->jwks_ca.ptr,
        .stops = stops,
        .timeout_ms = timeout_ms,
    };
    char *body;
    size_t size;

    *keys_out = NULL;
    enum err err = jwks_fetch(&options, &body, &size, error);
    if (!err)
        err = issuer_keys_new(spec, (struct str){body, size}, keys_out, error);
    free(body);
    return err;
}

struct issuer_keys *issuer_keys_hold(struct issuer_keys *keys)
{
    if (keys)
        atomic_fetch_add(&keys->owners, 1);
    return keys;
}

void issuer_keys_release(struct issuer_keys **keys)
{
    struct issuer_keys *released = *keys;

    *keys = NULL;
    if (released && atomic_fetch_sub(&released->owners, 1) == 1)
        free_keys(released);
}

bool issuer_keys_same(const struct issuer_keys *a, const struct issuer_keys *b)
{
    return a == b || (a && b && memcmp(a->digest, b->digest, sizeof a->digest) == 0);
}

size_t issuer_keys_count(const struct issuer_keys *keys)
{
    return keys->jwks ? jwks_count(keys->jwks) : 1;
}

const struct jws_key *issuer_keys_find(const struct issuer_keys *keys, const struct jws *jws,
                                       const char **why_out)
{
    if (keys->jwks)
        return jwks_find(keys->jwks, jws, why_out);
    *why_out = "kid is present, but the issuer's secret has none";
    return jws->has_kid ? NULL : keys->secret;
}
