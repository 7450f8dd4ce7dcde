/* app->entries: what the files of the cache service share. */
#ifndef API_ENTRIES_ENTRIES_PRIVATE_H
#define API_ENTRIES_ENTRIES_PRIVATE_H

#include "cachewarden/mac.h"
#include "cachewarden/redis.h"
#include "entries/counts.h"
#include "entries/recent.h"
#include "entries/wait.h"

struct entries {
    struct redis *redis; /* where entries live: that of control data, or one of their own */
    bool owns_redis;
    int64_t default_ttl_s;
    struct mac_key *lease_key;
    struct recent *recent;
    struct waits *waits;
    struct entry_counts *counts;
};

#endif
