#include "config/certificates.h"

#include "config/config_private.h"

#include "cachewarden/clock.h"

#include <stdio.h>

enum { SECONDS_A_DAY = 24 * 3600, SECONDS_AN_HOUR = 3600 };

/* "3 days", "5 hours", "less than an hour" */
static void describe_time(int64_t seconds, char out[32])
{
    int64_t days = seconds / SECONDS_A_DAY, hours = seconds / SECONDS_AN_HOUR;

    if (days > 1)
        snprintf(out, 32, "%lld days", (long long)days);
    else if (hours > 1)
        snprintf(out, 32, "%lld hours", (long long)hours);
    else
        snprintf(out, 32, "less than two hours");
}

static void judge(struct config_certificate *certificate, int64_t now_s)
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

static void found(struct config_certificate *certificate, const char *file, struct tls_dates dates,
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

void config_certificates(const struct config *config, int64_t now_s,
                         struct config_certificate found_out[CERTIFICATES])
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

void config_warn_of_certificates(const struct config *config, int64_t now_s,
                                 struct config_report *report)
{
    static const enum setting_id ids[CERTIFICATES] = {
        [CERTIFICATE_LISTENERS] = SETTING_server_tls_certificate,
        [CERTIFICATE_CLIENT_CA] = SETTING_server_tls_client_ca,
        [CERTIFICATE_REDIS_CA] = SETTING_redis_tls_ca,
        [CERTIFICATE_REDIS] = SETTING_redis_tls_certificate,
    };
    struct config_certificate each[CERTIFICATES];

    config_certificates(config, now_s, each);
    for (int i = 0; i < CERTIFICATES; i++)
        if (each[i].state > CERTIFICATE_GOOD)
            config_warning(report, &config->sources[ids[i]],
                           (struct config_name){"", certificate_setting((enum certificate_place)i)},
                           "%s: %s", each[i].text, each[i].file);
}
