/* The HTTP library with our listeners and threads: what it is told, and what has become of it. */
#include "http/http_private.h"

#include "http/capacity.h"

#include "cachewarden/clock.h"

#include <civetweb.h>

#include <civetweb_extra.h>

#include <pthread.h>
#include <stdio.h>

enum {
    SPEC_SIZE = RESOLVER_TEXT_SIZE + 16, /* "[address]:65535s," */
    /* Of a request's head, request line included; a token of the largest size and 64 fields fit. One
     * buffer of that size a worker. */
    HEAD_MAX = 32 * 1024,
    BACKLOG = 1024,
    /* For a thousand threads on a busy machine. */
    THREADS_BEGIN_MS = 60 * 1000,
};

_Static_assert(HTTP_CONNECTIONS_MAX == MG_CONNECTIONS_MAX, "the library has room for as many");

/* As the library wants them: "127.0.0.1:8000,[::1]:8443s". */
static enum err write_listeners(const struct http_options *options,
                                char out[HTTP_LISTEN_MAX * SPEC_SIZE], struct error *error)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < options->listen_count; i++) {
        const struct listen_address *listen = &options->listen[i];
        struct http_place place;
        enum err err = http_place_find(listen->host, &place, error);
        if (err != ERR_OK)
            return err;
        len += (size_t)snprintf(out + len, HTTP_LISTEN_MAX * SPEC_SIZE - len,
                                place.is_v6 ? "%s[%s]:%d%s" : "%s%s:%d%s", len > 0 ? "," : "",
                                place.text, listen->port, listen->tls ? "s" : "");
    }
    return ERR_OK;
}

static unsigned library_features;

static void init_library(void)
{
    library_features = mg_init_library(MG_FEATURES_TLS | MG_FEATURES_IPV6);
}

/* Once a process and never undone: OpenSSL belongs to other rooms as well. */
static enum err use_library(const struct http_options *options, struct error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_library);
    for (size_t i = 0; i < options->listen_count; i++)
        if (options->listen[i].tls && !(library_features & MG_FEATURES_TLS))
            return error_set(error, ERR_INTERNAL, "this build's HTTP library has no TLS");
    return ERR_OK;
}

static int on_tls(void *ssl_ctx, void *user_data)
{
    struct http *http = user_data;
    const struct tls_files files = {http->options.tls_certificate, http->options.tls_key,
                                    http->options.tls_client_ca};

    /* On the thread that starts the library, before there are workers. 1: all is done, the library
     * sets up nothing of its own. */
    enum err err = tls_new(&files, &http->tls, &http->complaint);
    if (err == ERR_OK)
        err = tls_attach(http->tls, ssl_ctx, &http->complaint);
    return err == ERR_OK ? 1 : -1;
}

/* The library starts with fewer workers than it was asked for, and even without the thread that accepts. */
static enum err await_threads(struct http *http, struct error *error) CW_NEEDS_LOCK(&http->lock)
{
    const int wanted = http->options.threads + 1;
    int64_t deadline_ns = clock_deadline_ns(THREADS_BEGIN_MS);
    bool in_time = true;

    while (http->thread_count < wanted && !http->is_short_of_threads && in_time)
        in_time = lock_cond_wait(&http->finished, &http->lock, deadline_ns);
    if (http->thread_count == wanted)
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT, "server.threads: %d of %d threads have begun%s%s",
                     http->thread_count, wanted, http->is_short_of_threads ? ": " : "",
                     http->is_short_of_threads ? http->complaint.caller : "");
}

/* All bytes of requests that are not whole, and of answers that are not taken; a few of the largest
 * bodies fit in any case. */
static int64_t waiting_bytes_max(const struct http_options *options)
{
    int64_t bodies = 4 * (int64_t)options->max_body;

    return bodies > MG_WAITING_BYTES ? bodies : MG_WAITING_BYTES;
}

static enum err start_library(struct http *http, struct error *error)
{
    const struct http_options *options = &http->options;
    char listeners[HTTP_LISTEN_MAX * SPEC_SIZE];
    char numbers[5][16];
    struct mg_callbacks callbacks;
    enum err err = write_listeners(options, listeners, error);

    if (err != ERR_OK)
        return err;
    snprintf(numbers[0], sizeof numbers[0], "%d", options->threads);
    snprintf(numbers[1], sizeof numbers[1], "%lld", (long long)options->header_timeout_ms);
    snprintf(numbers[2], sizeof numbers[2], "%lld", (long long)options->keep_alive_timeout_ms);
    snprintf(numbers[3], sizeof numbers[3], "%d", HEAD_MAX);
    snprintf(numbers[4], sizeof numbers[4], "%d", BACKLOG);
    const char *library_options[] = {
        "listening_ports",
        listeners,
        "num_threads",
        numbers[0],
        "request_timeout_ms",
        numbers[1],
        "keep_alive_timeout_ms",
        numbers[2],
        "max_request_size",
        numbers[3],
        "listen_backlog",
        numbers[4],
        "enable_keep_alive",
        "yes",
        "tcp_nodelay",
        "1",
        "decode_url",
        "no",
        "access_control_allow_methods",
        "",
        NULL,
    };
    struct mg_init_data init = {
        .callbacks = &callbacks, .user_data = http, .configuration_options = library_options};

    memset(&callbacks, 0, sizeof callbacks);
    connection_callbacks(&callbacks);
    callbacks.init_ssl = on_tls;
    http->library = mg_start2(&init, NULL);
    if (http->library)
        mg_limit_waiting(http->library, http->connections_max, waiting_bytes_max(options));

    lock_acquire(&http->lock);
    if (!http->library) {
        *error = http->complaint;
        err = error->code != ERR_OK
                  ? error->code
                  : error_set(error, ERR_INTERNAL, "the HTTP library did not start");
    } else {
        err = await_threads(http, error);
    }
    http->is_started = err == ERR_OK;
    lock_release(&http->lock);
    return err;
}

static enum err read_ports(struct http *http, struct error *error)
{
    struct mg_server_port ports[HTTP_LISTEN_MAX];
    int count = mg_get_server_ports(http->library, HTTP_LISTEN_MAX, ports);

    if (count != (int)http->options.listen_count)
        return error_set(error, ERR_INTERNAL, "server.listen: %d of %zu addresses are listened on",
                         count, http->options.listen_count);
    for (int i = 0; i < count; i++)
        http->ports[i] = ports[i].port;
    return ERR_OK;
}

enum err listener_start(struct http *http, struct error *error)
{
    enum err err = use_library(&http->options, error);

    if (err == ERR_OK)
        err = start_library(http, error);
    if (err == ERR_OK)
        err = read_ports(http, error);
    return err;
}
