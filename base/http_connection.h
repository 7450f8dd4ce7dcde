/* A byte stream to a server: TCP, TLS or a Unix socket. The one home of libcurl. For one thread at a time. */
#ifndef BASE_HTTP_CONNECTION_H
#define BASE_HTTP_CONNECTION_H

#include "cachewarden/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TLS sessions of one server under one set of options, which connections to it take up again; for any thread. */
struct http_sessions;

/* NULL: no memory. */
struct http_sessions *http_sessions_new(void);
/* Every connection is closed. Harmless for NULL. */
void http_sessions_free(struct http_sessions **sessions);

struct http_connection_options {
    const char *url;         /* scheme and authority */
    const char *socket_path; /* NULL: none */
    const char *ca_file;     /* NULL: the system's */
    bool uses_proxy;
    struct http_sessions *sessions; /* NULL: none is taken up again */
    int64_t timeout_ms;             /* for all of connecting */
    const atomic_bool *stops;       /* may be NULL */
    bool wants_expiry;              /* of its certificates: http_connection_expires_s */
    /* Asked about once a second while it connects; true ends that. NULL: never. */
    bool (*is_unwanted)(void *with);
    void *unwanted_with;
};

struct http_connection;

/* ERR_TIMEOUT, ERR_UPSTREAM_DOWN, ERR_NO_MEMORY. */
CW_MUST_CHECK enum err http_connection_open(const struct http_connection_options *options,
                                            struct http_connection **connection_out,
                                            struct error *error);
void http_connection_close(struct http_connection **connection);

/* When the first certificate of the server's chain ends, in seconds since 1970; 0: there is none, or it is unknown. */
int64_t http_connection_expires_s(struct http_connection *connection);

/* Neither waits: 0 bytes where they would have to. ERR_UPSTREAM_DOWN. */
CW_MUST_CHECK enum err http_connection_send(struct http_connection *connection, const char *bytes,
                                            size_t size, size_t *sent_out, struct error *error);
CW_MUST_CHECK enum err http_connection_receive(struct http_connection *connection, char *buffer,
                                               size_t size, size_t *got_out, bool *is_end_out,
                                               struct error *error);

/* Waits until one of these events (POLLIN, POLLOUT) has come, or a deadline (clock_mono_ns) or the stop: 0. */
short http_connection_wait(const struct http_connection *connection, short events,
                           int64_t deadline_ns);

/* Of a read that may wait: how it ended, as of http_connection_receive. */
struct http_arrival {
    char *buffer;
    size_t size, got;
    bool is_end;
    enum err err;
};

/* Waits for bytes, and takes them where that is no further call of the system. False: the deadline or the stop; true
 * with nothing got, no end and no error: they are there to be received, or may be. */
bool http_connection_await(struct http_connection *connection, struct http_arrival *arrival,
                           int64_t deadline_ns, struct error *error);

#endif
