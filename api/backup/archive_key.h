/*
 * What proves that an archive is ours and whole: HMAC-SHA-256 with a key that is made from auth.secret, over the
 * manifest and, in the seal at the end of the file, over the whole of it. Archives of auth.previous_secrets are proven,
 * too.
 */
#ifndef API_BACKUP_ARCHIVE_KEY_H
#define API_BACKUP_ARCHIVE_KEY_H

#include "backup/archive.h"
#include "cachewarden/key_ring.h"
#include "cachewarden/work.h"

#define ARCHIVE_MAC_SIZE 32

struct archive_key; /* for all threads */

/* ERR_NO_MEMORY, ERR_INTERNAL. */
CW_MUST_CHECK enum err archive_key_new(const struct secrets *secrets, struct archive_key **key_out,
                                       struct error *error);
/* Other secrets from here on, as key_ring_set. */
CW_MUST_CHECK enum err archive_key_set_secrets(struct archive_key *key,
                                               const struct secrets *secrets, struct error *error);
/* Another number whenever they are others. */
uint64_t archive_key_secrets(const struct archive_key *key);
void archive_key_free(struct archive_key **key);

/* Before it is shared: archives that are written are encrypted for who knows this; empty: they are not.
 * ERR_NO_MEMORY. */
CW_MUST_CHECK enum err archive_key_set_passphrase(struct archive_key *key, struct str passphrase,
                                                  struct error *error);
/* As it was set. */
struct str archive_key_passphrase(const struct archive_key *key);

CW_MUST_CHECK enum err archive_key_sign(const struct archive_key *key, struct str bytes,
                                        unsigned char mac_out[ARCHIVE_MAC_SIZE],
                                        struct error *error);
/* Whether `mac` was made over these bytes, with any of the secrets. */
CW_MUST_CHECK enum err archive_key_proves(const struct archive_key *key, struct str bytes,
                                          struct str mac, bool *is_good_out, struct error *error);

/*
 * The seal: the last bytes of the file. A skippable frame of zstd (RFC 8878 section 3.1.2): magic number and length,
 * both little-endian; then "cwbckup1", eight bytes that tell which key it is, and the MAC of the SHA-256 of all
 * bytes before the MAC.
 */
enum { ARCHIVE_SEAL_HEAD = 24, ARCHIVE_SEAL_SIZE = ARCHIVE_SEAL_HEAD + ARCHIVE_MAC_SIZE };

/* What stands before the MAC, which is made with the same secret, though it is no longer the current one. */
void archive_seal_begin(const struct archive_key *key, unsigned char head_out[ARCHIVE_SEAL_HEAD]);
CW_MUST_CHECK enum err archive_seal_end(const struct archive_key *key,
                                        const unsigned char head[ARCHIVE_SEAL_HEAD],
                                        const unsigned char digest[DIGEST_SHA256_SIZE],
                                        unsigned char mac_out[ARCHIVE_MAC_SIZE],
                                        struct error *error);

enum archive_seal {
    ARCHIVE_SEAL_GOOD,
    ARCHIVE_SEAL_NONE,
    ARCHIVE_SEAL_FOREIGN,
    ARCHIVE_SEAL_BROKEN
};

/* What a seal says of a file with this SHA-256 of all that stands before the MAC. FOREIGN: another secret made it. */
CW_MUST_CHECK enum err archive_seal_check(const struct archive_key *key,
                                          const unsigned char seal[ARCHIVE_SEAL_SIZE],
                                          const unsigned char digest[DIGEST_SHA256_SIZE],
                                          enum archive_seal *seal_out, struct error *error);

#endif
