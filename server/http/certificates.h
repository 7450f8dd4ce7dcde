/* The certificates that are in use, for listeners and for Redis, and until when each is good: for /metrics. */
#ifndef SERVER_HTTP_CERTIFICATES_H
#define SERVER_HTTP_CERTIFICATES_H

#include "cachewarden/str.h"

#include <stdatomic.h>
#include <stdint.h>

enum certificate_place {
    CERTIFICATE_LISTENERS,
    CERTIFICATE_CLIENT_CA,
    CERTIFICATE_REDIS_CA,
    CERTIFICATE_REDIS,
    CERTIFICATES
};

/* "server.tls.certificate" */
const char *certificate_setting(enum certificate_place place);

/* The end of each in seconds since 1970; 0: none is used. Any thread reads, one writes. */
struct certificates_in_use {
    _Atomic int64_t until_s[CERTIFICATES];
};

void certificates_write_metrics(const struct certificates_in_use *in_use, int64_t now_s,
                                struct strbuf *out);

#endif
