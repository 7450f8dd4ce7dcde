/* The counters all nodes share: the commands that count, and what they answered. */
#ifndef API_LIMITS_REDIS_COUNTERS_H
#define API_LIMITS_REDIS_COUNTERS_H

#include "keyspace.h"
#include "limits/window.h"

#include "cachewarden/pipeline.h"

/* Adds the commands that count one more; the first of a window begins it. */
void redis_counters_add(struct pipeline *pipeline, const struct key *key, int64_t window_ms);
/* Adds those that only look. */
void redis_counters_add_look(struct pipeline *pipeline, const struct key *key);

/* What they answered; `first` was pipeline_count() before they were added, and redis_run was
 * ERR_OK. False: not to be believed. */
bool redis_counters_take(const struct pipeline *pipeline, size_t first,
                         struct limit_window *window_out);
bool redis_counters_take_look(const struct pipeline *pipeline, size_t first,
                              struct limit_window *window_out);

/*
 * The same in a round trip of their own. Whatever keeps Redis from counting, the node alone
 * does: these cannot fail, and take no longer than a request may spend on Redis.
 */
struct limit_window limits_count(struct call *call, const struct key *key, int64_t window_ms);
struct limit_window limits_look(struct call *call, const struct key *key, int64_t window_ms);
/* Removes the counter from Redis and from the node's own. Where Redis does not answer it expires. */
void limits_forget(struct call *call, const struct key *key);

/* By the node alone. */
struct limit_window limits_count_here(struct call *call, const struct key *key, int64_t window_ms);

/* A counter of Redis without an expiry would lock somebody out for ever: gives it one. */
void limits_restore_expiry(struct call *call, const struct key *key, int64_t window_ms,
                           struct limit_window *window);

#endif
