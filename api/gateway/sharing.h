/*
 * One request to the upstream for many who want the same thing: on this node (fetches.h), and over all nodes (mark.h).
 * Who waits does so without a worker, and no longer than a request of its own might take. Then it looks again, with
 * the numbers of then: it is never given what was cleared meanwhile.
 */
#ifndef API_GATEWAY_SHARING_H
#define API_GATEWAY_SHARING_H

#include "gateway/fetches.h"
#include "gateway/mark.h"
#include "gateway/passage.h"

struct sharing {
    struct passage *passage;
    const struct gateway_key *key;
    struct fetch_name name;
    struct mark mark;
    bool
        has_stale; /* something may be served when the upstream cannot be asked: set before sharing_enter */
    bool has_turn; /* it has waited until it might ask the upstream */
    bool leads;
    bool is_void; /* what came was not true any more when it was to be stored */
    bool has_slept;
    int looks;
    int64_t retry_after_s; /* of SHARING_REFUSED */
};

/* The passage knows of it until sharing_fini. */
void sharing_init(struct sharing *sharing, struct passage *passage, const struct gateway_key *key);
void sharing_fini(struct sharing *sharing);

enum sharing_turn {
    SHARING_FETCHES, /* sharing_leave behind it */
    SHARING_LOOKS,   /* once more: somebody else has fetched */
    SHARING_PAUSES,  /* the request begins again, soon */
    SHARING_REFUSED  /* the upstream may not be asked now (refill.h) */
};
/* Behind a look that found nothing to serve. What is stored for it from now on ends the mark: look->is_marked. */
enum sharing_turn sharing_enter(struct sharing *sharing, struct gateway_look *look);
/* The same for what is done in the background. False: another node is at it, or was just now, or it may not be now. */
bool sharing_enter_refresh(struct sharing *sharing, struct gateway_look *look);
/* With what the fetch failed with. */
void sharing_leave(struct sharing *sharing, enum err err);

/* Until when a request that waits is paused: the longer it has waited, the longer. */
void sharing_set_pause(struct gateway_wait *wait);

/* While the upstream is waited for: whether the client is gone. Keeps the mark alive. `with` is the passage. */
bool sharing_is_unwanted(void *with);

#endif
