/*
 * The life of a refresh token. It is recorded when it is issued and spent once, by whoever sets the
 * field `spent` of its record first. A second use within ten seconds is a client that did not hear
 * the answer, or two of its threads: it is refused. A later one is somebody who has a token that is
 * not theirs, the client or a thief: its whole family is revoked (RFC 9700, section 4.14.2).
 *
 *     recorded ----- first use -----> spent ----- use after 10 s -----> family revoked
 *     unrecorded --- first use ------^   \------- use within 10 s ----> refused
 *
 * Unrecorded is a token issued while Redis did not take its record; it says so itself, and which
 * control data it belongs to (control/dataset.h). The record of any other goes a minute after it was
 * spent, so that refreshing in a loop leaves next to nothing behind. From then on a token without a
 * record was spent if this control data has its family in the list of the account, and is older than the
 * token; else it is of control data that was lost, and refused.
 *
 * A Redis that came back with an older copy has a record of tokens that were spent since, and a family
 * without the token that is good now. Each token names the term it was issued in, and the dataset the one
 * since which nothing was lost: what is older is refused, whatever is recorded of it, and nobody is
 * called a thief.
 *
 * Both moments are told by the clock of Redis: the nodes' own differ, and a client that says the same
 * twice, to two of them, would lose its session by that.
 */
#ifndef API_IDENTITY_REFRESH_H
#define API_IDENTITY_REFRESH_H

#include "cachewarden/call.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/token.h"

#define REFRESH_GRACE_MS 10000
/* Of a spent record; longer than the grace. */
#define REFRESH_SPENT_KEPT_S 60

enum refresh_verdict { REFRESH_REFUSED, REFRESH_GOOD, REFRESH_REUSED };

/* What Redis says of a token. */
struct refresh_facts {
    bool is_revoked;  /* it or its family */
    bool is_recorded; /* as this very token */
    bool may_be_unrecorded;
    bool may_be_lost;  /* it has a record, but may have been spent in data that was lost */
    bool is_forgotten; /* it had a record here, which has gone since it was spent */
    bool is_spent;
    int64_t spent_at_ms, now_ms; /* of Redis */
};

/* A clock that was put back makes the grace longer, never shorter than none. */
enum refresh_verdict refresh_judge(const struct refresh_facts *facts);

/* Asks Redis; one round trip, or three for the first unrecorded token after a loss. Errors of
 * redis_run. */
CW_MUST_CHECK enum err refresh_look_up(struct call *call, const struct token_claims *claims,
                                       struct refresh_facts *facts_out);

/* Adds what spends the token that was looked up at now_ms, and asks once more, to a new pipeline that
 * writes; other commands may follow. ERR_NO_MEMORY: do not run it. */
CW_MUST_CHECK enum err refresh_add_spend(struct call *call, struct pipeline *pipeline,
                                         const struct token_claims *claims, int64_t now_ms);

/*
 * Reads the outcome of that: *is_spent_out, whether it was this pipeline that spent it. `run` is
 * what redis_run said: a command behind may have failed while the spending stands. Returns `run`
 * when nobody can tell.
 */
CW_MUST_CHECK enum err refresh_spent(struct call *call, const struct pipeline *pipeline,
                                     const struct token_claims *claims, enum err run,
                                     bool *is_spent_out);

#endif
