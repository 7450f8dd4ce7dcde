/* What the files behind identity.h share. */
#ifndef AUTH_IDENTITY_PRIVATE_H
#define AUTH_IDENTITY_PRIVATE_H

#include "account_cache.h"
#include "api_key.h"
#include "issuers/issuers.h"
#include "last_use.h"
#include "stranger_watch.h"

#include "cachewarden/identity.h"
#include "cachewarden/revocations.h"

/* Set at open; every part looks after its own threads. */
struct identity {
    struct users *users; /* borrowed */
    struct tokens *tokens;
    struct issuers *issuers; /* the others */
    struct account_cache *accounts;
    struct key_cache *keys;
    struct last_use *last_use;
    struct revocations *revocations;
    struct stranger_watch *strangers;
    bool shared_accounts_are_local; /* of struct shared_spec */
};

/*
 * The account whose token it is; one that is not there (`exists`) for a stranger. Takes the claimed
 * rights away where they do not count: from whom a token names by a username of ours.
 * ERR_UNAUTHENTICATED, errors of users.h.
 */
CW_MUST_CHECK enum err identity_find_account(struct identity *identity,
                                             struct issuer_claims *proven, int64_t now_s,
                                             struct account *account_out, struct error *error);

/* Families are ours alone: another's token cannot name one. */
struct str identity_family_of(const struct token_claims *claims);

/*
 * Whether the token is good for the account it names. `account` is what was remembered of it; it is asked
 * for again where the token may know better. ERR_UNAUTHENTICATED, errors of users.h.
 */
CW_MUST_CHECK enum err identity_check_account(struct identity *identity,
                                              const struct issuer_claims *proven, int64_t now_s,
                                              struct account *account, struct error *error);

#endif
