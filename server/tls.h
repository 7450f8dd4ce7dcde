/* Certificate, key and client CA of the TLS listeners. tls.c is OpenSSL's home in this room. */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include "cachewarden/error.h"

struct tls_files {
    const char *certificate; /* PEM: the server's certificate, then the chain up to its root */
    const char *key;         /* PEM, not encrypted; NULL: it is in the certificate's file */
    const char *client_ca;   /* PEM: clients must show a certificate one of these signed; or NULL */
};

/*
 * Prepares an SSL_CTX: TLS 1.2 or later, forward secrecy and authenticated encryption only.
 * ERR_BAD_INPUT names the setting, the file and what is wrong with it.
 */
CW_MUST_CHECK enum err tls_configure(void *ssl_ctx, const struct tls_files *files,
                                     struct error *error);

/* Whether tls_configure would take the files. Changes nothing; same errors. */
CW_MUST_CHECK enum err tls_check(const struct tls_files *files, struct error *error);

#endif
