/*
 * HMAC (RFC 2104) with keys that are used by all threads at once.
 *
 * Setting up a keyed context costs four times as much as using one, and a context belongs to one
 * thread. So every thread keeps a few keyed contexts of its own, found by the key's number; numbers
 * are never given twice, so a context of a freed key can never be taken for another's.
 */
#ifndef CACHEWARDEN_MAC_H
#define CACHEWARDEN_MAC_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#define MAC_MAX_SIZE 64 /* HMAC-SHA-512 */

struct mac_key; /* read-only once made */

/* `digest` is OpenSSL's name ("SHA2-256"). The secret is copied, and wiped by mac_key_free.
 * ERR_NO_MEMORY; ERR_INTERNAL: OpenSSL does not have it. */
CW_MUST_CHECK enum err mac_key_new(const char *digest, struct str secret, struct mac_key **key_out);
void mac_key_free(struct mac_key **key);

/* Any thread. `size_out`: the digest's size. */
CW_MUST_CHECK enum err mac_compute(const struct mac_key *key, struct str bytes,
                                   unsigned char mac_out[MAC_MAX_SIZE], size_t *size_out);

#endif
