/*
 * What our patches add to CivetWeb's interface. Include it after civetweb.h.
 *
 * Times are CLOCK_MONOTONIC in nanoseconds. A connection belongs to the worker thread that is in
 * one of its callbacks; only that thread may call the functions that take a connection.
 */
#ifndef CIVETWEB_EXTRA_H
#define CIVETWEB_EXTRA_H

#include <stdint.h>

struct mg_connection;
struct mg_context;

/*
 * When the current request's body must have been read (mg_read) and its answer taken by the peer
 * (mg_write). Once set, the deadline alone decides: request_timeout_ms no longer does, however
 * the bytes drip. 0 takes it back. Both are forgotten when the next request begins.
 *
 * Past the read deadline mg_read returns -1, or what came in before it. Without a deadline a
 * read ends after request_timeout_ms without a byte. Past the write deadline mg_write returns
 * how much went out, or -1; without one each mg_write has request_timeout_ms in all. A read that
 * timed out and a write that fell short also make the connection close after this request.
 */
void mg_set_read_deadline(struct mg_connection *conn, uint64_t mono_ns);
void mg_set_write_deadline(struct mg_connection *conn, uint64_t mono_ns);

/* 1 if the connection may be kept after this request as far as is known now: the setting, what
 * the client asked for, and nothing that went wrong. Else 0. */
int mg_will_keep_alive(const struct mg_connection *conn);

/* 1 if all of the request's body has arrived, so that reading it would wait for nothing. 0 for a body
 * in chunks, whose end only reading finds, and for one that TLS has not yet given out. */
int mg_is_body_here(const struct mg_connection *conn);

/*
 * A connection that is silent is parked: when it has been for 20 ms, or at once while others wait for
 * a worker. For the application that is its end (connection_closed); when it has something to say a
 * worker begins with it (init_connection), not always the same one. mg_is_resumed: 1 if it had a
 * request before. request_info.client_cert is not there any more then.
 */
int mg_is_resumed(const struct mg_connection *conn);
/* Connections that have no worker now, most of them silent. Any thread; takes no lock. */
int mg_get_parked_connections(const struct mg_context *ctx);

#endif
