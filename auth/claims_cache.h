/*
 * The claims of tokens seen before, found by a signature that was proven just now. Reading the JSON
 * of a payload costs four times as much as proving its signature; and with a key and a digest that
 * hold, two payloads never have the same signature. Dates are judged anew every time. Thread-safe.
 */
#ifndef AUTH_CLAIMS_CACHE_H
#define AUTH_CLAIMS_CACHE_H

#include "claims.h"

struct claims_cache;

CW_MUST_CHECK enum err claims_cache_new(struct claims_cache **cache_out);
void claims_cache_free(struct claims_cache **cache);

/* `signature`: of HMAC-SHA-256 or better, proven. Strings of *claims_out are copies in the arena.
 */
bool claims_recall(struct claims_cache *cache, struct arena *arena, struct str signature,
                   int64_t now_s, struct claims *claims_out);
/* Claims with long texts are not remembered. */
void claims_remember(struct claims_cache *cache, struct str signature, int64_t now_s,
                     const struct claims *claims);

#endif
