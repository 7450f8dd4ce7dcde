#include "process/renewal.h"

#include "config/certificates.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"

void renewal_note(struct certificates_in_use *in_use, enum certificate_owner owner,
                  const struct config *config)
{
    static const enum certificate_owner owner_of[CERTIFICATES] = {
        [CERTIFICATE_LISTENERS] = OWNER_LISTENERS,
        [CERTIFICATE_CLIENT_CA] = OWNER_LISTENERS,
        [CERTIFICATE_REDIS_CA] = OWNER_REDIS,
        [CERTIFICATE_REDIS] = OWNER_REDIS,
    };
    struct config_certificate each[CERTIFICATES];

    config_certificates(config, clock_wall_s(), each);
    for (int i = 0; i < CERTIFICATES; i++)
        if (owner_of[i] == owner)
            atomic_store(&in_use->until_s[i], each[i].dates.until_s);
}

static void log_kept(const char *owner, const struct error *error, enum err err)
{
    log_event(LOG_LEVEL_ERROR, "tls.kept", LOG_CSTR("of", owner),
              LOG_CSTR("error", error->caller[0] ? error->caller : err_name(err)));
}

static void log_changed(const char *const settings[TLS_PARTS], const char *const files[TLS_PARTS],
                        const bool changed[TLS_PARTS])
{
    for (int part = 0; part < TLS_PARTS; part++)
        if (changed[part])
            log_event(LOG_LEVEL_INFO, "tls.renewed", LOG_CSTR("setting", settings[part]),
                      LOG_CSTR("file", files[part] ? files[part] : "(none)"));
}

static enum err renew_listeners(const struct config *config, struct http *http)
{
    static const char *const settings[TLS_PARTS] = {"server.tls.certificate", "server.tls.key",
                                                    "server.tls.client_ca"};
    const struct tls_files files = {config->server_tls_certificate, config->server_tls_key,
                                    config->server_tls_client_ca};
    const char *const names[TLS_PARTS] = {files.certificate, files.key, files.client_ca};
    struct error error = {0};
    bool changed[TLS_PARTS];
    enum err err = http_renew_tls(http, &files, changed, &error);

    if (err == ERR_OK)
        log_changed(settings, names, changed);
    else
        log_kept("listeners", &error, err);
    return err;
}

static enum err renew_redis(const struct config *config, struct app *app)
{
    static const char *const settings[TLS_PARTS] = {"redis.tls_certificate", "redis.tls_key",
                                                    "redis.tls_ca"};
    const struct redis_address *files = &config->redis;
    const char *const names[TLS_PARTS] = {files->tls_certificate_file, files->tls_key_file,
                                          files->tls_ca_file};
    struct error error = {0};
    bool changed[TLS_PARTS];
    enum err err = app_renew_tls(app, files, changed, &error);

    if (err == ERR_OK)
        log_changed(settings, names, changed);
    else
        log_kept("redis", &error, err);
    return err;
}

void renewal_run(struct certificates_in_use *in_use, const struct config *config, struct http *http,
                 struct app *app)
{
    if (renew_listeners(config, http) == ERR_OK)
        renewal_note(in_use, OWNER_LISTENERS, config);
    if (renew_redis(config, app) == ERR_OK)
        renewal_note(in_use, OWNER_REDIS, config);
}
