/*
 * Reaching a server. libpq would do it all, but looks names up for as long as name servers are silent, and waits in
 * whole seconds. So it gets one address at a time, with the name beside it, which certificates are for.
 */
#include "users/postgres/error.h"
#include "users/postgres/postgres_private.h"
#include "users/postgres/url.h"

#include "cachewarden/clock.h"
#include "cachewarden/resolver.h"

#include <errno.h>
#include <libpq-fe.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>

enum { HOST_SIZE = 256, PORT_SIZE = 16 };

/* All hosts of a list together have so many times what one of them has. */
enum { HOSTS_TIMES = 2 };

/* "" is left to libpq. */
struct way {
    char host[HOST_SIZE], address[RESOLVER_TEXT_SIZE], port[PORT_SIZE];
};

/*
 * What stands before "dbname" is a default, and what the URL says beats it; what stands behind it
 * beats the URL.
 */
static PGconn *begin_connection(const char *url, const struct way *way)
{
    const char *const options[][2] = {
        /* A connection that nobody uses is not forgotten by firewalls, and one to a host that has
           gone is noticed. */
        {"keepalives_idle", "30"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "10000"},
        /* A standby lags behind: a deactivated account would go on there. */
        {"target_session_attrs", "read-write"},
        /* It would look for a Kerberos ticket first. */
        {"gssencmode", "disable"},
        {"fallback_application_name", "cachewarden"},
        {"dbname", url},
        {"client_encoding", "UTF8"},
        {"host", way->host},
        {"hostaddr", way->address},
        {"port", way->port},
    };
    enum { COUNT = sizeof options / sizeof *options };
    const char *names[COUNT + 1] = {0}, *values[COUNT + 1] = {0};

    for (size_t i = 0; i < COUNT; i++) {
        names[i] = options[i][0];
        values[i] = options[i][1];
    }
    return PQconnectStartParams(names, values, 1);
}

/* False: it was not done in time. */
static bool await_connection(PGconn *conn, int64_t deadline_ns)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        struct pollfd socket = {.fd = PQsocket(conn),
                                .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int ready = poll(&socket, 1, clock_left_ms(deadline_ns));
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return false;
        if (ready > 0)
            status = PQconnectPoll(conn);
    }
    return true;
}

/* Of several attempts all that was said, without libpq's hints ("Is the server running …?"): they are lines that begin
 * with a tab, and would leave no room for the next one. */
static void add_reason(char why[USERS_POSTGRES_WHY_SIZE], const char *host, const char *words)
{
    char plain[USERS_POSTGRES_WHY_SIZE];
    const char *hint = strstr(words, "\n\t");
    size_t used = strlen(why);

    snprintf(plain, sizeof plain, "%.*s", hint ? (int)(hint - words) : INT_MAX, words);
    used += (size_t)snprintf(why + used, USERS_POSTGRES_WHY_SIZE - used, "%s%s%s",
                             used > 0 ? "; " : "", host, host[0] != '\0' ? ": " : "");
    if (used < USERS_POSTGRES_WHY_SIZE)
        users_postgres_one_line(why + used, USERS_POSTGRES_WHY_SIZE - used, plain);
}

/* NULL: `why` has the reason. */
static PGconn *go(const char *url, const struct way *way, int64_t deadline_ns,
                  char why[USERS_POSTGRES_WHY_SIZE])
{
    PGconn *conn = begin_connection(url, way);

    if (!conn) {
        add_reason(why, "", "out of memory");
        return NULL;
    }
    bool is_in_time = PQstatus(conn) == CONNECTION_BAD || await_connection(conn, deadline_ns);
    if (is_in_time && PQstatus(conn) == CONNECTION_OK)
        return conn;
    /* libpq names the address alone, where it has one. */
    bool is_told = is_in_time && (way->address[0] == '\0' || strcmp(way->address, way->host) == 0);
    add_reason(why, is_told ? "" : way->host,
               is_in_time ? PQerrorMessage(conn) : "timeout expired");
    PQfinish(conn);
    return NULL;
}

/* All addresses of a host, each with an equal part of the time that is left. */
static PGconn *go_to_host(const char *url, struct way *way, int64_t deadline_ns,
                          char why[USERS_POSTGRES_WHY_SIZE])
{
    struct resolver_answer answer;
    struct error error;
    PGconn *conn = NULL;

    error_clear(&error);
    if (resolver_find(way->host, 0, deadline_ns, &answer, &error) != ERR_OK) {
        add_reason(why, "", error.detail);
        return NULL;
    }
    for (size_t i = 0; i < answer.count && !conn; i++) {
        int64_t now_ns = clock_mono_ns(), left = (int64_t)(answer.count - i);
        int64_t share_ns = deadline_ns > now_ns ? (deadline_ns - now_ns) / left : 0;
        resolver_write(&answer.addresses[i], way->address);
        conn = go(url, way, now_ns + share_ns, why);
    }
    if (!conn)
        resolver_renew(way->host);
    return conn;
}

static bool copy_to(char *out, size_t size, struct str text)
{
    if (text.len >= size)
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

/* The next host of the list, and the next port: one port is for all of them. */
static bool take_way(struct str *hosts, struct str *ports, struct way *way_out)
{
    struct str host, port = *ports;

    *way_out = (struct way){0};
    if (!str_split(hosts, ',', &host))
        return false;
    if (str_find(*ports, ',') >= 0 && !str_split(ports, ',', &port))
        port = STR_NONE;
    if (port.len == 0)
        port = STR("5432");
    return copy_to(way_out->host, HOST_SIZE, host) && copy_to(way_out->port, PORT_SIZE, port);
}

static bool is_folder(const char *host)
{
    return host[0] == '/' || host[0] == '@' || host[0] == '\0';
}

static size_t count_hosts(struct str hosts)
{
    struct str host;
    size_t count = 0;

    while (str_split(&hosts, ',', &host))
        count++;
    return count;
}

/* However many of them are silent, the last one has its part of the time. */
static int64_t deadline_of(int64_t timeout_ms, int64_t last_ns, size_t left)
{
    int64_t now_ns = clock_mono_ns(), most_ns = timeout_ms * NS_PER_MS;
    int64_t share_ns = last_ns > now_ns ? (last_ns - now_ns) / (int64_t)(left > 0 ? left : 1) : 0;

    return now_ns + (share_ns < most_ns ? share_ns : most_ns);
}

static PGconn *go_to_any(const char *url, const struct users_postgres_hosts *hosts,
                         char why[USERS_POSTGRES_WHY_SIZE])
{
    struct str rest = str_from(hosts->hosts), ports = str_from(hosts->ports);
    int64_t timeout_ms = hosts->timeout_ms > 0 ? hosts->timeout_ms : USERS_POSTGRES_CONNECT_MS;
    struct way way = {0};

    if (hosts->is_settled)
        return go(url, &way, clock_deadline_ns(timeout_ms), why);
    PGconn *conn = NULL;
    int64_t last_ns = clock_deadline_ns(HOSTS_TIMES * timeout_ms);
    for (size_t left = count_hosts(rest); !conn && take_way(&rest, &ports, &way); left--) {
        int64_t deadline_ns = deadline_of(timeout_ms, last_ns, left);
        conn = is_folder(way.host) ? go(url, &way, deadline_ns, why)
                                   : go_to_host(url, &way, deadline_ns, why);
    }
    return conn;
}

struct pg_conn *users_postgres_dial(const char *url, char why[USERS_POSTGRES_WHY_SIZE])
{
    struct users_postgres_hosts hosts;
    PGconn *conn = NULL;

    why[0] = '\0';
    if (users_postgres_url_hosts(url, &hosts) != ERR_OK)
        add_reason(why, "", "out of memory");
    else
        conn = go_to_any(url, &hosts, why);
    users_postgres_hosts_fini(&hosts);
    return conn;
}
