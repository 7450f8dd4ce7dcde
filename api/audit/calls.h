/* Recording what calls did. */
#ifndef API_AUDIT_CALLS_H
#define API_AUDIT_CALLS_H

#include "cachewarden/audit.h"
#include "cachewarden/call.h"
#include "cachewarden/users.h"

/*
 * Records what a call did to `target`, with the outcome it had. One that was refused did nothing, and
 * leaves no record: the caller may have that as often as they like. The access log tells of it.
 */
void audit_call(const struct call *call, struct str target, enum err outcome, int64_t count);
/* The same for a clear or a switch of a user's cache, or of everybody's. */
void audit_clear(const struct call *call, struct str target, enum err outcome, int64_t count);
/* The same for a user's own logout. */
void audit_logout(const struct call *call, struct str target, enum err outcome, int64_t count);
/* The same for the flush of a named cache, which is also remembered as its last. */
void audit_flush(const struct call *call, struct str cache, enum err outcome, int64_t removed);
/*
 * Records that a spent refresh token of the account came again and ended its session. The outcome is that
 * of telling the other nodes: the session has ended on this one in any case, so there is always a record.
 */
void audit_reuse(const struct call *call, int64_t user_id, enum err outcome);
/*
 * Records a sign-in with a name and a password: ERR_OK, or ERR_UNAUTHENTICATED. `user` has the name; of
 * one that nobody has (id 0) the digest is kept.
 */
void audit_sign_in(const struct call *call, const struct user *user, struct str name_digest,
                   enum err outcome);

/* The part that takes such a record. */
enum audit_part audit_part_of(const struct call *call);

#endif
