/* How Redis is set up: what each topology needs, and what makes no sense with it. */
#include "config/config_private.h"

#include <stdlib.h>

static struct config_name name_of(enum setting_id id)
{
    return (struct config_name){"", config_settings.rows[id].name};
}

static void check_endpoints(const struct config *config, enum setting_id id,
                            const struct config_texts *texts, struct config_report *report)
{
    for (size_t i = 0; i < texts->count; i++) {
        char *host;
        int port;
        if (config_parse_endpoint(str_from(texts->items[i]), 1, &host, &port))
            free(host);
        else
            config_error(report, &config->sources[id], name_of(id),
                         "must hold \"host:port\", not \"%.64s\"", texts->items[i]);
    }
}

static void need(const struct config *config, enum setting_id id, bool is_given,
                 struct config_report *report)
{
    if (!is_given)
        config_error(report, &config->sources[SETTING_redis_topology],
                     name_of(SETTING_redis_topology), "needs %s beside it", name_of(id).name);
}

/* Redis takes these for the name of a master. */
static bool is_master_name(const char *name)
{
    struct str text = str_from(name);
    bool fine = text.len > 0 && text.len <= 128;

    for (size_t i = 0; i < text.len && fine; i++)
        fine = (text.ptr[i] >= 'a' && text.ptr[i] <= 'z') ||
               (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') ||
               (text.ptr[i] >= '0' && text.ptr[i] <= '9') || strchr(".-_", text.ptr[i]);
    return fine;
}

/* A host that somebody gave by itself would not be asked. */
static void warn_of_host(const struct config *config, struct config_report *report)
{
    static const enum setting_id unused[] = {SETTING_redis_host, SETTING_redis_port};

    for (size_t i = 0; i < sizeof unused / sizeof *unused; i++)
        if (config->sources[unused[i]].layer > CONFIG_DEFAULT)
            config_warning(report, &config->sources[unused[i]], name_of(unused[i]),
                           "is not used: the sentinels say where Redis is");
}

/* What the address leads to has the master's name from here on: no other address leads there. */
static void name_address(struct config *config)
{
    char *name = config->redis_master_name ? strdup(config->redis_master_name) : NULL;

    if (!name)
        return;
    free(config->redis.host);
    config->redis.host = name;
    config->redis.port = 0;
}

static void check_sentinel(struct config *config, struct config_report *report)
{
    need(config, SETTING_redis_sentinels, config->redis_sentinels.count > 0, report);
    need(config, SETTING_redis_master_name, config->redis_master_name, report);
    if (config->redis_sentinels.count > REDIS_SENTINELS_MAX)
        config_error(report, &config->sources[SETTING_redis_sentinels],
                     name_of(SETTING_redis_sentinels), "may hold %d addresses at most",
                     REDIS_SENTINELS_MAX);
    if (config->redis_master_name && !is_master_name(config->redis_master_name))
        config_error(report, &config->sources[SETTING_redis_master_name],
                     name_of(SETTING_redis_master_name), "must be 1 to 128 of a-z A-Z 0-9 . _ -");
    if (config->redis_sentinel_username && !config->redis_sentinel_password)
        config_error(report, &config->sources[SETTING_redis_sentinel_username],
                     name_of(SETTING_redis_sentinel_username),
                     "needs redis.sentinel_password beside it");
    if (config->redis.unix_path)
        config_error(report, &config->sources[SETTING_redis_url], name_of(SETTING_redis_url),
                     "is a Unix socket, and sentinels name none; write redis://");
    else
        name_address(config);
    warn_of_host(config, report);
}

static void warn_of_unused(const struct config *config, enum setting_id id, bool is_given,
                           struct config_report *report)
{
    if (is_given)
        config_warning(report, &config->sources[id], name_of(id),
                       "is not used without redis.topology = \"sentinel\"");
}

/* Who names sentinels believes that they are asked. */
static void warn_of_sentinels(const struct config *config, struct config_report *report)
{
    const char *name = config->redis_master_name;

    warn_of_unused(config, SETTING_redis_sentinels, config->redis_sentinels.count > 0, report);
    warn_of_unused(config, SETTING_redis_master_name, name && name[0], report);
}

void config_check_topology(struct config *config, struct config_report *report)
{
    check_endpoints(config, SETTING_redis_sentinels, &config->redis_sentinels, report);
    check_endpoints(config, SETTING_redis_nodes, &config->redis_nodes, report);
    switch (config->redis_topology) {
    case TOPOLOGY_SENTINEL:
        check_sentinel(config, report);
        break;
    case TOPOLOGY_CLUSTER:
        config_error(report, &config->sources[SETTING_redis_topology],
                     name_of(SETTING_redis_topology),
                     "cluster is not available in this version, and to go on without it would be "
                     "unsafe; take it out");
        break;
    default:
        warn_of_sentinels(config, report);
        break;
    }
}
