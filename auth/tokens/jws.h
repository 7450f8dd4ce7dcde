/*
 * JSON Web Signatures in compact form (RFC 7515): taken apart strictly, verified with a key that
 * brings its own algorithm. What the token says about its algorithm is only ever compared
 * (RFC 8725 section 3.1). Claims are none of this file's business: see claims.h.
 */
#ifndef AUTH_TOKENS_JWS_H
#define AUTH_TOKENS_JWS_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>

#define JWS_MAX_SIZE 16384

enum jws_algorithm {
    JWS_NO_ALGORITHM = 0,
    JWS_HS256, /* RFC 7518 section 3.2 */
    JWS_HS384,
    JWS_HS512,
    JWS_RS256, /* section 3.3 */
    JWS_RS384,
    JWS_RS512,
    JWS_PS256, /* section 3.5 */
    JWS_PS384,
    JWS_PS512,
    JWS_ES256, /* section 3.4 */
    JWS_ES384,
    JWS_ES512,
    JWS_EDDSA, /* RFC 8037, with Ed25519 */
    JWS_ALGORITHM_END
};

/* "HS256"; "none" for JWS_NO_ALGORITHM. */
const char *jws_algorithm_name(enum jws_algorithm algorithm);
/* Exactly as written in RFC 7518, case included; JWS_NO_ALGORITHM for everything else, `none`
 * among it. */
enum jws_algorithm jws_algorithm_from_name(struct str name);
/* Whether keys of that `kty` and `crv` (RFC 7518 section 6.1; empty: none) are for the algorithm. */
bool jws_algorithm_takes(enum jws_algorithm algorithm, struct str type, struct str curve);

/* A key and its algorithm. Read-only once made; used by all threads at once. */
struct jws_key;

/*
 * Keys from their parts. ERR_BAD_INPUT: the algorithm takes no such key, or the parts are no key
 * that is safe to use; the caller's text says which rule. ERR_NO_MEMORY; ERR_INTERNAL.
 */

/* At least as long as the algorithm's digest (RFC 7518 section 3.2). Copied, and wiped at the end. */
CW_MUST_CHECK enum err jws_key_new_secret(enum jws_algorithm algorithm, struct str secret,
                                          struct jws_key **key_out, struct error *error);
/* Modulus and exponent, big-endian; 2048 to 8192 bits (RFC 7518 section 3.3). */
CW_MUST_CHECK enum err jws_key_new_rsa(enum jws_algorithm algorithm, struct str modulus,
                                       struct str exponent, struct jws_key **key_out,
                                       struct error *error);
/* A point of the algorithm's curve: 32 bytes each for P-256, 48 for P-384, 66 for P-521, big-endian. */
CW_MUST_CHECK enum err jws_key_new_ec(enum jws_algorithm algorithm, struct str x, struct str y,
                                      struct jws_key **key_out, struct error *error);
/* 32 bytes as in RFC 8032. */
CW_MUST_CHECK enum err jws_key_new_ed25519(enum jws_algorithm algorithm, struct str x,
                                           struct jws_key **key_out, struct error *error);
void jws_key_free(struct jws_key **key);

enum jws_algorithm jws_key_algorithm(const struct jws_key *key);
/* Whether both verify the same signatures: one algorithm, and one key. */
bool jws_key_same(const struct jws_key *a, const struct jws_key *b);

/* A compact JWS taken apart. Nothing in it is proven before jws_verify. Borrows from the text and
 * the arena. */
struct jws {
    enum jws_algorithm algorithm; /* what the header claims */
    struct str type;              /* `typ`, or empty */
    struct str kid;
    bool has_kid;
    struct str signing_input; /* header, dot, payload: as received */
    struct str payload;       /* decoded */
    struct str signature;     /* decoded */
};

/*
 * Exactly three parts of strict base64url, none empty, JWS_MAX_SIZE at most; a header that is a
 * JSON object with an algorithm we know and none of the members that bring keys or change the rules
 * (jwk, jku, x5u, x5c, crit, b64). ERR_UNAUTHENTICATED with the reason in error->detail,
 * ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err jws_parse(struct arena *arena, struct str compact, struct jws *jws_out,
                                 struct error *error);

/*
 * What stands for a token that has no id of its own: a digest of what is signed, which is the same however
 * the signature is made. In the arena. ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err jws_id(struct arena *arena, const struct jws *jws, struct str *id_out);

/*
 * Explicit typing (RFC 8725 section 3.11): a token made for another purpose with the same key is
 * not an access token. No type at all will do, as most issuers write none or "JWT".
 */
bool jws_is_jwt(const struct jws *jws);

/* ERR_OK: the key's algorithm is the header's and the signature is the key's. ERR_UNAUTHENTICATED;
 * ERR_NO_MEMORY, ERR_INTERNAL. */
CW_MUST_CHECK enum err jws_verify(const struct jws_key *key, const struct jws *jws,
                                  struct error *error);

/* Signs with a secret; the header is {"typ":"JWT","alg":…}. ERR_INTERNAL for a key that cannot
 * sign. */
CW_MUST_CHECK enum err jws_sign(const struct jws_key *key, struct arena *arena, struct str payload,
                                struct str *compact_out);

#endif
