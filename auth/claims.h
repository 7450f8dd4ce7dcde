/* The claims of a token whose signature is proven: read strictly, judged against rules and the time
 * (RFC 7519 section 4). */
#ifndef AUTH_CLAIMS_H
#define AUTH_CLAIMS_H

#include "cachewarden/token.h"

struct claims_rules {
    struct str issuer;   /* a token that names an issuer names this one */
    struct str audience; /* empty: a token names none */
    int64_t leeway_s;
};

/*
 * ERR_UNAUTHENTICATED with the reason in error->detail; ERR_NO_MEMORY. Strings of *claims_out live
 * with the document in the arena.
 */
CW_MUST_CHECK enum err claims_read(const struct claims_rules *rules, struct arena *arena,
                                   struct str payload, enum token_use use, int64_t now_s,
                                   struct token_claims *claims_out, struct error *error);

/* The payload of a token of ours, in the arena. {NULL,0} when memory is out. */
struct str claims_write(const struct claims_rules *rules, struct arena *arena,
                        const struct token_claims *claims);

#endif
