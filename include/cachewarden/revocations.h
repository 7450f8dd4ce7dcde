/*
 * What this node knows to be revoked: single tokens, families of tokens, and everything an account
 * was given up to a moment. Kept in memory until the last token it speaks of has expired, so that a
 * request is checked without a round trip and without a lock. How the nodes tell each other is
 * api/'s business. Any thread.
 */
#ifndef CACHEWARDEN_REVOCATIONS_H
#define CACHEWARDEN_REVOCATIONS_H

#include "cachewarden/arena.h"
#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct revocations;

/* The id of a token is unique when we made it. Of another's only together with its issuer and account:
 * nobody shall revoke what is not theirs by choosing an id. */
enum revocation_kind { REVOKED_TOKEN, REVOKED_FOREIGN, REVOKED_FAMILY, REVOKED_USER };

struct revocation {
    enum revocation_kind kind;
    struct str
        name; /* TOKEN, FOREIGN: its `jti`; FAMILY: its name; 1 to REVOCATION_NAME_MAX_SIZE */
    int64_t user_id;      /* FOREIGN, USER: > 0; else 0 */
    struct str whose;     /* FOREIGN, USER: whose number that is. The issuer (token.h); of USER the
                             incarnation (users.h) where it is an account here. Has no colon */
    int64_t cut_s;        /* USER: tokens issued up to and in this second are void; else 0 */
    int64_t expires_at_s; /* from then on nothing it speaks of is good anyway */
};

#define REVOCATION_NAME_MAX_SIZE 255 /* the longest `jti` that claims may have */

/*
 * All tokens of a user that were issued up to and in `cut_s`, none of which is good after `until_s`. It is
 * kept for a number of days after the cut that is a power of two. So the expiry tells the cut, both only
 * ever rise together, and a user who is cut off over and over is one member, or one for each of a few
 * lifetimes.
 */
struct revocation revocation_of_user(int64_t user_id, struct str whose, int64_t cut_s,
                                     int64_t until_s);

/* How a revocation is written down: "t:<jti>", "x:<id>:<issuer>:<jti>", "f:<family>",
 * "u:<id>:<whose>:<days>"; the expiry stands beside it. In the arena; {NULL,0} when memory is out. */
struct str revocation_write(struct arena *arena, const struct revocation *revocation);
/* Strict; the name points into `text`. False: not one of ours. */
bool revocation_read(struct str text, int64_t expires_at_s, struct revocation *revocation_out);

CW_MUST_CHECK enum err revocations_new(struct revocations **revocations_out);
void revocations_free(struct revocations **revocations);

/*
 * Adds one (copied), in force once this returns; a second time it may only get later, with its cut. `is_saved`:
 * it is in Redis, too. ERR_NO_MEMORY: not added.
 */
CW_MUST_CHECK enum err revocations_add(struct revocations *revocations,
                                       const struct revocation *revocation, bool is_saved);

/* What a token says of itself, for the check; empty strings and 0 for what it does not say. */
struct revocation_subject {
    struct str token_id, family;
    bool is_own; /* we made it */
    int64_t user_id, issued_at_s;
    struct str incarnation; /* of the account it is good for, if that is one of ours */
    struct str issuer;      /* as token.h has it */
};

/* The check of every request: some tens of nanoseconds, no lock but for the microseconds of a clean-up. */
bool revocations_cover(struct revocations *revocations, const struct revocation_subject *subject);

/*
 * Whether all that is revoked is in there, so that what is not covered is not revoked. Without anybody who
 * says otherwise it is. To be asked before revocations_cover.
 */
bool revocations_are_known(const struct revocations *revocations);
void revocations_set_known(struct revocations *revocations, bool is_known);

size_t revocations_count(struct revocations *revocations);
/* Forgets those that are over. */
void revocations_expire(struct revocations *revocations, int64_t now_s);

/*
 * For whoever keeps Redis complete. revocations_doubt: none counts as saved any more.
 * revocations_unsaved: up to `max` that are not and have not expired, copied into the arena; their number
 * through *count_out. ERR_NO_MEMORY. revocations_saved: these are in Redis now.
 */
void revocations_doubt(struct revocations *revocations);
CW_MUST_CHECK enum err revocations_unsaved(struct revocations *revocations, struct arena *arena,
                                           int64_t now_s, size_t max, struct revocation **list_out,
                                           size_t *count_out);
size_t revocations_saved_count(struct revocations *revocations);
void revocations_saved(struct revocations *revocations, const struct revocation *list,
                       size_t count);

#endif
