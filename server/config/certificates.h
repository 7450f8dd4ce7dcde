/*
 * The certificates that the settings name, and until when each is good. Of a chain all must be good, so
 * the earliest end counts; of authorities one suffices.
 */
#ifndef SERVER_CONFIG_CERTIFICATES_H
#define SERVER_CONFIG_CERTIFICATES_H

#include "config/config.h"
#include "http/certificates.h"

/* Which is near its end: two thirds of a certificate of 90 days are over 30 days before, when it is
 * renewed; who hears of one now has had time, and still has some. */
#define CERTIFICATE_NEAR_S ((int64_t)14 * 24 * 3600)

enum certificate_state {
    CERTIFICATE_UNUSED, /* or of a file that cannot be used, which others tell of */
    CERTIFICATE_GOOD,
    CERTIFICATE_NEAR, /* its end is */
    CERTIFICATE_EARLY,
    CERTIFICATE_EXPIRED
};

struct config_certificate {
    enum certificate_state state;
    struct tls_dates dates;
    const char *file; /* the configuration's */
    char text[96];    /* "expired 3 days ago, at 2026-11-26T09:00:00Z" */
};

/* Reads them all. */
void config_certificates(const struct config *config, int64_t now_s,
                         struct config_certificate found_out[CERTIFICATES]);
/* A warning for each that is not good for long. */
void config_warn_of_certificates(const struct config *config, int64_t now_s,
                                 struct config_report *report);

#endif
