/*
 * Password hashing: argon2id, 19 MiB, 2 passes, 1 lane (OWASP), at most as many hashes at once as
 * there are cores. Encoded strings ($argon2id$v=19$m=19456,t=2,p=1$…), so parameters may change.
 */
#ifndef CACHEWARDEN_PASSWORD_H
#define CACHEWARDEN_PASSWORD_H

#include "cachewarden/arena.h"
#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdint.h>

#define PASSWORD_MIN_SIZE 8
#define PASSWORD_MAX_SIZE 256

/* ERR_BAD_INPUT with a caller's text for: too short, too long (bytes), NUL, invalid UTF-8, a common
 * password, or equal to the username or the email. */
CW_MUST_CHECK enum err password_check_strength(struct str password, struct str username,
                                               struct str email, struct error *error);

/*
 * How many threads serve requests: hashing, and waiting for it, never holds more than seven in eight
 * of them (but one in any case), so that the others go on whatever comes. 16 until it is said.
 */
void password_set_workers(unsigned workers);

/* ERR_BUSY when no place came free by deadline_ns: nothing was computed. */
CW_MUST_CHECK enum err password_hash(struct arena *arena, struct str password, int64_t deadline_ns,
                                     struct str *encoded_out);

/*
 * ERR_OK: it matches; *rehash_out says whether the parameters are older than today's.
 * ERR_UNAUTHENTICATED: it does not, or `encoded` is empty: then a dummy hash of the same cost is
 * computed, so that an unknown user takes as long as a wrong password. ERR_BUSY as above.
 */
CW_MUST_CHECK enum err password_verify(struct str encoded, struct str password, int64_t deadline_ns,
                                       bool *rehash_out);

/* A snapshot of the queue in front of the hashing, for GET /metrics. */
struct password_stats {
    unsigned places;           /* hashes that may run at once */
    unsigned running, waiting; /* now */
    uint64_t hashes, refusals; /* since the start; refused: ERR_BUSY */
};
void password_stats_read(struct password_stats *stats_out);

#endif
