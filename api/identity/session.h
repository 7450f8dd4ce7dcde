/*
 * A browser's session: begun by a sign-in that asks for it, kept alive by requests
 * (session_keep in cachewarden/session.h), ended with its family of tokens.
 */
#ifndef API_IDENTITY_SESSION_H
#define API_IDENTITY_SESSION_H

#include "cachewarden/call.h"
#include "cachewarden/token.h"
#include "identity/sign_in.h"

/*
 * A new session of the family of `pair`, told to the browser with the answer. The one that the
 * browser had ends, here at once and elsewhere within a second, even if Redis cannot be told now.
 * ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err session_begin(struct call *call, const struct user *user,
                                     const struct token_pair *pair);

/* The same without tokens beside it: a session of a family of its own, which Redis need not record. */
CW_MUST_CHECK enum err session_begin_alone(struct call *call, const struct user *user);

/*
 * After a new password: the browser's session, which has just ended with all others, is replaced by one of a
 * family of its own. Nothing, where the browser has none. If that fails the browser is told to forget the
 * old one, and signs in again.
 */
void session_replace(struct call *call);

/* What the request's session cookie says, if it is a session of ours whose time is not over. */
bool session_read(struct call *call, struct token_claims *claims_out);

#endif
