#include "key_server.h"

#include "redis_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct key_server {
    int listener, stop, port; /* `stop` becomes readable at the end */
    char url[64];
    SSL_CTX *tls;
    pthread_t thread;
    atomic_int count;
    pthread_mutex_t mutex; /* guards the answer */
    char *bytes;           /* NULL: mute */
    size_t size;
    int drip_ms;
};

/* ---- the thread ---- */

/* False: it is over. */
static bool await(const struct key_server *server, int fd, int timeout_ms)
{
    struct pollfd polled[2] = {{.fd = server->stop, .events = POLLIN},
                               {.fd = fd, .events = POLLIN}};
    int ready = poll(polled, fd < 0 ? 1 : 2, timeout_ms);
    return ready >= 0 && polled[0].revents == 0;
}

struct peer {
    int fd;
    SSL *tls;
};

static int receive(const struct peer *peer, char *to, size_t size)
{
    return peer->tls ? SSL_read(peer->tls, to, (int)size) : (int)read(peer->fd, to, size);
}

static bool transmit(const struct peer *peer, const char *bytes, size_t size)
{
    while (size > 0) {
        int sent = peer->tls ? SSL_write(peer->tls, bytes, (int)size)
                             : (int)send(peer->fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

static void answer(struct key_server *server, const struct peer *peer)
{
    pthread_mutex_lock(&server->mutex);
    size_t size = server->size;
    int drip_ms = server->drip_ms;
    char *bytes = server->bytes ? malloc(size + 1) : NULL;
    if (bytes)
        memcpy(bytes, server->bytes, size);
    pthread_mutex_unlock(&server->mutex);
    char ignored[256];
    if (!bytes) {
        /* Until the other side has had enough. */
        while (await(server, peer->fd, -1) && receive(peer, ignored, sizeof ignored) > 0)
            continue;
    } else if (drip_ms == 0) {
        transmit(peer, bytes, size);
    } else {
        for (size_t i = 0; i < size && transmit(peer, bytes + i, 1); i++)
            if (!await(server, -1, drip_ms))
                break;
    }
    free(bytes);
}

static void serve(struct key_server *server, int fd)
{
    struct peer peer = {.fd = fd, .tls = server->tls ? SSL_new(server->tls) : NULL};
    char head[4096] = "";
    size_t size = 0;
    bool is_good = !peer.tls || (SSL_set_fd(peer.tls, fd) == 1 && SSL_accept(peer.tls) == 1);
    while (is_good && size < sizeof head - 1 && !strstr(head, "\r\n\r\n")) {
        is_good = (peer.tls && SSL_pending(peer.tls) > 0) || await(server, fd, -1);
        int got = is_good ? receive(&peer, head + size, sizeof head - 1 - size) : 0;
        is_good = got > 0;
        size += is_good ? (size_t)got : 0;
    }
    if (size > 0)
        atomic_fetch_add(&server->count, 1);
    if (is_good)
        answer(server, &peer);
    if (peer.tls) {
        SSL_shutdown(peer.tls);
        SSL_free(peer.tls);
    }
    close(fd);
}

static void *run(void *arg)
{
    struct key_server *server = arg;
    while (await(server, server->listener, -1)) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd >= 0)
            serve(server, fd);
    }
    return NULL;
}

/* ---- from outside ---- */

static void use_certificate(struct key_server *server, const char *certificate)
{
    char path[400];
    server->tls = SSL_CTX_new(TLS_server_method());
    ck_assert_ptr_nonnull(server->tls);
    snprintf(path, sizeof path, "%s.pem", certificate);
    ck_assert_int_eq(SSL_CTX_use_certificate_file(server->tls, path, SSL_FILETYPE_PEM), 1);
    snprintf(path, sizeof path, "%s.key", certificate);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(server->tls, path, SSL_FILETYPE_PEM), 1);
}

struct key_server *key_server_start(const char *certificate, int port)
{
    struct key_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)(port ? port : support_free_port()))};
    socklen_t size = sizeof address;
    int on = 1;
    ck_assert_ptr_nonnull(server);
    if (certificate)
        use_certificate(server, certificate);
    signal(SIGPIPE, SIG_IGN);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(server->listener, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(server->listener, 16), 0);
    ck_assert_int_eq(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof server->url, "%s://127.0.0.1:%d/keys",
             certificate ? "https" : "http", server->port);
    server->stop = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_ge(server->stop, 0);
    pthread_mutex_init(&server->mutex, NULL);
    key_server_publish(server, "{\"keys\":[]}");
    ck_assert_int_eq(pthread_create(&server->thread, NULL, run, server), 0);
    return server;
}

void key_server_stop(struct key_server **server)
{
    struct key_server *stopped = *server;
    if (!stopped)
        return;
    ck_assert_int_eq(eventfd_write(stopped->stop, 1), 0);
    pthread_join(stopped->thread, NULL);
    close(stopped->listener);
    close(stopped->stop);
    SSL_CTX_free(stopped->tls);
    pthread_mutex_destroy(&stopped->mutex);
    free(stopped->bytes);
    free(stopped);
    *server = NULL;
}

int key_server_port(const struct key_server *server)
{
    return server->port;
}

const char *key_server_url(const struct key_server *server)
{
    return server->url;
}

int key_server_count(struct key_server *server)
{
    return atomic_load(&server->count);
}

void key_server_wait_count(struct key_server *server, int count)
{
    for (int i = 0; i < 2000 && atomic_load(&server->count) < count; i++)
        poll(NULL, 0, 10);
    ck_assert_int_ge(atomic_load(&server->count), count);
}

static void set_answer(struct key_server *server, char *bytes, size_t size, int drip_ms)
{
    pthread_mutex_lock(&server->mutex);
    free(server->bytes);
    server->bytes = bytes;
    server->size = size;
    server->drip_ms = drip_ms;
    pthread_mutex_unlock(&server->mutex);
}

void key_server_publish(struct key_server *server, const char *body)
{
    char *text = NULL;
    int size = asprintf(&text,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                        strlen(body), body);
    ck_assert_int_gt(size, 0);
    set_answer(server, text, (size_t)size, 0);
}

void key_server_say(struct key_server *server, const void *bytes, size_t size, int drip_ms)
{
    char *copy = malloc(size + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    set_answer(server, copy, size, drip_ms);
}

void key_server_mute(struct key_server *server)
{
    set_answer(server, NULL, 0, 0);
}
