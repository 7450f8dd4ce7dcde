/*
 * What only those read who know a passphrase: chunks in AES-256-GCM, with a key that scrypt (RFC 7914) makes of the
 * passphrase and a salt. A key is for one file: its chunks are told apart by their number, and the last one is marked.
 * So none can be taken out, swapped, or left off at the end.
 */
#ifndef CACHEWARDEN_CIPHER_H
#define CACHEWARDEN_CIPHER_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

enum { CIPHER_SALT_SIZE = 16, CIPHER_TAG_SIZE = 16 };

struct cipher_key; /* for one thread at a time */

/* Takes a tenth of a second and 32 MiB, so that passphrases are not tried by the thousand. ERR_NO_MEMORY;
 * ERR_INTERNAL: the crypto library does not have it. */
CW_MUST_CHECK enum err cipher_key_new(struct str passphrase,
                                      const unsigned char salt[CIPHER_SALT_SIZE],
                                      struct cipher_key **key_out);
/* Harmless for NULL. */
void cipher_key_free(struct cipher_key **key);

/* Which chunk of the file it is. `head` is proven with it, and not encrypted. */
struct cipher_place {
    uint64_t number;
    bool is_last;
    struct str head;
};

/* Writes plain.len + CIPHER_TAG_SIZE bytes. ERR_INTERNAL. */
CW_MUST_CHECK enum err cipher_encrypt(struct cipher_key *key, const struct cipher_place *place,
                                      struct str plain, unsigned char *chunk_out);
/* Writes chunk.len - CIPHER_TAG_SIZE bytes. ERR_UNAUTHENTICATED: it is not that chunk, or not of this key; what was
 * written is worth nothing. ERR_INTERNAL. */
CW_MUST_CHECK enum err cipher_decrypt(struct cipher_key *key, const struct cipher_place *place,
                                      struct str chunk, unsigned char *plain_out);

#endif
