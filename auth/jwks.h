/*
 * A set of verification keys: a JWK Set (RFC 7517 section 5), or a single JWK. Read-only once made;
 * used by all threads at once.
 */
#ifndef AUTH_JWKS_H
#define AUTH_JWKS_H

#include "jwk.h"

#define JWKS_MAX_SIZE 262144 /* of the document; issuers publish a handful of keys */
#define JWKS_KEYS_MAX 64

struct jwks;

/*
 * Keys that cannot be used are left out, and so are keys that share a `kid`: which one is meant
 * would be a guess. ERR_BAD_INPUT: no key is left (the caller's text tells why of the first), or it
 * is no key set at all; ERR_TOO_LARGE; ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err jwks_parse(const struct jwk_rules *rules, struct str text,
                                  struct jwks **jwks_out, struct error *error);
/* The same from a regular file. ERR_UPSTREAM_DOWN: it cannot be read; the caller's text names it.
 */
CW_MUST_CHECK enum err jwks_load_file(const struct jwk_rules *rules, const char *path,
                                      struct jwks **jwks_out, struct error *error);
void jwks_free(struct jwks **jwks);

size_t jwks_count(const struct jwks *jwks);

/*
 * The key a token means, or NULL: by its `kid`; without one the only key there is for the algorithm
 * its header names. A document that was a single JWK is that key, whatever its kid. Looks in memory
 * only (threats 4).
 */
const struct jws_key *jwks_find(const struct jwks *jwks, const struct jws *jws);

#endif
