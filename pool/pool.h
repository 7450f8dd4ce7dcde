/*
 * A pool of connections to one server, as those see it that decide which pool a pipeline goes to. Thread-safe, but for
 * opening and closing.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include "cachewarden/redis.h"

struct pool;

/* See redis.h; options->topology does not count. */
CW_MUST_CHECK enum err pool_open(const struct redis_options *options, struct pool **pool_out,
                                 struct error *error);
/* Nothing runs on it any more. Harmless for NULL. */
void pool_close(struct pool **pool);
void pool_renew(struct pool *pool);
void pool_note_replica(struct pool *pool);
CW_MUST_CHECK enum err pool_renew_tls(struct pool *pool, const struct redis_address *files,
                                      bool changed_out[TLS_PARTS], struct error *error);
CW_MUST_CHECK enum err pool_renew_login(struct pool *pool, const struct redis_address *address,
                                        bool *changed_out, struct error *error);
void pool_stats_read(struct pool *pool, struct redis_stats *stats_out);
bool pool_is_down(struct pool *pool);
/* Down, or led to a replica. */
bool pool_is_in_trouble(struct pool *pool);
/* One pipeline, up to its replies, which are not judged. Errors of redis_run. */
CW_MUST_CHECK enum err pool_run(struct pool *pool, struct pipeline *pipeline, int64_t deadline_ns,
                                struct error *error);
/* Whether it may change something, so that nobody can do it again. */
bool pipeline_writes(const struct pipeline *pipeline);

#endif
