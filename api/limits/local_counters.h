/*
 * This node's own counters, for the time Redis does not take any. Of fixed size: a flood of
 * addresses must not fill the memory. A full set gives up the window that is over, else the one
 * that was used longest ago. Thread-safe; one lock (LOCK_RANK_LIMITS), held for one look-up.
 */
#ifndef API_LIMITS_LOCAL_COUNTERS_H
#define API_LIMITS_LOCAL_COUNTERS_H

#include "keyspace.h"
#include "limits/window.h"

/* 1 MiB, of which pages are touched when they are needed. */
#define LOCAL_COUNTERS_SETS 1024
#define LOCAL_COUNTERS_WAYS 8

struct local_counters;

CW_MUST_CHECK enum err local_counters_new(struct local_counters **counters_out);
void local_counters_free(struct local_counters **counters);

/* Counts one more; the first of a window begins it. `now_ms` is of any clock that goes forward. */
struct limit_window local_counters_count(struct local_counters *counters, const struct key *key,
                                         int64_t window_ms, int64_t now_ms);
/* The same with `number` more, at least 1; it stops at INT64_MAX. */
struct limit_window local_counters_add(struct local_counters *counters, const struct key *key,
                                       int64_t number, int64_t window_ms, int64_t now_ms);
/* What is counted so far; 0 when there is no window. */
struct limit_window local_counters_look(struct local_counters *counters, const struct key *key,
                                        int64_t now_ms);
void local_counters_forget(struct local_counters *counters, const struct key *key);

#endif
