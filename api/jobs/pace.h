/*
 * How fast a job may go and how far it is, as numbers. Pure but for pace_rest: the time is passed in.
 *
 * A job works in steps: one SCAN of some keys, and what is done with them. While a step runs, other clients
 * of that Redis wait; so a step is short, and behind it the job rests.
 */
#ifndef API_JOBS_PACE_H
#define API_JOBS_PACE_H

#include <stdint.h>

/* Keys of one SCAN. The most keeps Redis busy for some 0.3 ms. With fewer than the least a step would be all
 * round trip, and on a busy machine a job of millions of keys would take for ever. */
enum { PACE_KEYS_MIN = 256, PACE_KEYS_START = 256, PACE_KEYS_MAX = 512 };

/* How many keys the next SCAN is to look at, after one of `keys` took so long. */
int64_t pace_next_keys(int64_t keys, int64_t took_ns);

/* How long to rest after so much work, such that `percent` (1 to 100) of the time is work. */
int64_t pace_rest_ns(int64_t took_ns, int percent);
/* Sleeps so long. For who holds nothing meanwhile, and need not be woken. */
void pace_rest(int64_t took_ns, int percent);

/*
 * How far a SCAN is whose cursor this is, in millionths: 0 at the start, never quite 1,000,000. Redis counts
 * its cursor from the highest bit down, so the mirrored cursor only rises, even while its table grows or
 * shrinks.
 */
#define PACE_WHOLE 1000000
int64_t pace_progress(uint64_t cursor);

#endif
