#include "users/postgres/url.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECT_TIMEOUT_MAX_S = 30 };

#define FORM "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"

#define ENCODE "percent-encode what is neither letter nor digit in user and password"

static enum err refuse(struct error *error, const char *what)
{
    return error_set(error, ERR_BAD_INPUT, "users.database: %s", what);
}

/* To libpq user and password end at the first '@', if no '/' comes before. Another one in front of
 * the query is a password's, and what is around it would be taken for the host or the database. */
static bool has_stray_at(struct str location)
{
    ptrdiff_t at = str_find(location, '@'), slash = str_find(location, '/');
    bool has_user = at >= 0 && (slash < 0 || at < slash);
    struct str rest = has_user ? str_sub(location, (size_t)at + 1, location.len) : location;
    ptrdiff_t query = str_find(rest, '?');

    return str_find(query < 0 ? rest : str_sub(rest, 0, (size_t)query), '@') >= 0;
}

static bool has_only(const char *text, const char *more)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!(*c >= '0' && *c <= '9') && !strchr(more, *c))
            return false;
    return true;
}

/* Host names, addresses (with brackets taken off, perhaps with a zone) and socket folders. */
static bool is_host_list(const char *hosts)
{
    struct str rest = str_from(hosts), host;

    while (str_split(&rest, ',', &host)) {
        bool is_folder = host.len > 0 && host.ptr[0] == '/';
        for (size_t i = 0; i < host.len; i++) {
            char c = host.ptr[i];
            bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || strchr(".-_:%", c) != NULL;
            if (is_folder ? c == '@' : !is_plain)
                return false;
        }
    }
    return true;
}

/* 0 and less would be for ever. */
static bool is_timeout(const char *text)
{
    int64_t seconds;

    return str_to_int64(str_from(text), 1, CONNECT_TIMEOUT_MAX_S, &seconds);
}

static enum err check_options(const PQconninfoOption *options, struct error *error)
{
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        if (!option->val)
            continue;
        if (strcmp(option->keyword, "host") == 0 && !is_host_list(option->val))
            return refuse(error, "the host is none; " ENCODE " (@ is %40, / is %2F)");
        if (strcmp(option->keyword, "port") == 0 && !has_only(option->val, ","))
            return refuse(error, "the port is no number; " ENCODE " (: is %3A, / is %2F)");
        if (strcmp(option->keyword, "connect_timeout") == 0 && !is_timeout(option->val))
            return refuse(error, "connect_timeout must be 1 to 30 seconds");
    }
    return ERR_OK;
}

/* A PGconn keeps its own copy as long as it lives; this one is not left behind as well. */
static void free_options(PQconninfoOption *options)
{
    for (PQconninfoOption *option = options; option && option->keyword; option++)
        if (option->val && option->dispchar[0] == '*')
            secret_wipe(option->val, strlen(option->val));
    PQconninfoFree(options);
}

enum err users_postgres_url_check(struct str location, struct error *error)
{
    char *text = NULL;

    if (str_has_control(location) || !str_is_utf8(location))
        return refuse(error, "it has control characters, or is not UTF-8");
    if (has_stray_at(location))
        return refuse(error, "an @ is in the wrong place; " ENCODE " (@ is %40, / is %2F)");
    int size = asprintf(&text, "postgresql://%.*s", STR_ARG(location));
    if (size < 0)
        return ERR_NO_MEMORY;
    /* libpq's own words are left aside: they repeat the part they are about. */
    PQconninfoOption *options = PQconninfoParse(text, NULL);
    enum err err = options
                       ? check_options(options, error)
                       : refuse(error, "not a URL that PostgreSQL understands, " FORM "; " ENCODE);
    free_options(options);
    secret_wipe(text, (size_t)size);
    free(text);
    return err;
}

/* NULL where there is none. */
static const char *value_of(const PQconninfoOption *options, const char *keyword,
                            const char *variable)
{
    while (options->keyword && strcmp(options->keyword, keyword) != 0)
        options++;
    const char *value = options->keyword && options->val ? options->val : getenv(variable);
    return value && value[0] != '\0' ? value : NULL;
}

enum err users_postgres_url_hosts(const char *url, struct users_postgres_hosts *hosts_out)
{
    int64_t timeout_s = 0;

    *hosts_out = (struct users_postgres_hosts){0};
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (!options)
        return ERR_NO_MEMORY; /* it was looked through at the start */
    const char *hosts = value_of(options, "host", "PGHOST");
    const char *ports = value_of(options, "port", "PGPORT");
    const char *timeout = value_of(options, "connect_timeout", "");
    hosts_out->is_settled = value_of(options, "hostaddr", "PGHOSTADDR") ||
                            value_of(options, "service", "PGSERVICE") || !hosts;
    if (timeout && str_to_int64(str_from(timeout), 1, CONNECT_TIMEOUT_MAX_S, &timeout_s))
        hosts_out->timeout_ms = (int)timeout_s * 1000;
    hosts_out->hosts = hosts ? strdup(hosts) : NULL;
    hosts_out->ports = ports ? strdup(ports) : NULL;
    bool is_whole = (!hosts || hosts_out->hosts) && (!ports || hosts_out->ports);
    free_options(options);
    if (is_whole)
        return ERR_OK;
    users_postgres_hosts_fini(hosts_out);
    return ERR_NO_MEMORY;
}

void users_postgres_hosts_fini(struct users_postgres_hosts *hosts)
{
    free(hosts->hosts);
    free(hosts->ports);
    *hosts = (struct users_postgres_hosts){0};
}
