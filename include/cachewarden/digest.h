/* SHA-256: for what is compared but must not be kept itself: secrets of API keys, names of a sign-in. */
#ifndef CACHEWARDEN_DIGEST_H
#define CACHEWARDEN_DIGEST_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#define DIGEST_SHA256_SIZE 32

/* ERR_INTERNAL when the crypto library has no SHA-256 (a FIPS set-up gone wrong): nothing can be
 * compared then. */
CW_MUST_CHECK enum err digest_sha256(struct str bytes,
                                     unsigned char digest_out[DIGEST_SHA256_SIZE]);

/* The same of pieces, as if they were one. */
CW_MUST_CHECK enum err digest_sha256_of(const struct str *pieces, size_t count,
                                        unsigned char digest_out[DIGEST_SHA256_SIZE]);

/* The same of bytes that come in pieces, by and by. For one thread at a time. */
struct digest;

/* ERR_NO_MEMORY; ERR_INTERNAL as above. */
CW_MUST_CHECK enum err digest_new(struct digest **digest_out);
void digest_free(struct digest **digest);
CW_MUST_CHECK enum err digest_add(struct digest *digest, struct str bytes);
/* Of what was added so far; more may follow. */
CW_MUST_CHECK enum err digest_so_far(const struct digest *digest,
                                     unsigned char digest_out[DIGEST_SHA256_SIZE]);

#endif
