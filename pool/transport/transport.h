/*
 * Bytes to and from Redis before a deadline, over a plain socket or over TLS. A transport belongs to
 * one thread at a time and takes no locks.
 */
#ifndef POOL_TRANSPORT_TRANSPORT_H
#define POOL_TRANSPORT_TRANSPORT_H

#include "cachewarden/redis.h"

#include <stddef.h>
#include <sys/types.h>

enum io_status {
    IO_DONE,
    IO_TIMEOUT, /* the deadline passed first; the transport is still sound */
    IO_CLOSED,  /* the peer has closed, or the connection was reset */
    IO_FAILED   /* anything else; transport.error says what */
};

enum io_idle_check {
    IO_IDLE,           /* still there, and has said nothing */
    IO_PEER_CLOSED,    /* has closed */
    IO_UNEXPECTED_DATA /* has sent bytes nobody asked for */
};

struct transport {
    const struct transport_ops *ops;
    int fd;           /* non-blocking, -1 when closed */
    void *session;    /* what the implementation needs besides the socket */
    int error;        /* errno of the last IO_CLOSED or IO_FAILED; 0 for an orderly end */
    char reason[160]; /* why it failed, where errno does not say; "" */
};

struct tls_context;

struct transport_ops {
    /* Makes the connected socket ready (a handshake, where there is one). `tls` is what
     * transport_open was given. */
    enum io_status (*start)(struct transport *transport, struct tls_context *tls,
                            int64_t deadline_ns);
    /* Sends all of it. *sent_out says how much may have left, whatever the outcome. */
    enum io_status (*send)(struct transport *transport, const char *bytes, size_t size,
                           int64_t deadline_ns, size_t *sent_out);
    /* Waits for at least one byte and takes up to size of them. */
    enum io_status (*receive)(struct transport *transport, char *buffer, size_t size,
                              int64_t deadline_ns, size_t *received_out);
    /* Looks, without waiting, at what an idle peer has done. */
    enum io_idle_check (*check_idle)(struct transport *transport);
    /* Frees the session; the socket is closed by transport_close. */
    void (*stop)(struct transport *transport);
};

extern const struct transport_ops transport_plain;

/*
 * Connects and starts the transport: TLS if `tls` is not NULL, which outlives it (tls.h). Every address
 * of a name is tried within the deadline, in which the name is waited for, too (cachewarden/resolver.h). When none
 * answers, the name is looked up anew for the next attempt.
 * ERR_UPSTREAM_DOWN or ERR_TIMEOUT; ERR_BUSY when a socket more is what this machine, or the queue of a Unix
 * socket, has no room for. *transport_out is closed then.
 */
CW_MUST_CHECK enum err transport_open(const struct redis_address *address, struct tls_context *tls,
                                      int64_t deadline_ns, struct transport *transport_out,
                                      struct error *error);
void transport_close(struct transport *transport);

/* Why the last call ended IO_CLOSED or IO_FAILED, in words for the log, with the remedy if known. */
void transport_explain(const struct transport *transport, char *out, size_t size);

/* For implementations: waits for `events` (POLLIN, POLLOUT). IO_DONE, IO_TIMEOUT or IO_FAILED. */
enum io_status transport_wait(struct transport *transport, short events, int64_t deadline_ns);

#endif
