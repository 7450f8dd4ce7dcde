#include "jobs/pace.h"

#include "cachewarden/clock.h"

#include <time.h>

enum { SHORT_NS = 250 * 1000, LONG_NS = 1000 * 1000 };

int64_t pace_next_keys(int64_t keys, int64_t took_ns)
{
    if (took_ns < SHORT_NS)
        keys *= 2;
    else if (took_ns > LONG_NS)
        keys /= 2;
    if (keys < PACE_KEYS_MIN)
        return PACE_KEYS_MIN;
    return keys > PACE_KEYS_MAX ? PACE_KEYS_MAX : keys;
}

int64_t pace_rest_ns(int64_t took_ns, int percent)
{
    /* Longer than any round trip, and far from an overflow. */
    const int64_t longest_ns = 60 * NS_PER_S;

    if (took_ns < 0)
        took_ns = 0;
    if (took_ns > longest_ns)
        took_ns = longest_ns;
    return took_ns * (100 - percent) / percent;
}

void pace_rest(int64_t took_ns, int percent)
{
    int64_t ns = pace_rest_ns(took_ns, percent);

    nanosleep(&(struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S}, NULL);
}

static uint64_t mirror(uint64_t bits)
{
    uint64_t mirrored = 0;

    for (int i = 0; i < 64; i++)
        mirrored |= (bits >> i & 1) << (63 - i);
    return mirrored;
}

int64_t pace_progress(uint64_t cursor)
{
    /* 44 bits of it: exact enough, and the product fits. */
    return (int64_t)((mirror(cursor) >> 20) * PACE_WHOLE >> 44);
}
