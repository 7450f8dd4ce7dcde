/*
 * Tokens of other issuers whose signature was proven before, by the SHA-256 of the whole token:
 * proving an RSA signature costs twenty times as much as looking here. Dates are judged anew every
 * time, and so are revocations and the account. Thread-safe.
 */
#ifndef AUTH_ISSUERS_ISSUER_CACHE_H
#define AUTH_ISSUERS_ISSUER_CACHE_H

#include "issuers/issuer_claims.h"

#include "cachewarden/digest.h"

struct issuer_cache;

CW_MUST_CHECK enum err issuer_cache_new(struct issuer_cache **cache_out);
void issuer_cache_free(struct issuer_cache **cache);

/* `generation`: of keys and configuration. What was remembered under another one is not found. */
bool issuer_cache_recall(struct issuer_cache *cache, struct arena *arena,
                         const unsigned char digest[DIGEST_SHA256_SIZE], int64_t generation,
                         int64_t now_s, struct issuer_claims *claims_out);
/* Claims with long texts are not remembered. */
void issuer_cache_remember(struct issuer_cache *cache,
                           const unsigned char digest[DIGEST_SHA256_SIZE], int64_t generation,
                           int64_t now_s, const struct issuer_claims *claims);

#endif
