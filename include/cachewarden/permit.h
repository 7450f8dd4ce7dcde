/*
 * The one predicate that decides. Pure: no clock, no database, no Redis. The zero value of
 * every enum denies.
 */
#ifndef CACHEWARDEN_PERMIT_H
#define CACHEWARDEN_PERMIT_H

#include "cachewarden/principal.h"

enum permit {
    PERMIT_DENY = 0,
    PERMIT_PUBLIC, /* anybody */
    PERMIT_USER,   /* a signed-in user on its own things, or a key that acts as its owner */
    PERMIT_ADMIN,
    PERMIT_SCOPE_FLUSH, /* an admin, or an API key with the scope */
    PERMIT_SCOPE_ENTRIES,
    PERMIT_SCOPE_METRICS,
    PERMIT_FLUSH_MESSAGES /* as SCOPE_FLUSH, or any signed-in user when auth.flush_permission =
                             authenticated */
};

enum permit_answer {
    PERMIT_NO = 0,
    PERMIT_NO_CREDENTIAL, /* answer 401: signing in might help */
    PERMIT_YES
};

struct permit_policy {
    /* auth.flush_permission = authenticated; SIGHUP may change it */
    _Atomic bool flush_for_authenticated;
};

/*
 * May this principal do it? `target_user_id`: the account a `user` route acts on, 0 when the
 * request names none (then it is the principal's own).
 */
enum permit_answer permit_decide(enum permit permit, const struct permit_policy *policy,
                                 const struct principal *principal, int64_t target_user_id);

/* "user", "admin", "scope:flush" …: for `cachewarden routes`, the schema and the golden file. */
const char *permit_name(enum permit permit);

#endif
