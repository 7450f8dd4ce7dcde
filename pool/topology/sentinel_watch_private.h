/* What the files of the watch share. */
#ifndef POOL_TOPOLOGY_SENTINEL_WATCH_PRIVATE_H
#define POOL_TOPOLOGY_SENTINEL_WATCH_PRIVATE_H

#include "topology/sentinel_link.h"
#include "topology/sentinel_watch.h"

#include "cachewarden/lock.h"
#include "cachewarden/thread.h"

#include <stdatomic.h>

/* One sentinel. What is not guarded is the thread's own. */
struct sentinel_peer {
    char *name; /* "host:port", constant */
    struct sentinel_link *link;
    int64_t again_ns; /* one that failed is not asked before */
    /* guarded by the watch's lock, and changed by its thread alone */
    struct sentinel_answer answer;
    struct sentinel_primary named; /* the last it named, also while it is silent */
};

struct sentinel_watch {
    /* Constant. */
    struct sentinel_peer *peers;
    size_t count;
    char *master_name;
    char *username,
        *password; /* for the sentinels, as redis.h has them; what watches are told apart by */
    bool is_tls;
    struct sentinel_patience patience;
    struct periodic *thread; /* set once, by who joined first */
    atomic_bool is_ending;   /* nobody is asked any more */
    /* Of the thread. */
    int64_t ask_next_ns;
    char told[200]; /* the trouble that was logged */

    struct sentinel_watch *next; /* guarded by the lock of the list of watches, like `users` */
    size_t users;
    bool is_started;

    struct lock lock;
    struct lock_cond changed;
    /* Guarded by lock. */
    struct redis_address address; /* how to reach a primary, but for its host and port */
    struct sentinel_follower *followers;
    bool is_telling; /* the thread is walking the list, without the lock: nobody leaves or joins */
    struct sentinel_primary primary;       /* port 0: none yet */
    char why_not[SENTINEL_WHY_SIZE + 300]; /* what is wrong with the best candidate; "" */
    uint64_t switches;
};

/* One round of the thread: how long to rest. */
int64_t sentinel_watch_round(void *watch);
/* What it knows, in words and numbers. Needs the lock. */
void sentinel_watch_report_locked(const struct sentinel_watch *watch,
                                  struct redis_sentinels *sentinels_out);

#endif
