/*
 * When an issuer's keys are fetched. Times are clock_mono_ns.
 *
 * The first fetch comes at once and is tried again after 1, 2, 4, … at most 60 s until it succeeds.
 * From then on at most one fetch a minute is made, whatever asks for it: every five
 * minutes, a minute after a failure, and when a token names a key that is not in the set.
 */
#ifndef AUTH_ISSUERS_REFETCH_H
#define AUTH_ISSUERS_REFETCH_H

#include <stdbool.h>
#include <stdint.h>

#define REFETCH_NEVER_NS INT64_MAX

struct refetch {
    int64_t next_ns;      /* when to fetch; REFETCH_NEVER_NS while one is under way */
    int64_t refetched_ns; /* when the last fetch but the first began; 0: none has */
    int64_t good_ns;      /* when the last good one began; 0: none has been good */
    int64_t started_ns;
    int failures; /* in a row */
};

void refetch_init(struct refetch *refetch, int64_t now_ns);
/* Notes that a fetch begins, and that it has ended. */
void refetch_start(struct refetch *refetch, int64_t now_ns);
void refetch_end(struct refetch *refetch, bool is_good, int64_t now_ns);
/* A key is missing. True: the next fetch is earlier than it was, whoever waits for it should look. */
bool refetch_want(struct refetch *refetch, int64_t now_ns);
/* An operator asks: at once. */
void refetch_hurry(struct refetch *refetch, int64_t now_ns);
/* No fetch was good for a day: what it brought is not to be trusted any longer. */
bool refetch_is_stale(const struct refetch *refetch, int64_t now_ns);

#endif
