#include "config/config_private.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct config_name name_of(enum setting_id id)
{
    return (struct config_name){"", config_settings.rows[id].name};
}

static bool is_host_text(struct str host)
{
    for (size_t i = 0; i < host.len; i++)
        if (!isalnum((unsigned char)host.ptr[i]) && !strchr(".-_", host.ptr[i]))
            return false;
    return host.len > 0 && host.len <= 253;
}

static bool is_ipv6(struct str text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    if (text.len >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%.*s", STR_ARG(text));
    return inet_pton(AF_INET6, copy, &ignored) == 1;
}

bool config_parse_endpoint(struct str text, int64_t min_port, char **host_out, int *port_out)
{
    struct str host, port;
    bool bracketed = text.len > 0 && text.ptr[0] == '[';
    ptrdiff_t end = str_find(text, bracketed ? ']' : ':');
    if (end < 0)
        return false;
    host = bracketed ? str_sub(text, 1, (size_t)end - 1) : str_sub(text, 0, (size_t)end);
    port = str_sub(text, (size_t)end + (bracketed ? 2 : 1), text.len);
    if (bracketed && ((size_t)end + 1 >= text.len || text.ptr[end + 1] != ':'))
        return false;
    int64_t number;
    bool is_host = bracketed ? is_ipv6(host) : is_host_text(host) || str_eq(host, STR("*"));
    if (!is_host || !str_to_int64(port, min_port, 65535, &number))
        return false;
    *host_out = strndup(host.ptr, host.len);
    *port_out = (int)number;
    return *host_out != NULL;
}

/* ---- listeners ---- */

static void check_twins(const struct config *config, struct config_report *report)
{
    const struct listen_address *last = &config->listen[config->listen_count - 1];
    for (size_t i = 0; i + 1 < config->listen_count; i++)
        if (config->listen[i].port == last->port && last->port != 0 &&
            strcmp(config->listen[i].host, last->host) == 0)
            config_error(report, &config->sources[SETTING_server_listen],
                         name_of(SETTING_server_listen), "names port %d of %s twice", last->port,
                         last->host);
}

static void check_listen(struct config *config, struct config_report *report)
{
    const struct config_source *source = &config->sources[SETTING_server_listen];
    const struct config_texts *texts = &config->server_listen;
    if (texts->count == 0)
        config_error(report, source, name_of(SETTING_server_listen),
                     "must name at least one address, such as \"127.0.0.1:8000\"");
    config->listen = calloc(texts->count + 1, sizeof *config->listen);
    for (size_t i = 0; config->listen && i < texts->count; i++) {
        struct str text = str_from(texts->items[i]);
        bool tls = str_ends(text, STR("s"));
        char *host;
        int port;
        if (!config_parse_endpoint(str_sub(text, 0, text.len - tls), 0, &host, &port)) {
            config_error(report, source, name_of(SETTING_server_listen),
                         "must hold \"host:port\" (IPv6 in brackets, \"*\" for all addresses, a "
                         "final \"s\" for TLS), not \"%.64s\"",
                         texts->items[i]);
            continue;
        }
        config->listen[config->listen_count++] = (struct listen_address){host, port, tls};
        check_twins(config, report);
    }
}

/* ---- TLS ---- */

static void check_file(const struct config *config, enum setting_id id, const char *path,
                       struct config_report *report)
{
    if (path && access(path, R_OK) != 0)
        config_error(report, &config->sources[id], name_of(id), "cannot be read: %s: %s%s", path,
                     strerror(errno), config_read_fix(path, errno));
}

static void check_tls(const struct config *config, struct config_report *report)
{
    bool listens = false;
    for (size_t i = 0; i < config->listen_count; i++)
        listens = listens || config->listen[i].tls;
    const struct config_source *certificate = &config->sources[SETTING_server_tls_certificate];
    if (config->server_tls_certificate && !config->server_tls_key)
        config_error(report, certificate, name_of(SETTING_server_tls_certificate),
                     "needs server.tls.key beside it");
    if (!config->server_tls_certificate &&
        (config->server_tls_key || config->server_tls_client_ca)) {
        enum setting_id id =
            config->server_tls_key ? SETTING_server_tls_key : SETTING_server_tls_client_ca;
        config_error(report, &config->sources[id], name_of(id),
                     "needs server.tls.certificate beside it");
    }
    if (listens && !config->server_tls_certificate)
        config_error(
            report, &config->sources[SETTING_server_listen], name_of(SETTING_server_listen),
            "has an address with TLS, which needs server.tls.certificate and server.tls.key");
    if (!listens && config->server_tls_certificate)
        config_warning(report, certificate, name_of(SETTING_server_tls_certificate),
                       "is not used: no address of server.listen ends in \"s\"");
    check_file(config, SETTING_server_tls_certificate, config->server_tls_certificate, report);
    check_file(config, SETTING_server_tls_key, config->server_tls_key, report);
    check_file(config, SETTING_server_tls_client_ca, config->server_tls_client_ca, report);
}

/* ---- proxies ---- */

static bool parse_address(struct str text, uint8_t bytes[16], int *bits_out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char copy[INET6_ADDRSTRLEN];
    if (text.len >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%.*s", STR_ARG(text));
    if (inet_pton(AF_INET, copy, bytes + 12) == 1) {
        memcpy(bytes, mapped, sizeof mapped);
        *bits_out = 32;
        return true;
    }
    *bits_out = 128;
    return inet_pton(AF_INET6, copy, bytes) == 1;
}

/* The bits behind the prefix must be zero: "10.1.2.3/8" is a slip, and which part of it is wrong we
 * cannot know. */
static bool is_masked(const struct cidr *block)
{
    for (int bit = block->bits; bit < 128; bit++)
        if (block->bytes[bit / 8] & (0x80 >> bit % 8))
            return false;
    return true;
}

static bool parse_block(struct str text, struct cidr *block_out)
{
    ptrdiff_t slash = str_find(text, '/');
    struct str address = slash < 0 ? text : str_sub(text, 0, (size_t)slash);
    int width;
    if (!parse_address(address, block_out->bytes, &width))
        return false;
    int64_t bits = width;
    if (slash >= 0 && !str_to_int64(str_sub(text, (size_t)slash + 1, text.len), 0, width, &bits))
        return false;
    block_out->bits = 128 - width + (int)bits;
    return is_masked(block_out);
}

static void check_proxies(struct config *config, struct config_report *report)
{
    const struct config_texts *texts = &config->server_trusted_proxies;
    config->proxies = calloc(texts->count + 1, sizeof *config->proxies);
    for (size_t i = 0; config->proxies && i < texts->count; i++)
        if (parse_block(str_from(texts->items[i]), &config->proxies[config->proxy_count]))
            config->proxy_count++;
        else
            config_error(report, &config->sources[SETTING_server_trusted_proxies],
                         name_of(SETTING_server_trusted_proxies),
                         "must hold address blocks such as \"10.0.0.0/8\" or \"fd00::/8\", with "
                         "zeros behind the prefix, not \"%.64s\"",
                         texts->items[i]);
}

/* ---- hosts and origins ---- */

static void check_hosts(struct config *config, struct config_report *report)
{
    for (size_t i = 0; i < config->server_allowed_hosts.count; i++) {
        char *host = config->server_allowed_hosts.items[i];
        struct str text = str_from(host);
        bool bracketed = text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
        if (!is_host_text(text) && !(bracketed && is_ipv6(str_sub(text, 1, text.len - 2))))
            config_error(report, &config->sources[SETTING_server_allowed_hosts],
                         name_of(SETTING_server_allowed_hosts),
                         "must hold host names without port, not \"%.64s\"", host);
        /* Host names ignore case (RFC 9110 section 4.2.3); the edge compares lower case. */
        for (char *c = host; *c; c++)
            *c = (char)tolower((unsigned char)*c);
    }
}

/* scheme://host[:port] exactly as browsers send it: a slash at the end would never match. */
static bool is_origin(struct str text)
{
    struct str rest;
    if (str_starts(text, STR("https://")))
        rest = str_sub(text, 8, text.len);
    else if (str_starts(text, STR("http://")))
        rest = str_sub(text, 7, text.len);
    else
        return false;
    char *host;
    int port;
    if (config_parse_endpoint(rest, 1, &host, &port)) {
        bool named = strcmp(host, "*") != 0;
        free(host);
        return named;
    }
    bool bracketed = rest.len > 2 && rest.ptr[0] == '[' && rest.ptr[rest.len - 1] == ']';
    return is_host_text(rest) || (bracketed && is_ipv6(str_sub(rest, 1, rest.len - 2)));
}

static void check_origins(const struct config *config, enum setting_id id,
                          const struct config_texts *texts, struct config_report *report)
{
    for (size_t i = 0; i < texts->count; i++)
        if (!is_origin(str_from(texts->items[i])))
            config_error(report, &config->sources[id], name_of(id),
                         "must hold origins such as \"https://app.example\", without path or slash "
                         "at the end and without \"*\", "
                         "not \"%.64s\"",
                         texts->items[i]);
}

void config_check_server(struct config *config, struct config_report *report)
{
    check_listen(config, report);
    check_tls(config, report);
    check_proxies(config, report);
    check_hosts(config, report);
    check_origins(config, SETTING_server_cors_origins, &config->server_cors_origins, report);
    check_origins(config, SETTING_server_origins, &config->server_origins, report);
}
