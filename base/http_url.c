#include "cachewarden/http_client.h"

#include <arpa/inet.h>

enum { ADDRESS_SIZE = 64 };

/* Puts it into brackets' place: "[::1]" is ::1. */
static bool is_ipv6(struct str host)
{
    char text[ADDRESS_SIZE];
    struct in6_addr address;
    struct str inside = str_sub(host, 1, host.len);

    if (!str_starts(host, STR("[")) || !str_ends(inside, STR("]")) || inside.len > sizeof text)
        return false;
    memcpy(text, inside.ptr, inside.len - 1);
    text[inside.len - 1] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char byte = host.ptr[i];
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!is_letter && !(byte >= '0' && byte <= '9') && !strchr("-._", byte))
            return is_ipv6(host);
    }
    return host.len > 0;
}

/* What is in front of the first of these bytes; all of it without one. */
static struct str up_to(struct str text, const char *ends)
{
    size_t len = 0;

    while (len < text.len && (!strchr(ends, text.ptr[len]) || text.ptr[len] == '\0'))
        len++;
    return str_sub(text, 0, len);
}

static bool split_authority(struct http_url *url)
{
    struct str rest = url->authority;
    ptrdiff_t at = str_find(rest, '@');
    int64_t port;

    url->has_user = at >= 0;
    if (url->has_user)
        rest = str_sub(rest, (size_t)at + 1, rest.len);
    struct str name = str_starts(rest, STR("[")) ? up_to(rest, "]") : up_to(rest, ":");
    url->host = str_sub(rest, 0, name.len + (str_starts(rest, STR("[")) ? 1 : 0));
    rest = str_sub(rest, url->host.len, rest.len);
    if (rest.len > 0 &&
        (rest.ptr[0] != ':' || !str_to_int64(str_sub(rest, 1, rest.len), 1, UINT16_MAX, &port)))
        return false;
    return is_host(url->host);
}

bool http_url_parse(struct str text, struct http_url *url_out)
{
    *url_out = (struct http_url){.is_https = str_starts(text, STR("https://"))};
    if (!url_out->is_https && !str_starts(text, STR("http://")))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    }
    size_t scheme_size = url_out->is_https ? 8 : 7;
    struct str rest = str_sub(text, scheme_size, text.len);
    url_out->authority = up_to(rest, "/?#\\");
    url_out->server = str_sub(text, 0, scheme_size + url_out->authority.len);
    url_out->target = up_to(str_sub(rest, url_out->authority.len, rest.len), "#");
    return split_authority(url_out) && (url_out->target.len == 0 || url_out->target.ptr[0] == '/');
}

bool http_url_is_loopback(const struct http_url *url)
{
    char text[ADDRESS_SIZE];
    struct in_addr ipv4;

    if (str_eq_nocase(url->host, STR("localhost")) || str_eq(url->host, STR("[::1]")))
        return true;
    if (url->host.len >= sizeof text)
        return false;
    memcpy(text, url->host.ptr, url->host.len);
    text[url->host.len] = '\0';
    return inet_pton(AF_INET, text, &ipv4) == 1 && ntohl(ipv4.s_addr) >> 24 == 127;
}
