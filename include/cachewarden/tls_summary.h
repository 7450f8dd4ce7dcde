/*
 * What one side of TLS shows and whom it trusts, in a form that can be compared and told: whether
 * renewed files differ from those in use, and until when they are good. Read off an SSL_CTX, so that
 * it is what handshakes use and not what the disk holds by now.
 */
#ifndef CACHEWARDEN_TLS_SUMMARY_H
#define CACHEWARDEN_TLS_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

struct ssl_ctx_st;

enum tls_part { TLS_CERTIFICATE, TLS_KEY, TLS_AUTHORITIES, TLS_PARTS };

/* Seconds since 1970. */
struct tls_dates {
    bool is_known; /* there is such a certificate */
    int64_t from_s, until_s;
};

struct tls_summary {
    /* Of all that is shown, the certificate and those that signed it: while the whole chain is good. */
    struct tls_dates chain;
    /* Of those that are trusted: while any of them is good. Two overlap while one takes over. */
    struct tls_dates authorities;
    unsigned char prints[TLS_PARTS][32]; /* SHA-256; zeros: there is none */
};

void tls_summarize(const struct ssl_ctx_st *ssl, struct tls_summary *summary_out);

#endif
