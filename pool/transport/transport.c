/* Making the connection: names, addresses, sockets. What flows over it is the implementation's. */
#include "transport/transport.h"

#include "cachewarden/redis_error.h"
#include "transport/tls.h"

#include "cachewarden/clock.h"
#include "cachewarden/resolver.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A peer that vanished without a word is noticed by the kernel after 60 + 3 * 20 s of silence. */
#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 20
#define KEEPALIVE_PROBES     3

enum io_status transport_wait(struct transport *transport, short events, int64_t deadline_ns)
{
    struct pollfd wait = {.fd = transport->fd, .events = events};
    for (;;) {
        int ready = poll(&wait, 1, clock_left_ms(deadline_ns));
        if (ready > 0)
            return IO_DONE; /* an error or a hang-up shows in the next call on the socket */
        if (ready == 0)
            return IO_TIMEOUT;
        if (errno != EINTR) {
            transport->error = errno;
            return IO_FAILED;
        }
    }
}

static void set_option(int fd, int level, int option, int value)
{
    /* Without it the connection works too, only slower or blinder; so a refusal is no failure. */
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

static void tune_tcp(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

/* IO_DONE with transport->fd connected, else the fd is closed again. */
static enum io_status connect_one(struct transport *transport, const struct sockaddr *address,
                                  socklen_t size, int64_t deadline_ns)
{
    transport->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (transport->fd < 0) {
        transport->error = errno;
        return IO_FAILED;
    }
    enum io_status status = IO_DONE;
    if (connect(transport->fd, address, size) != 0) {
        int failure = errno;
        /* EAGAIN is a Unix socket's full backlog: nothing to wait for, unlike EINPROGRESS. */
        if (failure == EINPROGRESS) {
            status = transport_wait(transport, POLLOUT, deadline_ns);
            socklen_t failure_size = sizeof failure;
            if (status == IO_DONE &&
                getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &failure, &failure_size) != 0)
                failure = errno;
        }
        if (status == IO_DONE && failure != 0) {
            transport->error = failure;
            status = IO_FAILED;
        }
    }
    if (status != IO_DONE) {
        close(transport->fd);
        transport->fd = -1;
    } else if (address->sa_family != AF_UNIX) {
        tune_tcp(transport->fd);
    }
    return status;
}

static enum io_status connect_unix(struct transport *transport, const char *path,
                                   int64_t deadline_ns)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size >= sizeof address.sun_path) {
        transport->error = ENAMETOOLONG;
        return IO_FAILED;
    }
    memcpy(address.sun_path, path, size);
    return connect_one(transport, (const struct sockaddr *)&address, sizeof address, deadline_ns);
}

/* Each address gets an equal part of the time left, so that one black hole does not eat it all. */
static enum io_status connect_any(struct transport *transport, const struct resolver_answer *answer,
                                  int64_t deadline_ns)
{
    enum io_status status = IO_FAILED;
    for (size_t i = 0; i < answer->count; i++) {
        const struct resolver_address *address = &answer->addresses[i];
        int64_t now_ns = clock_mono_ns(), left = (int64_t)(answer->count - i);
        int64_t share_ns = deadline_ns > now_ns ? (deadline_ns - now_ns) / left : 0;
        status = connect_one(transport, &address->socket.any, address->size, now_ns + share_ns);
        if (status == IO_DONE) {
            transport->error =
                0; /* an address before may have left one, which does not matter now */
            break;
        }
    }
    return status;
}

void transport_explain(const struct transport *transport, char *out, size_t size)
{
    char text[128];
    const char *why = transport->reason;
    if (!why[0])
        why = transport->error ? strerror_r(transport->error, text, sizeof text)
                               : "closed by the server";
    snprintf(out, size, "%s", why);
}

/* It is this machine that has no room for one more socket, or a queue of Redis: the connections there are may
 * well work. */
static bool is_want_of_room(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
           error == EADDRNOTAVAIL || error == EAGAIN;
}

static enum err explain(enum io_status status, const struct transport *transport, const char *doing,
                        const char *hint, struct error *error)
{
    if (status == IO_TIMEOUT)
        return redis_error_set(error, ERR_TIMEOUT, REDIS_ERROR_TIMEOUT, "%s: no answer in time%s",
                               doing, hint);
    char why[sizeof transport->reason];
    transport_explain(transport, why, sizeof why);
    enum err err = is_want_of_room(transport->error) ? ERR_BUSY : ERR_UPSTREAM_DOWN;
    return redis_error_set(error, err, REDIS_ERROR_UNAVAILABLE, "%s: %s%s", doing, why,
                           transport->reason[0] ? "" : hint);
}

static enum err find_host(const struct redis_address *address, int64_t deadline_ns,
                          struct resolver_answer *answer_out, struct error *error)
{
    struct error why;
    error_clear(&why);
    enum err err = resolver_find(address->host, address->port, deadline_ns, answer_out, &why);
    if (!err)
        return ERR_OK;
    bool is_late = err == ERR_TIMEOUT;
    return redis_error_set(error, is_late ? ERR_TIMEOUT : ERR_UPSTREAM_DOWN,
                           is_late ? REDIS_ERROR_TIMEOUT : REDIS_ERROR_UNAVAILABLE, "%s",
                           why.detail);
}

enum err transport_open(const struct redis_address *address, struct tls_context *tls,
                        int64_t deadline_ns, struct transport *transport_out, struct error *error)
{
    *transport_out = (struct transport){.ops = tls ? &transport_tls : &transport_plain, .fd = -1};
    enum io_status status;
    if (address->unix_path) {
        status = connect_unix(transport_out, address->unix_path, deadline_ns);
    } else {
        struct resolver_answer found;
        enum err err = find_host(address, deadline_ns, &found, error);
        if (err)
            return err;
        status = connect_any(transport_out, &found, deadline_ns);
    }
    if (status != IO_DONE) {
        resolver_renew(address->host);
        return explain(status, transport_out, "connect", "", error);
    }
    status = transport_out->ops->start(transport_out, tls, deadline_ns);
    if (status != IO_DONE) {
        /* Another server may have got the address of the one that is meant. */
        resolver_renew(address->host);
        /* A plain Redis takes the first bytes of a handshake for half a command and waits on. */
        enum err err = explain(status, transport_out, "TLS handshake",
                               "; does Redis speak TLS on this port?", error);
        transport_close(transport_out);
        return err;
    }
    return ERR_OK;
}

void transport_close(struct transport *transport)
{
    if (transport->fd < 0)
        return;
    transport->ops->stop(transport);
    close(transport->fd);
    transport->fd = -1;
}
