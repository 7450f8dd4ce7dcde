/*
 * This node's own counters, for the time Redis does not take any. Of fixed size: a flood of
 * addresses must not fill the memory. A full set gives up the window that is over, else the one
 * that was used longest ago. Thread-safe; one lock (LOCK_RANK_LIMITS), held for one look-up.
 */
#ifndef API_LIMITS_TABLE_H
#define API_LIMITS_TABLE_H

#include "keyspace.h"
#include "limits/window.h"

/* 1 MiB, of which pages are touched when they are needed. */
#define LIMIT_TABLE_SETS 1024
#define LIMIT_TABLE_WAYS 8

struct limit_table;

CW_MUST_CHECK enum err limit_table_new(struct limit_table **table_out);
void limit_table_free(struct limit_table **table);

/* Counts one more; the first of a window begins it. `now_ms` is of any clock that goes forward. */
struct limit_window limit_table_count(struct limit_table *table, const struct key *key,
                                      int64_t window_ms, int64_t now_ms);
/* What is counted so far; 0 when there is no window. */
struct limit_window limit_table_look(struct limit_table *table, const struct key *key,
                                     int64_t now_ms);
void limit_table_forget(struct limit_table *table, const struct key *key);

#endif
