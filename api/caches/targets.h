/* The named caches as they are held in memory. Read-only after caches_open, so no locks. */
#ifndef API_CACHES_TARGETS_H
#define API_CACHES_TARGETS_H

#include "cachewarden/app.h"
#include "cachewarden/caches.h"

/* Of GET /metrics. */
struct target_counts {
    _Atomic uint64_t flushes, failures, removed;
};

struct target {
    struct str name;
    enum cache_kind kind;
    struct str *keys; /* CACHE_KEYS: ready to send */
    size_t key_count;
    struct str prefix; /* CACHE_PREFIX: what the names of its keys begin with */
    struct redis *redis;
    bool owns_redis; /* false: it is the pool of the control data */
    struct target_counts *counts;
};

struct caches {
    struct arena *arena; /* holds targets and their strings */
    struct target *targets;
    size_t count;
};

/* NULL: there is none of that name. */
const struct target *caches_find(const struct caches *caches, struct str name);

/* What GET /api/v1/caches says about one target. Strings live in the caller's arena or the target. */
struct cache_info {
    const struct target *target;
    int64_t
        size; /* keys that are there; -1: its server did not say, or it takes a job to count them */
    struct str cause; /* why its server did not, one of the fixed causes of redis_run */
    bool was_flushed;
    struct str flushed_by, flushed_at;
    int64_t flushed_removed;
};

/*
 * All targets in configured order: one round trip to the control data and one to each target. A
 * target that fails has size -1; only control data out of reach is an error.
 */
CW_MUST_CHECK enum err caches_list(struct app *app, struct work work, struct cache_info **infos_out,
                                   size_t *count_out);

/* Checks and copies the targets and opens a pool for each that does not live beside the control
 * data (`control` is borrowed; closed after caches_close). ERR_BAD_INPUT names the target and says what to do. */
CW_MUST_CHECK enum err caches_open(const struct app_options *options, struct redis *control,
                                   struct caches **caches_out, struct error *error);
void caches_close(struct caches **caches);
/* redis_renew_login for the pools of targets with a Redis or database of their own, where a spec has their name, until
 * one fails: with the user and password of the spec's URL, or those of `control`. */
CW_MUST_CHECK enum err caches_renew_login(struct caches *caches,
                                          const struct redis_address *control,
                                          const struct cache_spec *specs, size_t count,
                                          bool *changed_out, struct error *error);
/* redis_renew_tls for the pools of targets with a Redis or database of their own, until one fails. */
CW_MUST_CHECK enum err caches_renew_tls(struct caches *caches, const struct redis_address *files,
                                        bool changed_out[TLS_PARTS], struct error *error);

/* Empties a target for a call and records that, however it went. */
CW_MUST_CHECK enum err caches_flush_recorded(struct call *call, struct str name,
                                             struct flush_result *result_out);

#endif
