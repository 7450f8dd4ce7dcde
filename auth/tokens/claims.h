/* The claims of a token whose signature is proven: read strictly, judged against rules and the time
 * (RFC 7519 section 4). */
#ifndef AUTH_TOKENS_CLAIMS_H
#define AUTH_TOKENS_CLAIMS_H

#include "cachewarden/json.h"
#include "cachewarden/token.h"

struct claims_rules {
    struct str issuer;   /* a token that names an issuer names this one */
    struct str audience; /* empty: a token names none */
    int64_t leeway_s;
    struct claimed_rights_rules shared; /* of tokens that are not ours */
};

/* What a token says, and what of it only judging needs. */
struct claims {
    struct token_claims token;
    int64_t not_before_s; /* `nbf`, or 0 */
};

/*
 * Reads a payload, and checks all that is the same at any time: form, issuer, audience. The answer
 * depends on the rules and the payload alone, so it may be remembered. ERR_UNAUTHENTICATED with the
 * reason in error->detail; ERR_NO_MEMORY. Strings of *claims_out live in the arena.
 */
CW_MUST_CHECK enum err claims_read(const struct claims_rules *rules, struct arena *arena,
                                   struct str payload, struct claims *claims_out,
                                   struct error *error);

/*
 * The half of it that is the same for every issuer: form, dates, issuer, audience and `jti`;
 * is_own tells that `iss` is there. The document is for reading what else it says.
 */
CW_MUST_CHECK enum err claims_parse(const struct claims_rules *rules, struct arena *arena,
                                    struct str payload, const struct json **document_out,
                                    struct claims *claims_out, struct error *error);
/* A text of 1 to 255 bytes without control characters, or empty when it is absent (NULL); `name` is
 * for the reason why it is neither. */
CW_MUST_CHECK enum err claims_read_text(const struct json *value, const char *name,
                                        struct str *text_out, struct error *error);

/* Whether they are for this use, and good now. ERR_UNAUTHENTICATED with the reason in
 * error->detail. */
CW_MUST_CHECK enum err claims_judge(const struct claims_rules *rules, const struct claims *claims,
                                    enum token_use use, int64_t now_s, struct error *error);

/* The payload of a token of ours, in the arena. {NULL,0} when memory is out. */
struct str claims_write(const struct claims_rules *rules, struct arena *arena,
                        const struct token_claims *claims);

#endif
