/*
 * What the edge can work with on this machine: options in range, addresses that mean something here,
 * certificates that fit their keys, descriptors and threads enough. http_check and http_start ask the
 * same, so what one lets pass the other does not refuse, but for what only binding and starting show.
 */
#ifndef SERVER_HTTP_CAPACITY_H
#define SERVER_HTTP_CAPACITY_H

#include "http/http.h"

#include "cachewarden/resolver.h"

#include <netinet/in.h>

enum {
    HTTP_LISTEN_MAX = 16,
    HTTP_THREADS_MAX = 1024,
    HTTP_TIMEOUT_MAX_MS = 3600 * 1000,
    /* Connections at once; for one more the oldest silent one is closed (packaging/civetweb/room.inl). */
    HTTP_CONNECTIONS_MAX = 8192,
};

/* Where a listener listens: its address as text, without brackets. */
struct http_place {
    char text[RESOLVER_TEXT_SIZE];
    bool is_v6;
};
/* A name's first IPv4 address, else its first IPv6 address; "*" is all of IPv4. ERR_BAD_INPUT. */
CW_MUST_CHECK enum err http_place_find(const char *host, struct http_place *place_out,
                                       struct error *error);

/*
 * Raises the soft limit of open files to the hard one. *connections_out is how many connections that
 * leaves room for, HTTP_CONNECTIONS_MAX at most. ERR_BAD_INPUT: not even for the threads; the caller text
 * says what would do.
 */
CW_MUST_CHECK enum err capacity_descriptors(const struct http_options *options,
                                            int *connections_out, struct error *error);

/*
 * Whether that many threads beside those there are can be had: starts them, and ends them again. They may
 * be gone a moment later. ERR_BAD_INPUT: the caller text says how many can.
 */
CW_MUST_CHECK enum err capacity_threads(int threads, struct error *error);

#endif
