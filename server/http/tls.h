/*
 * Certificate, key and client CA of the TLS listeners, which can be replaced while they run. tls.c is
 * OpenSSL's home in this room.
 */
#ifndef SERVER_HTTP_TLS_H
#define SERVER_HTTP_TLS_H

#include "cachewarden/error.h"
#include "cachewarden/tls_summary.h"

#include <stdbool.h>

struct tls_files {
    const char *certificate; /* PEM: the server's certificate, then the chain up to its root */
    const char *key;         /* PEM, not encrypted; NULL: it is in the certificate's file */
    const char *client_ca;   /* PEM: clients must show a certificate one of these signed; or NULL */
};

/* What handshakes use. Thread-safe. */
struct tls;

/* ERR_BAD_INPUT names the setting, the file and what is wrong with it. */
CW_MUST_CHECK enum err tls_new(const struct tls_files *files, struct tls **tls_out,
                               struct error *error);
void tls_free(struct tls **tls);

/*
 * Prepares a listener's SSL_CTX: TLS 1.2 or later, forward secrecy and authenticated encryption only,
 * and each handshake with what `tls` holds at its beginning. The SSL_CTX must not be used any more
 * when `tls` is freed.
 */
CW_MUST_CHECK enum err tls_attach(struct tls *tls, void *ssl_ctx, struct error *error);

/*
 * Reads the files in place of those before: for handshakes from now on, and sessions that were begun
 * before are not resumed if any of them has changed; *changed_out says which. Connections there are
 * go on. Errors of tls_new; all is as it was then.
 */
CW_MUST_CHECK enum err tls_renew(struct tls *tls, const struct tls_files *files,
                                 bool changed_out[TLS_PARTS], struct error *error);

/* Whether tls_new would take the files, and what is in them (NULL: nobody asks). Same errors. */
CW_MUST_CHECK enum err tls_check(const struct tls_files *files, struct tls_summary *summary_out,
                                 struct error *error);

#endif
