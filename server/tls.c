#include "tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* TLS 1.2 suites with forward secrecy and AEAD (RFC 9325, section 4.2); TLS 1.3 has no others. */
#define TLS12_SUITES "ECDHE+AESGCM:ECDHE+CHACHA20"

/* Names sessions of this server, so that one begun with a client certificate can be resumed. */
static const unsigned char session_context[] = "cachewarden";

/* An encrypted key would make OpenSSL ask on the terminal, and the start hang. */
static int refuse_password(char *buffer, int size, int is_writing, void *arg)
{
    (void)is_writing;
    (void)arg;
    if (size > 0)
        buffer[0] = '\0';
    return -1;
}

/* The last of OpenSSL's reasons, which is the nearest to the cause. */
static enum err complain(struct error *error, const char *setting, const char *file,
                         const char *mend)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return error_set(error, ERR_BAD_INPUT, "%s: %s: %s (%s)", setting, file,
                     reason ? reason : "cannot be used", mend);
}

static enum err check_readable(const char *setting, const char *file, struct error *error)
{
    FILE *stream = fopen(file, "re");

    if (!stream)
        return error_set(error, ERR_BAD_INPUT, "%s: %s: %s", setting, file, strerror(errno));
    fclose(stream);
    return ERR_OK;
}

static enum err use_certificate(SSL_CTX *ssl, const struct tls_files *files, struct error *error)
{
    const char *key = files->key ? files->key : files->certificate;
    const char *key_setting = files->key ? "server.tls.key" : "server.tls.certificate";
    enum err err = check_readable("server.tls.certificate", files->certificate, error);

    if (err == ERR_OK)
        err = check_readable(key_setting, key, error);
    if (err != ERR_OK)
        return err;
    if (SSL_CTX_use_certificate_chain_file(ssl, files->certificate) != 1)
        return complain(error, "server.tls.certificate", files->certificate,
                        "it must hold a PEM certificate");
    SSL_CTX_set_default_passwd_cb(ssl, refuse_password);
    if (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1) /* compares the two as well */
        return complain(error, key_setting, key,
                        "it must hold the PEM key of the certificate, not encrypted");
    return ERR_OK;
}

static enum err use_client_ca(SSL_CTX *ssl, const char *file, struct error *error)
{
    enum err err = check_readable("server.tls.client_ca", file, error);

    if (err != ERR_OK)
        return err;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
    if (!names || SSL_CTX_load_verify_locations(ssl, file, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return complain(error, "server.tls.client_ca", file, "it must hold PEM certificates");
    }
    SSL_CTX_set_client_CA_list(ssl, names); /* takes the names over */
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return ERR_OK;
}

enum err tls_configure(void *ssl_ctx, const struct tls_files *files, struct error *error)
{
    SSL_CTX *ssl = ssl_ctx;

    ERR_clear_error();
    if (SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ssl, TLS12_SUITES) != 1 ||
        SSL_CTX_set_session_id_context(ssl, session_context, sizeof session_context - 1) != 1) {
        ERR_clear_error();
        return error_set(error, ERR_INTERNAL, "this OpenSSL has no TLS 1.2 with ECDHE and AEAD");
    }
    enum err err = use_certificate(ssl, files, error);
    if (err == ERR_OK && files->client_ca)
        err = use_client_ca(ssl, files->client_ca, error);
    return err;
}

enum err tls_check(const struct tls_files *files, struct error *error)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
    enum err err = ERR_NO_MEMORY;

    if (ssl)
        err = tls_configure(ssl, files, error);
    else
        error_set(error, err, "this OpenSSL has no TLS");
    SSL_CTX_free(ssl);
    return err;
}
