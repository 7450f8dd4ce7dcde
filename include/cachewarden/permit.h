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
    /* entries of the cache service: a signed-in user or a key that acts as its owner in the account's
       namespace, an API key with the scope in the one it was made for, an admin in any */
    PERMIT_ENTRIES,
    PERMIT_SCOPE_METRICS,
    /* whoever may start a job; the operation asks whether it is theirs */
    PERMIT_STARTER,
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

/* Whose things a request names; all zero: nobody's, and then they are the principal's own. */
struct permit_target {
    int64_t user_id; /* an account; -1: something was named that is nobody */
    struct str app;  /* the namespace of an application */
    bool is_gateway; /* what the gateway keeps for everybody */
};

/* May this principal do it? */
enum permit_answer permit_decide(enum permit permit, const struct permit_policy *policy,
                                 const struct principal *principal, struct permit_target target);

/* "user", "admin", "scope:flush" …: for `cachewarden routes`, the schema and the golden file. */
const char *permit_name(enum permit permit);

#endif
