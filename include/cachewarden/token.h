/*
 * JSON Web Tokens (RFC 7515, 7519; best practices of RFC 8725). An algorithm belongs to a key by
 * configuration and is never taken from the token. Verification is ours on OpenSSL.
 * A struct tokens may be used by all threads at once.
 */
#ifndef CACHEWARDEN_TOKEN_H
#define CACHEWARDEN_TOKEN_H

#include "cachewarden/key_ring.h"
#include "cachewarden/str.h"
#include "cachewarden/work.h"

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_MAX_SIZE        16384 /* of issuers that put groups and permissions into them */
#define TOKEN_SECRET_MIN_SIZE 32    /* RFC 7518 section 3.2: an HS256 key has at least 256 bits */

/* Of tokens that somebody else made: the claims that tell their users' rights. Empty: none does. */
struct claimed_rights_rules {
    struct str superuser_claim; /* true for superusers */
    struct str groups_claim;    /* lists groups, of which one counts: */
    struct str admin_group;
};

enum { CLAIMED_GROUPS_SIZE = 512 };

/* What they tell. Nothing but false where no claim is named, and in our own tokens. */
struct claimed_rights {
    bool has_superuser, is_superuser; /* has: the claim alone says, whether it is there or not */
    bool has_groups, is_admin_member;
    /* Names that the claim lists, each with a line feed behind, as far as they fit; for people. Inside, so that
     * what is remembered of a token has them, too. */
    char groups[CLAIMED_GROUPS_SIZE];
    size_t groups_len;
};

struct tokens;

struct token_options {
    struct str secret; /* HS256 key; copied, wiped at free */
    /* Keys of before, at most SECRETS_PREVIOUS_MAX: what they signed is good, nothing is signed with them. */
    struct str previous_secrets[SECRETS_PREVIOUS_MAX];
    size_t previous_secret_count;
    struct str
        issuer; /* written into our tokens; a token that names an issuer must name this one */
    struct str audience; /* empty: a token must not have `aud` */
    int64_t leeway_s;
    int64_t access_ttl_s;
    int64_t refresh_ttl_s;
    int64_t session_idle_s;             /* a session ends after so long without a request, */
    int64_t session_ttl_s;              /* and so long after its sign-in in any case */
    int64_t longest_ttl_s;              /* the longest that any of them was before; 0: not known */
    struct claimed_rights_rules shared; /* of tokens minted elsewhere with the secret; copied */
};

/* A session token lives in a cookie. It is good for nothing else: neither as a Bearer token nor to be
 * traded. */
enum token_use { TOKEN_ACCESS, TOKEN_REFRESH, TOKEN_SESSION };

/* What a verified token says. Strings live in the arena. */
struct token_claims {
    enum token_use use;
    int64_t user_id;        /* > 0, or 0 when the token has only `sub` */
    struct str subject;     /* `sub`, or empty */
    struct str id;          /* `jti`; of a token of others that has none a digest of it */
    struct str family;      /* `family` of our refresh and access tokens, or empty */
    struct str incarnation; /* of the account (users.h): in every token of ours, else empty */
    struct str issuer;      /* of another issuer's token: 32 hex digits that stand for its name */
    /* Of a refresh token that could not be recorded: the control data it belongs to; else empty */
    struct str unrecorded;
    int64_t
        recorded_term; /* of a recorded one: the term of the control data it was issued in; else 0 */
    int64_t issued_at_s;  /* 0 when absent; of a session: when it began */
    int64_t renewed_at_s; /* of a session: when this token of it was made; else 0 */
    int64_t expires_at_s;
    bool is_own; /* we made it, for the account it names: `iss` is ours, and it has an incarnation.
                    Others with the secret may have users of their own */
    struct claimed_rights rights;
};

/* Why a secret can be guessed ("it repeats itself"), as far as its looks tell; NULL: nothing is wrong
 * with it. Quotes nothing of it. */
const char *token_secret_weakness(struct str secret);

/* ERR_BAD_INPUT: the secret is shorter than TOKEN_SECRET_MIN_SIZE, the issuer is empty, or a time
 * is out of range. */
CW_MUST_CHECK enum err tokens_new(const struct token_options *options, struct tokens **tokens_out,
                                  struct error *error);
void tokens_free(struct tokens **tokens);
/* The secrets of the options. */
struct secrets token_secrets(const struct token_options *options);
/*
 * Other secrets from here on, as key_ring_set; a token whose secret is none of them any more is refused. ERR_BAD_INPUT
 * as tokens_new.
 */
CW_MUST_CHECK enum err tokens_set_secrets(struct tokens *tokens, const struct secrets *secrets,
                                          bool *changed_out, struct error *error);

/*
 * Checks form, header, signature and claims of a compact JWS against `now_s`. ERR_OK or
 * ERR_UNAUTHENTICATED with the reason in error->detail only (never told to the caller);
 * ERR_NO_MEMORY, ERR_INTERNAL. Accepts our own tokens, those of Django's simplejwt with the same
 * secret, and a token with only `sub` and `exp` (use: access). A token_type that is not `use` is
 * refused, and so is a `type` (flask-jwt-extended) that is not access. Ours live no longer than today's
 * settings allow, counted from `iat`, whatever their `exp` says. A session token is taken up to its very
 * expiry, without leeway: that of two nodes' clocks is nothing beside it.
 */
CW_MUST_CHECK enum err token_verify(const struct tokens *tokens, struct work work,
                                    struct str compact, enum token_use use, int64_t now_s,
                                    struct token_claims *claims_out);

/*
 * Signs an access or refresh token for claims->user_id/subject/incarnation with a fresh `jti` (and
 * claims->family, when set). Sets id, issued_at_s and expires_at_s in *claims.
 */
CW_MUST_CHECK enum err token_issue(const struct tokens *tokens, struct arena *arena, int64_t now_s,
                                   struct token_claims *claims, struct str *compact_out);

/*
 * Signs the first or the next token of a session: user_id, subject, family and issued_at_s of
 * *claims are the session's and stay the same in all of them, and so does `id`, which is made when
 * it is empty. Sets use and expires_at_s: idle from now on, but not beyond the session's end.
 */
CW_MUST_CHECK enum err token_issue_session(const struct tokens *tokens, struct arena *arena,
                                           int64_t now_s, struct token_claims *claims,
                                           struct str *compact_out);
/* Whether the next token of a session would live so much longer that a request is worth a new cookie. */
bool token_session_is_stale(const struct tokens *tokens, int64_t issued_at_s, int64_t expires_at_s,
                            int64_t now_s);

/*
 * 32 hex digits for what somebody typed as a name: the same on all nodes that share the secret, and of no
 * use to who reads them, because nobody without it can try names, or passwords that were typed into
 * the wrong field. {NULL,0}: no memory, or no HMAC.
 */
struct str token_name_digest(const struct tokens *tokens, struct arena *arena, struct str name);

int64_t token_access_ttl_s(const struct tokens *tokens);
int64_t token_refresh_ttl_s(const struct tokens *tokens);
/* The longest that anything of one sign-in without a refresh lives, or may live under settings that were
 * in force before and may be again: its refresh token or session. */
int64_t token_longest_ttl_s(const struct tokens *tokens);
/* So much later than it says a token is still taken. */
int64_t token_leeway_s(const struct tokens *tokens);

#endif
