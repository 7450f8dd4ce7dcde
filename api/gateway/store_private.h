/* What the files of the store share. */
#ifndef API_GATEWAY_STORE_PRIVATE_H
#define API_GATEWAY_STORE_PRIVATE_H

#include "cachewarden/pipeline.h"
#include "gateway/store.h"
#include "keyspace.h"

struct gateway_store {
    struct app *app;
    struct memory *memory;
    /* Stamps of drops that took no room, because there was none: how many, and since when they are counted. */
    _Atomic int64_t unroomed, unroomed_since_ns;
};

/* So many on a node, as long as they live: 2 MB or less of what is for control data. */
enum { STORE_UNROOMED_MAX = 10000 };

/*
 * A look that is older is good for no store: what was dropped since may be forgotten.
 *
 * A path lives for at least so long after each store and each drop, and remembers its last drop as long. So a store
 * finds the drops since its look, however late Redis gets to it: by three minutes.
 */
#define STORE_LOOK_MAX_MS INT64_C(120000)
#define STORE_LIFE_MIN_MS INT64_C(300000)

struct entry_request;

/* The gateway's own namespace, for what is about models. */
struct entry_request store_models_request(const struct gateway_store *store, struct work work);

/* ---- whether it may be stored ---- */

/* ERR_CONFLICT: something was cleared since the upstream was asked. */
CW_MUST_CHECK enum err store_refuse_void(struct error *error);
/*
 * Whether what a response was fetched under holds still: else it would take the place of one that was fetched later,
 * and not be served either. A round trip, to each Redis. ERR_CONFLICT; errors of control_look.
 */
CW_MUST_CHECK enum err store_check(const struct gateway_store *store, const struct gateway_key *key,
                                   const struct gateway_look *look,
                                   const struct stored_response *response,
                                   const struct stored_numbers *numbers, struct work work);

/* ---- what lies under one key (record.h) ---- */

struct stored_record {
    bool is_foreign;                       /* it is none of ours, and what follows is empty */
    unsigned char drop[STORED_STAMP_SIZE]; /* all zero: it was not dropped */
    struct str start, head, body, long_body;
};

/* How many of its fields. */
enum store_part {
    STORE_START = 2, /* whether it was dropped, and the start */
    STORE_SHORT = 4, /* and the head, and a body that is short */
    STORE_WHOLE = 5
};

void store_record_ask(struct pipeline *pipeline, const struct namespace *space,
                      const struct gateway_digest *digest, enum store_part part);
/* The reply to it. Errors of redis_run. */
CW_MUST_CHECK enum err store_record_take(const struct value *reply, struct error *error,
                                         struct stored_record *record_out);
/* False: it has none of this length. */
bool store_record_body(const struct stored_record *record, uint64_t length, struct str *body_out);

/* For a transaction. */
void store_record_clear(struct pipeline *pipeline,
                        const struct key *key); /* that it was dropped stays */
void store_record_put_response(struct pipeline *pipeline, const struct key *key, struct str start,
                               struct str head, struct str body);
void store_record_put_variants(struct pipeline *pipeline, const struct key *key, struct str start);
void store_record_set_life(struct pipeline *pipeline, const struct key *key, int64_t life_ms);
/* A transaction of its own. is_stamped false: nothing remembers it. */
void store_record_drop(struct pipeline *pipeline, const struct key *key, bool is_stamped);

#endif
