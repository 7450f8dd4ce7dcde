/*
 * Talking HTTP to the server under test, from outside. Two ways:
 *
 *   http_*  libcurl: one kept-alive connection, well-formed requests, whole replies;
 *   raw_*   a bare socket: any bytes at all, to see what the server makes of them.
 *
 * A client or a raw connection belongs to one thread. What a request returns belongs to it and is
 * good until its next request. Only a broken test environment (no memory, no socket) ends the
 * test here; everything a server can do wrong comes back as a value to assert on.
 */
#ifndef SUPPORT_HTTP_CLIENT_H
#define SUPPORT_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct http_reply {
    int status;       /* 0: no whole answer came; `failure` says why */
    const char *head; /* status line and header lines as received */
    const char *body; /* NUL-terminated, but may hold NUL bytes */
    size_t body_size;
    const char *failure;
    bool is_reused; /* came over a connection that had served before */
    int elapsed_ms;
};

/* Value of the first header of that name (any case) with blanks around it gone, or NULL. The
 * pointer is good until the reply is, or until 16 more have been asked for. */
const char *http_header(const struct http_reply *reply, const char *name);
int http_header_count(const struct http_reply *reply, const char *name);

struct http_client;

/* `base_url` such as "http://127.0.0.1:8000"; nothing is connected yet. Requests give up after 20 s. */
struct http_client *http_client_new(const char *base_url);
void http_client_free(struct http_client **client);
/* For https: trust this PEM file instead of the system's, or NULL to trust anybody. */
void http_client_trust(struct http_client *client, const char *ca_file);
/* TLS versions the client offers at most, "1.1" or "1.2"; it offers from that one down to 1.0. */
void http_client_limit_tls(struct http_client *client, const char *version);
/* False: every request uses a connection of its own. */
void http_client_keep_alive(struct http_client *client, bool keep);

/*
 * Sends one request. `target` is path and query, sent as it is (nothing is squashed or escaped).
 * `headers`: "Name: value" strings ending with NULL, or NULL. `body` NULL: none, and then no
 * Content-Type; POST, PUT and PATCH say Content-Length: 0.
 */
const struct http_reply *http_send(struct http_client *client, const char *method,
                                   const char *target, const char *const *headers, const void *body,
                                   size_t body_size);

/* Short forms. `credential` is one header line ("Authorization: Bearer …", "x-api-key: …") or NULL. */
const struct http_reply *http_call(struct http_client *client, const char *method,
                                   const char *target, const char *credential);
const struct http_reply *http_get(struct http_client *client, const char *target,
                                  const char *credential);
const struct http_reply *http_post(struct http_client *client, const char *target,
                                   const char *credential);
const struct http_reply *http_post_json(struct http_client *client, const char *target,
                                        const char *credential, const char *json);

struct raw;

/* Connects to 127.0.0.1. */
struct raw *raw_open(int port);
void raw_close(struct raw **raw);
/* Sends everything; a peer that has closed is not an error here. False: it closed before all was sent. */
bool raw_send(struct raw *raw, const void *bytes, size_t size);
__attribute__((format(printf, 2, 3))) void raw_print(struct raw *raw, const char *format, ...);
/* No more from us; the peer may still answer. */
void raw_finish(struct raw *raw);

/*
 * Reads one whole reply (by Content-Length, or none for 1xx, 204, 304). NULL when the peer closed
 * or reset before the first byte of it; a reply that is cut or does not come in time has status 0.
 */
const struct http_reply *raw_reply(struct raw *raw, int timeout_ms);
/* As above, to a HEAD request: no body whatever Content-Length says. */
const struct http_reply *raw_reply_to_head(struct raw *raw, int timeout_ms);
/* Waits until the peer closes. False when it sends a byte instead, or neither in time. */
bool raw_is_closed(struct raw *raw, int timeout_ms);

#endif
