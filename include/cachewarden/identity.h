/*
 * From credentials to a principal, and the sign-in operations on accounts. The join of tokens,
 * API keys, passwords and the users database. Accounts and keys are cached for a second, so that
 * a demotion, a deactivation or a revoked key is felt within that; when the database is out of
 * reach a cached answer is used for 30 s at most. Thread-safe.
 */
#ifndef CACHEWARDEN_IDENTITY_H
#define CACHEWARDEN_IDENTITY_H

#include "cachewarden/issuer.h"
#include "cachewarden/principal.h"
#include "cachewarden/revocations.h"
#include "cachewarden/token.h"
#include "cachewarden/users.h"
#include "cachewarden/work.h"
#include "cachewarden/xsrf.h"

struct identity;

struct identity_options {
    struct users *users; /* borrowed; outlives the identity */
    struct token_options tokens;
    struct str admin_group;            /* copied */
    const struct issuer_spec *issuers; /* whose tokens are accepted, too; copied */
    size_t issuer_count;
    struct shared_spec shared; /* copied */
};

/* Also ERR_BAD_INPUT for an issuer that issuer_check refuses, a name that two have, or ours. */
CW_MUST_CHECK enum err identity_new(const struct identity_options *options,
                                    struct identity **identity_out, struct error *error);
void identity_free(struct identity **identity);
/* tokens_set_secrets. */
CW_MUST_CHECK enum err identity_set_secrets(struct identity *identity,
                                            const struct secrets *secrets, bool *changed_out,
                                            struct error *error);
const struct tokens *identity_tokens(const struct identity *identity);
struct users *identity_users(const struct identity *identity);
/* What identity_authenticate refuses. Whoever learns of a revocation adds it here. */
struct revocations *identity_revocations(const struct identity *identity);

/*
 * Keeps the keys of other issuers fresh from here on: one thread, until identity_free. Once.
 * identity_await waits until every server was asked for keys once; a server that does not answer is
 * no error, its tokens are refused until it does.
 */
CW_MUST_CHECK enum err identity_watch(struct identity *identity, struct error *error);
void identity_await(struct identity *identity, int64_t deadline_ns);
/* Other issuers than before, for the next request already. ERR_BAD_INPUT: nothing has changed. */
CW_MUST_CHECK enum err identity_set_issuers(struct identity *identity,
                                            const struct issuer_spec *issuers, size_t issuer_count,
                                            struct error *error);

/* What the request carried; empty strings where it carried none. A header that came more than once
 * is refused before. */
struct credentials {
    struct str authorization; /* the whole field value: "Bearer …" */
    struct str api_key;
    bool has_session;   /* our cookie is there, */
    struct str session; /* with this value: a session token, or nothing that could be one */
    bool is_safe;       /* GET, HEAD, OPTIONS: a session needs no proof */
    struct xsrf_proof proof;
    bool from_scraper; /* see below */
};

/*
 * A number in a token that we did not make is no account of ours, unless the configuration says so:
 * its user is a stranger, without rights, name or state from the users database. Whom we know is who
 * has one of our own tokens, who was given an account on first sight, and whom a token minted with our
 * secret names by a username of ours as `sub`. Their rights are looked up in the users database,
 * whatever a token says. A right whose claim the configuration names is different: of users of others
 * the token alone says. A token of ours for an account that is not there, and any for one that is
 * deleted or deactivated, or from before its password was changed, is not good; and a token that
 * identity_revocations covers is good for nobody. Nor is it known to be good before those are complete:
 * ERR_BUSY.
 *
 * No credential: ERR_OK and an anonymous principal; an Authorization of another scheme than Bearer
 * (Basic, for a proxy on the way) is none. Good: ERR_OK. Not good, or Bearer without a token:
 * ERR_UNAUTHENTICATED. Two that disagree (different principals, or one good and one not):
 * ERR_BAD_INPUT with "Conflicting credentials.". Those that mean the same user are the token's
 * principal, or else the key's: both are sent on purpose. A session alone that has to prove itself
 * and does not: ERR_FORBIDDEN with "CSRF Failed". ERR_UPSTREAM_DOWN: the users database is needed
 * and out of reach. Reasons go to error->detail.
 *
 * `from_scraper`: for who watches, which can send no header of its own and is needed most while
 * something is away. Authorization may hold an API key, too: as a Bearer token, or as the password of
 * Basic, whatever the name. And a key that was good within the last day is good while the users
 * database is out of reach. Not for a route that tells secrets or changes anything.
 */
CW_MUST_CHECK enum err identity_authenticate(struct identity *identity, struct work work,
                                             const struct credentials *credentials, int64_t now_s,
                                             struct principal *principal_out);

/*
 * Checks a name (or email) and password; same text and time for an unknown user as for a wrong
 * password. ERR_UNAUTHENTICATED, ERR_BUSY (hashing queue), ERR_UPSTREAM_DOWN. Rehashes when the
 * parameters are old. `by_email`: `name` is an email address. After ERR_UNAUTHENTICATED user_out->id is
 * the account that has the name, 0: nobody's; for the audit, never for the caller.
 */
CW_MUST_CHECK enum err identity_login(struct identity *identity, struct work work, struct str name,
                                      bool by_email, struct str password, struct user *user_out);

/*
 * Makes an account of username, email, is_superuser and groups; the rest of *user is filled in. Checks form and
 * strength, hashes, adds. ERR_BAD_INPUT names the field; ERR_CONFLICT; ERR_BUSY (hashing queue).
 */
CW_MUST_CHECK enum err identity_add_account(struct identity *identity, struct work work,
                                            struct user *user, struct str password);
/*
 * Changes an account as users_amend, and its password to `password` unless that is STR_NONE, by the rules of a
 * new one; password_hash is made here. ERR_BUSY, errors of users_amend. Felt at once by this process, by others
 * within a second.
 */
CW_MUST_CHECK enum err identity_amend_account(struct identity *identity, struct work work,
                                              int64_t id, const struct users_amendment *amendment,
                                              struct str password, struct user *user_out);

/* The same of somebody who signs up and in. ERR_BAD_INPUT names the field; ERR_CONFLICT; ERR_BUSY. */
CW_MUST_CHECK enum err identity_register(struct identity *identity, struct work work,
                                         struct str username, struct str email, struct str password,
                                         struct user *user_out);

/*
 * A new password for an account that is signed in. Tokens issued until now are void, but for those
 * of `kept_family` (empty: none is kept). ERR_UNAUTHENTICATED: the old one is wrong;
 * ERR_BAD_INPUT names new_password;
 * ERR_FORBIDDEN: the account's password is not kept here; ERR_BUSY; errors of users.h. Felt at once
 * by this process, by others within a second.
 */
CW_MUST_CHECK enum err identity_change_password(struct identity *identity, struct work work,
                                                int64_t user_id, struct str old_password,
                                                struct str new_password, struct str kept_family);

/* Ends every token issued until now for the account, here at once, elsewhere within a second.
 * ERR_NOT_FOUND: this database does not have it (any more). */
CW_MUST_CHECK enum err identity_void_tokens(struct identity *identity, int64_t user_id,
                                            struct error *error);

/* Makes an API key: *secret_out is the whole cwk_<id>_<secret>, shown once and stored nowhere.
 * `key` gives name, scopes, space, owner_id, expires_at_s; id, digest and created_at_s are filled
 * in. */
CW_MUST_CHECK enum err identity_create_key(struct identity *identity, struct arena *arena,
                                           struct api_key *key, int64_t now_s,
                                           struct str *secret_out, struct error *error);

/* Revokes the key of this id for ever; a second time is fine. Felt at once by this process, by others within a second.
 * ERR_NOT_FOUND: there never was one. */
CW_MUST_CHECK enum err identity_revoke_key(struct identity *identity, struct str id, int64_t now_s,
                                           struct error *error);

/* Forgets what is cached, of one account (id > 0) or of everything (0): after a change made by this
 * process. */
void identity_forget(struct identity *identity, int64_t user_id);

#endif
