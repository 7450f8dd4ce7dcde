/*
 * Makes JSON Web Tokens as other programs would, good ones and forged ones. Deliberately not a
 * user of auth/: the tests must not share a mistake with the code they test.
 */
#ifndef SUPPORT_MINT_H
#define SUPPORT_MINT_H

#include <stddef.h>

#define MINT_SIZE 2048 /* room for a whole header line "Authorization: Bearer <token>" */

/* Writes the header line "Authorization: Bearer <token>" into out, MINT_SIZE bytes, and returns it. The
 * payload is JSON, printf-style. Too small a buffer ends the test. */
__attribute__((format(printf, 3, 4))) char *mint_bearer(char *out, const char *secret,
                                                        const char *payload, ...);
/* Any header and any key for the HMAC-SHA256; key_size 0: the signature part stays empty. */
char *mint_forged(char *out, size_t out_size, const char *header_json, const char *payload_json,
                  const void *key, size_t key_size);

/* The token behind "Authorization: Bearer " of such a line. */
const char *mint_token(const char *line);

/* base64url without padding, NUL-terminated; returns its length. */
size_t mint_base64url(char *out, size_t out_size, const void *bytes, size_t size);

/* Of a compact token: one part (0 header, 1 payload) decoded, NUL-terminated, or "" when it cannot be. */
const char *mint_decode(char *out, size_t out_size, const char *token, int part);

#endif
