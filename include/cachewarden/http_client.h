/*
 * Requests to other servers over HTTP/1.1. libcurl connects: names, addresses, TLS with verified certificates. The
 * messages are ours: sent as they were given, and what comes back is refused where it breaks HTTP. Nothing is
 * followed, decoded, added or tried behind the caller's back.
 */
#ifndef CACHEWARDEN_HTTP_CLIENT_H
#define CACHEWARDEN_HTTP_CLIENT_H

#include "cachewarden/body_source.h"
#include "cachewarden/error.h"
#include "cachewarden/http_field.h"
#include "cachewarden/work.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_MAX_SIZE = 64 * 1024, /* of a response */
    HTTP_HEAD_MAX_FIELDS = 200,
};

/* ---- where a server is ---- */

struct http_url {
    bool is_https;
    bool has_user;        /* or a password, in front of an @ */
    struct str server;    /* scheme and authority */
    struct str authority; /* what Host says, where there is no user */
    struct str host;      /* IPv6 in brackets */
    struct str target;    /* path and query, without a fragment; empty: there is none */
};

/* Parts of `text`, which is printable ASCII. False: not http:// or https:// with a host (and a port from 1 on). */
bool http_url_parse(struct str text, struct http_url *url_out);
/* 127.0.0.0/8, [::1] or localhost, which is never looked up. */
bool http_url_is_loopback(const struct http_url *url);

struct sockaddr;

enum http_address_kind {
    HTTP_ADDRESS_PLAIN,
    HTTP_ADDRESS_LINK_LOCAL, /* in IPv6, or in IPv4 inside of it, too */
    HTTP_ADDRESS_METADATA    /* where clouds tell a machine's credentials to whoever asks from it */
};

/* Only those that are plain are connected to, whatever name led there. */
enum http_address_kind http_address_kind(const struct sockaddr *address);

/* ---- a server, and the connections to it that are kept ---- */

struct http_peer;

struct http_peer_options {
    struct str url; /* http://host:port, https://host, unix:/path; nothing behind it but a slash */
    struct str ca_file;       /* of https; empty: the system's authorities */
    int connect_timeout_ms;   /* for a connection, its TLS included */
    int timeout_ms;           /* of silence: before the first byte, and between any two */
    bool uses_proxy;          /* of the environment, for https alone */
    const atomic_bool *stops; /* once true, whatever waits fails within a second; may be NULL */
};

/* Connects to nobody yet. ERR_BAD_INPUT with the reason; ERR_NO_MEMORY, ERR_INTERNAL. Texts are copied. */
CW_MUST_CHECK enum err http_peer_new(const struct http_peer_options *options,
                                     struct http_peer **peer_out, struct error *error);
/* Every body has been closed. Harmless for NULL. */
void http_peer_free(struct http_peer **peer);

/*
 * Only connects, TLS included, and hangs up. *expires_s_out: when the first certificate of its chain ends, in seconds
 * since 1970; 0: it has none. ERR_TIMEOUT, ERR_UPSTREAM_DOWN with the reason, ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err http_peer_try(const struct http_peer *peer, int64_t *expires_s_out,
                                     struct error *error);

struct http_peer_request {
    struct str method;
    struct str target; /* path and query as they are sent, or * */
    /* All of them. Those that say where the body ends are made here, whoever gives them; Host only where it is not
     * there. */
    const struct http_field *fields;
    size_t field_count;
    const struct body_source *body; /* NULL: none. Closed by the caller, after the response's */
    /* It may reach the server twice: where a kept connection breaks before a byte of an answer, another is made. Not
     * with a body. */
    bool may_repeat;
    int64_t deadline_ns; /* of all of it (clock_mono_ns); 0: none but silence */
    /* Asked about once a second while it connects, and twice while the head of the response is waited for; true ends
     * that. NULL: never. */
    bool (*is_unwanted)(void *with);
    void *unwanted_with;
    /* Told of each response 1xx before the head, but for 100 and 101, by the thread that waits. NULL: they are
     * dropped. */
    void (*on_interim)(void *with, int status, const struct http_field *fields, size_t field_count);
    void *interim_with;
};

struct http_peer_response {
    bool
        was_sent; /* some of the request, at least: where it fails, it may have been done all the same */
    int status, minor_version;
    struct http_field *fields; /* as they came, in the work's arena; no 1xx, no trailers */
    size_t field_count;
    int64_t request_time_ms, response_time_ms; /* clock_wall_ms */
    bool has_body;                             /* false: HEAD, 204, 304; nothing to close */
    /*
     * The connection is held until it is closed. Its watch is heard, and the silence of the server goes on where a
     * piece was not waited for to the end. next() fails where the body is cut short or silent. It also sends what is
     * left of the request's body, where the server began to answer before that was there. From then on the failure of
     * that body means that no more of it is sent, and nothing else.
     */
    struct body_source body;
};

/*
 * Waits for the head of the response. *unreached_out, where it fails: there was no connection, so nothing was sent
 * and the request's body is untouched. ERR_BAD_INPUT: no such message may be sent. ERR_TIMEOUT: silence, or the
 * deadline. ERR_UPSTREAM_DOWN: not reached, cut off, or what came is not HTTP. The failure of the request's body
 * is returned as it is. The log's text says why.
 */
CW_MUST_CHECK enum err http_peer_send(struct http_peer *peer,
                                      const struct http_peer_request *request,
                                      const struct work *work,
                                      struct http_peer_response *response_out, bool *unreached_out);

#endif
