#include "http/tls.h"

#include "cachewarden/lock.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* TLS 1.2 suites with forward secrecy and AEAD (RFC 9325, section 4.2); TLS 1.3 has no others. */
#define LISTENER_TLS12_SUITES "ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls {
    struct lock lock;
    SSL_CTX
    *current; /* guarded by lock; never changed, but replaced; who uses it holds a reference */
};

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
                         const char *fix)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return error_set(error, ERR_BAD_INPUT, "%s: %s: %s (%s)", setting, file,
                     reason ? reason : "cannot be used", fix);
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
    if (!files->certificate)
        return error_set(error, ERR_BAD_INPUT,
                         "server.tls.certificate: it is not set, and TLS listeners need it");
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

/*
 * A session goes on without a look at certificates, so it may only where they are the same: its
 * context is named after what is shown and who is trusted. A client whose authority is trusted no
 * longer, or who was shown an older certificate, makes a whole handshake.
 */
static bool name_sessions(SSL_CTX *ssl)
{
    struct tls_summary summary;
    unsigned char name[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    tls_summarize(ssl, &summary);
    return EVP_Digest(summary.prints, sizeof summary.prints, name, &size, EVP_sha256(), NULL) ==
               1 &&
           SSL_CTX_set_session_id_context(ssl, name, size) == 1;
}

static enum err use_rules(SSL_CTX *ssl, struct error *error)
{
    if (SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_cipher_list(ssl, LISTENER_TLS12_SUITES) == 1)
        return ERR_OK;
    ERR_clear_error();
    return error_set(error, ERR_INTERNAL, "this OpenSSL has no TLS 1.2 with ECDHE and AEAD");
}

/* What handshakes use. NULL and *err_out: the files cannot be used. */
static SSL_CTX *read_files(const struct tls_files *files, enum err *err_out, struct error *error)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());

    ERR_clear_error();
    *err_out = ssl ? use_rules(ssl, error) : error_set(error, ERR_NO_MEMORY, "out of memory");
    if (*err_out == ERR_OK)
        *err_out = use_certificate(ssl, files, error);
    if (*err_out == ERR_OK && files->client_ca)
        *err_out = use_client_ca(ssl, files->client_ca, error);
    if (*err_out == ERR_OK && !name_sessions(ssl))
        *err_out = error_set(error, ERR_INTERNAL, "this OpenSSL has no SHA-256");
    if (*err_out == ERR_OK)
        return ssl;
    SSL_CTX_free(ssl);
    return NULL;
}

enum err tls_new(const struct tls_files *files, struct tls **tls_out, struct error *error)
{
    struct tls *tls = calloc(1, sizeof *tls);
    enum err err;

    *tls_out = NULL;
    if (!tls)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    tls->current = read_files(files, &err, error);
    if (err != ERR_OK) {
        free(tls);
        return err;
    }
    lock_init(&tls->lock, LOCK_RANK_LEAF, "listeners' certificates");
    *tls_out = tls;
    return ERR_OK;
}

void tls_free(struct tls **tls)
{
    if (!*tls)
        return;
    SSL_CTX_free((*tls)->current);
    lock_fini(&(*tls)->lock);
    free(*tls);
    *tls = NULL;
}

/* A reference, which the caller frees. */
static SSL_CTX *current_of(struct tls *tls)
{
    lock_acquire(&tls->lock);
    SSL_CTX *current = tls->current;
    SSL_CTX_up_ref(current);
    lock_release(&tls->lock);
    return current;
}

/*
 * Called by OpenSSL with a client's first words, before it looks for a session: the connection takes
 * what is in force at this moment, and keeps it until it ends. The rules of the listener's own SSL_CTX
 * stay; whether a client must show a certificate belongs to the files, but is not taken with them.
 */
static int use_current(SSL *ssl, int *alert_out, void *arg)
{
    SSL_CTX *current = current_of(arg);
    bool is_used = SSL_set_SSL_CTX(ssl, current) != NULL;

    if (is_used)
        SSL_set_verify(ssl, SSL_CTX_get_verify_mode(current), NULL);
    SSL_CTX_free(current); /* the connection holds it now */
    *alert_out = SSL_AD_INTERNAL_ERROR;
    return is_used ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

enum err tls_attach(struct tls *tls, void *ssl_ctx, struct error *error)
{
    SSL_CTX *listener = ssl_ctx;

    ERR_clear_error();
    enum err err = use_rules(listener, error);
    if (err != ERR_OK)
        return err;
    /* A connection takes the name of the sessions along with the files only if it had that of its
     * listener before; so both begin with none. */
    SSL_CTX_set_client_hello_cb(listener, use_current, tls);
    /* The HTTP library's own would put the listener's SSL_CTX back, where a client names a host. */
    SSL_CTX_set_tlsext_servername_callback(listener, NULL);
    SSL_CTX_set_info_callback(listener, NULL); /* its own does nothing */
    /* Sessions are in tickets, so that nothing has to be kept and locked here. One is enough: a client that
     * goes on with a session gets the next one. */
    SSL_CTX_set_session_cache_mode(listener, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(listener, 1);
    return ERR_OK;
}

enum err tls_renew(struct tls *tls, const struct tls_files *files, bool changed_out[TLS_PARTS],
                   struct error *error)
{
    struct tls_summary before, after;
    enum err err;
    SSL_CTX *fresh = read_files(files, &err, error);

    memset(changed_out, 0, TLS_PARTS * sizeof *changed_out);
    if (!fresh)
        return err;
    tls_summarize(fresh, &after);
    lock_acquire(&tls->lock);
    SSL_CTX *old = tls->current;
    tls->current = fresh;
    lock_release(&tls->lock);
    tls_summarize(old, &before);
    SSL_CTX_free(old);
    for (int part = 0; part < TLS_PARTS; part++)
        changed_out[part] =
            memcmp(before.prints[part], after.prints[part], sizeof before.prints[part]) != 0;
    return ERR_OK;
}

enum err tls_check(const struct tls_files *files, struct tls_summary *summary_out,
                   struct error *error)
{
    enum err err;
    SSL_CTX *ssl = read_files(files, &err, error);

    if (ssl && summary_out)
        tls_summarize(ssl, summary_out);
    SSL_CTX_free(ssl);
    return err;
}
