/*
 * Small records of one size by a short key, in a table of fixed size that forgets the oldest.
 *
 * ttl_cache_fetch is for what the users database said a moment ago. An answer is used for a second.
 * After that the database is asked again; when it is out of reach the old answer is used for up to
 * 30 seconds, or what the caller allows, and the database is left alone for a second between two attempts.
 *
 * Any thread. A lock guards a part of the table and is held for a copy in or out, never while
 * loading.
 */
#ifndef AUTH_TTL_CACHE_H
#define AUTH_TTL_CACHE_H

#include "cachewarden/clock.h"
#include "cachewarden/error.h"
#include "cachewarden/str.h"

#define TTL_CACHE_FRESH_NS     (1 * NS_PER_S)
#define TTL_CACHE_STALE_NS     (30 * NS_PER_S)
#define TTL_CACHE_KEY_MAX_SIZE 150

struct ttl_cache;

/* Room for about `capacity` records; the oldest makes room. `name` is the lock's. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err ttl_cache_new(const char *name, size_t capacity, size_t record_size,
                                     struct ttl_cache **cache_out);
void ttl_cache_free(struct ttl_cache **cache);

/* How the database is asked for a key's record. Only what comes with ERR_OK is remembered. */
struct ttl_cache_source {
    enum err (*load)(void *arg, struct str key, void *record_out, struct error *error);
    void *arg;
    int64_t
        stale_ns; /* how old an answer may be while the database is away: TTL_CACHE_STALE_NS, or else */
    bool is_doubted; /* what is remembered looks out of date: it is asked for again */
};

/*
 * The record of a key as of now_ns (clock_mono_ns): remembered, or loaded. What `load` answers (with
 * ERR_NOT_FOUND what is remembered is forgotten, too), but ERR_OK when it answers ERR_UPSTREAM_DOWN and
 * an old record will do. A key longer than
 * TTL_CACHE_KEY_MAX_SIZE is never remembered.
 */
CW_MUST_CHECK enum err ttl_cache_fetch(struct ttl_cache *cache, struct str key, int64_t now_ns,
                                       const struct ttl_cache_source *source, void *record_out,
                                       struct error *error);

/*
 * The two halves, for records that never change. now_ns is a point in time > 0 of any one clock;
 * it decides which record is the oldest.
 */
bool ttl_cache_recall(struct ttl_cache *cache, struct str key, int64_t now_ns, int64_t max_age_ns,
                      void *record_out);
void ttl_cache_remember(struct ttl_cache *cache, struct str key, int64_t now_ns,
                        const void *record);

/* Removes what is remembered of one key, or of all. */
void ttl_cache_forget(struct ttl_cache *cache, struct str key);
void ttl_cache_forget_all(struct ttl_cache *cache);

#endif
