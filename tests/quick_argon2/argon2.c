/*
 * In the place of libargon2 while most tests run: the same interface, the same parameters in the text,
 * but a digest in place of the work. A password's hash takes 19 MiB and a tenth of a second of a slow
 * machine, ten times that under ThreadSanitizer, and was two fifths of what all tests cost.
 *
 * A hash that libargon2 made is none here, and the other way round.
 */
#include <argon2.h>
#include <openssl/evp.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { DIGEST_SIZE = 32, SHOWN_SIZE = 16 };

static void digest(const void *salt, size_t salt_size, const void *password, size_t password_size,
                   unsigned char out[DIGEST_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    EVP_DigestUpdate(context, salt, salt_size);
    EVP_DigestUpdate(context, password, password_size);
    EVP_DigestFinal_ex(context, out, NULL);
    EVP_MD_CTX_free(context);
}

static void write_hex(char *out, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* "$salt$digest", both in hexadecimal; the digest is of the salt's digits and the password. */
int argon2id_hash_encoded(const uint32_t t_cost, const uint32_t m_cost, const uint32_t parallelism,
                          const void *pwd, const size_t pwdlen, const void *salt,
                          const size_t saltlen, const size_t hashlen, char *encoded,
                          const size_t encodedlen)
{
    unsigned char bytes[DIGEST_SIZE];
    char salt_text[2 * 16 + 1], digest_text[2 * SHOWN_SIZE + 1];

    (void)hashlen;
    if (saltlen != 16)
        return ARGON2_INCORRECT_PARAMETER;
    write_hex(salt_text, salt, saltlen);
    digest(salt_text, strlen(salt_text), pwd, pwdlen, bytes);
    write_hex(digest_text, bytes, SHOWN_SIZE);
    int size = snprintf(encoded, encodedlen, "$argon2id$v=19$m=%u,t=%u,p=%u$%s$%s", m_cost, t_cost,
                        parallelism, salt_text, digest_text);
    return size < 0 || (size_t)size >= encodedlen ? ARGON2_ENCODING_FAIL : ARGON2_OK;
}

int argon2id_hash_raw(const uint32_t t_cost, const uint32_t m_cost, const uint32_t parallelism,
                      const void *pwd, const size_t pwdlen, const void *salt, const size_t saltlen,
                      void *hash, const size_t hashlen)
{
    unsigned char bytes[DIGEST_SIZE];

    (void)t_cost, (void)m_cost, (void)parallelism;
    if (hashlen > sizeof bytes)
        return ARGON2_OUTPUT_TOO_LONG;
    digest(salt, saltlen, pwd, pwdlen, bytes);
    memcpy(hash, bytes, hashlen);
    return ARGON2_OK;
}

int argon2id_verify(const char *encoded, const void *pwd, const size_t pwdlen)
{
    unsigned char bytes[DIGEST_SIZE];
    char salt[2 * 16 + 1], shown[2 * SHOWN_SIZE + 1], wanted[2 * SHOWN_SIZE + 1];
    int end = -1;

    if (sscanf(encoded, "$argon2id$v=19$m=%*u,t=%*u,p=%*u$%32[0-9a-f]$%32[0-9a-f]%n", salt, shown,
               &end) != 2 ||
        end < 0 || encoded[end] != '\0' || strlen(salt) != 2 * 16 ||
        strlen(shown) != 2 * SHOWN_SIZE)
        return ARGON2_DECODING_FAIL;
    digest(salt, strlen(salt), pwd, pwdlen, bytes);
    write_hex(wanted, bytes, SHOWN_SIZE);
    return strcmp(wanted, shown) == 0 ? ARGON2_OK : ARGON2_VERIFY_MISMATCH;
}
