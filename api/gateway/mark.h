/*
 * A mark in Redis: some node fetches a response now, and the others need not. It lives for seconds, and its holder
 * makes it live on while it fetches, so that the others wait for no node that has died. Nothing depends on it but how
 * many requests the upstream gets: it may be lost, or end while its holder is slow. It lies under the name of the fetch
 * (gateway_look_begun): whoever has to respect a later clear or drop does not find it.
 *
 * Where what came could not be shared, the mark says so for a moment: they go at once, and not one after the other.
 */
#ifndef API_GATEWAY_MARK_H
#define API_GATEWAY_MARK_H

#include "gateway/store.h"

enum mark_turn {
    MARK_OURS,      /* mark_end, in any case */
    MARK_ELSEWHERE, /* another node fetches it */
    MARK_ALONE,     /* nobody waits for another here: what came was not for all */
    MARK_BESIDE,    /* nor here: what would have been for all failed */
    MARK_NONE,      /* there is none to be had: without Redis, or without room for entries */
    MARK_CHANGED,   /* nobody fetches it, but there is something now that the look did not see */
};

struct mark {
    struct gateway_store *store;
    struct namespace space;
    struct gateway_digest entry, begun;
    int64_t renewed_ns; /* 0: it is not ours */
};

/* Behind a look that found nothing to serve; one round trip. */
enum mark_turn mark_take(struct mark *mark, struct gateway_store *store,
                         const struct gateway_key *key, const struct gateway_look *look,
                         struct work work);
/* Asked often while it is fetched: makes it live on now and then. */
void mark_renew(struct mark *mark, struct arena *arena, int64_t budget_ms);

enum mark_end {
    MARK_STORED, /* gateway_store_put has ended it, with what it stored */
    MARK_LEFT,   /* the next one fetches */
    MARK_UNSHARED,
    MARK_FAILED
};
/* Harmless where it is not ours. */
void mark_end(struct mark *mark, enum mark_end how, struct work work);
/* For who stores: the command that ends this mark. */
void mark_add_end(struct pipeline *pipeline, const struct namespace *space,
                  const struct gateway_digest *begun);

#endif
