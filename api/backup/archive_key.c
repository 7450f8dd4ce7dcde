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

/* Of one secret. */
struct archive_mac {
    struct mac_key *mac;
    unsigned char name[KEY_NAME_SIZE]; /* tells keys apart, and nothing of them */
};

struct archive_key {
    struct key_ring *macs;
    char *passphrase; /* NULL: none */
};

static enum err sign(const struct mac_key *mac, struct str bytes,
                     unsigned char mac_out[MAC_MAX_SIZE])
{
    size_t size;
    enum err err = mac_compute(mac, bytes, mac_out, &size);

    return err == ERR_OK && size != ARCHIVE_MAC_SIZE ? ERR_INTERNAL : err;
}

/* The key itself, from the secret; and its name from the key. */
static enum err derive(struct archive_mac *key, struct str secret)
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

static void free_mac(void *memory)
{
    struct archive_mac *key = memory;

    mac_key_free(&key->mac);
    free(key);
}

static enum err make_mac(struct str secret, void **key_out, struct error *error)
{
    struct archive_mac *key = calloc(1, sizeof *key);
    enum err err = key ? derive(key, secret) : ERR_NO_MEMORY;

    *key_out = NULL;
    if (err == ERR_OK)
        *key_out = key;
    else if (key)
        free_mac(key);
    return err == ERR_OK ? err
                         : error_set_detail(error, err, "the key of backups could not be made");
}

enum err archive_key_new(const struct secrets *secrets, struct archive_key **key_out,
                         struct error *error)
{
    static const struct key_kind kind = {make_mac, free_mac};
    struct archive_key *key = calloc(1, sizeof *key);

    *key_out = NULL;
    if (!key)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the key of backups");
    enum err err = key_ring_new(&kind, secrets, &key->macs, error);
    if (err == ERR_OK)
        *key_out = key;
    else
        free(key);
    return err;
}

enum err archive_key_set_secrets(struct archive_key *key, const struct secrets *secrets,
                                 struct error *error)
{
    bool changed;

    return key_ring_set(key->macs, secrets, &changed, error);
}

uint64_t archive_key_secrets(const struct archive_key *key)
{
    return key_ring_keys(key->macs)->number;
}

void archive_key_free(struct archive_key **key)
{
    if (!*key)
        return;
    key_ring_free(&(*key)->macs);
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

static enum err sign_with(const struct archive_mac *key, struct str bytes,
                          unsigned char mac_out[ARCHIVE_MAC_SIZE], struct error *error)
{
    unsigned char mac[MAC_MAX_SIZE];
    enum err err = sign(key->mac, bytes, mac);

    if (err != ERR_OK)
        return error_set_detail(error, err, "the HMAC of a backup could not be made");
    memcpy(mac_out, mac, ARCHIVE_MAC_SIZE);
    return ERR_OK;
}

enum err archive_key_sign(const struct archive_key *key, struct str bytes,
                          unsigned char mac_out[ARCHIVE_MAC_SIZE], struct error *error)
{
    return sign_with(key_ring_keys(key->macs)->keys[0], bytes, mac_out, error);
}

enum err archive_key_proves(const struct archive_key *key, struct str bytes, struct str mac,
                            bool *is_good_out, struct error *error)
{
    const struct key_set *macs = key_ring_keys(key->macs);
    unsigned char own[ARCHIVE_MAC_SIZE];
    enum err err = ERR_OK;

    *is_good_out = false;
    for (size_t i = 0; err == ERR_OK && !*is_good_out && i < macs->count; i++) {
        err = sign_with(macs->keys[i], bytes, own, error);
        *is_good_out =
            err == ERR_OK && str_eq_secret(mac, (struct str){(const char *)own, sizeof own});
    }
    return err;
}

/* ---- the seal ---- */

void archive_seal_begin(const struct archive_key *key, unsigned char head_out[ARCHIVE_SEAL_HEAD])
{
    const struct archive_mac *current = key_ring_keys(key->macs)->keys[0];

    memcpy(head_out, frame, sizeof frame);
    memcpy(head_out + sizeof frame, current->name, sizeof current->name);
}

/* Whose name stands there; NULL: nobody's here. */
static const struct archive_mac *named(const struct archive_key *key, const unsigned char *name)
{
    const struct key_set *macs = key_ring_keys(key->macs);

    for (size_t i = 0; i < macs->count; i++) {
        const struct archive_mac *mac = macs->keys[i];
        if (memcmp(mac->name, name, sizeof mac->name) == 0)
            return mac;
    }
    return NULL;
}

enum err archive_seal_end(const struct archive_key *key,
                          const unsigned char head[ARCHIVE_SEAL_HEAD],
                          const unsigned char digest[DIGEST_SHA256_SIZE],
                          unsigned char mac_out[ARCHIVE_MAC_SIZE], struct error *error)
{
    const struct archive_mac *mac = named(key, head + sizeof frame);

    if (!mac)
        return error_set(error, ERR_CONFLICT, "auth.secret was replaced during the backup.");
    return sign_with(mac, (struct str){(const char *)digest, DIGEST_SHA256_SIZE}, mac_out, error);
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
    if (!named(key, seal + sizeof frame))
        return ERR_OK;

    enum err err = archive_seal_end(key, seal, digest, mac, error);
    bool is_same = err == ERR_OK &&
                   str_eq_secret((struct str){(const char *)mac, sizeof mac},
                                 (struct str){(const char *)seal + ARCHIVE_SEAL_HEAD, sizeof mac});
    *seal_out = is_same ? ARCHIVE_SEAL_GOOD : ARCHIVE_SEAL_BROKEN;
    return err;
}
