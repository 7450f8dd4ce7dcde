/* What keeper.c and mend.c share: the keeper itself. */
#ifndef API_CONTROL_KEEPER_PRIVATE_H
#define API_CONTROL_KEEPER_PRIVATE_H

#include "cachewarden/lock.h"
#include "control/keeper.h"

#include <stdatomic.h>

struct keeper {
    struct keeper_options options; /* set by keeper_new */
    char install[MARKER_ID_SIZE];
    bool relies;  /* see keeper_rely */
    bool follows; /* see keeper_follow */

    /* What was agreed to: written by the one that settles, read by all. */
    _Atomic uint64_t origin; /* POOL_ORIGIN_UNKNOWN: nothing was */
    _Atomic int64_t floor;
    _Atomic bool is_foreign;
    /* Raised by all. */
    _Atomic int64_t epoch; /* the highest one seen */
    _Atomic int64_t shown; /* the highest version anybody wanted to show, FLOOR_MAX at most */

    /* The settler's own. */
    struct arena *arena;
    int64_t era;
    int64_t begun_era; /* by this node, and not yet written to Redis; 0: none */
    bool is_told;      /* Redis tells its origin */
    bool adopts;

    struct lock lock;
    struct lock_cond changed;
    /* guarded by lock */
    bool is_running;
    uint64_t begun, ended; /* settlings */
    struct error result;   /* of the last one that ended; .code too */
};

void keeper_raise(_Atomic int64_t *highest, int64_t value);

/* What counts as the origin of an answer. */
static inline uint64_t keeper_origin(const struct keeper *keeper, uint64_t origin)
{
    return keeper->relies ? POOL_ORIGIN_UNTOLD : origin;
}

/*
 * Whether data that was agreed to at origin `agreed` (its marker says so) goes on when it is `seen` at
 * this one. Who is not told where an answer came from has nothing to compare. A marker without an
 * origin is of somebody who was not told, or relies: who follows does as that one does.
 */
static inline bool keeper_goes_by(uint64_t agreed, uint64_t seen, bool follows)
{
    return agreed == seen || seen == POOL_ORIGIN_UNTOLD ||
           (follows && agreed == POOL_ORIGIN_UNTOLD);
}

/* Both numbers are there, and nobody has seen a higher epoch. */
bool keeper_is_sound(struct keeper *keeper, const struct keeper_sight *sight);

/* One settling, from the first look to the agreement. Errors as keeper_settle. */
CW_MUST_CHECK enum err mend(struct keeper *keeper, int64_t deadline_ns, struct error *error);

/* The text for the operator, and ERR_UPSTREAM_REFUSED. */
enum err mend_refuse_foreign(struct error *error);

#endif
