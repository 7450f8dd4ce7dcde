/*
 * An issuer of tokens for tests: a key of an algorithm, its public part as a JWK, and compact
 * signatures. On OpenSSL, and deliberately not a user of auth/: the tests must not share a mistake
 * with the code they test. Anything that goes wrong ends the program.
 */
#ifndef SUPPORT_SIGNER_H
#define SUPPORT_SIGNER_H

struct signer;

/* "HS", "RS", "PS" or "ES" with 256, 384 or 512, or "EdDSA"; `kid` goes into JWK and tokens, NULL: none. Each
 * signer of a program has a key of its own. Those of RSA take a while to make, so they are kept in the build
 * folder for the next program. */
struct signer *signer_new(const char *algorithm, const char *kid);
void signer_free(struct signer **signer);

const char *signer_algorithm(const struct signer *signer);
/* {"kty":…,"kid":…,"use":"sig","alg":…}; of an HMAC key with the secret in it. */
const char *signer_jwk(const struct signer *signer);
/* {"keys":[…]} of these, which ends with NULL; the caller frees it. */
char *signer_jwks(const struct signer *const *signers);
/* Of an HMAC key: printable text. */
const char *signer_secret(const struct signer *signer);
/* Of a public key: PEM, the text an attacker would use as an HMAC key. */
const char *signer_pem(const struct signer *signer);

/* With the public key of `signer`, for another algorithm of its family. */
struct signer *signer_new_like(const struct signer *signer, const char *algorithm, const char *kid);

/* A compact token with the usual header; the payload is JSON, printf-style. The caller frees it. */
__attribute__((format(printf, 2, 3))) char *signer_mint(const struct signer *signer,
                                                        const char *payload, ...);
/* With any header. */
char *signer_sign(const struct signer *signer, const char *header, const char *payload);

#endif
