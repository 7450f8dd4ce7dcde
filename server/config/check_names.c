/* How many hosts the settings name: each has a thread that looks it up (base/resolver.c), and there is a limit. */
#include "config/config_private.h"

#include "cachewarden/http_client.h"
#include "cachewarden/resolver.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

enum {
    /* For those that are not counted: of the users database and of listeners, and what name servers are told of
     * Redis by itself. */
    SPARE = 32,
    NAMES_MAX = RESOLVER_NAMES_MAX - SPARE,
};

struct names {
    char *hosts[NAMES_MAX + 1];
    size_t count; /* one over the limit tells all there is to tell */
};

static bool is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static void note(struct names *names, struct str host)
{
    char *text = host.len > 0 && host.ptr[0] != '[' ? strndup(host.ptr, host.len) : NULL;
    bool is_known = !text || is_numeric(text) || names->count > NAMES_MAX;

    for (size_t i = 0; i < names->count && !is_known; i++)
        is_known = strcasecmp(names->hosts[i], text) == 0;
    if (is_known)
        free(text);
    else
        names->hosts[names->count++] = text;
}

static void note_redis(struct names *names, const char *url)
{
    struct redis_address address;

    if (!url || redis_address_parse(str_from(url), &address, NULL) != ERR_OK)
        return;
    if (address.host)
        note(names, str_from(address.host));
    redis_address_fini(&address);
}

static void note_url(struct names *names, const char *text)
{
    struct http_url url;

    if (text && http_url_parse(str_from(text), &url))
        note(names, url.host);
}

static void note_endpoints(struct names *names, const struct config_texts *texts)
{
    char *host;
    int port;

    for (size_t i = 0; i < texts->count; i++) {
        if (!config_parse_endpoint(str_from(texts->items[i]), 1, &host, &port))
            continue;
        note(names, str_from(host));
        free(host);
    }
}

static void note_lists(struct names *names, const struct config *config)
{
    const struct config_cache *caches = config->caches.items;
    const struct config_issuer *issuers = config->auth_issuers.items;
    const struct config_route *routes = config->gateway_routes.items;

    for (size_t i = 0; i < config->caches.count; i++) {
        note_redis(names, caches[i].redis_url);
        note_redis(names, caches[i].database.url);
    }
    for (size_t i = 0; i < config->auth_issuers.count; i++)
        note_url(names, issuers[i].jwks_url);
    for (size_t i = 0; i < config->gateway_routes.count; i++)
        for (size_t k = 0; k < routes[i].upstream.count; k++)
            note_url(names, routes[i].upstream.items[k]);
}

void config_check_names(const struct config *config, struct config_report *report)
{
    struct names names = {0};

    note_redis(&names, config->entries_redis_url);
    if (config->redis.host)
        note(&names, str_from(config->redis.host));
    note_endpoints(&names, &config->redis_sentinels);
    note_endpoints(&names, &config->redis_nodes);
    note_lists(&names, config);
    if (names.count > NAMES_MAX)
        config_error(report, &config->sources[SETTING_gateway_routes],
                     (struct config_name){"", "gateway.routes"},
                     "and the other settings name more than %d hosts, and no more are looked up: "
                     "use addresses, or one name for what is one machine",
                     NAMES_MAX);
    for (size_t i = 0; i < names.count; i++)
        free(names.hosts[i]);
}
