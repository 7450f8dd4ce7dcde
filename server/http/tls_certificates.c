#include "http/tls_certificates.h"

#include "config/config_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/exposition.h"
#include "cachewarden/log.h"

#include <stdio.h>

enum { DAY_S = 24 * 3600, HOUR_S = 3600 };

static const struct {
    const char *setting;
    enum setting_id id;
    enum certificate_owner owner;
} places[CERTIFICATES] = {
    [CERTIFICATE_LISTENERS] = {"server.tls.certificate", SETTING_server_tls_certificate,
                               OWNER_LISTENERS},
    [CERTIFICATE_CLIENT_CA] = {"server.tls.client_ca", SETTING_server_tls_client_ca,
                               OWNER_LISTENERS},
    [CERTIFICATE_REDIS_CA] = {"redis.tls_ca", SETTING_redis_tls_ca, OWNER_REDIS},
    [CERTIFICATE_REDIS] = {"redis.tls_certificate", SETTING_redis_tls_certificate, OWNER_REDIS},
};

const char *certificate_setting(enum certificate_place place)
{
    return places[place].setting;
}

/* ---- looking ---- */

/* "3 days", "5 hours", "less than an hour" */
static void describe_time(int64_t seconds, char out[32])
{
    int64_t days = seconds / DAY_S, hours = seconds / HOUR_S;

    if (days > 1)
        snprintf(out, 32, "%lld days", (long long)days);
    else if (hours > 1)
        snprintf(out, 32, "%lld hours", (long long)hours);
    else
        snprintf(out, 32, "less than two hours");
}

static void judge(struct tls_certificate *certificate, int64_t now_s)
{
    const struct tls_dates *dates = &certificate->dates;
    int64_t left_s = dates->until_s - now_s;
    bool is_early = dates->from_s > now_s;
    char time[32], moment[CLOCK_RFC3339_SIZE];
    struct str at = clock_rfc3339(1000 * (is_early ? dates->from_s : dates->until_s), moment);

    certificate->state = left_s <= 0                    ? CERTIFICATE_EXPIRED
                         : is_early                     ? CERTIFICATE_EARLY
                         : left_s <= CERTIFICATE_NEAR_S ? CERTIFICATE_NEAR
                                                        : CERTIFICATE_GOOD;
    describe_time(left_s <= 0 ? -left_s : is_early ? dates->from_s - now_s : left_s, time);
    static const struct {
        const char *begin, *end;
    } words[] = {
        [CERTIFICATE_GOOD] = {"good for ", ", until"},
        [CERTIFICATE_NEAR] = {"expires in ", ", at"},
        [CERTIFICATE_EARLY] = {"not valid yet, but in ", ", from"},
        [CERTIFICATE_EXPIRED] = {"expired ", " ago, at"},
    };
    snprintf(certificate->text, sizeof certificate->text, "%s%s%s %.*s",
             words[certificate->state].begin, time, words[certificate->state].end, STR_ARG(at));
}

static void found(struct tls_certificate *certificate, const char *file, struct tls_dates dates,
                  int64_t now_s)
{
    if (!file || !dates.is_known)
        return;
    certificate->file = file;
    certificate->dates = dates;
    judge(certificate, now_s);
}

static bool listens_with_tls(const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        if (config->listen[i].tls)
            return true;
    return false;
}

void certificates_look(const struct config *config, int64_t now_s,
                       struct tls_certificate found_out[CERTIFICATES])
{
    const struct tls_files files = {config->server_tls_certificate, config->server_tls_key,
                                    config->server_tls_client_ca};
    struct tls_summary summary;
    enum redis_tls_file ignored;
    char host[] = "localhost"; /* of no concern here */
    const struct redis_address redis = {.host = host,
                                        .tls_ca_file = config->redis_tls_ca,
                                        .tls_certificate_file = config->redis_tls_certificate,
                                        .tls_key_file = config->redis_tls_key};

    memset(found_out, 0, CERTIFICATES * sizeof *found_out);
    if (listens_with_tls(config) && files.certificate &&
        tls_check(&files, &summary, NULL) == ERR_OK) {
        found(&found_out[CERTIFICATE_LISTENERS], files.certificate, summary.chain, now_s);
        found(&found_out[CERTIFICATE_CLIENT_CA], files.client_ca, summary.authorities, now_s);
    }
    if (config_uses_redis_tls(config) &&
        redis_address_check_tls(&redis, &ignored, &summary, NULL) == ERR_OK) {
        found(&found_out[CERTIFICATE_REDIS_CA], redis.tls_ca_file, summary.authorities, now_s);
        found(&found_out[CERTIFICATE_REDIS], redis.tls_certificate_file, summary.chain, now_s);
    }
}

void certificates_warn(const struct config *config, int64_t now_s, struct config_report *report)
{
    struct tls_certificate each[CERTIFICATES];

    certificates_look(config, now_s, each);
    for (int i = 0; i < CERTIFICATES; i++)
        if (each[i].state > CERTIFICATE_GOOD)
            config_warning(report, &config->origins[places[i].id],
                           (struct config_name){"", places[i].setting}, "%s: %s", each[i].text,
                           each[i].file);
}

/* ---- those in use ---- */

void certificates_note(struct certificates *certificates, enum certificate_owner owner,
                       const struct config *config)
{
    struct tls_certificate each[CERTIFICATES];

    certificates_look(config, clock_wall_s(), each);
    for (int i = 0; i < CERTIFICATES; i++)
        if (places[i].owner == owner)
            atomic_store(&certificates->until_s[i], each[i].dates.until_s);
}

void certificates_write_metrics(const struct certificates *certificates, int64_t now_s,
                                struct strbuf *out)
{
    const char *name = "cachewarden_certificate_expires_seconds";
    bool is_begun = false;

    for (int i = 0; i < CERTIFICATES; i++) {
        int64_t until_s = atomic_load(&certificates->until_s[i]);
        char labels[64];
        if (until_s == 0)
            continue;
        if (!is_begun)
            exposition_family(out, name, "gauge",
                              "Seconds until a certificate in use expires, by the setting that "
                              "names it; below zero: it has.");
        is_begun = true;
        snprintf(labels, sizeof labels, "setting=\"%s\"", places[i].setting);
        exposition_signed(out, name, labels, until_s - now_s);
    }
}

/* ---- renewal ---- */

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

void certificates_renew(struct certificates *certificates, const struct config *config,
                        struct http *http, struct app *app)
{
    if (renew_listeners(config, http) == ERR_OK)
        certificates_note(certificates, OWNER_LISTENERS, config);
    if (renew_redis(config, app) == ERR_OK)
        certificates_note(certificates, OWNER_REDIS, config);
}
