#include "http_connection.h"

#include "http_plain.h"

#include "cachewarden/clock.h"
#include "cachewarden/http_client.h"
#include "cachewarden/lock.h"
#include "cachewarden/resolver.h"

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { STOP_POLL_MS = 200, ASK_MS = 500, HOST_SIZE = 256 };

struct http_connection {
    CURL *curl;
    struct curl_slist *addresses; /* of the host, NULL: libcurl finds them */
    curl_socket_t fd;
    const atomic_bool *stops;
    bool is_refused; /* an address was not connected to */
    bool is_plain;   /* no TLS: its bytes are the socket's (http_plain.h) */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_ready;

static void set_up(void)
{
    is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static bool is_stopped(const atomic_bool *stops)
{
    return stops && atomic_load(stops);
}

/* ---- TLS sessions ---- */

struct http_sessions {
    CURLSH *share;
    struct lock lock;
};

/* One function takes the lock and another gives it back, as libcurl asks. */
CW_NO_LOCK_CHECK static void lock_share(CURL *curl, curl_lock_data data, curl_lock_access access,
                                        void *arg)
{
    struct http_sessions *sessions = arg;

    (void)curl, (void)data, (void)access;
    lock_acquire(&sessions->lock);
}

CW_NO_LOCK_CHECK static void unlock_share(CURL *curl, curl_lock_data data, void *arg)
{
    struct http_sessions *sessions = arg;

    (void)curl, (void)data;
    lock_release(&sessions->lock);
}

static bool set_share(struct http_sessions *sessions)
{
    CURLSH *share = sessions->share;

    return share &&
           curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK &&
           curl_share_setopt(share, CURLSHOPT_LOCKFUNC, lock_share) == CURLSHE_OK &&
           curl_share_setopt(share, CURLSHOPT_UNLOCKFUNC, unlock_share) == CURLSHE_OK &&
           curl_share_setopt(share, CURLSHOPT_USERDATA, sessions) == CURLSHE_OK;
}

struct http_sessions *http_sessions_new(void)
{
    struct http_sessions *sessions = calloc(1, sizeof *sessions);

    pthread_once(&once, set_up);
    if (!sessions)
        return NULL;
    lock_init(&sessions->lock, LOCK_RANK_LEAF, "TLS sessions of a server");
    if (is_ready)
        sessions->share = curl_share_init();
    if (!set_share(sessions))
        http_sessions_free(&sessions);
    return sessions;
}

void http_sessions_free(struct http_sessions **sessions)
{
    struct http_sessions *freed = *sessions;

    *sessions = NULL;
    if (!freed)
        return;
    if (freed->share)
        (void)curl_share_cleanup(freed->share);
    lock_fini(&freed->lock);
    free(freed);
}

/* ---- connecting ---- */

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_connection *connection = arg;

    (void)purpose;
    if (http_address_kind(&address->addr) != HTTP_ADDRESS_PLAIN) {
        connection->is_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Whether somebody still waits for the connection. */
struct watch {
    const struct http_connection_options *options;
    int64_t ask_ns; /* when it is asked next */
};

/* libcurl calls it about once a second while it connects, too, and more often at the beginning. */
static int is_over(void *arg, curl_off_t total, curl_off_t now, curl_off_t sent_total,
                   curl_off_t sent)
{
    struct watch *watch = arg;
    const struct http_connection_options *options = watch->options;

    (void)total, (void)now, (void)sent_total, (void)sent;
    if (is_stopped(options->stops))
        return 1;
    if (!options->is_unwanted || clock_left_ms(watch->ask_ns) > 0)
        return 0;
    watch->ask_ns = clock_deadline_ns(ASK_MS);
    return options->is_unwanted(options->unwanted_with);
}

/* ---- names ---- */

/* The first that is set, as libcurl looks for it where the URL is https. */
static bool has_proxy(void)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && value[0] != '\0')
            return true;
    }
    return false;
}

/*
 * The host that is to be looked up here, not by libcurl: that waits for name servers at the end even if it
 * did not at the beginning, and keeps no answers. What is numeric needs no look-up, and localhost is libcurl's own.
 * Behind a proxy it is the proxy's name that counts, and the target's need not be known here.
 */
static bool is_ours_to_find(const struct http_connection_options *options,
                            const struct http_url *url, char host_out[HOST_SIZE])
{
    if (options->socket_path || (options->uses_proxy && has_proxy()) || url->host.len == 0 ||
        url->host.len >= HOST_SIZE || url->host.ptr[0] == '[' ||
        str_eq_nocase(url->host, STR("localhost")))
        return false;
    memcpy(host_out, url->host.ptr, url->host.len);
    host_out[url->host.len] = '\0';
    size_t len = url->host.len;
    return len < 10 || !str_eq_nocase(str_sub(url->host, len - 10, len), STR(".localhost"));
}

/* In pieces, so that who does not want the connection any more is heard. */
static enum err find_host(const char *host, struct watch *watch, int64_t deadline_ns,
                          struct resolver_answer *answer_out, struct error *error)
{
    for (;;) {
        int64_t piece_ns = clock_deadline_ns(STOP_POLL_MS);
        bool is_last = piece_ns >= deadline_ns;
        enum err err = resolver_find(host, 0, is_last ? deadline_ns : piece_ns, answer_out, error);
        if (err != ERR_TIMEOUT || is_last || is_over(watch, 0, 0, 0, 0) != 0)
            return err;
    }
}

/* "HOST:PORT:192.0.2.1,2001:db8::1": libcurl takes it for a look-up of its own. */
static bool give_addresses(struct http_connection *connection, const char *host, int port,
                           const struct resolver_answer *answer)
{
    char text[HOST_SIZE + 16 + RESOLVER_ADDRESSES_MAX * (RESOLVER_TEXT_SIZE + 1)];
    int used = snprintf(text, sizeof text, "%s:%d:", host, port);

    for (size_t i = 0; i < answer->count; i++) {
        char address[RESOLVER_TEXT_SIZE];
        resolver_write(&answer->addresses[i], address);
        used +=
            snprintf(text + used, sizeof text - (size_t)used, "%s%s", i > 0 ? "," : "", address);
    }
    connection->addresses = curl_slist_append(NULL, text);
    return connection->addresses &&
           curl_easy_setopt(connection->curl, CURLOPT_RESOLVE, connection->addresses) == CURLE_OK;
}

/* An empty *host_out: libcurl does it. */
static enum err find_addresses(struct http_connection *connection,
                               const struct http_connection_options *options, struct watch *watch,
                               char host_out[HOST_SIZE], struct error *error)
{
    struct resolver_answer answer;
    struct http_url url;
    int64_t deadline_ns = clock_deadline_ns(options->timeout_ms), port;

    if (!http_url_parse(str_from(options->url), &url) ||
        !is_ours_to_find(options, &url, host_out)) {
        host_out[0] = '\0';
        return ERR_OK;
    }
    struct str rest =
        str_sub(url.authority, (size_t)(url.host.ptr - url.authority.ptr) + url.host.len,
                url.authority.len);
    if (!str_to_int64(str_sub(rest, 1, rest.len), 1, UINT16_MAX, &port))
        port = url.is_https ? 443 : 80;
    enum err err = find_host(host_out, watch, deadline_ns, &answer, error);
    if (err)
        return err;
    /* libcurl takes 0 for its default, which is minutes. */
    int left_ms = clock_left_ms(deadline_ns);
    bool is_set = give_addresses(connection, host_out, (int)port, &answer) &&
                  curl_easy_setopt(connection->curl, CURLOPT_CONNECTTIMEOUT_MS,
                                   left_ms > 0 ? (long)left_ms : 1L) == CURLE_OK;
    return is_set ? ERR_OK : ERR_NO_MEMORY;
}

/* ---- the connection ---- */

static bool set_options(struct http_connection *connection,
                        const struct http_connection_options *options, struct watch *watch)
{
    CURL *curl = connection->curl;

    return curl_easy_setopt(curl, CURLOPT_URL, options->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, options->socket_path) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           (!options->ca_file ||
            (curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file) == CURLE_OK &&
             curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK)) &&
           /* An empty one means none, whatever the environment says. */
           (options->uses_proxy || curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK) &&
           curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)options->timeout_ms) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CERTINFO, options->wants_expiry ? 1L : 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           /* A look-up of its own that is under way when time is up is left to itself. */
           curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SHARE,
                            options->sessions ? options->sessions->share : NULL) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, connection) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_over) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFODATA, watch) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROGRESS,
                            options->stops || options->is_unwanted ? 0L : 1L) == CURLE_OK;
}

static enum err judge(CURLcode code, struct error *error)
{
    if (code == CURLE_OUT_OF_MEMORY)
        return ERR_NO_MEMORY;
    return error_set_detail(error,
                            code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UPSTREAM_DOWN,
                            "%s", curl_easy_strerror(code));
}

static enum err connect_to(struct http_connection *connection,
                           const struct http_connection_options *options, struct error *error)
{
    struct watch watch = {options, clock_deadline_ns(ASK_MS)};
    char host[HOST_SIZE];

    if (!set_options(connection, options, &watch))
        return ERR_NO_MEMORY;
    enum err err = find_addresses(connection, options, &watch, host, error);
    if (err)
        return err;
    CURLcode code = curl_easy_perform(connection->curl);
    /* What was lent for that. */
    (void)curl_easy_setopt(connection->curl, CURLOPT_NOPROGRESS, 1L);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(connection->curl, CURLINFO_ACTIVESOCKET, &connection->fd);
    if (code == CURLE_OK && connection->fd == CURL_SOCKET_BAD)
        code = CURLE_COULDNT_CONNECT;
    if (code == CURLE_OK) {
        if (strncmp(options->url, "http://", 7) == 0)
            /* libcurl reads and writes none of its bytes any more. */
            connection->is_plain = http_plain_begin(connection->fd);
        return ERR_OK;
    }
    if (host[0] != '\0')
        resolver_renew(host);
    return code == CURLE_COULDNT_CONNECT && connection->is_refused
               ? error_set_detail(
                     error, ERR_UPSTREAM_DOWN,
                     "a link-local address or a metadata service, which is not connected to")
               : judge(code, error);
}

enum err http_connection_open(const struct http_connection_options *options,
                              struct http_connection **connection_out, struct error *error)
{
    struct http_connection *connection = calloc(1, sizeof *connection);
    enum err err = ERR_NO_MEMORY;

    *connection_out = NULL;
    pthread_once(&once, set_up);
    if (connection && is_ready)
        connection->curl = curl_easy_init();
    if (connection && connection->curl) {
        connection->stops = options->stops;
        err = connect_to(connection, options, error);
    }
    if (err)
        http_connection_close(&connection);
    else
        *connection_out = connection;
    return err;
}

void http_connection_close(struct http_connection **connection)
{
    if (*connection) {
        curl_easy_cleanup((*connection)->curl);
        curl_slist_free_all((*connection)->addresses);
    }
    free(*connection);
    *connection = NULL;
}

/* ---- certificates ---- */

/* "Expire date:Dec  1 17:00:00 2026 GMT". 0: it is another line. */
static int64_t expiry_of(const char *line)
{
    static const char name[] = "Expire date:";
    struct tm when = {0};

    if (strncmp(line, name, sizeof name - 1) != 0 ||
        !strptime(line + sizeof name - 1, "%b %d %H:%M:%S %Y", &when))
        return 0;
    return (int64_t)timegm(&when);
}

int64_t http_connection_expires_s(struct http_connection *connection)
{
    struct curl_certinfo *chain = NULL;
    int64_t first_s = 0;

    if (curl_easy_getinfo(connection->curl, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain)
        return 0;
    for (int i = 0; i < chain->num_of_certs; i++) {
        for (const struct curl_slist *line = chain->certinfo[i]; line; line = line->next) {
            int64_t expires_s = expiry_of(line->data);
            if (expires_s > 0 && (first_s == 0 || expires_s < first_s))
                first_s = expires_s;
        }
    }
    return first_s;
}

/* ---- bytes ---- */

enum err http_connection_send(struct http_connection *connection, const char *bytes, size_t size,
                              size_t *sent_out, struct error *error)
{
    *sent_out = 0;
    if (connection->is_plain)
        return http_plain_send(connection->fd, bytes, size, sent_out, error);
    CURLcode code = curl_easy_send(connection->curl, bytes, size, sent_out);
    return code == CURLE_OK || code == CURLE_AGAIN ? ERR_OK : judge(code, error);
}

enum err http_connection_receive(struct http_connection *connection, char *buffer, size_t size,
                                 size_t *got_out, bool *is_end_out, struct error *error)
{
    *got_out = 0;
    *is_end_out = false;
    if (connection->is_plain) {
        struct http_arrival arrival = {.buffer = buffer, .size = size};
        enum err err = http_plain_receive(connection->fd, false, &arrival, error);
        *got_out = arrival.got;
        *is_end_out = arrival.is_end;
        return err;
    }
    CURLcode code = curl_easy_recv(connection->curl, buffer, size, got_out);
    *is_end_out = code == CURLE_OK && *got_out == 0;
    return code == CURLE_OK || code == CURLE_AGAIN ? ERR_OK : judge(code, error);
}

short http_connection_wait(const struct http_connection *connection, short events,
                           int64_t deadline_ns)
{
    struct pollfd polled = {.fd = connection->fd, .events = events};

    for (;;) {
        int wait_ms = clock_left_ms(deadline_ns);
        if (connection->stops && wait_ms > STOP_POLL_MS)
            wait_ms = STOP_POLL_MS;
        int ready = poll(&polled, 1, wait_ms);
        /* What is wrong with it is said by reading. */
        if (ready > 0)
            return polled.revents & events ? polled.revents & events : events;
        if (is_stopped(connection->stops) || clock_left_ms(deadline_ns) == 0)
            return 0;
    }
}

bool http_connection_await(struct http_connection *connection, struct http_arrival *arrival,
                           int64_t deadline_ns, struct error *error)
{
    arrival->got = 0;
    arrival->is_end = false;
    arrival->err = ERR_OK;
    while (connection->is_plain && clock_left_ms(deadline_ns) >= HTTP_PLAIN_WAIT_MS) {
        arrival->err = http_plain_receive(connection->fd, true, arrival, error);
        if (arrival->got > 0 || arrival->is_end || arrival->err)
            return true;
        if (is_stopped(connection->stops))
            return false;
    }
    return http_connection_wait(connection, POLLIN, deadline_ns) != 0;
}
