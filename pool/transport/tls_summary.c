#include "cachewarden/tls_summary.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <string.h>
#include <time.h>

enum { PRINT_SIZE = sizeof((struct tls_summary *)NULL)->prints[0] };

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return 0; /* a certificate with a date that is none is of no use, as one that has ended */
    return timegm(&parts);
}

static struct tls_dates dates_of(const X509 *certificate)
{
    return (struct tls_dates){true, seconds_of(X509_get0_notBefore(certificate)),
                              seconds_of(X509_get0_notAfter(certificate))};
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Prints are added up bit by bit, so that the order in which a store keeps them has no say. */
static void add_print(const X509 *certificate, unsigned char print[PRINT_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size;
    if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1)
        return;
    for (size_t i = 0; i < PRINT_SIZE; i++)
        print[i] ^= digest[i];
}

static void add_shown(const X509 *certificate, struct tls_summary *summary)
{
    const struct tls_dates dates = dates_of(certificate), *so_far = &summary->chain;
    summary->chain = so_far->is_known ? (struct tls_dates){true, most(so_far->from_s, dates.from_s),
                                                           least(so_far->until_s, dates.until_s)}
                                      : dates;
    add_print(certificate, summary->prints[TLS_CERTIFICATE]);
}

static void add_trusted(const X509 *certificate, struct tls_summary *summary)
{
    const struct tls_dates dates = dates_of(certificate), *so_far = &summary->authorities;
    summary->authorities = so_far->is_known
                               ? (struct tls_dates){true, least(so_far->from_s, dates.from_s),
                                                    most(so_far->until_s, dates.until_s)}
                               : dates;
    add_print(certificate, summary->prints[TLS_AUTHORITIES]);
}

void tls_summarize(const SSL_CTX *ssl, struct tls_summary *summary_out)
{
    const X509 *own = SSL_CTX_get0_certificate(ssl);
    STACK_OF(X509) *chain = NULL;
    unsigned size;

    memset(summary_out, 0, sizeof *summary_out);
    if (own) {
        add_shown(own, summary_out);
        /* The key is known by its other half, which it was compared with when it was read. */
        (void)X509_pubkey_digest(own, EVP_sha256(), summary_out->prints[TLS_KEY], &size);
    }
    /* OpenSSL's macros take no constant; these only look. */
    SSL_CTX *context = (SSL_CTX *)(uintptr_t)ssl;
    SSL_CTX_get_extra_chain_certs(context, &chain);
    for (int i = 0; i < sk_X509_num(chain); i++)
        add_shown(sk_X509_value(chain, i), summary_out);
    STACK_OF(X509_OBJECT) *trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
    for (int i = 0; i < sk_X509_OBJECT_num(trusted); i++) {
        const X509 *authority = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(trusted, i));
        if (authority)
            add_trusted(authority, summary_out);
    }
}
