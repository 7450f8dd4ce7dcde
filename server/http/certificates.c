#include "http/certificates.h"

#include "cachewarden/exposition.h"

#include <stdio.h>

const char *certificate_setting(enum certificate_place place)
{
    static const char *const settings[CERTIFICATES] = {
        [CERTIFICATE_LISTENERS] = "server.tls.certificate",
        [CERTIFICATE_CLIENT_CA] = "server.tls.client_ca",
        [CERTIFICATE_REDIS_CA] = "redis.tls_ca",
        [CERTIFICATE_REDIS] = "redis.tls_certificate",
    };

    return settings[place];
}

void certificates_write_metrics(const struct certificates_in_use *in_use, int64_t now_s,
                                struct strbuf *out)
{
    const char *name = "cachewarden_certificate_expires_seconds";
    bool is_begun = false;

    for (int i = 0; i < CERTIFICATES; i++) {
        int64_t until_s = atomic_load(&in_use->until_s[i]);
        char labels[64];
        if (until_s == 0)
            continue;
        if (!is_begun)
            exposition_family(out, name, "gauge",
                              "Seconds until a certificate in use expires, by the setting that "
                              "names it; below zero: it has.");
        is_begun = true;
        snprintf(labels, sizeof labels, "setting=\"%s\"",
                 certificate_setting((enum certificate_place)i));
        exposition_signed(out, name, labels, until_s - now_s);
    }
}
