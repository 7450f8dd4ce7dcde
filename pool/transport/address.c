#include "cachewarden/redis.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define DEFAULT_PORT 6379
#define URL_MAX      4096
#define HOST_MAX     253 /* RFC 1035 section 2.3.4, in presentation form */

/* No text of the URL is ever quoted: a password with a bare '/' or '@' may turn up anywhere. */
static enum err refuse(struct error *error, const char *what)
{
    return error_set(error, ERR_BAD_INPUT, "Redis URL: %s", what);
}

static char *copy(struct str text)
{
    char *out = malloc(text.len + 1);
    if (!out)
        return NULL;
    if (text.len)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return out;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes %XX in place; false for a bad escape or an escaped NUL. In place, because the text may be
 * a password and every further copy would have to be wiped. */
static bool unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_value(from[1]);
        int low = high < 0 ? -1 : hex_value(from[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return true;
}

/* Takes scheme "name://" off; names of schemes ignore case (RFC 3986 section 3.1). */
static bool take_scheme(struct str *url, struct str prefix)
{
    if (!str_eq_nocase(str_sub(*url, 0, prefix.len), prefix))
        return false;
    *url = str_sub(*url, prefix.len, url->len);
    return true;
}

static ptrdiff_t find_last(struct str text, char c)
{
    for (size_t i = text.len; i > 0; i--)
        if (text.ptr[i - 1] == c)
            return (ptrdiff_t)(i - 1);
    return -1;
}

static enum err parse_user(struct str userinfo, struct redis_address *address, struct error *error)
{
    ptrdiff_t colon = str_find(userinfo, ':');
    if (colon < 0)
        return refuse(error, "a user needs a password: write user:password@ or :password@");
    struct str user = str_sub(userinfo, 0, (size_t)colon);
    struct str password = str_sub(userinfo, (size_t)colon + 1, userinfo.len);
    if (!password.len)
        return refuse(error, user.len ? "the password is empty"
                                      : "user and password are empty; leave out ':@'");
    address->password = copy(password);
    address->username = user.len ? copy(user) : NULL;
    if (!address->password || (user.len && !address->username))
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    if (!unescape(address->password) || (address->username && !unescape(address->username)))
        return refuse(
            error,
            "a '%' in user or password must be followed by two hex digits and not stand for NUL");
    return ERR_OK;
}

static bool is_host_name(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-' || c == '_';
        if (!fine)
            return false;
    }
    return host.len > 0 && host.len <= HOST_MAX && host.ptr[0] != '-' && host.ptr[0] != '.';
}

static enum err parse_host(struct str authority, struct redis_address *address, struct error *error)
{
    struct str host = authority, port = STR_NONE;
    bool has_port = false;
    if (authority.len && authority.ptr[0] == '[') {
        ptrdiff_t end = str_find(authority, ']');
        if (end < 0)
            return refuse(error, "the ']' of the IPv6 address is missing");
        host = str_sub(authority, 1, (size_t)end - 1);
        struct str rest = str_sub(authority, (size_t)end + 1, authority.len);
        has_port = rest.len > 0;
        if (has_port && rest.ptr[0] != ':')
            return refuse(error, "only ':port' may follow the ']' of the IPv6 address");
        port = str_sub(rest, 1, rest.len);
    } else {
        ptrdiff_t colon = str_find(authority, ':');
        if (colon >= 0) {
            has_port = true;
            host = str_sub(authority, 0, (size_t)colon);
            port = str_sub(authority, (size_t)colon + 1, authority.len);
            if (str_find(port, ':') >= 0)
                return refuse(error, "an IPv6 address goes in brackets: redis://[::1]:6379");
        }
        if (!host.len)
            return refuse(error, "the host is missing");
        if (!is_host_name(host))
            return refuse(
                error, "the host has a character that no host name has (escape '/', '@', ':' in a "
                       "password as %2F, %40, %3A)");
    }
    address->host = copy(host);
    if (!address->host)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    struct in6_addr ignored;
    if (authority.ptr[0] == '[' && inet_pton(AF_INET6, address->host, &ignored) != 1)
        return refuse(error, "what stands in the brackets is no IPv6 address");
    int64_t number = DEFAULT_PORT;
    if (has_port && !str_to_int64(port, 1, 65535, &number))
        return refuse(error, "the port must be a number from 1 to 65535");
    address->port = (int)number;
    return ERR_OK;
}

static enum err parse_database(struct str text, struct redis_address *address, struct error *error)
{
    int64_t number;
    if (!str_to_int64(text, 0, INT32_MAX, &number))
        return refuse(error, "the database must be a number such as 0");
    address->database = (int)number;
    return ERR_OK;
}

/* The path of a Unix socket and, behind '?', db=N and nothing else. */
static enum err parse_socket(struct str path, struct redis_address *address, struct error *error)
{
    ptrdiff_t question = str_find(path, '?');
    if (question >= 0) {
        struct str query = str_sub(path, (size_t)question + 1, path.len);
        path = str_sub(path, 0, (size_t)question);
        if (!str_starts(query, STR("db=")))
            return refuse(error, "after '?' only db=N is known");
        enum err err = parse_database(str_sub(query, 3, query.len), address, error);
        if (err)
            return err;
    }
    address->unix_path = copy(path);
    if (!address->unix_path)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    if (!unescape(address->unix_path))
        return refuse(error,
                      "a '%' in the path must be followed by two hex digits and not stand for NUL");
    if (path.len < 2)
        return refuse(error, "the path of the socket is missing: unix:///run/redis.sock");
    if (strlen(address->unix_path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return refuse(error, "the path of the socket is too long (107 bytes at most)");
    return ERR_OK;
}

static enum err parse(struct str url, struct redis_address *address, struct error *error)
{
    if (url.len > URL_MAX)
        return refuse(error, "too long");
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == 0x7f || url.ptr[i] == '#')
            return refuse(error, "blanks, control characters and '#' must be escaped (%20, %23)");
    bool is_unix = false;
    if (take_scheme(&url, STR("unix://")))
        is_unix = true;
    else if (take_scheme(&url, STR("rediss://")))
        address->tls = true;
    else if (!take_scheme(&url, STR("redis://")))
        return refuse(error, "it must begin with redis://, rediss:// or unix://");

    ptrdiff_t slash = str_find(url, '/');
    struct str authority = slash < 0 ? url : str_sub(url, 0, (size_t)slash);
    struct str path = slash < 0 ? STR_NONE : str_sub(url, (size_t)slash, url.len);
    ptrdiff_t at = find_last(authority, '@');
    if (at >= 0) {
        enum err err = parse_user(str_sub(authority, 0, (size_t)at), address, error);
        if (err)
            return err;
        authority = str_sub(authority, (size_t)at + 1, authority.len);
    }
    if (is_unix) {
        if (authority.len)
            return refuse(error,
                          "a unix URL has no host: unix:///run/redis.sock has three slashes");
        return parse_socket(path, address, error);
    }
    if (str_find(path, '?') >= 0 || str_find(authority, '?') >= 0)
        return refuse(
            error,
            "nothing may follow '?'; the database goes behind the slash: redis://host:6379/1");
    enum err err = parse_host(authority, address, error);
    if (!err && path.len > 1)
        err = parse_database(str_sub(path, 1, path.len), address, error);
    return err;
}

enum err redis_address_parse(struct str url, struct redis_address *address_out, struct error *error)
{
    struct redis_address address = {0};
    enum err err = parse(url, &address, error);
    if (err) {
        redis_address_fini(&address);
        return err;
    }
    *address_out = address;
    return ERR_OK;
}

static bool copy_field(const char *from, char **to)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static void free_tls_files(struct redis_address *address)
{
    free(address->tls_ca_file);
    free(address->tls_certificate_file);
    free(address->tls_key_file);
}

enum err redis_address_copy_tls(const struct redis_address *from, struct redis_address *address)
{
    free_tls_files(address);
    bool whole = copy_field(from->tls_ca_file, &address->tls_ca_file);
    whole = copy_field(from->tls_certificate_file, &address->tls_certificate_file) && whole;
    whole = copy_field(from->tls_key_file, &address->tls_key_file) && whole;
    return whole ? ERR_OK : ERR_NO_MEMORY;
}

static void wipe(char *text)
{
    if (text)
        secret_wipe(text, strlen(text));
    free(text);
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? str_eq_secret(str_from(a), str_from(b)) : a == b;
}

enum err redis_address_copy_login(const struct redis_address *from, struct redis_address *address,
                                  bool *changed_out)
{
    char *username = NULL, *password = NULL;

    *changed_out = false;
    if (is_same(from->username, address->username) && is_same(from->password, address->password))
        return ERR_OK;
    if (!copy_field(from->username, &username) || !copy_field(from->password, &password)) {
        wipe(username);
        wipe(password);
        return ERR_NO_MEMORY;
    }
    wipe(address->username);
    wipe(address->password);
    address->username = username;
    address->password = password;
    *changed_out = true;
    return ERR_OK;
}

enum err redis_address_copy(const struct redis_address *from, struct redis_address *address_out)
{
    struct redis_address copied = {
        .port = from->port, .database = from->database, .tls = from->tls};
    bool whole = copy_field(from->host, &copied.host);
    whole = copy_field(from->unix_path, &copied.unix_path) && whole;
    whole = copy_field(from->username, &copied.username) && whole;
    whole = copy_field(from->password, &copied.password) && whole;
    whole = redis_address_copy_tls(from, &copied) == ERR_OK && whole;
    if (!whole) {
        redis_address_fini(&copied);
        return ERR_NO_MEMORY;
    }
    *address_out = copied;
    return ERR_OK;
}

void redis_address_fini(struct redis_address *address)
{
    free(address->host);
    free(address->unix_path);
    free(address->username);
    wipe(address->password);
    free_tls_files(address);
    memset(address, 0, sizeof *address);
}

static bool is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

bool redis_address_same_server(const struct redis_address *a, const struct redis_address *b)
{
    if (a->unix_path || b->unix_path)
        return a->unix_path && b->unix_path && strcmp(a->unix_path, b->unix_path) == 0;
    return a->port == b->port && (str_eq_nocase(str_from(a->host), str_from(b->host)) ||
                                  (is_loopback(a->host) && is_loopback(b->host)));
}

void redis_address_describe(const struct redis_address *address, char *out, size_t size)
{
    if (address->unix_path)
        snprintf(out, size, "%s/%d", address->unix_path, address->database);
    else if (address->port == 0) /* the name of a master that sentinels know */
        snprintf(out, size, "%s/%d", address->host, address->database);
    else if (strchr(address->host, ':'))
        snprintf(out, size, "[%s]:%d/%d", address->host, address->port, address->database);
    else
        snprintf(out, size, "%s:%d/%d", address->host, address->port, address->database);
}
