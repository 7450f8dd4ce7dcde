/*
 * Failed sign-ins, for each name that was typed and each address: after limits.login_failures of
 * them within 15 minutes that pair is refused, right password or wrong, until the 15 minutes since
 * the first are over. A success clears it. Nobody is locked out from elsewhere, or for ever, and a
 * name nobody has counts the same.
 */
#ifndef API_LIMITS_PASSWORD_ATTEMPTS_H
#define API_LIMITS_PASSWORD_ATTEMPTS_H

#include "keyspace.h"

#include "cachewarden/error.h"

#include <stdbool.h>

struct call;

struct limit_password_attempt {
    bool is_on;
    struct key key;
    struct key failing; /* where the network is noted, for limits_unlock */
    struct str network;
};

/* What stands for a name in the audit, whichever field it was typed into: token_name_digest, without regard
 * to ASCII case. {NULL,0}: no memory. */
struct str limits_name_digest(const struct call *call, struct str name);

/* Before the password is looked at: ERR_THROTTLED when there were too many failures already. */
CW_MUST_CHECK enum err limits_password_attempt(struct call *call, struct str name, bool by_email,
                                               struct limit_password_attempt *attempt_out);

/*
 * Finishes the attempt; `outcome` is what checking the password said, and what this says too unless
 * it is ERR_THROTTLED: of many attempts at once no more than the limit are told whether they were
 * right.
 */
CW_MUST_CHECK enum err limits_password_attempted(struct call *call,
                                                 const struct limit_password_attempt *attempt,
                                                 enum err outcome);

#endif
