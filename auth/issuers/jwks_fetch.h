/*
 * A key set over HTTP. Slow by nature, so it is called by the thread of issuers.c and by commands, never by a
 * request.
 */
#ifndef AUTH_ISSUERS_JWKS_FETCH_H
#define AUTH_ISSUERS_JWKS_FETCH_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdatomic.h>
#include <stdbool.h>

/*
 * https://, or http:// to a loopback address or localhost; no user and password, which would end up
 * in logs. ERR_BAD_INPUT with the reason; ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err jwks_fetch_check(struct str url, struct error *error);

struct jwks_fetch_options {
    const char *url;
    const char *ca_file; /* NULL: the system's authorities */
    const atomic_bool
        *stops;     /* once true, the fetch is given up within a second or so; may be NULL */
    int timeout_ms; /* for all of it, connecting too */
};

/*
 * The body of a 200, which is freed with free(). Certificates are verified, redirects are not
 * followed, a body is cut off behind JWKS_MAX_SIZE, and proxies of the environment are used for
 * https alone. ERR_UPSTREAM_DOWN: there is none; the caller's text says why, for the log.
 * ERR_TOO_LARGE; ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err jwks_fetch(const struct jwks_fetch_options *options, char **body_out,
                                  size_t *size_out, struct error *error);

#endif
