/*
 * What lies in Redis under a key, as it is, and the numbers that hold now: for an operator who asks why it is served or
 * not. Changes nothing, neither in Redis nor in this node's memory.
 */
#ifndef API_GATEWAY_STORE_INSPECT_H
#define API_GATEWAY_STORE_INSPECT_H

#include "gateway/store.h"

enum lying {
    LIES_NOTHING,
    LIES_UNREADABLE, /* no record, or one of another key: somebody else has written there */
    LIES_DROPPED,    /* the stamp of a drop, and nothing that was asked for behind it */
    LIES_OTHERS,     /* answers to other values of what Vary names */
    LIES_RESPONSE
};

/* What moved since the fill. */
enum moved {
    MOVED_NOT,
    MOVED_VERSION, /* the user's cache was cleared, or everybody's */
    MOVED_BASE,    /* the hash of models went, and came again */
    MOVED_ALL,     /* everything that the gateway keeps was cleared */
    MOVED_TAG
};

struct inspection {
    bool is_enabled; /* the user's cache */
    int64_t version; /* of now; on public routes the epoch, and 1 */
    enum lying lies;
    enum moved moved;
    struct str moved_tag;
    struct str names;            /* that Vary names; empty: none */
    struct gateway_digest entry; /* under which the response lies, or would */
    int64_t left_ms;             /* until Redis drops it */
    struct stored_response response;
    struct stored_numbers numbers; /* of its fill */
    struct tag_look now;           /* the tags of now */
    /* As a look would have it, but for the body. It is not released. */
    struct gateway_look look;
};

/* All in the arena. Errors of control_look, but that no control data is no error: then nothing is stored. */
CW_MUST_CHECK enum err gateway_store_inspect(const struct gateway_store *store,
                                             const struct gateway_key *key, struct work work,
                                             struct inspection *inspection_out);

#endif
