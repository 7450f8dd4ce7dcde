/*
 * The claims of tokens that were proven before, found by the whole token. A client sends the same
 * one for minutes; to find it again costs a quarter of proving its signature, and a tenth of reading
 * its JSON as well. What keys have proven stays proven while they are the same ones: each record has the number of
 * their set (key_ring.h), and is none for another. Dates are judged anew every time. Thread-safe.
 */
#ifndef AUTH_TOKENS_CLAIMS_CACHE_H
#define AUTH_TOKENS_CLAIMS_CACHE_H

#include "tokens/claims.h"

struct claims_cache;

CW_MUST_CHECK enum err claims_cache_new(struct claims_cache **cache_out);
void claims_cache_free(struct claims_cache **cache);

/* `compact` as it came, unproven. Strings of *claims_out are copies in the arena. False: not known. */
bool claims_recall(struct claims_cache *cache, struct arena *arena, struct str compact,
                   uint64_t keys, int64_t now_s, struct claims *claims_out);
/* `compact` is proven and its claims are right. Long tokens and long texts are not remembered. */
void claims_remember(struct claims_cache *cache, struct str compact, uint64_t keys, int64_t now_s,
                     const struct claims *claims);

#endif
