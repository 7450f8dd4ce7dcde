/*
 * Where a route of the gateway sends its requests: one address or several of the same application. An address that
 * cannot be connected to is left out for a while. What waits for upstreams is bounded, so that workers are left for
 * everything else: who waits for a client, its body or its taking of an answer, has no place. For any thread.
 */
#ifndef API_GATEWAY_UPSTREAM_H
#define API_GATEWAY_UPSTREAM_H

#include "cachewarden/body_source.h"
#include "cachewarden/error.h"
#include "cachewarden/http_field.h"

#include <stdatomic.h>

/* ---- places: how many may wait for upstreams at once, over all of them ---- */

struct upstream_places;

/* NULL: no memory. */
struct upstream_places *upstream_places_new(int max_waiting);
/* No upstream has them any more. Harmless for NULL. */
void upstream_places_free(struct upstream_places **places);
int upstream_places_taken(const struct upstream_places *places);
/* Requests whose answers have not been read to their ends; at most UPSTREAM_OPEN_FACTOR for each place. */
enum { UPSTREAM_OPEN_FACTOR = 8 };
int upstream_places_open(const struct upstream_places *places);

/* ---- an upstream ---- */

struct upstream;

struct upstream_options {
    /* Texts are copied. */
    const struct str *urls; /* http://host:port, https://host:port, unix:/path */
    size_t url_count;
    int timeout_ms;      /* of silence: connecting, before the first byte, between bytes */
    int max_connections; /* at once; 0: as many as there are places */
    struct str ca_file;  /* of https; empty: the system's authorities */
    struct upstream_places *places; /* shared, and longer there than this */
    const atomic_bool *stops;       /* once true, whatever waits fails soon; may be NULL */
};

/* Connects to nobody. ERR_BAD_INPUT with the reason; ERR_NO_MEMORY. */
CW_MUST_CHECK enum err upstream_new(const struct upstream_options *options,
                                    struct upstream **upstream_out, struct error *error);
/* Every response's body has been closed. Harmless for NULL. */
void upstream_free(struct upstream **upstream);

struct upstream_request {
    struct str method, target; /* target: path and query, as it is sent */
    /* All of them; only what frames the body is ours, and Host where there is none. */
    const struct http_field *fields;
    size_t field_count;
    const struct body_source *body; /* NULL: none. The caller closes it, after the response's */
    /* Sent again over a new connection where a kept one broke before any byte of an answer. */
    bool may_repeat;
    /* Asked about twice a second while the head of the response is waited for; true, for the client is gone: that ends
     * with ERR_UPSTREAM_DOWN. NULL: never. */
    bool (*is_unwanted)(void *with);
    void *unwanted_with;
    /* Told of each response 1xx before the head, but for 100 and 101, by the thread that waits. NULL: they are
     * dropped. */
    void (*on_interim)(void *with, int status, const struct http_field *fields, size_t field_count);
    void *interim_with;
};

struct upstream_response {
    bool
        was_sent; /* some of the request, at least: where it fails, it may have been done all the same */
    int status, minor_version;
    struct http_field *fields; /* as they came, in the work's arena; no 1xx, no trailers */
    size_t field_count;
    int64_t request_time_ms, response_time_ms; /* clock_wall_ms */
    bool has_body;                             /* false: nothing to close */
    /*
     * Holds the connection until it is closed, and a place while next() waits. next() fails where the body is cut
     * short. It also sends what is left of the request's body; once that fails, no more of it is sent.
     */
    struct body_source body;
};

/*
 * Waits for the head of the response. ERR_BUSY: no place. ERR_UPSTREAM_DOWN: no address answers, or it broke HTTP.
 * ERR_TIMEOUT: it was silent for timeout_ms. ERR_BAD_INPUT: no such request can be sent. Where the request's body
 * fails, its failure.
 */
CW_MUST_CHECK enum err upstream_send(struct upstream *upstream,
                                     const struct upstream_request *request,
                                     const struct work *work,
                                     struct upstream_response *response_out);

/* Requests that are with it now. */
int upstream_active(const struct upstream *upstream);

#endif
