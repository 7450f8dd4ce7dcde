/*
 * What the gateway would do with a request now, and why: for an operator. It asks Redis and no upstream, and changes
 * nothing. What one node alone knows is not in it: what it has in memory, fetches under way, clears that are owed.
 */
#ifndef CACHEWARDEN_GATEWAY_EXPLAIN_H
#define CACHEWARDEN_GATEWAY_EXPLAIN_H

#include "cachewarden/call.h"
#include "cachewarden/gateway.h"

enum gateway_state {
    GATEWAY_STATE_FRESH,
    GATEWAY_STATE_STALE,    /* by its age, or because it must be asked about each time */
    GATEWAY_STATE_OUTDATED, /* a tag of it was cleared softly */
    GATEWAY_STATE_CLEARED,
    GATEWAY_STATE_DROPPED,    /* a change has dropped it a moment ago */
    GATEWAY_STATE_VARIANTS,   /* other values of what Vary names are there, these are not */
    GATEWAY_STATE_UNREADABLE, /* what lies there is no record */
    GATEWAY_STATE_NOTHING,
};
/* "fresh", "cleared", …: never NULL. */
const char *gateway_state_name(enum gateway_state state);

/* A number at the fill and now. */
struct gateway_count {
    struct str name;
    int64_t filled, now;
};

/* A response that lies in Redis, good or not. */
struct gateway_stored {
    int status;
    uint64_t body_length;
    int64_t stored_at_ms;
    int64_t left_ms; /* until Redis drops it */
    int64_t age_s, lifetime_s;
    int64_t fresh_until_ms;
    const char *freshness; /* what says so: "max-age", "ttl_s", … */
    bool must_validate;    /* no-cache: good for nothing without a question to the upstream */
    int64_t stale_while_revalidate_s, stale_if_error_s;
    struct gateway_count version; /* of the user's cache; on public routes of everybody's */
    struct gateway_count models;  /* the base of the hash of models */
    struct gateway_count all;     /* how often all that the gateway keeps was cleared */
    const struct gateway_count *tags;
    const struct gateway_count *soft; /* as many: how often each was cleared softly */
    size_t tag_count;
};

struct gateway_explanation {
    const struct gateway_route_options *route;
    /* The key. */
    int64_t user_id;                /* 0: everybody's */
    bool is_stranger;               /* that number is not of an account here */
    struct str origin, path, query; /* query.ptr NULL: there is none */
    const struct http_field
        *vary; /* each name, and its values in this request as the key has them */
    size_t vary_count;
    struct str redis_key; /* under which it lies, or would */
    /* The cache. */
    bool is_asked;    /* false: by its method or its body the request passes it by */
    bool is_body_why; /* by its body alone */
    bool may_change;  /* the method is not safe: an answer below 400 clears the route's models */
    bool is_enabled;  /* the user's */
    int64_t version;  /* 0: everybody's */
    enum gateway_state state;
    struct str cause;         /* CLEARED: "version", "models-lost", "everything", "model NAME" */
    bool has_stored;          /* .stored */
    const char *not_storable; /* why no answer to this request would be stored; NULL: one may be */
    struct gateway_stored stored;
    /* What the answer would say, as far as it does not depend on the upstream's. */
    enum cache_result result;
    bool is_refused; /* only-if-cached, and nothing may be served: 504 */
    struct str cache_status;
};

/*
 * Of a request as gateway_serve takes it, which was admitted; the call's reply is left alone. All texts lie in its
 * arena or belong to the gateway. ERR_BAD_INPUT: such a target is not passed on. Errors of Redis.
 */
CW_MUST_CHECK enum err gateway_explain(const struct gateway_route *route,
                                       const struct gateway_request *request, struct call *call,
                                       struct gateway_explanation *explanation_out);

#endif
