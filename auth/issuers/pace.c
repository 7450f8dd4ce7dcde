#include "issuers/pace.h"

#include "cachewarden/clock.h"

/* How soon a withdrawn key is noticed, and how long the last good set outlives its server. */
#define REFRESH_NS (300 * NS_PER_S)
#define MINUTE_NS  (60 * NS_PER_S)
#define STALE_NS   (86400 * NS_PER_S)

enum { DOUBLINGS_MAX = 6 };

void pace_init(struct pace *pace, int64_t now_ns)
{
    *pace = (struct pace){.next_ns = now_ns};
}

void pace_start(struct pace *pace, int64_t now_ns)
{
    pace->started_ns = now_ns;
    pace->next_ns = PACE_NEVER_NS;
    if (pace->good_ns != 0)
        pace->refetched_ns = now_ns;
}

/* Counted from the beginning of a fetch, so that a slow one is not followed at once by another. */
static int64_t delay_ns(const struct pace *pace)
{
    bool is_long = pace->good_ns != 0 || pace->failures > DOUBLINGS_MAX;

    return is_long ? MINUTE_NS : NS_PER_S << (pace->failures - 1);
}

void pace_end(struct pace *pace, bool is_good, int64_t now_ns)
{
    if (is_good) {
        pace->failures = 0;
        pace->good_ns = pace->started_ns;
        pace->next_ns = pace->started_ns + REFRESH_NS;
        return;
    }
    pace->failures++;
    pace->next_ns = pace->started_ns + delay_ns(pace);
    if (pace->next_ns < now_ns)
        pace->next_ns = now_ns;
}

bool pace_want(struct pace *pace, int64_t now_ns)
{
    int64_t soonest_ns = now_ns;

    if (pace->good_ns == 0 || pace->next_ns == PACE_NEVER_NS)
        return false;
    if (pace->refetched_ns != 0 && pace->refetched_ns + MINUTE_NS > now_ns)
        soonest_ns = pace->refetched_ns + MINUTE_NS;
    if (pace->next_ns <= soonest_ns)
        return false;
    pace->next_ns = soonest_ns;
    return true;
}

void pace_hurry(struct pace *pace, int64_t now_ns)
{
    pace->next_ns = now_ns;
}

bool pace_is_stale(const struct pace *pace, int64_t now_ns)
{
    return pace->good_ns != 0 && now_ns - pace->good_ns > STALE_NS;
}
