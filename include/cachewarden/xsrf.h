/*
 * Proof that a page of ours made a request. The token of a browser's session is in a cookie that scripts
 * cannot read (TOKEN_SESSION); browsers send that cookie whoever asks them to, so a request that may
 * change something must also show what only our pages can read.
 */
#ifndef CACHEWARDEN_XSRF_H
#define CACHEWARDEN_XSRF_H

#include "cachewarden/arena.h"
#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>

/*
 * The prefix makes browsers insist on Secure, Path=/ and no Domain: neither a neighbour below the
 * same domain nor a page without TLS can set it. Named after the program, because cookies do not
 * care about ports: another service on this host has cookies of its own.
 */
#define COOKIE_SESSION "__Host-cachewarden"
#define COOKIE_XSRF    "XSRF-TOKEN" /* the name Angular looks for, and X-XSRF-TOKEN what it sends */

/* What a request shows; empty strings for what it does not have. */
struct xsrf_proof {
    bool is_same_origin;    /* its Origin is this server's own */
    struct str xsrf_header; /* X-XSRF-TOKEN: what our pages read in the cookie XSRF-TOKEN */
};

/*
 * The value of XSRF-TOKEN for a session: made from its id, which only its own cookie tells. The header is
 * compared with that and not with the cookie of the request: a neighbour below the same domain can set a
 * second cookie of the name, which neither fits a session nor takes anything from it. It stays the same
 * for as long as the session does.
 * ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err xsrf_of_session(struct arena *arena, struct str session_id,
                                       struct str *xsrf_out);

/* ERR_FORBIDDEN with "CSRF Failed" for the caller and the reason for the log; errors as above. */
CW_MUST_CHECK enum err xsrf_check(struct arena *arena, struct str session_id,
                                  const struct xsrf_proof *proof, struct error *error);

#endif
