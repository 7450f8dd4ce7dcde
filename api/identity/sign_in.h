/*
 * Pairs of tokens: issued at sign-in, recorded in Redis by their id until they expire, and a
 * refresh token traded once for the next pair of its family.
 */
#ifndef API_IDENTITY_SIGN_IN_H
#define API_IDENTITY_SIGN_IN_H

#include "cachewarden/call.h"
#include "cachewarden/users.h"

/* A name for what begins with a sign-in. In the arena; {NULL,0} when memory is out. */
struct str sign_in_new_family(struct arena *arena);
/* What tokens for the account are dated with now. */
int64_t sign_in_issue_time_s(const struct call *call, const struct user *user);

struct token_pair {
    struct str access, refresh; /* compact, in the call's arena */
    struct str family;
    int64_t issued_at_s;
};

/*
 * The account that a name (or an email) and a password belong to. ERR_UNAUTHENTICATED with the one
 * sentence for every bad login, ERR_BUSY when too many passwords are checked already, ERR_THROTTLED
 * after too many bad ones (limits/password_attempts.h).
 */
CW_MUST_CHECK enum err sign_in_check_password(struct call *call, struct str name, bool by_email,
                                              struct str password, struct user *user_out);

/*
 * A pair for the account, the first of a family. Sign-in must work without Redis, so a pair that
 * could not be recorded is a warning in the log, not an error; its refresh token says so itself and
 * is good once Redis is back (identity/refresh.h).
 */
CW_MUST_CHECK enum err sign_in(struct call *call, const struct user *user,
                               struct token_pair *pair_out);

/*
 * Trades a refresh token for the next pair. ERR_UNAUTHENTICATED: bad, expired, spent, revoked or
 * lost, older than the password, or its account is gone or inactive; one spent more than ten
 * seconds ago takes its family with it. Else errors of the users database and of redis_run:
 * without Redis nobody can say whether it was spent already. It is spent once and for all even if
 * many trade it at once: one of them gets the pair.
 */
CW_MUST_CHECK enum err refresh_trade(struct call *call, struct str refresh,
                                     struct token_pair *pair_out);

/* Whether refresh_trade would take the token now; spends nothing. Errors as there. */
CW_MUST_CHECK enum err refresh_check(struct call *call, struct str refresh);

/* The user object that clients know, as the next value. */
void sign_in_write_user(struct json_writer *json, const struct user *user);
/* Its members, in an object that is open. */
void sign_in_write_user_members(struct json_writer *json, const struct user *user);

#endif
