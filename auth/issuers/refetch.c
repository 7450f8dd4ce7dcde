#include "issuers/refetch.h"

#include "cachewarden/clock.h"

/* How soon a withdrawn key is noticed, and how long the last good set outlives its server. */
#define REFRESH_NS (300 * NS_PER_S)
#define MINUTE_NS  (60 * NS_PER_S)
#define STALE_NS   (86400 * NS_PER_S)

enum { DOUBLINGS_MAX = 6 };

void refetch_init(struct refetch *refetch, int64_t now_ns)
{
    *refetch = (struct refetch){.next_ns = now_ns};
}

void refetch_start(struct refetch *refetch, int64_t now_ns)
{
    refetch->started_ns = now_ns;
    refetch->next_ns = REFETCH_NEVER_NS;
    if (refetch->good_ns != 0)
        refetch->refetched_ns = now_ns;
}

/* Counted from the beginning of a fetch, so that a slow one is not followed at once by another. */
static int64_t delay_ns(const struct refetch *refetch)
{
    bool is_long = refetch->good_ns != 0 || refetch->failures > DOUBLINGS_MAX;

    return is_long ? MINUTE_NS : NS_PER_S << (refetch->failures - 1);
}

void refetch_end(struct refetch *refetch, bool is_good, int64_t now_ns)
{
    if (is_good) {
        refetch->failures = 0;
        refetch->good_ns = refetch->started_ns;
        refetch->next_ns = refetch->started_ns + REFRESH_NS;
        return;
    }
    refetch->failures++;
    refetch->next_ns = refetch->started_ns + delay_ns(refetch);
    if (refetch->next_ns < now_ns)
        refetch->next_ns = now_ns;
}

bool refetch_want(struct refetch *refetch, int64_t now_ns)
{
    int64_t soonest_ns = now_ns;

    if (refetch->good_ns == 0 || refetch->next_ns == REFETCH_NEVER_NS)
        return false;
    if (refetch->refetched_ns != 0 && refetch->refetched_ns + MINUTE_NS > now_ns)
        soonest_ns = refetch->refetched_ns + MINUTE_NS;
    if (refetch->next_ns <= soonest_ns)
        return false;
    refetch->next_ns = soonest_ns;
    return true;
}

void refetch_hurry(struct refetch *refetch, int64_t now_ns)
{
    refetch->next_ns = now_ns;
}

bool refetch_is_stale(const struct refetch *refetch, int64_t now_ns)
{
    return refetch->good_ns != 0 && now_ns - refetch->good_ns > STALE_NS;
}
