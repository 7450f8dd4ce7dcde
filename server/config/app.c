/* From settings to the options of the rooms below. */
#include "config/config_private.h"

#include "cachewarden/audit.h"
#include "cachewarden/caches.h"
#include "cachewarden/users.h"

#include <stdlib.h>
#include <unistd.h>

void config_redis_options(const struct config *config, struct redis_options *options_out)
{
    *options_out = (struct redis_options){
        .address = config->redis,
        .size = (size_t)config->redis_pool_size,
        .borrow_timeout_ms = config->redis_borrow_timeout_ms,
        .connect_timeout_ms = config->redis_connect_timeout_ms,
        .command_timeout_ms = config->redis_command_timeout_ms,
        .connection_lifetime_s = config->redis_connection_lifetime_s,
    };
    if (config->redis_topology == TOPOLOGY_SENTINEL)
        options_out->topology = (struct redis_topology){
            .kind = REDIS_SENTINEL,
            .endpoints = (const char *const *)config->redis_sentinels.items,
            .endpoint_count = config->redis_sentinels.count,
            .master_name = config->redis_master_name,
            .sentinel_username = config->redis_sentinel_username,
            .sentinel_password = config->redis_sentinel_password,
            .sentinel_tls = config->redis_sentinel_tls,
        };
}

void config_limit_settings(const struct config *config, struct limit_settings *settings_out)
{
    *settings_out = (struct limit_settings){
        .enabled = config->limits_enabled,
#define LIMIT(symbol, name, key) .name##_per_minute = config->limits_##name##_per_minute,
#include "cachewarden/limits.def"
#undef LIMIT
        .login_failures = config->limits_login_failures,
        .fill_bytes = config->limits_fill_bytes_per_hour,
    };
}

void config_audit_keep(const struct config *config, int64_t keep_out[AUDIT_PARTS])
{
    keep_out[AUDIT_CHANGES] = config->audit_keep_changes;
    keep_out[AUDIT_CLEARS] = config->audit_keep_clears;
    keep_out[AUDIT_SIGN_INS] = config->audit_keep_sign_ins;
}

enum {
    /* Of a named cache with a Redis of its own; of who follows revocations and who writes the audit. */
    CACHE_CONNECTIONS = 2,
    OTHER_CONNECTIONS = 2,
};

void config_http_options(const struct config *config, struct http_options *options_out)
{
    *options_out = (struct http_options){
        .listen = config->listen,
        .listen_count = config->listen_count,
        .threads = (int)config->server_threads,
        .max_body = (size_t)config->server_max_body,
        .header_timeout_ms = config->server_header_timeout_ms,
        .body_timeout_ms = config->server_body_timeout_ms,
        .keep_alive_timeout_ms = config->server_keep_alive_timeout_ms,
        .tls_certificate = config->server_tls_certificate,
        .tls_key = config->server_tls_key,
        .tls_client_ca = config->server_tls_client_ca,
        .trusted_proxies = config->proxies,
        .trusted_proxy_count = config->proxy_count,
        .allowed_hosts = (const char *const *)config->server_allowed_hosts.items,
        .allowed_host_count = config->server_allowed_hosts.count,
        .cors_origins = (const char *const *)config->server_cors_origins.items,
        .cors_origin_count = config->server_cors_origins.count,
        .origins = (const char *const *)config->server_origins.items,
        .origin_count = config->server_origins.count,
        .redis_connections = (size_t)config->redis_pool_size + OTHER_CONNECTIONS +
                             config->caches.count * CACHE_CONNECTIONS +
                             (config->entries_redis_url ? (size_t)config->redis_pool_size : 0),
    };
}

static enum err fill_spec(const struct config_cache *cache, struct arena *arena,
                          struct cache_spec *spec)
{
    struct str *keys = arena_calloc(arena, cache->keys.count, sizeof *keys);
    if (!keys)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < cache->keys.count; i++)
        keys[i] = str_from(cache->keys.items[i]);
    *spec = (struct cache_spec){
        .name = str_from(cache->name),
        .kind = cache->keys.count > 0   ? CACHE_KEYS
                : cache->database.given ? CACHE_DATABASE
                                        : CACHE_PREFIX,
        .keys = keys,
        .key_count = cache->keys.count,
        .database = (int)cache->database.number,
        .prefix = str_from(cache->prefix),
        .redis_url = str_from(cache->database.url ? cache->database.url : cache->redis_url),
    };
    return ERR_OK;
}

static enum err fill_specs(const struct config *config, struct arena *arena,
                           const struct cache_spec **specs_out, size_t *count_out)
{
    const struct config_cache *caches = config->caches.items;
    struct cache_spec *specs = arena_calloc(arena, config->caches.count, sizeof *specs);
    enum err err = specs ? ERR_OK : ERR_NO_MEMORY;
    *specs_out = specs;
    *count_out = 0;
    for (size_t i = 0; i < config->caches.count && err == ERR_OK; i++)
        if (!config->only_cache || strcmp(config->only_cache, caches[i].name) == 0)
            err = fill_spec(&caches[i], arena, &specs[(*count_out)++]);
    return err;
}

/* Of a setting that leads elsewhere by now, the start's: a password is for nobody else. */
static const struct config *fitting(enum setting_id id, const struct config *start,
                                    const struct config *now)
{
    return value_equal_but_login(&config_settings.rows[id], start, now) ? now : start;
}

enum err config_logins(const struct config *start, const struct config *now, struct arena *arena,
                       struct app_logins *logins_out)
{
    bool is_same_redis =
        redis_address_same_server(&start->redis, &now->redis) && start->redis.tls == now->redis.tls;
    const struct config *control = is_same_redis ? now : start;

    *logins_out = (struct app_logins){
        .control = &control->redis,
        .entries_url = str_from(fitting(SETTING_entries_redis_url, start, now)->entries_redis_url),
        .users_url = str_from(fitting(SETTING_users_database, start, now)->users_database),
    };
    return fill_specs(fitting(SETTING_caches, start, now), arena, &logins_out->caches,
                      &logins_out->cache_count);
}

struct secrets config_secrets(const struct config *config, const char *current)
{
    const struct config_texts *previous = &config->auth_previous_secrets;
    struct secrets secrets = {.current =
                                  str_from(config->auth_secret ? config->auth_secret : current)};

    while (secrets.previous_count < previous->count &&
           secrets.previous_count < SECRETS_PREVIOUS_MAX) {
        secrets.previous[secrets.previous_count] =
            str_from(previous->items[secrets.previous_count]);
        secrets.previous_count++;
    }
    return secrets;
}

static enum err open_app(const struct config *config, struct arena *arena, struct users *users,
                         const char *secret, struct app **app_out, struct error *error)
{
    char node[256] = "";
    if (gethostname(node, sizeof node - 1) != 0)
        node[0] = '\0';
    struct app_options options = {
        .users = users,
        .tokens =
            {
                .secret = str_from(secret),
                .issuer = str_from(config->auth_issuer),
                .audience = str_from(config->auth_audience),
                .leeway_s = config->auth_leeway_s,
                .access_ttl_s = config->auth_access_ttl_s,
                .refresh_ttl_s = config->auth_refresh_ttl_s,
                .session_idle_s = config->auth_session_idle_s,
                .session_ttl_s = config->auth_session_ttl_s,
            },
        .admin_group = str_from(config->auth_admin_group),
        .shared = {.superuser_claim = str_from(config->auth_shared_superuser_claim),
                   .groups_claim = str_from(config->auth_shared_groups_claim),
                   .accounts_are_local = config->auth_shared_accounts == SHARED_LOCAL},
        .policy = {.flush_for_authenticated = config->auth_flush_permission == FLUSH_AUTHENTICATED},
        .registration_open = config->users_registration == REGISTRATION_OPEN,
        .environment = str_from(config->environment),
        .entries = {.redis_url = str_from(config->entries_redis_url),
                    .default_ttl_s = config->entries_default_ttl_s,
                    .memory_percent = (int)config->entries_memory_percent},
        .backup = {.directory = str_from(config->backup_directory),
                   .retention_days = config->backup_retention_days,
                   .include_entries = config->backup_include_entries,
                   .passphrase = str_from(config->backup_passphrase),
                   .schedule = str_from(config->backup_schedule),
                   .timezone = str_from(config->backup_timezone)},
        .node_name = str_from(node),
        .workers = (unsigned)config->server_threads,
        .jobs_duty_percent = (int)config->jobs_duty_percent,
    };
    const struct secrets secrets = config_secrets(config, secret);
    memcpy(options.tokens.previous_secrets, secrets.previous, sizeof secrets.previous);
    options.tokens.previous_secret_count = secrets.previous_count;
    config_redis_options(config, &options.control);
    config_limit_settings(config, &options.limits);
    config_audit_keep(config, options.audit_keep);
    enum err err = fill_specs(config, arena, &options.caches, &options.cache_count);
    if (err == ERR_OK)
        err = config_issuer_specs(config, arena, &options.issuers, &options.issuer_count);
    if (err == ERR_OK)
        err = config_gateway_options(config, arena, &options.gateway);
    return err == ERR_OK ? app_open(&options, app_out, error) : err;
}

const char *config_sqlite_path(const struct config *config)
{
    static const char prefix[] = "sqlite:";
    bool is_sqlite = strncmp(config->users_database, prefix, sizeof prefix - 1) == 0;
    return is_sqlite ? config->users_database + sizeof prefix - 1 : NULL;
}

/* No account, no tokens: then nothing is lost, it is the first start. */
static void warn_of_lost_secret(const struct config *config, struct arena *arena,
                                struct users *users, struct config_report *report)
{
    struct error error = {0};
    int64_t highest = 0;
    if (users_highest_id(users, arena, &highest, &error) == ERR_OK && highest > 0)
        config_warning(report, NULL, NAMELESS,
                       "auth.secret: %s.secret was not there, and a new one was made: all tokens "
                       "and sessions are void, everybody signs in again, and backups made with the "
                       "old one are refused; to undo that, put the old one back and restart",
                       config_sqlite_path(config));
}

static enum err open_secret(const struct config *config, struct arena *arena, struct users *users,
                            char **secret_out, struct config_report *report, struct error *error)
{
    const char *path = config_sqlite_path(config);
    bool was_there = config_secret_exists(path);
    enum err err = config_secret_open(path, secret_out, report, error);
    if (err == ERR_OK && !was_there)
        warn_of_lost_secret(config, arena, users, report);
    return err;
}

static enum err open_with_users(const struct config *config, struct arena *arena,
                                struct config_report *report, struct app **app_out,
                                struct error *error)
{
    struct users *users = NULL;
    char *made = NULL;
    enum err err = users_open(str_from(config->users_database), &users, error);
    if (err == ERR_OK)
        err = users_set_first_id(users, config->users_first_id, error);
    /* The users database makes the folder; the secret goes beside it. */
    if (err == ERR_OK && !config->auth_secret)
        err = open_secret(config, arena, users, &made, report, error);
    if (err == ERR_OK)
        err = open_app(config, arena, users, made ? made : config->auth_secret, app_out, error);
    if (err != ERR_OK && users)
        users_close(&users);
    if (made)
        secret_wipe(made, strlen(made));
    free(made);
    return err;
}

enum err config_check_files(const struct config *config, struct config_report *report,
                            struct error *error)
{
    const char *path = config_sqlite_path(config);
    struct users_sight sight;
    char *secret = NULL;
    error_clear(error);
    if (!path)
        return ERR_OK;
    enum err err = users_look(str_from(config->users_database), &sight, error);
    if ((err == ERR_OK || err == ERR_NOT_FOUND) && !config->auth_secret)
        err = config_secret_read(path, &secret, report, error);
    if (secret)
        secret_wipe(secret, strlen(secret));
    free(secret);
    if (err != ERR_NOT_FOUND) /* what is not there yet is made by the start */
        return err;
    error_clear(error);
    return ERR_OK;
}

enum err config_open_app(const struct config *config, bool direct, struct config_report *report,
                         struct app **app_out, struct error *error)
{
    struct arena *arena = arena_new(4096, 0);
    *app_out = NULL;
    error_clear(error);
    enum err err = ERR_NO_MEMORY;
    if (arena)
        err = direct ? open_app(config, arena, NULL, NULL, app_out, error)
                     : open_with_users(config, arena, report, app_out, error);
    if (err != ERR_OK && !error->caller[0])
        err = error_set(error, err, "cannot start: %s",
                        error->detail[0] ? error->detail : err_name(err));
    arena_free(&arena);
    return err;
}
