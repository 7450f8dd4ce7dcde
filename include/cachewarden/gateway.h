/*
 * The response-cache gateway: paths that are passed on to other servers (docs/design/gateway.md).
 */
#ifndef CACHEWARDEN_GATEWAY_H
#define CACHEWARDEN_GATEWAY_H

#include "cachewarden/call.h"
#include "cachewarden/params.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A setting of gateway.routes; texts are borrowed for the life of who gets it. */
struct gateway_route_options {
    struct str prefix; /* "/", or without a slash at its end */
    const struct str *upstreams;
    size_t upstream_count;
    struct str upstream_ca; /* empty: the system's */
    bool is_public;         /* else each user has answers of their own */
    bool strip_prefix;
    bool pass_credentials;
    const struct str *models;
    size_t model_count;
    int64_t ttl_s;
    int heuristic_percent;
    int64_t stale_while_revalidate_s, stale_if_error_s;
    int timeout_ms;
    int max_connections; /* 0: as many as may wait */
};

struct gateway_options {
    const struct gateway_route_options *routes;
    size_t route_count; /* 0: there is no gateway */
    int64_t memory_bytes;
    size_t stored_max;    /* bytes of a body that is stored */
    int max_waiting;      /* worker threads that wait for upstreams */
    int64_t refill_per_s; /* requests a second that the misses of a route make; 0: any number */
};

struct gateway;
struct gateway_route;

/* The server stops: whoever waits for an upstream gives up soon. NULL is let be. */
void gateway_stop(struct gateway *gateway);
/* Tries to make up for the clears that Redis has not taken yet. Four times a second, by one thread, and once at the
 * end. NULL is let be. */
void gateway_settle(const struct gateway *gateway);

/* The route of a path as it came: that of the longest prefix; NULL: none, or there is no gateway. */
const struct gateway_route *gateway_match(const struct gateway *gateway, struct str path);
/* All of them as rows, as gateway_row; a gateway that is NULL has none. */
const struct route *gateway_rows(const struct gateway *gateway, size_t *count_out);
/* As a row of the table of endpoints: its name, whom it admits, how its body is read. */
const struct route *gateway_row(const struct gateway_route *route);

/* A request that waits for what another one fetches, and what is kept of that while it holds no thread. */
struct gateway_wait {
    bool is_paused;
    bool has_queued;         /* for its turn, at any time: place_ns is its place still */
    bool leads;              /* others wait with it for its turn */
    uint16_t route;          /* among the gateway's */
    int pause_ms;            /* for how long */
    unsigned char begun[16]; /* for which fetch */
    int64_t until_ns;        /* clock_mono_ns; 0: it has not waited yet */
    int64_t place_ns;        /* of refill_queue.h */
    int64_t turn_ns; /* it waits for its turn to ask the upstream, and no longer; 0: it does not */
};

/* Whether what it waits for is under way still; then wait->pause_ms is another one. */
bool gateway_still_waits(const struct gateway *gateway, struct gateway_wait *wait);
/* Its client has gone away (is_left), or it is refused: its turn is others'. A gateway that is NULL is let be. */
void gateway_waits_no_more(const struct gateway *gateway, const struct gateway_wait *wait,
                           bool is_left);

/* A request as it came, but for what the caller of the gateway has found out. */
struct gateway_request {
    struct str method;
    struct str path;
    struct query query;
    struct str host; /* that is asked for; empty: not told */
    int minor_version;
    const struct http_field *fields;
    size_t field_count;
    bool is_secure; /* by TLS from the client */
    struct str
        peer_address; /* of who sent it: the client (call->client_address), or a proxy that is trusted */
    /* Asked again and again while an upstream is waited for: whether the client has gone. NULL: nobody knows. */
    bool (*is_unwanted)(void *with);
    void *unwanted_with;
    struct gateway_wait *wait; /* NULL: it can be begun only once */
    /* Passes a response 1xx on to the client, before the answer. NULL: it is dropped. */
    void (*send_interim)(void *with, int status, const struct http_field *fields,
                         size_t field_count);
    void *interim_with;
};

/*
 * Passes it on, with call->body_source for its body, on behalf of call->principal; the reply is then the answer. It was
 * admitted. Where wait->is_paused, there is no answer: it is to be begun again, soon. ERR_BAD_INPUT: such a target is
 * not passed on. ERR_BUSY: no place. ERR_UPSTREAM_DOWN, ERR_TIMEOUT. What the body of the request failed with.
 */
CW_MUST_CHECK enum err gateway_serve(const struct gateway_route *route,
                                     const struct gateway_request *request, struct call *call);

#endif
