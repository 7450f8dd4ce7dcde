/* The routes of the gateway: what is refused of them. */
#include "config/config_private.h"

#include "cachewarden/entries.h"
#include "cachewarden/http_client.h"
#include "cachewarden/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A route, and where complaints about it go. */
struct route_place {
    struct config_route *route;
    char prefix[48]; /* "gateway.routes[0]." */
    struct config_report *report;
};

static struct config_name name_in(const struct route_place *place, const char *field)
{
    return (struct config_name){place->prefix, field};
}

#define REFUSE(place, field, ...) \
    config_error((place)->report, &(place)->route->source, name_in(place, field), __VA_ARGS__)

/* ---- the prefix ---- */

/* NULL: a path as it stands in the request line, which nobody on the way rewrites. */
static const char *wrong_with_prefix(struct str prefix)
{
    struct str rest = prefix, segment;
    bool is_first = true;

    if (prefix.len == 0 || prefix.ptr[0] != '/')
        return "must begin with /";
    for (size_t i = 0; i < prefix.len; i++) {
        if (prefix.ptr[i] == '?' || prefix.ptr[i] == '#')
            return "must be a path alone, without ? and #";
        if (prefix.ptr[i] <= ' ' || prefix.ptr[i] >= 0x7f || prefix.ptr[i] == '\\' ||
            prefix.ptr[i] == '"')
            return "holds a character that is percent-encoded in a request; write it as it comes";
    }
    for (; str_split(&rest, '/', &segment); is_first = false) {
        if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
            return "must not hold . or .. as a segment";
        if (segment.len == 0 && !is_first && rest.ptr)
            return "must not hold two slashes in a row";
    }
    return NULL;
}

/* "/app/" is the same as "/app". */
static void drop_last_slash(char *prefix)
{
    size_t len = strlen(prefix);

    if (len > 1 && prefix[len - 1] == '/')
        prefix[len - 1] = '\0';
}

/* A path of the server's own that is the prefix, or below it; NULL: there is none. */
static const char *own_path_below(struct str prefix)
{
    size_t count;
    const struct route *routes = routes_table(&count);

    for (size_t i = 0; i < count; i++) {
        struct str path = str_from(routes[i].path);
        struct str rest = str_sub(path, prefix.len, path.len);
        if (str_starts(path, prefix) && (rest.len == 0 || str_starts(rest, STR("/"))))
            return routes[i].path;
    }
    return NULL;
}

static void check_prefix(const struct config *config, size_t index, const struct route_place *place)
{
    const struct config_route *routes = config->gateway_routes.items;
    char *prefix = routes[index].prefix;

    if (!prefix)
        return; /* reported as missing */
    const char *wrong = wrong_with_prefix(str_from(prefix));
    if (wrong) {
        REFUSE(place, "prefix", "%s, not \"%.64s\"", wrong, prefix);
        return;
    }
    drop_last_slash(prefix);
    for (size_t i = 0; i < index; i++)
        if (routes[i].prefix && strcmp(routes[i].prefix, prefix) == 0)
            REFUSE(place, "prefix",
                   "is \"%.200s\", like that of gateway.routes[%zu]; a prefix has one route, whose "
                   "upstream may be a list",
                   prefix, i);
    /* Of "/" everybody knows that it holds them all. */
    const char *own = prefix[1] ? own_path_below(str_from(prefix)) : NULL;
    if (own)
        config_warning(place->report, &place->route->source, name_in(place, "prefix"),
                       "holds paths of this server, such as %s, which are answered here and not "
                       "passed on",
                       own);
}

/* ---- the upstream ---- */

/* Under these names, and some addresses, clouds tell a machine's credentials to whoever asks from it. */
static const char *const metadata_hosts[] = {
    "metadata",      "metadata.google.internal",   "metadata.goog",
    "instance-data", "instance-data.ec2.internal",
};

/* An IPv4 address in any of the spellings that resolvers take ("2852039166"), or in IPv6. */
static bool read_v4(const char *host, struct in_addr *v4_out)
{
    struct in6_addr v6;

    if (inet_aton(host, v4_out))
        return true;
    if (inet_pton(AF_INET6, host, &v6) != 1 ||
        !(IN6_IS_ADDR_V4MAPPED(&v6) || IN6_IS_ADDR_V4COMPAT(&v6)))
        return false;
    memcpy(v4_out, &v6.s6_addr[12], sizeof *v4_out);
    return v4_out->s_addr != 0 && ntohl(v4_out->s_addr) != 1; /* "::" and "::1" are no IPv4 */
}

static bool is_same_host(struct str host, const char *other)
{
    if (str_ends(host, STR(".")))
        host.len--;
    return str_eq_nocase(host, str_from(other));
}

/* Plain where it is none. */
static enum http_address_kind kind_of(const char *host)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (read_v4(host, &v4.sin_addr))
        return http_address_kind((const struct sockaddr *)&v4);
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
        return http_address_kind((const struct sockaddr *)&v6);
    return HTTP_ADDRESS_PLAIN;
}

/* NULL: a machine that requests may be sent to. */
static const char *wrong_with_host(const char *host)
{
    static const char metadata[] =
        "must not be a metadata service, where clouds keep the credentials of machines";
    struct in6_addr v6;
    struct in_addr v4;

    if ((inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6)) ||
        (read_v4(host, &v4) && v4.s_addr == 0))
        return "must be an address to connect to";
    switch (kind_of(host)) {
    case HTTP_ADDRESS_LINK_LOCAL:
        return "must not be a link-local address, where clouds keep the credentials of machines";
    case HTTP_ADDRESS_METADATA:
        return metadata;
    case HTTP_ADDRESS_PLAIN:
        break;
    }
    for (size_t i = 0; i < sizeof metadata_hosts / sizeof *metadata_hosts; i++)
        if (is_same_host(str_from(host), metadata_hosts[i]))
            return metadata;
    return NULL;
}

static bool is_one_of(const char *host, const char *a, const char *b, const char *c)
{
    return strcmp(host, a) == 0 || strcmp(host, b) == 0 || strcmp(host, c) == 0;
}

/* Whether who listens at `own` is reached at `host`. */
static bool leads_to(const char *host, const char *own)
{
    if (strcmp(host, own) == 0)
        return true;
    if (strcmp(host, "127.0.0.1") == 0)
        return is_one_of(own, "*", "0.0.0.0", "localhost");
    if (strcmp(host, "::1") == 0)
        return is_one_of(own, "::", "localhost", "::1");
    return strcmp(host, "localhost") == 0 &&
           (is_one_of(own, "*", "0.0.0.0", "::") || is_one_of(own, "127.0.0.1", "::1", "::1"));
}

/* A request to ourselves would come back until every thread waits for another. */
static bool is_own_listener(const struct config *config, const char *host, int port, bool is_tls)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct listen_address *own = &config->listen[i];
        if (own->port == port && own->tls == is_tls && port != 0 && leads_to(host, own->host))
            return true;
    }
    return false;
}

static bool split_authority(struct str authority, int port_default, char **host_out, int *port_out)
{
    struct strbuf whole;
    bool is_bracketed = authority.len > 0 && authority.ptr[0] == '[';
    bool has_port =
        str_find(is_bracketed
                     ? str_sub(authority, (size_t)(str_find(authority, ']') + 1), authority.len)
                     : authority,
                 ':') >= 0;

    strbuf_init(&whole, NULL, authority.len + 8);
    strbuf_add(&whole, authority);
    if (!has_port)
        strbuf_addf(&whole, ":%d", port_default);
    bool is_sound =
        !whole.failed && config_parse_endpoint(strbuf_str(&whole), 1, host_out, port_out);
    strbuf_fini(&whole);
    if (is_sound && strcmp(*host_out, "*") == 0) {
        free(*host_out);
        return false;
    }
    return is_sound;
}

static void check_server_url(const struct config *config, struct str url, bool is_tls,
                             const struct route_place *place)
{
    struct str authority = str_sub(url, is_tls ? 8 : 7, url.len);
    char *host;
    int port;

    /* What stands before an @ is not shown. */
    if (str_find(authority, '@') >= 0) {
        REFUSE(place, "upstream", "must not hold a user or a password");
        return;
    }
    if (str_find(authority, '/') >= 0 || str_find(authority, '?') >= 0 ||
        str_find(authority, '#') >= 0) {
        REFUSE(place, "upstream",
               "must have no path behind the server, not \"%.200s\": the path is that of each "
               "request (strip_prefix takes the prefix off it)",
               url.ptr);
        return;
    }
    if (!split_authority(authority, is_tls ? 443 : 80, &host, &port)) {
        REFUSE(place, "upstream",
               "must name a server, as in \"http://host:port\" (IPv6 in brackets), not \"%.200s\"",
               url.ptr);
        return;
    }
    const char *wrong = wrong_with_host(host);
    if (wrong)
        REFUSE(place, "upstream", "%s, not \"%.200s\"", wrong, url.ptr);
    else if (is_own_listener(config, host, port, is_tls))
        REFUSE(place, "upstream",
               "is an address of server.listen: \"%.200s\" is this server itself", url.ptr);
    free(host);
}

enum { UNIX_PATH_MAX = 107 }; /* sockaddr_un */

static void check_upstream(const struct config *config, char *text, const struct route_place *place)
{
    struct str url = str_from(text);

    if (str_starts(url, STR("unix:"))) {
        if (url.len < 7 || url.ptr[5] != '/' || url.len > UNIX_PATH_MAX + 5 ||
            str_starts(url, STR("unix://")))
            REFUSE(place, "upstream",
                   "must name a socket by its whole path, at most %d bytes, as in "
                   "\"unix:/run/app.sock\", not \"%.200s\"",
                   UNIX_PATH_MAX, text);
    } else if (str_starts(url, STR("http://")) || str_starts(url, STR("https://"))) {
        bool is_tls = str_starts(url, STR("https://"));
        if (url.len > (is_tls ? 8u : 7u) && text[url.len - 1] == '/')
            text[--url.len] = '\0'; /* "http://host/" means the same */
        check_server_url(config, url, is_tls, place);
    } else {
        REFUSE(place, "upstream", "must begin with http://, https:// or unix:/, not \"%.200s\"",
               str_find(url, '@') >= 0 ? "…" : text);
    }
}

static void check_upstreams(const struct config *config, const struct route_place *place)
{
    const struct config_texts *urls = &place->route->upstream;
    bool has_tls = false;

    for (size_t i = 0; i < urls->count; i++) {
        check_upstream(config, urls->items[i], place);
        has_tls = has_tls || strncmp(urls->items[i], "https://", 8) == 0;
        for (size_t j = 0; j < i; j++)
            if (strcmp(urls->items[i], urls->items[j]) == 0)
                REFUSE(place, "upstream", "names \"%.200s\" twice", urls->items[i]);
    }
    const char *ca = place->route->upstream_ca;
    if (ca && !has_tls)
        REFUSE(place, "upstream_ca", "is for upstreams with https://, and there is none");
    else if (ca && access(ca, R_OK) != 0)
        REFUSE(place, "upstream_ca", "cannot be read: %s: %s%s", ca, strerror(errno),
               config_read_fix(ca, errno));
}

/* ---- the rest ---- */

static void check_models(const struct route_place *place)
{
    const struct config_texts *models = &place->route->models;

    if (models->count > ENTRY_MODELS_MAX)
        REFUSE(place, "models", "must be at most %d, not %zu", ENTRY_MODELS_MAX, models->count);
    for (size_t i = 0; i < models->count; i++) {
        if (!entry_is_model(str_from(models->items[i])))
            REFUSE(place, "models",
                   "must hold names of 1 to %d bytes without slashes, neither . nor .., not "
                   "\"%.64s\"",
                   ENTRY_MODEL_MAX, models->items[i]);
        for (size_t j = 0; j < i; j++)
            if (strcmp(models->items[i], models->items[j]) == 0)
                REFUSE(place, "models", "names \"%.64s\" twice", models->items[i]);
    }
}

void config_check_gateway(struct config *config, struct config_report *report)
{
    struct config_route *routes = config->gateway_routes.items;

    for (size_t i = 0; i < config->gateway_routes.count; i++) {
        struct route_place place = {.route = &routes[i], .report = report};
        snprintf(place.prefix, sizeof place.prefix, "gateway.routes[%zu].", i);
        check_prefix(config, i, &place);
        check_upstreams(config, &place);
        check_models(&place);
    }
    if (config->gateway_max_waiting > config->server_threads)
        config_error(report, &config->sources[SETTING_gateway_max_waiting],
                     (struct config_name){"", "gateway.max_waiting"},
                     "must not be more than server.threads, which is %lld",
                     (long long)config->server_threads);
}
