/* The transport that is nothing but a socket (TCP or Unix). */
#include "transport/transport.h"

#include "cachewarden/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

/* A read waits for answers itself, for so long at a time, and the kernel may be late by a tick or two. */
enum { READ_MS = 100, READ_MOST_MS = READ_MS + 20 };

static enum io_status start(struct transport *transport, struct tls_context *tls,
                            int64_t deadline_ns)
{
    const struct timeval read_time = {0, READ_MS * 1000};
    int flags = fcntl(transport->fd, F_GETFL);

    (void)tls;
    (void)deadline_ns;
    if (flags < 0 ||
        setsockopt(transport->fd, SOL_SOCKET, SO_RCVTIMEO, &read_time, sizeof read_time) != 0 ||
        fcntl(transport->fd, F_SETFL, flags & ~O_NONBLOCK) != 0) {
        transport->error = errno;
        return IO_FAILED;
    }
    return IO_DONE;
}

static enum io_status fail(struct transport *transport, int failure)
{
    transport->error = failure;
    bool is_gone = failure == ECONNRESET || failure == EPIPE || failure == ENOTCONN;
    return is_gone ? IO_CLOSED : IO_FAILED;
}

/* A peer that takes a byte now and then must not keep anybody past the deadline. */
static enum io_status wait_to_send(struct transport *transport, int64_t deadline_ns)
{
    enum io_status status = transport_wait(transport, POLLOUT, deadline_ns);

    return status == IO_DONE && clock_mono_ns() >= deadline_ns ? IO_TIMEOUT : status;
}

static enum io_status send_all(struct transport *transport, const char *bytes, size_t size,
                               int64_t deadline_ns, size_t *sent_out)
{
    size_t sent = 0;
    enum io_status status = IO_DONE;
    while (sent < size && status == IO_DONE) {
        ssize_t part = send(transport->fd, bytes + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (part >= 0)
            sent += (size_t)part;
        else if (errno == EAGAIN)
            status = wait_to_send(transport, deadline_ns);
        else if (errno != EINTR)
            status = fail(transport, errno);
    }
    *sent_out = sent;
    return status;
}

static enum io_status receive(struct transport *transport, char *buffer, size_t size,
                              int64_t deadline_ns, size_t *received_out)
{
    /* The answer is hardly ever there yet. One call waits for it and takes it, unless there is too little time. */
    for (;;) {
        bool waits = clock_left_ms(deadline_ns) >= READ_MOST_MS;
        enum io_status status = waits ? IO_DONE : transport_wait(transport, POLLIN, deadline_ns);
        if (status != IO_DONE)
            return status;
        ssize_t got = recv(transport->fd, buffer, size, waits ? 0 : MSG_DONTWAIT);
        if (got > 0) {
            *received_out = (size_t)got;
            return IO_DONE;
        }
        if (got == 0) {
            transport->error = 0;
            return IO_CLOSED;
        }
        if (errno != EAGAIN && errno != EINTR)
            return fail(transport, errno);
    }
}

static enum io_idle_check check_idle(struct transport *transport)
{
    char byte;
    ssize_t got = recv(transport->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0)
        return IO_UNEXPECTED_DATA;
    return got < 0 && errno == EAGAIN ? IO_IDLE : IO_PEER_CLOSED;
}

static void stop(struct transport *transport)
{
    (void)transport;
}

const struct transport_ops transport_plain = {start, send_all, receive, check_idle, stop};
