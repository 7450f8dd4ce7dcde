/* A key of jws.h, for the files that make and use keys. */
#ifndef AUTH_TOKENS_JWS_PRIVATE_H
#define AUTH_TOKENS_JWS_PRIVATE_H

#include "cachewarden/mac.h"
#include "tokens/jws.h"

#include <openssl/types.h>

enum jws_family { JWS_SECRET, JWS_RSA_PKCS1, JWS_RSA_PSS, JWS_EC, JWS_ED25519 };

/* One row an algorithm: all that is known about it. */
struct jws_row {
    enum jws_algorithm id;
    const char *name; /* RFC 7518 section 3.1, RFC 8037 section 3.1 */
    enum jws_family family;
    const char *digest;     /* OpenSSL's name; NULL where the algorithm brings its own */
    size_t secret_min_size; /* JWS_SECRET: as long as the digest (RFC 7518 section 3.2) */
    const char *curve;      /* JWS_EC, JWS_ED25519: as JWK and OpenSSL call it; else "" */
    size_t coordinate_size; /* of the curve; no shorter form (RFC 7518 section 6.2.1.2) */
};

enum { COORDINATE_MAX_SIZE = 66 }; /* P-521 */

const struct jws_row *jws_row(enum jws_algorithm id); /* NULL for none */

struct jws_key {
    const struct jws_row *row;
    struct mac_key *mac;  /* JWS_SECRET */
    EVP_PKEY *public_key; /* the others; OpenSSL lets threads share it */
};

#endif
