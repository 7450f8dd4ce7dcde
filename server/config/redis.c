/* Where Redis is: a URL and six parts, from four layers, made into one address. */
#include "config/config_private.h"

#include <stdio.h>
#include <stdlib.h>

static const struct config_source *source_at(const struct config *config, enum setting_id id,
                                             enum config_layer layer)
{
    return config->sources[id].layer == layer ? &config->sources[id] : NULL;
}

static struct config_name name_of(enum setting_id id)
{
    return (struct config_name){"", config_settings.rows[id].name};
}

static void replace_text(char **text, const char *by)
{
    if (*text)
        secret_wipe(*text, strlen(*text));
    free(*text);
    *text = by ? strdup(by) : NULL;
}

bool config_parse_redis(struct str url, const struct config_source *source, struct config_name name,
                        struct redis_address *address_out, struct config_report *report)
{
    const struct str intro = STR("Redis URL: ");
    struct error error = {0};
    if (redis_address_parse(url, address_out, &error) == ERR_OK)
        return true;
    struct str why = str_from(error.caller);
    if (str_starts(why, intro))
        why = str_sub(why, intro.len, why.len);
    config_error(report, source, name, "is not the URL of a Redis: %.*s", STR_ARG(why));
    return false;
}

/* A host must be one that could stand in a URL. */
static bool check_host(const struct config *config, const struct config_source *source,
                       struct config_report *report)
{
    char url[300];
    bool is_ipv6 = strchr(config->redis_host, ':') != NULL;
    snprintf(url, sizeof url, is_ipv6 ? "redis://[%s]" : "redis://%s", config->redis_host);
    struct redis_address parsed;
    bool fine = strlen(config->redis_host) < 256 && !strpbrk(config->redis_host, "/@[]") &&
                redis_address_parse(str_from(url), &parsed, NULL) == ERR_OK;
    if (fine)
        redis_address_fini(&parsed);
    else
        config_error(report, source, name_of(SETTING_redis_host),
                     "must be a host name or an address");
    return fine;
}

static void take_parts(struct config *config, enum config_layer layer, struct config_report *report)
{
    struct redis_address *address = &config->redis;
    const struct config_source *host = source_at(config, SETTING_redis_host, layer);
    if (host && config->redis_host && check_host(config, host, report)) {
        replace_text(&address->unix_path, NULL);
        replace_text(&address->host, config->redis_host);
        address->port = address->port ? address->port : 6379; /* it was a socket before */
    }
    if (source_at(config, SETTING_redis_port, layer) && config->redis_port > 0)
        address->port = (int)config->redis_port;
    if (source_at(config, SETTING_redis_username, layer))
        replace_text(&address->username, config->redis_username);
    if (source_at(config, SETTING_redis_password, layer))
        replace_text(&address->password, config->redis_password);
    if (source_at(config, SETTING_redis_db, layer))
        address->database = (int)config->redis_db;
    if (source_at(config, SETTING_redis_tls, layer))
        address->tls = config->redis_tls;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The URL of this layer has the word; a part of the same layer that says something else is a
 * mistake to tell of. */
static void warn_disagreement(const struct config *config, enum config_layer layer,
                              struct config_report *report)
{
    const struct redis_address *address = &config->redis;
    const struct {
        enum setting_id id;
        bool agrees;
    } parts[] = {
        {SETTING_redis_host, same(config->redis_host, address->host)},
        {SETTING_redis_port, config->redis_port == address->port},
        {SETTING_redis_username, same(config->redis_username, address->username)},
        {SETTING_redis_password, same(config->redis_password, address->password)},
        {SETTING_redis_db, config->redis_db == address->database},
        {SETTING_redis_tls, config->redis_tls == address->tls},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const struct config_source *part = source_at(config, parts[i].id, layer);
        if (part && !parts[i].agrees)
            config_warning(report, part, name_of(parts[i].id),
                           "is not used: %s says otherwise, and it counts",
                           layer == CONFIG_ENVIRONMENT ? config->sources[SETTING_redis_url].place
                                                       : "redis.url");
    }
}

void config_merge_redis(struct config *config, enum config_layer layer,
                        struct config_report *report)
{
    const struct config_source *source = source_at(config, SETTING_redis_url, layer);
    if (!source || !config->redis_url) {
        take_parts(config, layer, report);
        return;
    }
    struct redis_address address;
    if (!config_parse_redis(str_from(config->redis_url), source, name_of(SETTING_redis_url),
                            &address, report))
        return;
    redis_address_fini(&config->redis);
    config->redis = address;
    /* A part that could not be read has no say; it is an error already. */
    if (report->errors == 0)
        warn_disagreement(config, layer, report);
}

/* ---- TLS ---- */

static bool is_tls_url(const char *url)
{
    struct redis_address address;
    if (!url || redis_address_parse(str_from(url), &address, NULL) != ERR_OK)
        return false;
    bool is_tls = address.tls;
    redis_address_fini(&address);
    return is_tls;
}

bool config_uses_redis_tls(const struct config *config)
{
    bool asks_over_tls = config->redis_topology == TOPOLOGY_SENTINEL && config->redis_sentinel_tls;
    bool uses = config->redis.tls || asks_over_tls || is_tls_url(config->entries_redis_url);
    const struct config_cache *caches = config->caches.items;
    for (size_t i = 0; i < config->caches.count && !uses; i++)
        uses = is_tls_url(caches[i].redis_url) || is_tls_url(caches[i].database.url);
    return uses;
}

static const struct {
    enum setting_id id;
    enum redis_tls_file file;
} tls_files[] = {{SETTING_redis_tls_ca, REDIS_TLS_CA},
                 {SETTING_redis_tls_certificate, REDIS_TLS_CERTIFICATE},
                 {SETTING_redis_tls_key, REDIS_TLS_KEY}};
#define TLS_FILES (sizeof tls_files / sizeof *tls_files)

/* Says what is wrong with the files, at the place of the setting that names the bad one. */
static void check_tls_files(const struct config *config, struct config_report *report)
{
    char host[] = "localhost"; /* of no concern: which names a certificate has shows later */
    struct redis_address address = {.host = host,
                                    .tls_ca_file = config->redis_tls_ca,
                                    .tls_certificate_file = config->redis_tls_certificate,
                                    .tls_key_file = config->redis_tls_key};
    enum redis_tls_file file;
    struct error error;
    if (redis_address_check_tls(&address, &file, NULL, &error) == ERR_OK)
        return;
    for (size_t i = 0; i < TLS_FILES; i++)
        if (tls_files[i].file == file)
            config_error(report, &config->sources[tls_files[i].id], name_of(tls_files[i].id), "%s",
                         error.caller);
}

void config_check_redis_tls(struct config *config, struct config_report *report)
{
    const char *const paths[] = {config->redis_tls_ca, config->redis_tls_certificate,
                                 config->redis_tls_key};
    replace_text(&config->redis.tls_ca_file, paths[0]);
    replace_text(&config->redis.tls_certificate_file, paths[1]);
    replace_text(&config->redis.tls_key_file, paths[2]);
    bool is_half = !paths[1] != !paths[2];
    if (is_half) {
        size_t given = paths[1] ? 1 : 2;
        enum setting_id id = tls_files[given].id, other = tls_files[3 - given].id;
        config_error(report, &config->sources[id], name_of(id), "needs %s beside it",
                     name_of(other).name);
    } else if (config_uses_redis_tls(config)) {
        check_tls_files(config, report);
        return;
    }
    for (size_t i = 0; i < TLS_FILES && !config_uses_redis_tls(config); i++)
        if (paths[i])
            config_warning(report, &config->sources[tls_files[i].id], name_of(tls_files[i].id),
                           "is not used: no Redis is reached over TLS (rediss://, redis.tls)");
}
