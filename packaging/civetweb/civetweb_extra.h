/*
 * What our patches add to CivetWeb's interface. Include it after civetweb.h.
 *
 * Times are CLOCK_MONOTONIC in nanoseconds. A connection belongs to the worker thread that is in
 * one of its callbacks; only that thread may call the functions that take a connection. Between two
 * requests it may change to another worker: for the application that is its end (connection_closed), and
 * the next request its beginning (init_connection).
 *
 * No function here but mg_body_read waits for a client, and mg_write does not either. mg_read finds nothing on a
 * server's connection: use mg_body. A request that begin_request did not answer gets no answer.
 */
#ifndef CIVETWEB_EXTRA_H
#define CIVETWEB_EXTRA_H

#include <stddef.h>
#include <stdint.h>

struct mg_connection;
struct mg_context;

enum mg_body_state {
    MG_BODY_UNKNOWN,
    MG_BODY_WHOLE,
    MG_BODY_AWAITED,
    MG_BODY_TOO_LARGE, /* by its announcement, or by what came */
    MG_BODY_LATE,      /* the deadline has passed */
    MG_BODY_BROKEN,    /* the client ended it too soon, or its chunks are not sound */
    MG_BODY_NO_ROOM,   /* it had to make room for others: see mg_limit_waiting */
    MG_BODY_STOPPED    /* the server stops, and does not wait for it */
};

/*
 * The body of the request, decoded, at most `limit` bytes. MG_BODY_WHOLE: *bytes_out has *size_out of
 * them, until the callback returns; then they are overwritten.
 *
 * MG_BODY_AWAITED: it is not all there. The callback answers nothing and returns; it is called again, on
 * whatever worker is free, when the body is whole, cannot become so, or deadline_ns has passed, and this
 * function tells which. What limit and deadline were the first time counts.
 */
enum mg_body_state mg_body(struct mg_connection *conn, size_t limit, uint64_t deadline_ns,
                           const char **bytes_out, size_t *size_out);

/* How fast a peer must be: each byte moves its deadline on by so much, but not further ahead than that. Who needs
 * more than ns_a_byte for one for long, or is silent for ahead_ns, is cut off. */
struct mg_pace {
    uint64_t ns_a_byte, ahead_ns;
};

/*
 * Instead of mg_body, for a body that is read while it comes: MG_BODY_WHOLE, and it may be read. AWAITED as
 * with mg_body, but only until the first `first` bytes are there, so that a small body is read by a worker that
 * does not wait. A client that waits for `100 Continue` is told so first. The pace counts from the first byte.
 */
enum mg_body_state mg_body_open(struct mg_connection *conn, size_t limit, size_t first,
                                const struct mg_pace *pace, uint64_t deadline_ns);

/*
 * The next 1 to `size` bytes of a body that was opened: how many; 0: it has ended; -1: *why_out says how it failed.
 * Waits for the client, for as long as was left of its time when it was opened, and by its pace: the time between two
 * reads does not count.
 */
int mg_body_read(struct mg_connection *conn, char *buf, size_t size, const struct mg_pace *pace,
                 enum mg_body_state *why_out);

/* 1: reading never waits: all of it is here. */
int mg_body_is_here(struct mg_connection *conn);

/* 1: the peer has closed its side of the connection, or it is broken: nobody waits for an answer. Any time. */
int mg_peer_is_gone(struct mg_connection *conn);

/*
 * The callback answers nothing and returns; it is called again, on whatever worker is free, at that time or a tenth of
 * a second later. Not if the peer goes away before: then its connection is closed, and left is called (NULL: nothing),
 * with the request's memory, on a worker. So it is if others need its place or its bytes, and then it is answered 503. Not
 * when the server stops. For a request without a body.
 */
typedef void (*mg_left)(struct mg_connection *conn);
void mg_pause(struct mg_connection *conn, uint64_t until_ns, mg_left left);

/* A response 1xx, whole, before the answer. It counts neither as one nor among its bytes. */
void mg_write_interim(struct mg_connection *conn, const char *head, size_t size);

/* So many bytes that belong to the request: zero at first, they are kept while its body is awaited. */
#define MG_REQUEST_MEMORY 128
void *mg_request_memory(struct mg_connection *conn);

/*
 * When the peer must have taken the current request's answer. mg_write sends what the peer takes at once;
 * the rest is kept and goes out without a worker, until then. Without a deadline it is
 * request_timeout_ms from now. mg_write answers -1, and the connection closes after this request, when
 * the peer is gone (errno: EPIPE) or too many bytes wait already (ENOMEM).
 */
void mg_set_write_deadline(struct mg_connection *conn, uint64_t mono_ns);

/* As mg_write of one piece and then another, in one send: so a large one need not be copied behind its head. */
int mg_write_both(struct mg_connection *conn, const void *buf, size_t size, const void *more,
                  size_t more_size);

/*
 * As mg_write, for the last bytes of an answer, which stay as they are until mg_stop has ended: they are
 * neither copied nor counted among those that wait, however many clients do not take them.
 */
void mg_write_lasting(struct mg_connection *conn, const void *buf, size_t size);

/* A source has no more bytes; or it cannot go on, and the connection is reset, so that nobody takes what came for
 * all of it. */
enum { MG_SOURCE_END = 0, MG_SOURCE_FAILED = -1 };

struct mg_source {
    /* The next bytes into buf, 1 to size: how many, or one of the above. Whatever worker is free calls it
	 * when the client has taken what came before; mg_get_thread_pointer knows the worker. Its time is not
	 * the client's. */
    int (*next)(struct mg_connection *conn, void *with, char *buf, size_t size);
    /* Once, by any thread: all is sent, or the rest will not be. */
    void (*close)(void *with, int is_whole);
    void *with;
    struct mg_pace pace; /* of the peer, from the write deadline on */
    int is_at_hand; /* the first piece: it goes out in one send with what was written before it */
};

/* As mg_write, of bytes that go out with the first piece of the source behind them, which is at hand. */
int mg_write_ahead(struct mg_connection *conn, const void *buf, size_t size);

/* Behind what mg_write has written, the rest of the answer, which need not be there yet. Of it never more is in
 * memory than one piece. */
void mg_write_source(struct mg_connection *conn, const struct mg_source *source);

/* 1 if the connection may be kept after this request as far as is known now: the setting, what the
 * client asked for, and a body that is there to its end. Else 0. */
int mg_will_keep_alive(struct mg_connection *conn);

struct mg_waiting_stats {
    int64_t accepted; /* connections since the start */
    int64_t evicted;  /* that had to make room: for a new one, or for others' bytes */
    int64_t
        cut; /* answers cut short: the peer was gone or too slow, it made room, or the source failed */
    int64_t bytes;  /* that have come or are to go, and wait */
    int open;       /* connections now */
    int waiting;    /* of these, without a worker: silent, slow, or waiting for one */
    int unfinished; /* requests that wait for their body, or for their answer to be taken */
};
/* Any thread; takes no lock. */
void mg_get_waiting_stats(const struct mg_context *ctx, struct mg_waiting_stats *stats_out);

#define MG_CONNECTIONS_MAX 8192
#define MG_WAITING_BYTES   ((int64_t)64 * 1024 * 1024)

/*
 * How many connections there may be, MG_CONNECTIONS_MAX at most and at first: for a new one the oldest
 * silent one goes, where there is none the oldest request that waits for its body, and where there is none
 * either the new one waits in the kernel. And how many bytes all of them together may leave waiting,
 * MG_WAITING_BYTES at first: for more those go that have waited for longest. A request that goes is refused,
 * by http_error with 503 or by MG_BODY_NO_ROOM; of an answer that was not taken the rest goes with its
 * connection. So does who needs more than the others can give.
 */
void mg_limit_waiting(struct mg_context *ctx, int connections, int64_t bytes);

#endif
