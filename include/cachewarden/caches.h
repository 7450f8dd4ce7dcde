/* Named caches: what the configuration says of them, and emptying them. */
#ifndef CACHEWARDEN_CACHES_H
#define CACHEWARDEN_CACHES_H

#include "cachewarden/str.h"
#include "cachewarden/work.h"

#include <stdbool.h>

struct app;

enum cache_kind { CACHE_KEYS, CACHE_DATABASE, CACHE_PREFIX };

/* One target as configured. Strings are borrowed during app_open only. */
struct cache_spec {
    struct str name;
    enum cache_kind kind;
    const struct str *keys; /* CACHE_KEYS; "{env}" is replaced by the environment */
    size_t key_count;
    /* CACHE_DATABASE: its number; 0 with a redis_url of its own: the one that URL names */
    int database;
    struct str prefix;    /* CACHE_PREFIX */
    struct str redis_url; /* empty: the server of redis.url */
};

/* False: there is none of that name. One with a prefix is emptied by a job (jobs.h). */
bool caches_kind(const struct app *app, struct str name, enum cache_kind *kind_out);

struct flush_result {
    int64_t removed;        /* keys that were there and are gone; for dry_run: that would go */
    const struct str *keys; /* CACHE_KEYS: the names of those, in configured order */
    size_t key_count;
    enum cache_kind kind;
};
/*
 * Not while the control data is known to be another installation's (ERR_UPSTREAM_REFUSED, see app_admit).
 * ERR_NOT_FOUND: no target of that name. ERR_CONFLICT: the database turned out to hold control data;
 * nothing was removed. ERR_UPSTREAM_REFUSED, ERR_UNCERTAIN, …: as redis_run. `removed` and `keys` hold
 * what is known to be gone even then.
 */
CW_MUST_CHECK enum err caches_flush(struct app *app, struct work work, struct str name,
                                    bool dry_run, struct flush_result *result_out);

/*
 * One of the keys a named cache lists, "{env}" replaced by the environment; NUL-terminated in the
 * arena, {NULL,0} when memory is out.
 */
struct str key_of_cache(struct arena *arena, struct str pattern, struct str environment);

#endif
