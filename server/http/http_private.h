/* What http.c (life of the server), listener.c (the library) and connection.c (life of a request) share. */
#ifndef SERVER_HTTP_HTTP_PRIVATE_H
#define SERVER_HTTP_HTTP_PRIVATE_H

#include "http/dispatch.h"
#include "http/exchange.h"
#include "http/guard.h"
#include "http/http.h"
#include "http/metrics.h"
#include "http/origin.h"
#include "http/response.h"

#include "cachewarden/arena.h"
#include "cachewarden/lock.h"

#include <stdalign.h>
#include <stdatomic.h>

struct mg_callbacks;
struct mg_connection;
struct mg_context;

enum { WORKER_ALIGNMENT = 64, REQUEST_ID_SIZE = 17 };

/* What is known of a request while it waits for its body (mg_request_memory); zeros at its beginning. */
struct request_memory {
    bool is_begun;
    int64_t started_ns;
    char id[REQUEST_ID_SIZE];
    struct exchange_kept kept;
};

/* One a worker thread of the library. Only the atomics are read by other threads. */
struct worker {
    alignas(WORKER_ALIGNMENT) struct http *http;
    struct arena *arena; /* of the request under way */
    struct response_date date;
    uint64_t id_state;

    /* The connection it serves. */
    struct mg_connection *connection;
    bool is_peer_judged;
    bool is_peer_trusted; /* a proxy whose X-Forwarded-For and X-Request-Id count */

    /* The request it works on. */
    struct exchange exchange;
    struct http_field fields[HTTP_MAX_FIELDS];
    char id[REQUEST_ID_SIZE];

    /* Written by this worker alone, so that adding needs no atomic read-modify-write. */
    alignas(WORKER_ALIGNMENT) _Atomic uint64_t requests, by_class[6], pieces;
    atomic_bool has_connection, is_busy;
    _Atomic int64_t
        ended_ns; /* when its last request ended that was not about health; 0: none yet */
};

struct http {
    /* Set before the workers start. */
    struct http_options options;
    struct router *router;
    struct dispatcher dispatcher;
    struct guard_policy guard;
    struct origin_policy origins;
    struct worker *workers;
    struct metrics *metrics;
    struct app_edge edge;
    int *ports; /* by listener */
    int connections_max;
    struct tls *tls; /* NULL: no listener speaks it */

    /* Atomic. */
    struct mg_context *_Atomic library; /* NULL to a request that came before the start was over */
    atomic_int worker_count;            /* threads that have taken their struct worker */
    atomic_bool draining;
    atomic_int streams; /* operations that may wait for more of a request's body */

    struct lock lock; /* LOCK_RANK_HTTP; guards what follows */
    /* Signalled by threads that begin, and by workers that end a request while draining. */
    struct lock_cond finished;
    int thread_count; /* of the library, that have begun: workers, and the one that accepts */
    bool is_started;
    bool is_short_of_threads; /* the complaint is about one that did not begin */
    struct error complaint;   /* the first thing that went wrong while the library started */
};

/* Starts the library: returns once every worker takes requests, with the ports there are. Errors as
 * http_start; what was started is mg_stop's to end. */
CW_MUST_CHECK enum err listener_start(struct http *http, struct error *error);

/* exchange->read_body: what is announced is judged before a byte of it has come. */
int transfer_read_body(struct exchange *exchange, size_t limit, struct str *body_out);

/* exchange->open_body. transfer_end_body: the operation has ended, and reads no more. */
int transfer_open_body(struct exchange *exchange, size_t limit);
void transfer_end_body(struct exchange *exchange);

/* exchange->is_client_gone and pause. */
bool transfer_is_client_gone(const struct exchange *exchange);
void transfer_pause(struct exchange *exchange, int64_t pause_ms);
/* exchange->send_interim. */
void transfer_send_interim(struct exchange *exchange, int status, const struct http_field *fields,
                           size_t field_count);

/* Sends the exchange's response, or begins to; closes the reply's source where that is not sent. How many bytes are
 * known to be on their way. */
size_t transfer_send(struct worker *worker);

/* The library's callbacks for threads, connections, requests, messages. user_data: struct http. */
void connection_callbacks(struct mg_callbacks *callbacks_out);

#endif
