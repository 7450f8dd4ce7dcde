/*
 * How often a user, an address or a session may call a route (limits.def). Counts live in Redis and are shared by all
 * nodes; while Redis does not take them, each node counts for itself, so that a Redis that is down
 * neither keeps people out nor lets everybody in.
 *
 * Windows are fixed, and begin with the first request that is counted: one counter a window, which
 * Redis removes by itself. So exactly the number that is allowed gets through in a window whatever
 * the clocks of the nodes say, and "available in N seconds" is true to the second. The price is
 * that up to twice the number may come in a minute that lies across two windows.
 *
 * Thread-safe.
 */
#ifndef CACHEWARDEN_LIMITS_H
#define CACHEWARDEN_LIMITS_H

#include "cachewarden/call.h"
#include "cachewarden/namespace.h"

#include <stdbool.h>
#include <stdint.h>

struct limits;
struct user;

/* The settings `limits.*`. */
struct limit_settings {
    bool enabled;
#define LIMIT(symbol, name, key) int64_t name##_per_minute;
#include "cachewarden/limits.def"
#undef LIMIT
    int64_t login_failures; /* in 15 minutes, for each name and address */
    int64_t fill_bytes;     /* in an hour, for each user's namespace; 0: any number */
};

/* From now on these; windows that have begun go on. One atomic word each: requests under way may
 * see some of the old. */
void limits_set(struct limits *limits, const struct limit_settings *settings);

/*
 * Counts the call against the limit of its row, before anything is done. ERR_THROTTLED, with
 * reply.retry_after_s, when that was one too many; fills reply.rate_*. Two kinds of rows are left pending:
 * one that only reads may be counted in the round trip of its operation (limits_append in
 * api/limits/count.h), and a limit for each family is counted once the token is proven
 * (limits_check_family). Nothing happens while limits are off.
 */
CW_MUST_CHECK enum err limits_check(struct call *call);
/* The same for the family of a token that was proven; empty: counted for the account. */
CW_MUST_CHECK enum err limits_check_family(struct call *call, struct str family, int64_t user_id);
/*
 * After the operation, which said `err`: counts what is still pending, so that no operation can forget it
 * (what a read brought is then thrown away).
 * Says `err`, or ERR_THROTTLED. ERR_INTERNAL for one that went well without a family to count.
 */
CW_MUST_CHECK enum err limits_finish(struct call *call, enum err err);

/*
 * Counts the job that an API key is about to start, unless the row of its route has counted the call. ERR_THROTTLED as
 * limits_check. Whoever else may start one is counted by a row, or looks after it all.
 */
CW_MUST_CHECK enum err limits_count_job(struct call *call);

/*
 * How much is stored in a user's namespace in an hour. Each byte counts once for each hour that it is to live, 720 at
 * most, when it has been stored; so what is under way at the same time may go beyond. Each node counts for itself, in
 * memory; applications are not counted.
 */
bool limits_are_fills_used_up(const struct call *call, const struct namespace *space);
void limits_count_fill(const struct call *call, const struct namespace *space, int64_t bytes,
                       int64_t ttl_s);
/* ERR_THROTTLED, with reply.retry_after_s and reply.rate_*. */
CW_MUST_CHECK enum err limits_refuse_fill(struct call *call, const struct namespace *space);

/*
 * Ends the lock-out of an account: failed sign-ins with its name and its email are forgotten, from wherever
 * they came. Not those that nodes counted alone while Redis was away. Errors of redis_run.
 */
CW_MUST_CHECK enum err limits_unlock(struct app *app, struct work work, const struct user *user);

#endif
