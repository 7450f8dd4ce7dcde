/*
 * Where a route of the gateway sends its requests: one address or several of the same application. An address that
 * cannot be connected to is left out for a while. What waits for upstreams is bounded, so that workers are left for
 * everything else: who waits for a client, its body or its taking of an answer, has no place. For any thread.
 */
#ifndef API_GATEWAY_UPSTREAM_H
#define API_GATEWAY_UPSTREAM_H

#include "cachewarden/http_client.h"

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

/*
 * http_peer_send to one address after the other. The response's body holds a place while it is waited for.
 * ERR_BUSY: no place. ERR_UPSTREAM_DOWN: no address answers, or it broke HTTP. ERR_TIMEOUT: it was silent for
 * timeout_ms. ERR_BAD_INPUT: no such request can be sent. Where the request's body fails, its failure.
 */
CW_MUST_CHECK enum err upstream_send(struct upstream *upstream,
                                     const struct http_peer_request *request,
                                     const struct work *work,
                                     struct http_peer_response *response_out);

/* Requests that are with it now. */
int upstream_active(const struct upstream *upstream);

#endif
