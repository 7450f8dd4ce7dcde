#include "backup/archive_key.h"

#include "cachewarden/mac.h"

#include <stdlib.h>

enum { KEY_NAME_SIZE = 8, FRAME_SIZE = 8, SEAL_NAME_SIZE = 8 };

/* The frame's magic number, one of sixteen, and how many bytes of it follow; then whose frame it is. */
static const unsigned char frame[FRAME_SIZE + SEAL_NAME_SIZE] = {
    0x5c, 0x2a, 0x4d, 0x18, SEAL_NAME_SIZE + KEY_NAME_SIZE + ARCHIVE_MAC_SIZE,
    0,    0,    0,    'c',  'w',
    'b',  'c',  'k',  'u',  'p',
    '1'};

struct archive_key {
    struct mac_key *mac;
    unsigned char name[KEY_NAME_SIZE]; /* tells keys apart, and nothing of them */
    char *passphrase;                  /* NULL: none */
};

static enum err sign(const struct mac_key *mac, struct str bytes,
                     unsigned char mac_out[MAC_MAX_SIZE])
{
    size_t size;
    enum err err = mac_compute(mac, bytes, mac_out, &size);

    return err == ERR_OK && size != ARCHIVE_MAC_SIZE ? ERR_INTERNAL : err;
}

/* The key itself, from the secret; and its name from the key. */
static enum err derive(struct archive_key *key, struct str secret)
{
    unsigned char bytes[MAC_MAX_SIZE];
    struct mac_key *from;
    enum err err = mac_key_new("SHA2-256", secret, &from);

    if (err == ERR_OK)
        err = sign(from, STR("cachewarden backup 1"), bytes);
    mac_key_free(&from);
    if (err == ERR_OK)
        err =
            mac_key_new("SHA2-256", (struct str){(const char *)bytes, ARCHIVE_MAC_SIZE}, &key->mac);
    if (err == ERR_OK)
        err = sign(key->mac, STR("which key"), bytes);
    if (err == ERR_OK)
        memcpy(key->name, bytes, sizeof key->name);
    secret_wipe(bytes, sizeof bytes);
    return err;
}

enum err archive_key_new(struct str secret, struct archive_key **key_out, struct error *error)
{
    struct archive_key *key = calloc(1, sizeof *key);
    enum err err = key ? derive(key, secret) : ERR_NO_MEMORY;

    *key_out = NULL;
    if (err != ERR_OK) {
        archive_key_free(&key);
        return error_set_detail(error, err, "the key of backups could not be made");
    }
    *key_out = key;
    return ERR_OK;
}

void archive_key_free(struct archive_key **key)
{
    if (!*key)
        return;
    mac_key_free(&(*key)->mac);
    if ((*key)->passphrase)
        secret_wipe((*key)->passphrase, strlen((*key)->passphrase));
    free((*key)->passphrase);
    free(*key);
    *key = NULL;
}

enum err archive_key_set_passphrase(struct archive_key *key, struct str passphrase,
                                    struct error *error)
{
    if (passphrase.len == 0)
        return ERR_OK;
    key->passphrase = strndup(passphrase.ptr, passphrase.len);
    return key->passphrase ? ERR_OK
                           : error_set_detail(error, ERR_NO_MEMORY, "no memory for a passphrase");
}

struct str archive_key_passphrase(const struct archive_key *key)
{
    return str_from(key->passphrase);
}

enum err archive_key_sign(const struct archive_key *key, struct str bytes,
                          unsigned char mac_out[ARCHIVE_MAC_SIZE], struct error *error)
{
    unsigned char mac[MAC_MAX_SIZE];
    enum err err = sign(key->mac, bytes, mac);

    if (err != ERR_OK)
        return error_set_detail(error, err, "the HMAC of a backup could not be made");
    memcpy(mac_out, mac, ARCHIVE_MAC_SIZE);
    return ERR_OK;
}

/* ---- the seal ---- */

void archive_seal_begin(const struct archive_key *key, unsigned char head_out[ARCHIVE_SEAL_HEAD])
{
    memcpy(head_out, frame, sizeof frame);
    memcpy(head_out + sizeof frame, key->name, sizeof key->name);
}

enum err archive_seal_check(const struct archive_key *key,
                            const unsigned char seal[ARCHIVE_SEAL_SIZE],
                            const unsigned char digest[DIGEST_SHA256_SIZE],
                            enum archive_seal *seal_out, struct error *error)
{
    unsigned char mac[ARCHIVE_MAC_SIZE];

    *seal_out = ARCHIVE_SEAL_NONE;
    if (memcmp(seal, frame, sizeof frame) != 0)
        return ERR_OK;
    *seal_out = ARCHIVE_SEAL_FOREIGN;
    if (memcmp(seal + sizeof frame, key->name, sizeof key->name) != 0)
        return ERR_OK;

    enum err err =
        archive_key_sign(key, (struct str){(const char *)digest, DIGEST_SHA256_SIZE}, mac, error);
    bool is_same = err == ERR_OK &&
                   str_eq_secret((struct str){(const char *)mac, sizeof mac},
                                 (struct str){(const char *)seal + ARCHIVE_SEAL_HEAD, sizeof mac});
    *seal_out = is_same ? ARCHIVE_SEAL_GOOD : ARCHIVE_SEAL_BROKEN;
    return err;
}
