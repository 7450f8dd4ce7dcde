/*
 * app->entries: what the files of the cache service share.
 *
 * Keys, {SPACE} being u:ID of an account or app:NAME of an application:
 *
 *   cw:{SPACE}:e:LABEL  what is stored under a label: head and value as one string (envelope.h), or a hash that is
 *                       a counter (counter.h); as long as it lives
 *   cw:{SPACE}:c:LABEL  somebody has promised to fill the label (promise.h); seconds
 *   cw:{SPACE}:t:LABEL  whose turn it is to replace what is out of date there (turn.h); moments
 *   cw:{SPACE}:s:RANDOM a counter that is made, before it is moved to its place (counter.h); moments
 *   cw:{SPACE}:m        hash: how often each model was cleared (models.h); 31 days from its last use
 *
 * The braces make one slot of a namespace, so what belongs together can be written in one pipeline. The first four lie
 * where entries live. The models lie beside the control data, with the clears of the namespace, because an entry is
 * judged by both at once.
 */
#ifndef API_ENTRIES_ENTRIES_PRIVATE_H
#define API_ENTRIES_ENTRIES_PRIVATE_H

#include "cachewarden/mac.h"
#include "entries/metrics.h"
#include "entries/recent.h"
#include "entries/room.h"
#include "entries/service.h"
#include "entries/wait.h"

struct entries {
    struct redis *redis; /* where entries live: that of control data, or one of their own */
    bool owns_redis;
    bool has_own_memory; /* it is not the server of control data, whatever its database */
    int64_t default_ttl_s;
    struct key_ring *lease_keys;
    struct recent *recent;
    struct waits *waits;
    struct entries_metrics *metrics;
    struct room room;
};

#endif
