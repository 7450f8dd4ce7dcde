#include "signer.h"

#include "mint.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 32768 };

struct signer {
    char algorithm[8], kid[64];
    EVP_PKEY *key;   /* NULL for HMAC */
    char secret[65]; /* hex */
    char jwk[2048], pem[2048];
};

static void require(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "signer: %s\n", what);
    abort();
}

static int is_hmac(const struct signer *signer)
{
    return signer->algorithm[0] == 'H';
}

static int is_ec(const struct signer *signer)
{
    return signer->algorithm[0] == 'E' && signer->algorithm[1] == 'S';
}

/* "SHA256"; NULL for EdDSA. */
static const char *digest_of(const struct signer *signer)
{
    return strcmp(signer->algorithm, "EdDSA") == 0     ? NULL
           : strcmp(signer->algorithm + 2, "256") == 0 ? "SHA256"
           : strcmp(signer->algorithm + 2, "384") == 0 ? "SHA384"
                                                       : "SHA512";
}

static const char *curve_of(const char *algorithm)
{
    return strcmp(algorithm, "ES256") == 0   ? "P-256"
           : strcmp(algorithm, "ES384") == 0 ? "P-384"
                                             : "P-521";
}

static int coordinate_size(const struct signer *signer)
{
    return (EVP_PKEY_get_bits(signer->key) + 7) / 8;
}

/* ---- the key ---- */

static void add_number(const struct signer *signer, char *jwk, size_t size, const char *member,
                       const char *parameter)
{
    unsigned char bytes[512];
    char text[1024];
    BIGNUM *number = NULL;
    require(EVP_PKEY_get_bn_param(signer->key, parameter, &number), parameter);
    int length = BN_num_bytes(number);
    if (is_ec(signer))
        length = BN_bn2binpad(number, bytes, coordinate_size(signer));
    else
        BN_bn2bin(number, bytes);
    BN_free(number);
    mint_base64url(text, sizeof text, bytes, (size_t)length);
    size_t used = strlen(jwk);
    snprintf(jwk + used, size - used, ",\"%s\":\"%s\"", member, text);
}

static void write_jwk(struct signer *signer)
{
    char *jwk = signer->jwk, text[128];
    size_t size = sizeof signer->jwk;
    unsigned char raw[32];
    size_t raw_size = sizeof raw;
    if (is_hmac(signer)) {
        mint_base64url(text, sizeof text, signer->secret, strlen(signer->secret));
        snprintf(jwk, size, "{\"kty\":\"oct\",\"k\":\"%s\"", text);
    } else if (strcmp(signer->algorithm, "EdDSA") == 0) {
        require(EVP_PKEY_get_raw_public_key(signer->key, raw, &raw_size), "raw key");
        mint_base64url(text, sizeof text, raw, raw_size);
        snprintf(jwk, size, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"", text);
    } else if (is_ec(signer)) {
        snprintf(jwk, size, "{\"kty\":\"EC\",\"crv\":\"%s\"", curve_of(signer->algorithm));
        add_number(signer, jwk, size, "x", OSSL_PKEY_PARAM_EC_PUB_X);
        add_number(signer, jwk, size, "y", OSSL_PKEY_PARAM_EC_PUB_Y);
    } else {
        snprintf(jwk, size, "{\"kty\":\"RSA\"");
        add_number(signer, jwk, size, "n", OSSL_PKEY_PARAM_RSA_N);
        add_number(signer, jwk, size, "e", OSSL_PKEY_PARAM_RSA_E);
    }
    size_t used = strlen(jwk);
    if (signer->kid[0])
        used += (size_t)snprintf(jwk + used, size - used, ",\"kid\":\"%s\"", signer->kid);
    snprintf(jwk + used, size - used, ",\"use\":\"sig\",\"alg\":\"%s\"}", signer->algorithm);
}

static void write_pem(struct signer *signer)
{
    BIO *memory = BIO_new(BIO_s_mem());
    require(memory && PEM_write_bio_PUBKEY(memory, signer->key) == 1, "PEM");
    int size = BIO_read(memory, signer->pem, sizeof signer->pem - 1);
    require(size > 0, "PEM");
    BIO_free(memory);
}

static struct signer *new_signer(const char *algorithm, const char *kid)
{
    struct signer *signer = calloc(1, sizeof *signer);
    require(signer != NULL, "memory");
    snprintf(signer->algorithm, sizeof signer->algorithm, "%s", algorithm);
    snprintf(signer->kid, sizeof signer->kid, "%s", kid ? kid : "");
    return signer;
}

struct signer *signer_new_like(const struct signer *signer, const char *algorithm, const char *kid)
{
    struct signer *other = new_signer(algorithm, kid);
    require(signer->key != NULL && EVP_PKEY_up_ref(signer->key) == 1, "key");
    other->key = signer->key;
    write_jwk(other);
    write_pem(other);
    return other;
}

/* Whoever else makes the same one at the same time: the later file takes the place of the earlier. */
static EVP_PKEY *make_rsa_key(const char *path)
{
    char fresh[512];
    EVP_PKEY *key = EVP_RSA_gen(2048);
    snprintf(fresh, sizeof fresh, "%s.%d", path, (int)getpid());
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    require(key && file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1, fresh);
    require(fclose(file) == 0 && rename(fresh, path) == 0, path);
    return key;
}

static EVP_PKEY *next_rsa_key(void)
{
    static int number;
    char path[480];
    snprintf(path, sizeof path, CW_BINARY "-rsa-%d.key", ++number);
    FILE *file = fopen(path, "re");
    if (!file)
        return make_rsa_key(path);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    return key;
}

struct signer *signer_new(const char *algorithm, const char *kid)
{
    struct signer *signer = new_signer(algorithm, kid);
    unsigned char random[32];
    if (is_hmac(signer)) {
        require(RAND_bytes(random, sizeof random) == 1, "random bytes");
        for (size_t i = 0; i < sizeof random; i++)
            snprintf(signer->secret + 2 * i, 3, "%02x", random[i]);
    } else if (strcmp(algorithm, "EdDSA") == 0) {
        signer->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    } else if (is_ec(signer)) {
        signer->key = EVP_EC_gen(curve_of(algorithm));
    } else {
        signer->key = next_rsa_key();
    }
    require(is_hmac(signer) || signer->key, "key");
    write_jwk(signer);
    if (signer->key)
        write_pem(signer);
    return signer;
}

void signer_free(struct signer **signer)
{
    if (*signer)
        EVP_PKEY_free((*signer)->key);
    free(*signer);
    *signer = NULL;
}

const char *signer_algorithm(const struct signer *signer)
{
    return signer->algorithm;
}

const char *signer_jwk(const struct signer *signer)
{
    return signer->jwk;
}

const char *signer_secret(const struct signer *signer)
{
    return signer->secret;
}

const char *signer_pem(const struct signer *signer)
{
    return signer->pem;
}

char *signer_jwks(const struct signer *const *signers)
{
    char *text = malloc(TEXT_MAX);
    require(text != NULL, "memory");
    size_t used = (size_t)snprintf(text, TEXT_MAX, "{\"keys\":[");
    for (size_t i = 0; signers[i]; i++)
        used +=
            (size_t)snprintf(text + used, TEXT_MAX - used, "%s%s", i ? "," : "", signers[i]->jwk);
    snprintf(text + used, TEXT_MAX - used, "]}");
    return text;
}

/* ---- signatures ---- */

static size_t sign_hmac(const struct signer *signer, const char *input, unsigned char *out)
{
    unsigned size = 0;
    require(HMAC(EVP_get_digestbyname(digest_of(signer)), signer->secret,
                 (int)strlen(signer->secret), (const unsigned char *)input, strlen(input), out,
                 &size) != NULL,
            "HMAC");
    return size;
}

/* r and s side by side, of what OpenSSL writes as DER. */
static size_t flatten(const struct signer *signer, const unsigned char *der, size_t size,
                      unsigned char *out)
{
    int half = coordinate_size(signer);
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
    require(pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, half) > 0 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + half, half) > 0,
            "DER");
    ECDSA_SIG_free(pair);
    return 2 * (size_t)half;
}

static size_t sign_public(const struct signer *signer, const char *input, unsigned char *out,
                          size_t size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *settings = NULL;
    unsigned char der[512];
    size_t made = is_ec(signer) ? sizeof der : size;
    require(context && EVP_DigestSignInit_ex(context, &settings, digest_of(signer), NULL, NULL,
                                             signer->key, NULL) == 1,
            "signing");
    if (signer->algorithm[0] == 'P')
        require(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1 &&
                    EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1,
                "PSS");
    require(EVP_DigestSign(context, is_ec(signer) ? der : out, &made, (const unsigned char *)input,
                           strlen(input)) == 1,
            "signature");
    EVP_MD_CTX_free(context);
    return is_ec(signer) ? flatten(signer, der, made, out) : made;
}

char *signer_sign(const struct signer *signer, const char *header, const char *payload)
{
    char *compact = malloc(TEXT_MAX);
    unsigned char signature[1024];
    require(compact != NULL, "memory");
    size_t used = mint_base64url(compact, TEXT_MAX, header, strlen(header));
    compact[used++] = '.';
    used += mint_base64url(compact + used, TEXT_MAX - used, payload, strlen(payload));
    size_t size = is_hmac(signer) ? sign_hmac(signer, compact, signature)
                                  : sign_public(signer, compact, signature, sizeof signature);
    compact[used++] = '.';
    mint_base64url(compact + used, TEXT_MAX - used, signature, size);
    return compact;
}

char *signer_mint(const struct signer *signer, const char *payload, ...)
{
    static _Thread_local char text[TEXT_MAX / 2];
    char header[192];
    va_list args;
    va_start(args, payload);
    int size = vsnprintf(text, sizeof text, payload, args);
    va_end(args);
    require(size >= 0 && (size_t)size < sizeof text, "payload too long");
    if (signer->kid[0])
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                 signer->algorithm, signer->kid);
    else
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", signer->algorithm);
    return signer_sign(signer, header, text);
}
