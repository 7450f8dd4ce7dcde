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

#endif
