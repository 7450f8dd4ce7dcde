#include "certificates.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void require(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "certificates: %s\n", what);
    abort();
}

static FILE *open_file(const char *directory, const char *name, const char *suffix, bool writes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.%s", directory, name, suffix);
    int flags = writes ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY;
    int fd = open(path, flags | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, writes ? "w" : "r") : NULL;
    require(file != NULL, path);
    return file;
}

static void write_pair(const char *directory, const char *name, X509 *certificate, EVP_PKEY *key)
{
    FILE *file = open_file(directory, name, "pem", true);
    require(PEM_write_X509(file, certificate) == 1, "certificate file");
    fclose(file);
    file = open_file(directory, name, "key", true);
    require(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1, "key file");
    fclose(file);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    require(extension && X509_add_ext(certificate, extension, -1) == 1, "extension");
    X509_EXTENSION_free(extension);
}

/* With a name, a serial number, a public key and a lifetime; not signed yet. */
static X509 *draft(const char *name, EVP_PKEY *key, int from_s, int until_s)
{
    X509 *certificate = X509_new();
    uint64_t serial = 0;
    require(certificate && RAND_bytes((unsigned char *)&serial, sizeof serial) == 1, "memory");
    X509_set_version(certificate, 2); /* counted from 0: version 3 */
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_pubkey(certificate, key);
    return certificate;
}

void certificates_authority(const char *directory, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    require(key != NULL, "key");
    X509 *certificate = draft(name, key, -60, 86400);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    require(X509_sign(certificate, key, EVP_sha256()) > 0, "signature");
    write_pair(directory, name, certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void certificates_issue(const char *directory, const struct certificate *wanted)
{
    FILE *file = open_file(directory, wanted->authority, "pem", false);
    X509 *authority = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    file = open_file(directory, wanted->authority, "key", false);
    EVP_PKEY *signer = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    require(authority && signer && key, "authority");

    bool is_plain = wanted->from_s == 0 && wanted->until_s == 0;
    X509 *certificate = draft(wanted->name, key, is_plain ? -60 : wanted->from_s,
                              is_plain ? 86400 : wanted->until_s);
    X509_set_issuer_name(certificate, X509_get_subject_name(authority));
    add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE");
    if (wanted->hosts)
        add_extension(certificate, NID_subject_alt_name, wanted->hosts);
    require(X509_sign(certificate, signer, EVP_sha256()) > 0, "signature");
    write_pair(directory, wanted->name, certificate, key);
    X509_free(certificate);
    X509_free(authority);
    EVP_PKEY_free(signer);
    EVP_PKEY_free(key);
}
