/*
 * What the services count of their own work, for GET /metrics. For things that are rare beside
 * requests (a change, a sign-in): each number has a cache line to itself, and adding is one atomic
 * instruction. What every request does is counted by its worker alone (server/http/metrics.h).
 */
#ifndef CACHEWARDEN_TALLY_H
#define CACHEWARDEN_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

enum tally {
    TALLY_CLEARS_USER, /* versions raised: of one account, */
    TALLY_CLEARS_ALL,  /* of all */
    TALLY_SIGN_INS,
    TALLY_SIGN_INS_REFUSED,
    TALLY_REFRESHES,
    TALLY_REUSES,     /* spent refresh tokens that came again, and took their family with them */
    TALLY_UNRECORDED, /* pairs of tokens that Redis did not take */
    TALLY_LOGOUTS,
    TALLY_COUNT
};

struct tallies {
    struct {
        _Alignas(64) _Atomic uint64_t value;
    } of[TALLY_COUNT];
};

static inline void tally_add(struct tallies *tallies, enum tally tally)
{
    atomic_fetch_add_explicit(&tallies->of[tally].value, 1, memory_order_relaxed);
}

static inline uint64_t tally_read(const struct tallies *tallies, enum tally tally)
{
    return atomic_load_explicit(&tallies->of[tally].value, memory_order_relaxed);
}

#endif
