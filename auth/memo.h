/*
 * Small records of one size by a short key, in a table of fixed size that forgets the oldest.
 *
 * memo_fetch is for what the users database said a moment ago. An answer is used for a second.
 * After that the database is asked again; when it is out of reach the old answer is used for up to
 * 30 seconds, or what the caller allows, and the database is left alone for a second between two attempts.
 *
 * Any thread. A lock guards a part of the table and is held for a copy in or out, never while
 * loading.
 */
#ifndef AUTH_MEMO_H
#define AUTH_MEMO_H

#include "cachewarden/clock.h"
#include "cachewarden/error.h"
#include "cachewarden/str.h"

#define MEMO_FRESH_NS     (1 * NS_PER_S)
#define MEMO_STALE_NS     (30 * NS_PER_S)
#define MEMO_KEY_MAX_SIZE 150

struct memo;

/* Room for about `capacity` records; the oldest makes room. `name` is the lock's. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err memo_new(const char *name, size_t capacity, size_t record_size,
                                struct memo **memo_out);
void memo_free(struct memo **memo);

/* How the database is asked for a key's record. Only what comes with ERR_OK is remembered. */
struct memo_source {
    enum err (*load)(void *arg, struct str key, void *record_out, struct error *error);
    void *arg;
    int64_t
        stale_ns; /* how old an answer may be while the database is away: MEMO_STALE_NS, or else */
    bool is_doubted; /* what is remembered looks out of date: it is asked for again */
};

/*
 * The record of a key as of now_ns (clock_mono_ns): remembered, or loaded. What `load` answers (with
 * ERR_NOT_FOUND what is remembered is forgotten, too), but ERR_OK when it answers ERR_UPSTREAM_DOWN and
 * an old record will do. A key longer than
 * MEMO_KEY_MAX_SIZE is never remembered.
 */
CW_MUST_CHECK enum err memo_fetch(struct memo *memo, struct str key, int64_t now_ns,
                                  const struct memo_source *source, void *record_out,
                                  struct error *error);

/*
 * The two halves, for records that never change. now_ns is a point in time > 0 of any one clock;
 * it decides which record is the oldest.
 */
bool memo_recall(struct memo *memo, struct str key, int64_t now_ns, int64_t max_age_ns,
                 void *record_out);
void memo_remember(struct memo *memo, struct str key, int64_t now_ns, const void *record);

/* Removes what is remembered of one key, or of all. */
void memo_forget(struct memo *memo, struct str key);
void memo_forget_all(struct memo *memo);

#endif
