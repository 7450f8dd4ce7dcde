#include "config/config_private.h"

#include "cachewarden/cron.h"
#include "cachewarden/token.h"
#include "cachewarden/users.h"
#include "cachewarden/zone.h"

#include <stdlib.h>

static struct config_name name_of(enum setting_id id)
{
    return (struct config_name){"", config_settings.rows[id].name};
}

/* ---- what this version cannot do yet ---- */

/* Nothing that was asked for is left out in silence. */
static void check_available(struct config *config, bool direct, struct config_report *report)
{
    struct config *plain = calloc(1, sizeof *plain);
    if (!plain)
        return;
    config_set_defaults(plain, report);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings.rows[i];
        if ((direct && !(row->flags & DIRECT)) || !(row->flags & (LATER | REFUSED)) ||
            value_equal(row, config, plain))
            continue;
        if (row->flags & REFUSED)
            config_error(report, &config->sources[i], name_of((enum setting_id)i),
                         "is not available in this version, and to go on without it would be "
                         "unsafe; take it out");
        else
            config_warning(report, &config->sources[i], name_of((enum setting_id)i),
                           "has no effect in this version");
    }
    config_free(&plain);
}

/* ---- Redis ---- */

static void check_redis(struct config *config, struct config_report *report)
{
    if (config->redis.tls && config->redis.unix_path)
        config_error(report, &config->sources[SETTING_redis_tls], name_of(SETTING_redis_tls),
                     "asks for TLS, but Redis is reached over a Unix socket, which has none; take "
                     "one of the two out");
    if (config->redis.username && !config->redis.password)
        config_error(report, &config->sources[SETTING_redis_username],
                     name_of(SETTING_redis_username), "needs redis.password beside it");
}

static void check_entries(const struct config *config, struct config_report *report)
{
    struct redis_address address;
    if (config->entries_redis_url &&
        config_parse_redis(str_from(config->entries_redis_url),
                           &config->sources[SETTING_entries_redis_url],
                           name_of(SETTING_entries_redis_url), &address, report))
        redis_address_fini(&address);
}

/* ---- accounts and tokens ---- */

static void check_users(const struct config *config, struct config_report *report)
{
    const struct config_source *source = &config->sources[SETTING_users_database];
    struct str url = str_from(config->users_database), prefix = STR("users.database: ");
    struct error error;
    error_clear(&error);
    if (users_check_url(url, &error) != ERR_OK) {
        struct str words = str_from(error.caller);
        if (str_starts(words, prefix))
            words = str_sub(words, prefix.len, words.len);
        config_error(report, source, name_of(SETTING_users_database),
                     "is not the URL of a users database: %.*s", STR_ARG(words));
    }
    bool is_shared = str_starts(url, STR("postgresql://")) || str_starts(url, STR("postgres://"));
    if (is_shared && !config->auth_secret)
        config_error(report, source, name_of(SETTING_auth_secret),
                     "must be given where the users database is PostgreSQL: every "
                     "node needs the same one (make it with: openssl rand -hex 32)");
}

/* Whoever has a backup may try passphrases for as long as they like. */
static void check_passphrase(const struct config *config, struct config_report *report)
{
    enum { PASSPHRASE_MIN = 16 };
    size_t size = config->backup_passphrase ? strlen(config->backup_passphrase) : PASSPHRASE_MIN;

    if (size < PASSPHRASE_MIN)
        config_error(report, &config->sources[SETTING_backup_passphrase],
                     name_of(SETTING_backup_passphrase),
                     "has %zu bytes and needs at least %d; make one with: openssl rand -hex 32",
                     size, PASSPHRASE_MIN);
}

static void check_previous(const struct config *config, struct config_report *report)
{
    const struct config_texts *previous = &config->auth_previous_secrets;
    const struct config_source *source = &config->sources[SETTING_auth_previous_secrets];
    struct config_name name = name_of(SETTING_auth_previous_secrets);

    if (previous->count > SECRETS_PREVIOUS_MAX)
        config_error(report, source, name, "has %zu of them and may have %d", previous->count,
                     SECRETS_PREVIOUS_MAX);
    for (size_t i = 0; i < previous->count; i++)
        if (strlen(previous->items[i]) < TOKEN_SECRET_MIN_SIZE)
            config_error(report, source, name, "has one of %zu bytes, which needs at least %d",
                         strlen(previous->items[i]), TOKEN_SECRET_MIN_SIZE);
}

static void check_tokens(const struct config *config, struct config_report *report)
{
    size_t size = config->auth_secret ? strlen(config->auth_secret) : TOKEN_SECRET_MIN_SIZE;
    if (size < TOKEN_SECRET_MIN_SIZE)
        config_error(report, &config->sources[SETTING_auth_secret], name_of(SETTING_auth_secret),
                     "has %zu bytes and needs at least %d; make one with: openssl rand -hex 32",
                     size, TOKEN_SECRET_MIN_SIZE);
    check_previous(config, report);
    if (config->auth_access_ttl_s > config->auth_refresh_ttl_s)
        config_error(report, &config->sources[SETTING_auth_refresh_ttl_s],
                     name_of(SETTING_auth_refresh_ttl_s),
                     "must not be less than auth.access_ttl_s");
    if (config->auth_session_idle_s > config->auth_session_ttl_s)
        config_error(report, &config->sources[SETTING_auth_session_ttl_s],
                     name_of(SETTING_auth_session_ttl_s),
                     "must not be less than auth.session_idle_s");
}

/* ---- backups ---- */

static void check_backups(const struct config *config, struct config_report *report)
{
    struct error error = {0};
    struct cron cron;
    if (config->backup_schedule &&
        cron_parse(str_from(config->backup_schedule), &cron, &error) != ERR_OK)
        config_error(report, &config->sources[SETTING_backup_schedule],
                     name_of(SETTING_backup_schedule),
                     "must be a cron expression such as \"0 3 * * *\": %s", error.caller);
    if (zone_check(str_from(config->backup_timezone), &error) != ERR_OK)
        config_error(report, &config->sources[SETTING_backup_timezone],
                     name_of(SETTING_backup_timezone), "must be the name of a time zone: %s",
                     error.caller);
}

/* It becomes part of Redis keys and of log lines. */
static void check_environment(const struct config *config, struct config_report *report)
{
    struct str name = str_from(config->environment);
    bool fine = name.len > 0 && name.len <= 64;
    for (size_t i = 0; i < name.len && fine; i++)
        fine = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
                      name.ptr[i]) != NULL;
    if (!fine)
        config_error(report, &config->sources[SETTING_environment], name_of(SETTING_environment),
                     "must be 1 to 64 of a-z A-Z 0-9 . _ -");
}

void config_check(struct config *config, const struct config_input *input,
                  struct config_report *report)
{
    /* A broken value was reported already and left as it was; the checks below see a sound struct
     * in any case. */
    check_environment(config, report);
    check_redis(config, report);
    config_check_topology(config, report);
    config_check_lists(config, input, report);
    config_check_redis_tls(config, report);
    if (!input->direct) {
        config_check_server(config, report);
        config_check_gateway(config, report);
        config_check_names(config, report);
        check_entries(config, report);
        check_users(config, report);
        check_tokens(config, report);
        check_passphrase(config, report);
        check_backups(config, report);
    }
    check_available(config, input->direct, report);
}
