/* The claims of another issuer's token: read by the issuer's map, into what our own say. */
#ifndef AUTH_ISSUERS_ISSUER_CLAIMS_H
#define AUTH_ISSUERS_ISSUER_CLAIMS_H

#include "tokens/claims.h"

#include "cachewarden/issuer.h"

struct issuer_claims {
    struct claims claims; /* never is_own; user_id is 0 where the issuer's users are provisioned */
    bool is_foreign;      /* read by issuer_claims_read */
    enum issuer_accounts accounts;
    struct str user; /* what user_claim says; whom to provision */
};

/* What the reading depends on beside the issuer. */
struct issuer_claims_rules {
    int64_t leeway_s;
    struct str admin_group;
};

/*
 * Reads a payload, and checks all that is the same at any time. ERR_UNAUTHENTICATED with the reason
 * in error->detail; ERR_NO_MEMORY. Strings live in the arena. claims_judge does the rest.
 */
CW_MUST_CHECK enum err issuer_claims_read(const struct issuer_spec *spec,
                                          const struct issuer_claims_rules *rules,
                                          struct arena *arena, struct str payload,
                                          struct issuer_claims *claims_out, struct error *error);

/*
 * The issuer a payload claims to be of, or empty. Nothing of it is proven: good for choosing whose
 * keys have to prove it, and for nothing else. Lives in the arena.
 */
struct str issuer_claims_peek(struct arena *arena, struct str payload);

#endif
