#include "cachewarden/cipher.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>

enum { KEY_SIZE = 32, NONCE_SIZE = 12 };

struct cipher_key {
    unsigned char bytes[KEY_SIZE];
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *context;
};

static bool derive(struct str passphrase, const unsigned char salt[CIPHER_SALT_SIZE],
                   unsigned char key_out[KEY_SIZE])
{
    /* 128 * n * r bytes of memory. The limit counts a little more than that. */
    uint64_t n = 32768, most = 48 << 20;
    uint32_t r = 8, p = 1;
    union {
        const void *in;
        void *out;
    } secret = {passphrase.ptr}, salted = {salt}; /* OpenSSL's parameters are not const */
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, secret.out, passphrase.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salted.out, CIPHER_SALT_SIZE),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &most),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *scrypt = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *context = scrypt ? EVP_KDF_CTX_new(scrypt) : NULL;
    bool is_made = context && EVP_KDF_derive(context, key_out, KEY_SIZE, params) == 1;

    EVP_KDF_CTX_free(context);
    EVP_KDF_free(scrypt);
    return is_made;
}

enum err cipher_key_new(struct str passphrase, const unsigned char salt[CIPHER_SALT_SIZE],
                        struct cipher_key **key_out)
{
    struct cipher_key *key = calloc(1, sizeof *key);

    *key_out = NULL;
    if (!key)
        return ERR_NO_MEMORY;
    key->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    key->context = EVP_CIPHER_CTX_new();
    if (!key->cipher || !key->context || !derive(passphrase, salt, key->bytes)) {
        cipher_key_free(&key);
        return ERR_INTERNAL;
    }
    *key_out = key;
    return ERR_OK;
}

void cipher_key_free(struct cipher_key **key)
{
    if (!*key)
        return;
    EVP_CIPHER_CTX_free((*key)->context);
    EVP_CIPHER_free((*key)->cipher);
    secret_wipe((*key)->bytes, sizeof(*key)->bytes);
    free(*key);
    *key = NULL;
}

/* Number and mark are the nonce: no two chunks of a key have the same. */
static bool begin(struct cipher_key *key, const struct cipher_place *place, bool encrypts)
{
    unsigned char nonce[NONCE_SIZE] = {0};
    int length;

    for (size_t i = 0; i < 8; i++)
        nonce[i] = (unsigned char)(place->number >> (56 - 8 * i));
    nonce[NONCE_SIZE - 1] = place->is_last;
    return EVP_CipherInit_ex2(key->context, key->cipher, key->bytes, nonce, encrypts, NULL) == 1 &&
           EVP_CipherUpdate(key->context, NULL, &length, (const unsigned char *)place->head.ptr,
                            (int)place->head.len) == 1;
}

enum err cipher_encrypt(struct cipher_key *key, const struct cipher_place *place, struct str plain,
                        unsigned char *chunk_out)
{
    int length, rest;

    if (plain.len > INT_MAX - CIPHER_TAG_SIZE || !begin(key, place, true) ||
        EVP_CipherUpdate(key->context, chunk_out, &length, (const unsigned char *)plain.ptr,
                         (int)plain.len) != 1 ||
        EVP_CipherFinal_ex(key->context, chunk_out + length, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(key->context, EVP_CTRL_AEAD_GET_TAG, CIPHER_TAG_SIZE,
                            chunk_out + plain.len) != 1)
        return ERR_INTERNAL;
    return ERR_OK;
}

enum err cipher_decrypt(struct cipher_key *key, const struct cipher_place *place, struct str chunk,
                        unsigned char *plain_out)
{
    unsigned char tag[CIPHER_TAG_SIZE];
    int length, rest;

    if (chunk.len < CIPHER_TAG_SIZE)
        return ERR_UNAUTHENTICATED;
    chunk.len -= CIPHER_TAG_SIZE;
    memcpy(tag, chunk.ptr + chunk.len, sizeof tag);
    if (chunk.len > INT_MAX || !begin(key, place, false) ||
        EVP_CipherUpdate(key->context, plain_out, &length, (const unsigned char *)chunk.ptr,
                         (int)chunk.len) != 1 ||
        EVP_CIPHER_CTX_ctrl(key->context, EVP_CTRL_AEAD_SET_TAG, CIPHER_TAG_SIZE, tag) != 1)
        return ERR_INTERNAL;
    return EVP_CipherFinal_ex(key->context, plain_out + length, &rest) == 1 ? ERR_OK
                                                                            : ERR_UNAUTHENTICATED;
}
