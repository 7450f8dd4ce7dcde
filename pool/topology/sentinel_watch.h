/*
 * Who the primary is: one thread for each set of sentinels and name of a master, whatever the number of fronts that
 * want to know. It asks the sentinels one after another, once a second, and more often while a front is in trouble.
 * A primary they name is used once it has said itself that it is one.
 *
 * A lock of its own (LOCK_RANK_LEAF) guards what it knows. No lock is held while it talks to anybody, or tells a front.
 */
#ifndef POOL_TOPOLOGY_SENTINEL_WATCH_H
#define POOL_TOPOLOGY_SENTINEL_WATCH_H

#include "topology/sentinel_answer.h"

struct sentinel_watch;

/* A front that wants to know. */
struct sentinel_follower {
    /* The primary is there from now on; called by the watch's thread, also again with the same one. */
    void (*lead_to)(struct sentinel_follower *follower, const struct sentinel_primary *primary);
    /* Whether it does without a primary that works; called often. */
    bool (*is_in_trouble)(struct sentinel_follower *follower);
    struct sentinel_follower *next; /* of the watch */
};

/* The watch for options->topology; another front's if it has the same sentinels and passwords. ERR_BAD_INPUT,
 * ERR_NO_MEMORY, ERR_INTERNAL. */
CW_MUST_CHECK enum err sentinel_watch_join(const struct redis_options *options,
                                           struct sentinel_follower *follower,
                                           struct sentinel_watch **watch_out, struct error *error);
/* Nothing is called any more when it returns. The last one ends the watch, which waits for a question that is under
 * way. */
void sentinel_watch_leave(struct sentinel_watch **watch, struct sentinel_follower *follower);

/* Waits until each sentinel has been asked once and the followers know, deadline_ns at the latest. Then it is an
 * atomic word. */
void sentinel_watch_await(struct sentinel_watch *watch, int64_t deadline_ns);

void sentinel_watch_read(struct sentinel_watch *watch, struct redis_sentinels *sentinels_out);
/* As redis_renew_tls, for what is asked from now on. */
CW_MUST_CHECK enum err sentinel_watch_renew_tls(struct sentinel_watch *watch,
                                                const struct redis_address *files,
                                                struct error *error);
/* User and password of the Redis that sentinels name, in place of those before. ERR_NO_MEMORY: none has changed. */
CW_MUST_CHECK enum err sentinel_watch_renew_login(struct sentinel_watch *watch,
                                                  const struct redis_address *address);

#endif
