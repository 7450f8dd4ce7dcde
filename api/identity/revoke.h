/*
 * Revocations as the nodes share them: a sorted set says what is revoked and until when that
 * matters, a stream tells the others of what is new (identity/revocation_sync.h reads both).
 */
#ifndef API_IDENTITY_REVOKE_H
#define API_IDENTITY_REVOKE_H

#include "cachewarden/call.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/revocations.h"

/* Adds what tells Redis of one; two commands that answer integer and string.
 * ERR_NO_MEMORY: nothing was added. */
enum { REVOKE_COMMANDS = 2 };
CW_MUST_CHECK enum err revoke_add(struct pipeline *pipeline, struct arena *arena,
                                  const struct revocation *revocation);

/* What happens when Redis does not take it. */
enum revoke_mode {
    REVOKE_OR_FAIL, /* nothing is revoked, unless it may have reached Redis: then it is, here */
    REVOKE_ANYWAY   /* it is in force on this node, and Redis is told as soon as it can be */
};

/*
 * Revokes them, at once on this node, within a second on the others. Errors of redis_run, also
 * with REVOKE_ANYWAY: then only the other nodes do not know yet.
 */
CW_MUST_CHECK enum err revoke_all(struct call *call, const struct revocation *list, size_t count,
                                  enum revoke_mode mode, struct error *error);

/* Every token of the family, for as long as the last of them could live. */
struct revocation revocation_of_family(const struct call *call, struct str family);

/*
 * Every token that an account or a stranger was issued until now, by whichever issuer. `not_before_s` is the account's
 * (users.h), which then has to be moved on: the next tokens are dated behind the cut. `ends_s`: when one ends that may
 * live longer than ours; 0: there is none.
 */
struct revocation revocation_of_everything(const struct call *call, int64_t user_id,
                                           struct str whose, int64_t not_before_s, int64_t ends_s);

/*
 * Each time moves the date of the next tokens on by a second, and one that lies too far ahead would be no
 * good. So whoever does it over and over waits for the clock: ERR_THROTTLED, with reply.retry_after_s.
 */
CW_MUST_CHECK enum err revoke_check_ahead(struct call *call, int64_t not_before_s);

#endif
