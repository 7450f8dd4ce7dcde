/* Trust, certificate and sessions of TLS to one Redis. */
#include "transport/tls.h"

#include "cachewarden/lock.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* TLS 1.2 suites with forward secrecy and AEAD (RFC 9325, section 4.2); TLS 1.3 has no others. */
#define TLS12_SUITES "ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls_context {
    char *host; /* constant, like the next */
    bool host_is_ip;
    struct lock lock;
    /* Guarded by lock. */
    SSL_CTX *ssl;         /* never changed, but replaced; who uses it holds a reference */
    SSL_SESSION *session; /* the last one Redis offered under it, or NULL */
};

/* The last of OpenSSL's reasons, which is the nearest to the cause. */
static enum err complain(struct error *error, const char *file, const char *remedy)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return error_set(error, ERR_BAD_INPUT, "cannot be used: %s: %s; %s", file,
                     reason ? reason : "not understood", remedy);
}

static enum err check_readable(const char *file, struct error *error)
{
    FILE *stream = fopen(file, "re");
    if (!stream)
        return error_set(error, ERR_BAD_INPUT, "cannot be read: %s: %s", file, strerror(errno));
    fclose(stream);
    return ERR_OK;
}

/* An encrypted key would make OpenSSL ask on the terminal, and the start hang. */
static int refuse_password(char *buffer, int size, int is_writing, void *arg)
{
    (void)is_writing;
    (void)arg;
    if (size > 0)
        buffer[0] = '\0';
    return -1;
}

static enum err use_authorities(SSL_CTX *ssl, const char *file, struct error *error)
{
    if (!file) {
        if (SSL_CTX_set_default_verify_paths(ssl) == 1)
            return ERR_OK;
        return complain(error, "the system's authorities", "name a file of your own");
    }
    enum err err = check_readable(file, error);
    if (err == ERR_OK && SSL_CTX_load_verify_file(ssl, file) != 1)
        err = complain(error, file, "it must hold the certificates of authorities, in PEM");
    return err;
}

static enum err use_certificate(SSL_CTX *ssl, const char *file, struct error *error)
{
    enum err err = check_readable(file, error);
    if (err == ERR_OK && SSL_CTX_use_certificate_chain_file(ssl, file) != 1)
        err = complain(error, file, "it must hold a certificate and its chain, in PEM");
    return err;
}

static enum err use_key(SSL_CTX *ssl, const char *file, struct error *error)
{
    enum err err = check_readable(file, error);
    SSL_CTX_set_default_passwd_cb(ssl, refuse_password);
    /* It is compared with the certificate as well. */
    if (err == ERR_OK && SSL_CTX_use_PrivateKey_file(ssl, file, SSL_FILETYPE_PEM) != 1)
        err = complain(error, file, "it must hold the key of the certificate, in PEM, unencrypted");
    return err;
}

static enum err use_files(SSL_CTX *ssl, const struct redis_address *address,
                          enum redis_tls_file *file_out, struct error *error)
{
    *file_out = REDIS_TLS_CA;
    enum err err = use_authorities(ssl, address->tls_ca_file, error);
    if (err != ERR_OK || (!address->tls_certificate_file && !address->tls_key_file))
        return err;
    *file_out = REDIS_TLS_CERTIFICATE;
    if (!address->tls_certificate_file)
        return error_set(error, ERR_BAD_INPUT, "is missing: a key needs its certificate beside it");
    err = use_certificate(ssl, address->tls_certificate_file, error);
    if (err != ERR_OK)
        return err;
    *file_out = REDIS_TLS_KEY;
    if (!address->tls_key_file)
        return error_set(error, ERR_BAD_INPUT, "is missing: a certificate needs its key beside it");
    return use_key(ssl, address->tls_key_file, error);
}

/* Called by OpenSSL inside a read, on any thread. 1: the session is ours to free. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    lock_acquire(&context->lock);
    /* One that was begun with files that have been replaced would carry them on. */
    bool is_current = SSL_get_SSL_CTX(ssl) == context->ssl;
    SSL_SESSION *old = is_current ? context->session : NULL;
    if (is_current)
        context->session = session;
    lock_release(&context->lock);
    SSL_SESSION_free(old);
    return is_current;
}

/* Rules for every connection. False: OpenSSL takes none of it, which is a matter of memory. */
static bool set_rules(struct tls_context *context, SSL_CTX *ssl)
{
    X509_VERIFY_PARAM *verify = SSL_CTX_get0_param(ssl);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* A batch may have to be sent in parts, from a buffer whose next part is asked for later. */
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* One system call for a record instead of two: header and body come together. */
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_app_data(ssl, context);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, keep_session);
    /* The subject's common name is no name of a server any more (RFC 9525 section 6.3). */
    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                                X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int named = context->host_is_ip ? X509_VERIFY_PARAM_set1_ip_asc(verify, context->host)
                                    : X509_VERIFY_PARAM_set1_host(verify, context->host, 0);
    return named == 1 && SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, TLS12_SUITES) == 1;
}

static bool is_ip(const char *host)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1;
}

/* NULL and *err_out: why not. */
static SSL_CTX *make_ssl(struct tls_context *context, const struct redis_address *address,
                         enum redis_tls_file *file_out, enum err *err_out, struct error *error)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
    *file_out = REDIS_TLS_CA;
    if (!ssl || !set_rules(context, ssl))
        *err_out = error_set(error, ERR_NO_MEMORY, "out of memory");
    else
        *err_out = use_files(ssl, address, file_out, error);
    ERR_clear_error();
    if (*err_out == ERR_OK)
        return ssl;
    SSL_CTX_free(ssl);
    return NULL;
}

enum err tls_context_new(const struct redis_address *address, struct tls_context **context_out,
                         enum redis_tls_file *file_out, struct error *error)
{
    *context_out = NULL;
    *file_out = REDIS_TLS_CA;
    struct tls_context *context = calloc(1, sizeof *context);
    if (!context)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    lock_init(&context->lock, LOCK_RANK_LEAF, "tls session");
    context->host = strdup(address->host);
    context->host_is_ip = is_ip(address->host);
    enum err err = ERR_OK;
    if (context->host)
        context->ssl = make_ssl(context, address, file_out, &err, error);
    else
        err = error_set(error, ERR_NO_MEMORY, "out of memory");
    if (err != ERR_OK)
        tls_context_free(&context);
    *context_out = context;
    return err;
}

/* A reference to the one in force, which the caller frees. */
static SSL_CTX *current(struct tls_context *context)
{
    lock_acquire(&context->lock);
    SSL_CTX *ssl = context->ssl;
    SSL_CTX_up_ref(ssl);
    lock_release(&context->lock);
    return ssl;
}

void tls_context_summarize(struct tls_context *context, struct tls_summary *summary_out)
{
    SSL_CTX *ssl = current(context);
    tls_summarize(ssl, summary_out);
    SSL_CTX_free(ssl);
}

enum err tls_context_renew(struct tls_context *context, const struct redis_address *address,
                           enum redis_tls_file *file_out, struct error *error)
{
    enum err err;
    SSL_CTX *fresh = make_ssl(context, address, file_out, &err, error);
    if (!fresh)
        return err;
    lock_acquire(&context->lock);
    SSL_CTX *old = context->ssl;
    SSL_SESSION *session = context->session;
    context->ssl = fresh;
    context->session = NULL;
    lock_release(&context->lock);
    SSL_SESSION_free(session);
    SSL_CTX_free(old); /* handshakes and connections that use it hold it too */
    return ERR_OK;
}

void tls_context_free(struct tls_context **context)
{
    if (!*context)
        return;
    SSL_SESSION_free((*context)->session);
    SSL_CTX_free((*context)->ssl);
    lock_fini(&(*context)->lock);
    free((*context)->host);
    free(*context);
    *context = NULL;
}

SSL *tls_context_ssl(struct tls_context *context)
{
    lock_acquire(&context->lock);
    SSL_CTX *in_force = context->ssl;
    SSL_SESSION *session = context->session;
    SSL_CTX_up_ref(in_force);
    if (session)
        SSL_SESSION_up_ref(session);
    lock_release(&context->lock);
    SSL *ssl = SSL_new(in_force); /* takes a reference of its own */
    SSL_CTX_free(in_force);
    if (!ssl || (!context->host_is_ip && SSL_set_tlsext_host_name(ssl, context->host) != 1)) {
        SSL_SESSION_free(session);
        SSL_free(ssl);
        return NULL;
    }
    /* One that is too old is no failure: the handshake is a whole one then. */
    if (session)
        (void)SSL_set_session(ssl, session);
    SSL_SESSION_free(session);
    return ssl;
}

void tls_context_forget(struct tls_context *context)
{
    lock_acquire(&context->lock);
    SSL_SESSION *old = context->session;
    context->session = NULL;
    lock_release(&context->lock);
    SSL_SESSION_free(old);
}
