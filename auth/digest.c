#include "cachewarden/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

/* Fetched once: fetching costs more than the digest of a short string. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
}

enum err digest_sha256(struct str bytes, unsigned char digest_out[DIGEST_SHA256_SIZE])
{
    return digest_sha256_of(&bytes, 1, digest_out);
}

enum err digest_sha256_of(const struct str *pieces, size_t count,
                          unsigned char digest_out[DIGEST_SHA256_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned size = 0;

    if (!context)
        return ERR_NO_MEMORY;
    pthread_once(&sha256_once, fetch_sha256);
    bool is_good = sha256 && EVP_DigestInit_ex2(context, sha256, NULL) == 1;
    for (size_t i = 0; is_good && i < count; i++)
        is_good = EVP_DigestUpdate(context, pieces[i].ptr, pieces[i].len) == 1;
    is_good = is_good && EVP_DigestFinal_ex(context, digest_out, &size) == 1;
    EVP_MD_CTX_free(context);
    return is_good && size == DIGEST_SHA256_SIZE ? ERR_OK : ERR_INTERNAL;
}

/* ---- of pieces ---- */

struct digest {
    EVP_MD_CTX *context;
    EVP_MD_CTX *copy; /* ends where `context` goes on */
};

enum err digest_new(struct digest **digest_out)
{
    *digest_out = NULL;
    pthread_once(&sha256_once, fetch_sha256);

    struct digest *digest = calloc(1, sizeof *digest);
    if (!digest)
        return ERR_NO_MEMORY;
    digest->context = EVP_MD_CTX_new();
    digest->copy = EVP_MD_CTX_new();
    enum err err = digest->context && digest->copy ? ERR_OK : ERR_NO_MEMORY;
    if (err == ERR_OK && (!sha256 || EVP_DigestInit_ex2(digest->context, sha256, NULL) != 1))
        err = ERR_INTERNAL;
    if (err == ERR_OK)
        *digest_out = digest;
    else
        digest_free(&digest);
    return err;
}

void digest_free(struct digest **digest)
{
    if (!*digest)
        return;
    EVP_MD_CTX_free((*digest)->context);
    EVP_MD_CTX_free((*digest)->copy);
    free(*digest);
    *digest = NULL;
}

enum err digest_add(struct digest *digest, struct str bytes)
{
    return EVP_DigestUpdate(digest->context, bytes.ptr, bytes.len) == 1 ? ERR_OK : ERR_INTERNAL;
}

enum err digest_so_far(const struct digest *digest, unsigned char digest_out[DIGEST_SHA256_SIZE])
{
    unsigned size = 0;

    if (EVP_MD_CTX_copy_ex(digest->copy, digest->context) != 1 ||
        EVP_DigestFinal_ex(digest->copy, digest_out, &size) != 1)
        return ERR_INTERNAL;
    return size == DIGEST_SHA256_SIZE ? ERR_OK : ERR_INTERNAL;
}
