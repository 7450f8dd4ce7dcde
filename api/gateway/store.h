/*
 * What the gateway has stored: in Redis for all nodes, and in this node's memory.
 *
 * A look asks in one round trip (one to each Redis, where entries have their own) for the numbers of now and the
 * first bytes of what lies under the key. Same numbers and same id: the body in memory is it, and no body moves.
 * What a clear has moved is a miss on every node at once.
 *
 * A response is stored with the numbers that the look before it saw. What was cleared since is never served.
 *
 * The answers to a path lie under one key as long as Vary names nothing. Else there lies a list of what it names,
 * and each variant under a key of its own (record.h). The node remembers the names: a memory that is wrong costs a
 * round trip.
 */
#ifndef API_GATEWAY_STORE_H
#define API_GATEWAY_STORE_H

#include "cachewarden/app.h"
#include "gateway/key.h"
#include "gateway/memory.h"
#include "gateway/record.h"
#include "gateway/tags.h"

struct gateway_store;

/* `app` has users, and is closed later. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err gateway_store_new(struct app *app, size_t memory_bytes,
                                         struct gateway_store **store_out, struct error *error);
void gateway_store_free(struct gateway_store **store);
void gateway_store_read_use(struct gateway_store *store, struct memory_use *use_out);

struct gateway_look {
    bool
        is_enabled; /* false: the user's cache is off. Nothing was looked for, and nothing may be stored */
    int64_t version;                      /* of the user's cache; 0: everybody's */
    const struct stored_response *stored; /* NULL: a miss. Held until the look is released */
    bool has_body;                        /* else gateway_store_body gets it */
    uint64_t body_length;
    bool is_outdated;  /* it was cleared softly: stale, whatever its freshness */
    bool has_variants; /* a miss, but there are answers to other values of what Vary names */

    /* For the store. */
    struct stored_copy *copy; /* of `stored` */
    struct stored_copy *hint; /* in whose memory the tags may lie that were asked for */
    struct gateway_digest path, entry;
    unsigned char seen[STORED_ID_SIZE]; /* which response lies there, good or not; 0: none */
    bool is_marked;                     /* what is stored for it ends this mark (mark.h) */
    struct gateway_digest mark;
    struct tag_look tags;
    int64_t numbers_version, looked_ns;
    bool is_foreign;                       /* what lies under the path is none of ours */
    unsigned char drop[STORED_STAMP_SIZE]; /* of the path's last drop; all zero: none is known */
    struct str names; /* of the list of variants that lies there; empty: none does */
    unsigned char stamp[STORED_STAMP_SIZE];
    int64_t list_left_ms; /* how long that list lives */
};

/* Also after a failure: gateway_look_release. Errors of control_look; the caller goes on without a cache. */
CW_MUST_CHECK enum err gateway_store_look(struct gateway_store *store,
                                          const struct gateway_key *key, struct work work,
                                          struct gateway_look *look_out);
void gateway_look_release(struct gateway_look *look);

/*
 * Names a fetch behind this look by the thing and by the numbers that the fetch begins under. Two looks give one name
 * only if what is fetched behind the one may be served behind the other: nothing that it depends on was cleared or
 * dropped in between. ERR_INTERNAL: there is no digest.
 */
CW_MUST_CHECK enum err gateway_look_begun(const struct gateway_look *look,
                                          struct gateway_digest *begun_out);

/* Sees to it that look->stored has its body; another round trip, if it has none. ERR_NOT_FOUND: it is there no
 * longer, as in a miss. Errors of redis_run. */
CW_MUST_CHECK enum err gateway_store_body(struct gateway_store *store,
                                          const struct gateway_key *key, struct gateway_look *look,
                                          struct work work);

/*
 * Stores a response to this key for life_ms, 30 days at most. Its id is made here, its Vary is read from its fields,
 * and its tags are those of the upstream; the route's models come from the key. A body that lies in look->stored is
 * shared. *copy_out, if not NULL: it is held for the caller, who releases it.
 *
 * Nothing is stored: ERR_CONFLICT, it was or may have been cleared or dropped since the look. ERR_PRECONDITION, the
 * look is older than two minutes. ERR_TOO_LARGE, too many tags or bytes. ERR_BAD_INPUT, its Vary fits no other request.
 * ERR_UPSTREAM_REFUSED, among others where there is no room for entries. Errors of redis_run; ERR_UNCERTAIN: it may be
 * stored, and is served only if nothing was cleared or dropped.
 */
CW_MUST_CHECK enum err gateway_store_put(struct gateway_store *store, const struct gateway_key *key,
                                         const struct gateway_look *look,
                                         const struct stored_response *response, int64_t life_ms,
                                         struct work work, struct stored_copy **copy_out);

/*
 * Drops the answers to these paths, all variants; one round trip. What the upstream was asked for before and answers
 * later is never served. Errors of redis_run; some may be dropped then. ERR_UPSTREAM_REFUSED, among others where there
 * is no room to remember so many drops: what lies there is gone, and what answers late may be stored.
 */
CW_MUST_CHECK enum err gateway_store_drop_paths(struct gateway_store *store,
                                                const struct gateway_path *paths, size_t count,
                                                struct work work);
/* The same of the key's path. */
CW_MUST_CHECK enum err gateway_store_drop(struct gateway_store *store,
                                          const struct gateway_key *key, struct work work);

#endif
