/*
 * The certificates that the settings name and that are in use: until when each is good, and what is
 * told of it. Of a chain all must be good, so the earliest end counts; of authorities one suffices.
 */
#ifndef SERVER_HTTP_TLS_CERTIFICATES_H
#define SERVER_HTTP_TLS_CERTIFICATES_H

#include "config/config.h"
#include "http/tls.h"

#include <stdatomic.h>

/* Which is near its end: two thirds of a certificate of 90 days are over 30 days before, when it is
 * renewed; who hears of one now has had time, and still has some. */
#define CERTIFICATE_NEAR_S ((int64_t)14 * 24 * 3600)

enum certificate_place {
    CERTIFICATE_LISTENERS,
    CERTIFICATE_CLIENT_CA,
    CERTIFICATE_REDIS_CA,
    CERTIFICATE_REDIS,
    CERTIFICATES
};

enum certificate_state {
    CERTIFICATE_UNUSED, /* or of a file that cannot be used, which others tell of */
    CERTIFICATE_GOOD,
    CERTIFICATE_NEAR, /* its end is */
    CERTIFICATE_EARLY,
    CERTIFICATE_EXPIRED
};

/* "server.tls.certificate" */
const char *certificate_setting(enum certificate_place place);

struct tls_certificate {
    enum certificate_state state;
    struct tls_dates dates;
    const char *file; /* the configuration's */
    char text[96];    /* "expired 3 days ago, at 2026-11-26T09:00:00Z" */
};

/* Reads them all. */
void certificates_look(const struct config *config, int64_t now_s,
                       struct tls_certificate found_out[CERTIFICATES]);
/* A warning for each that is not good for long. */
void certificates_warn(const struct config *config, int64_t now_s, struct config_report *report);

/* ---- those in use, for /metrics ---- */

/* The end of each in seconds since 1970; 0: none is used. Any thread reads, one writes. */
struct certificates {
    _Atomic int64_t until_s[CERTIFICATES];
};
enum certificate_owner { OWNER_LISTENERS, OWNER_REDIS };
/* Takes note of those of one owner, who has just begun to use what their files hold. */
void certificates_note(struct certificates *certificates, enum certificate_owner owner,
                       const struct config *config);
void certificates_write_metrics(const struct certificates *certificates, int64_t now_s,
                                struct strbuf *out);

/* ---- renewal ---- */

/* SIGHUP: listeners and Redis read their files anew, each for itself. Logs what has changed, and what
 * cannot be used; in its place the old goes on. */
void certificates_renew(struct certificates *certificates, const struct config *config,
                        struct http *http, struct app *app);

#endif
