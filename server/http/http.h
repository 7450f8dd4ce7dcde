/*
 * The HTTP edge: listeners, framing guard, deadlines, draining. The only face of CivetWeb in the
 * program. http_start takes requests at once; each runs dispatch() on one of `threads` workers.
 */
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include "http/tls.h"

#include "cachewarden/app.h"
#include "cachewarden/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct certificates_in_use;
struct http;
struct route;

struct listen_address {
    const char *host; /* "127.0.0.1", "::1" (no brackets), a name (its IPv4 address goes first);
                       * "*" or "0.0.0.0" for all of IPv4, "::" for all of IPv6 */
    int port;         /* 0: any free one */
    bool tls;
};

/* One block of addresses, "10.0.0.0/8" or "fd00::/8", as 16 bytes (IPv4 mapped) and a prefix length of 0 to 128. */
struct cidr {
    uint8_t bytes[16];
    int bits;
};

/* All borrowed until http_stop. */
struct http_options {
    struct app *app;
    const struct route *routes; /* NULL: routes_table(); a test may bring its own */
    size_t route_count;
    const struct listen_address *listen;
    size_t listen_count;
    int threads;
    size_t max_body;
    int64_t header_timeout_ms, body_timeout_ms, keep_alive_timeout_ms;
    const char *tls_certificate, *tls_key, *tls_client_ca; /* PEM files; NULL: none */
    const struct cidr *trusted_proxies;
    size_t trusted_proxy_count;
    const char *const *allowed_hosts; /* Host values without port, lower case; count 0: any */
    size_t allowed_host_count;
    const char *const *cors_origins; /* exact origins; count 0: no CORS */
    size_t cors_origin_count;
    const char *const *origins; /* as browsers see this server; count 0: by the Host of a request */
    size_t origin_count;
    size_t redis_connections;                       /* that the services may open beside ours */
    const struct certificates_in_use *certificates; /* whose end /metrics tells; NULL: of none */
    struct str schema;                              /* the OpenAPI document; empty: there is none */
};

/*
 * All that http_start would refuse, but for what only binding and starting show: a port that somebody has,
 * too few threads. Errors as http_start. Raises this process's limit of open files as far as is allowed.
 */
CW_MUST_CHECK enum err http_check(const struct http_options *options, struct error *error);

/*
 * Returns once every worker takes requests. ERR_BAD_INPUT: a listener, certificate, key or limit of this
 * machine that it cannot work with; the caller text names the setting and says what to do.
 */
CW_MUST_CHECK enum err http_start(const struct http_options *options, struct http **http_out,
                                  struct error *error);

/* The real address of listener `index`: fills in the port chosen for 0. */
int http_port(const struct http *http, size_t index);
/* How many connections there is room for, whether they have a thread or not. */
int http_connections_max(const struct http *http);

/* tls_renew for the TLS listeners; without any, nothing is read and nothing has changed. */
CW_MUST_CHECK enum err http_renew_tls(struct http *http, const struct tls_files *files,
                                      bool changed_out[TLS_PARTS], struct error *error);

/* From now on every answer says `Connection: close` and /health/ready is 503 (app->ready is the caller's to clear). */
void http_drain(struct http *http);
/* Waits until no request is under way; ERR_TIMEOUT when some still are at deadline_ns. */
CW_MUST_CHECK enum err http_wait_idle(struct http *http, int64_t deadline_ns);
/* When the last request ended that did not ask for the server's health, clock_mono_ns; 0: none came. */
int64_t http_last_request_ns(const struct http *http);
/* Stops listeners and workers; requests still under way are cut off. */
void http_stop(struct http **http);

/* A snapshot for /metrics and tests. */
struct http_stats {
    uint64_t requests, connections;
    int active_connections, requests_under_way;
    uint64_t answers_by_class[6]; /* [2] = 2xx … */
    uint64_t pieces;              /* of bodies that stream, either way */
};
void http_stats_read(const struct http *http, struct http_stats *stats_out);

#endif
