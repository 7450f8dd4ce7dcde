/*
 * JSON Web Keys (RFC 7517, 7518 section 6, 8037) for verifying: one JWK object becomes one key with
 * one algorithm.
 */
#ifndef AUTH_JWK_H
#define AUTH_JWK_H

#include "jws.h"

#include "cachewarden/json.h"

/* What an operator has configured for the issuer of the keys. */
struct jwk_rules {
    const enum jws_algorithm *algorithms; /* those that may be used */
    size_t algorithm_count;
    bool accepts_secrets; /* `oct` keys: a secret in a published key set is none */
};

/*
 * The algorithm is the one that the JWK names, if the rules have it; else the rules' first that
 * takes such a key (RFC 8725 section 3.1: a key is used with one algorithm). `use` and `key_ops`,
 * when present, have to allow verifying. Private parts are not looked at. ERR_BAD_INPUT with the
 * reason in error->caller, ERR_NO_MEMORY, ERR_INTERNAL. *kid_out lives with the document.
 */
CW_MUST_CHECK enum err jwk_read(struct arena *arena, const struct jwk_rules *rules,
                                const struct json *jwk, struct jws_key **key_out, bool *has_kid_out,
                                struct str *kid_out, struct error *error);

#endif
