/*
 * JSON Web Keys (RFC 7517, 7518 section 6, 8037) for verifying: one JWK object becomes a key for each
 * algorithm that it may be used with.
 */
#ifndef AUTH_ISSUERS_JWK_H
#define AUTH_ISSUERS_JWK_H

#include "tokens/jws.h"

#include "cachewarden/json.h"

/* What an operator has configured for the issuer of the keys. */
struct jwk_rules {
    const enum jws_algorithm *algorithms; /* those that may be used */
    size_t algorithm_count;
    bool accepts_secrets; /* `oct` keys: a secret in a published key set is none */
};

enum { JWK_KEYS_MAX = 6 }; /* RSA: PKCS #1 and PSS, with three digests each */

struct jwk {
    struct jws_key *keys[JWK_KEYS_MAX]; /* the caller frees them */
    size_t count;
    bool has_kid;
    struct str kid; /* lives with the document */
    bool names_algorithm, names_use;
};

/*
 * The algorithm is the one that the JWK names, if the rules have it; one that names none is for all
 * of the rules that take its type. A token never adds to them. `use` and `key_ops`, when present,
 * have to allow verifying. Private parts are not looked at. ERR_BAD_INPUT with the reason in
 * error->caller, ERR_NO_MEMORY, ERR_INTERNAL: there are no keys.
 */
CW_MUST_CHECK enum err jwk_read(struct arena *arena, const struct jwk_rules *rules,
                                const struct json *document, struct jwk *jwk_out,
                                struct error *error);
void jwk_free_keys(struct jwk *jwk);

#endif
