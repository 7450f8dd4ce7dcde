/*
 * What Redis holds of tokens, until they expire: an access token's record is a string; a refresh
 * token's is a field of a hash, with another for when it was spent (identity/refresh.h). An
 * account's families are in a sorted set by the expiry of their refresh token.
 */
#ifndef API_IDENTITY_RECORD_H
#define API_IDENTITY_RECORD_H

#include "cachewarden/call.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/token.h"

/* The fields of a refresh token's hash. */
#define RECORD_FIELD STR("record")
#define SPENT_FIELD  STR("spent") /* milliseconds since 1970 */

/* "refresh:<family>:<id>" or "access:…": enough to tell that this very token was issued by us. In
 * the arena; {NULL,0} when memory is out. */
struct str record_of(struct arena *arena, const struct token_claims *claims);

/* The claims behind a pair. */
struct issued {
    struct token_claims access, refresh;
};

/* When a record may go: until then a node may take the token whose clock is behind. As text in the
 * arena; {NULL,0} when memory is out. */
struct str record_expiry(struct call *call, const struct token_claims *claims);

/* Adds what records a pair. ERR_NO_MEMORY: a part of it may have been added, do not run it. */
CW_MUST_CHECK enum err record_add(struct call *call, struct pipeline *pipeline,
                                  const struct issued *issued);

#endif
