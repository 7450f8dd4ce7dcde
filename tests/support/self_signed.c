#include "self_signed.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void require(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "self_signed: %s\n", what);
    abort();
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    require(extension && X509_add_ext(certificate, extension, -1) == 1, "extension");
    X509_EXTENSION_free(extension);
}

static FILE *open_private(const char *directory, const char *name, const char *suffix)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.%s", directory, name, suffix);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    require(file != NULL, path);
    return file;
}

void self_signed_write(const char *directory, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    require(key && certificate, "memory");
    X509_set_version(certificate, 2); /* counted from 0: version 3 */
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
                               -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_set_pubkey(certificate, key);
    add_extension(certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    require(X509_sign(certificate, key, EVP_sha256()) > 0, "signature");

    FILE *file = open_private(directory, name, "pem");
    require(PEM_write_X509(file, certificate) == 1, "certificate file");
    fclose(file);
    file = open_private(directory, name, "key");
    require(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1, "key file");
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
