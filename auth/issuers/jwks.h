/*
 * A set of verification keys: a JWK Set (RFC 7517 section 5), or a single JWK. Read-only once made;
 * used by all threads at once.
 */
#ifndef AUTH_ISSUERS_JWKS_H
#define AUTH_ISSUERS_JWKS_H

#include "issuers/jwk.h"

#define JWKS_MAX_SIZE 262144 /* of the document; issuers publish a handful of keys */
#define JWKS_KEYS_MAX 64

struct jwks;

/*
 * Keys that cannot be used are left out. Several may share a `kid` (RFC 7517 section 4.5): the
 * algorithm tells them apart, and one that names its `alg` or `use` goes before one that does not.
 * The very same key twice is one. What stays ambiguous is left out: which one is meant would be a
 * guess. ERR_BAD_INPUT: no key is left (the caller's text tells why of the first), or it is no key
 * set at all; ERR_TOO_LARGE; ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err jwks_parse(const struct jwk_rules *rules, struct str text,
                                  struct jwks **jwks_out, struct error *error);
/* The same from a regular file. ERR_UPSTREAM_DOWN: it cannot be read; the caller's text names it.
 */
CW_MUST_CHECK enum err jwks_load_file(const struct jwk_rules *rules, const char *path,
                                      struct jwks **jwks_out, struct error *error);
void jwks_free(struct jwks **jwks);

/* The JWKs that can be used. */
size_t jwks_count(const struct jwks *jwks);

/*
 * The key a token means, or NULL with the reason in *why_out: by `kid` and algorithm of its header;
 * without `kid` the only key there is for the algorithm. Where no key for the algorithm has a `kid`,
 * that of the token tells nothing. A document that was a single JWK is that key, whatever its kid.
 * Looks in memory only.
 */
const struct jws_key *jwks_find(const struct jwks *jwks, const struct jws *jws,
                                const char **why_out);

#endif
