#include "cachewarden/digest.h"

#include <openssl/evp.h>
#include <pthread.h>

/* Fetched once: fetching costs more than the digest of a short string. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
}

enum err digest_sha256(struct str bytes, unsigned char digest_out[DIGEST_SHA256_SIZE])
{
    unsigned size = 0;

    pthread_once(&sha256_once, fetch_sha256);
    if (!sha256 || EVP_Digest(bytes.ptr, bytes.len, digest_out, &size, sha256, NULL) != 1)
        return ERR_INTERNAL;
    return size == DIGEST_SHA256_SIZE ? ERR_OK : ERR_INTERNAL;
}
