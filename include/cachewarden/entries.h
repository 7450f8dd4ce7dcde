/*
 * Entries of the cache service: any bytes under a label, in a namespace (namespace.h). What is kept carries the
 * numbers that were current when its fill began, and is served only while they are: so a clear is one increment,
 * and a fill that began before it is never seen (docs/cache.md).
 *
 * A miss hands out a lease: those numbers, signed. A fill that brings it back counts from the miss; one without
 * counts from its arrival.
 */
#ifndef CACHEWARDEN_ENTRIES_H
#define CACHEWARDEN_ENTRIES_H

#include "cachewarden/error.h"
#include "cachewarden/namespace.h"
#include "cachewarden/permit.h"
#include "cachewarden/work.h"

#include <stdbool.h>
#include <stdint.h>

struct app;
struct call;

#define ENTRY_LABEL_MAX  512
#define ENTRY_MODEL_MAX  128
#define ENTRY_MODELS_MAX 16
#define ENTRY_TYPE_MAX   255
#define ENTRY_TTL_MAX_S  INT64_C(315360000)
/* What names a model may not outlive what remembers its clears (entries/models.h). */
#define ENTRY_MODEL_TTL_MAX_S (INT64_C(30) * 86400)
#define LEASE_LIFE_S          3600

/* 1 to ENTRY_LABEL_MAX bytes of UTF-8 without control characters; no part between slashes is "." or "..". */
bool entry_is_label(struct str text);
/* The same, 1 to ENTRY_MODEL_MAX bytes, and no slash. */
bool entry_is_model(struct str text);
/* A media type of 1 to ENTRY_TYPE_MAX visible ASCII characters, which can stand in a head. */
bool entry_is_type(struct str content_type);

/* How much an account may still store, and what it stored. */
struct entry_allowance {
    bool is_used_up; /* what would be stored is ERR_THROTTLED */
    size_t kept;     /* about as many bytes were stored, with label and head; 0: none */
};

/* What every operation is told: where, and how long it may take. */
struct entry_request {
    struct app *app;
    struct work work; /* answers lie in its arena */
    struct namespace space;
    struct entry_allowance *allowance; /* NULL: as much as one likes */
    bool is_passive;  /* of a command that only reads: nothing is written anywhere, nor repaired */
    struct str label; /* 1 to ENTRY_LABEL_MAX bytes; not for what is about the whole namespace */
    /* Up to ENTRY_MODELS_MAX, none twice. Of a read: those that a fill will name. */
    const struct str *models;
    size_t model_count;
    /* of a read that fills nothing: it is neither asked to fill anew, nor taken for the first of many */
    bool is_question;
    int64_t
        wait_ms; /* of a read: how long a miss waits for another's fill; never beyond the deadline */
};

struct entry_found {
    bool is_hit;
    bool is_enabled; /* false: the account's cache is off, and every read is a miss */
    int64_t version; /* of the namespace */
    /* Of a hit: */
    struct str body, content_type, etag;
    int64_t age_s, ttl_s;
    bool is_refresh; /* the reader is asked to fill it anew, before its life ends */
    /* Of a miss, and of a hit that is to be filled anew; empty while the cache is off. */
    struct str lease;
};
/* Errors of redis_run and of the users database. */
CW_MUST_CHECK enum err entries_get(const struct entry_request *request,
                                   struct entry_found *found_out);

struct entry_fill {
    struct str body, content_type;
    struct str lease; /* as it was sent; empty: none */
    int64_t ttl_s;
    bool only_if_absent; /* ERR_PRECONDITION where something good is */
};
struct entry_stored {
    bool was_there; /* something good was, before */
    bool is_enabled;
    bool is_void; /* something was cleared since the lease: it will never be served */
};
/*
 * ERR_BAD_INPUT: the lease is none of this label, or too old; a model is named and ttl_s is too long. Nothing has
 * changed then. ERR_THROTTLED: the allowance is used up. ERR_UPSTREAM_REFUSED: there is no room. Then what was there is
 * gone, if the fill had neither a lease nor only_if_absent: it is out of date to who wanted to replace it. Further
 * errors as entries_get; ERR_UNCERTAIN: it may be stored. Whoever is refused with a lease keeps nobody waiting any
 * longer.
 */
CW_MUST_CHECK enum err entries_put(const struct entry_request *request,
                                   const struct entry_fill *fill, struct entry_stored *stored_out);
/* The fill that was promised with this lease does not come: nobody waits for it any longer. A lease that is not good
 * changes nothing. */
void entries_give_up(const struct entry_request *request, struct str lease);
/*
 * The same of a request that is refused before its operation began, and changes nothing of the answer: its parameters
 * or its body are bad, so as much of it is read as was sound. `whose` is params_target of it; the caller may do
 * what the row says. Of a row that takes no lease it is nothing.
 */
void entries_refused(struct call *call, struct permit_target whose);
/* For a program that does not look by itself (api/janitor.h), before it stores: asks how much room there is. */
void entries_find_room(struct app *app, struct work work);

/* *was_there_out: something good was. */
CW_MUST_CHECK enum err entries_delete(const struct entry_request *request, bool *was_there_out);

/*
 * Raises a counter by `by`, which is not 0. One that is not there begins at 0, and lives for ttl_s from then on.
 * While the cache is off nothing is kept, and *value_out is `by`. ERR_BAD_INPUT: it would overflow; ERR_CONFLICT: what
 * is there is no whole number. ERR_THROTTLED, ERR_UPSTREAM_REFUSED as entries_put, of a counter that would begin; one
 * that is there is raised. Nothing has changed then. ERR_UNCERTAIN: it may have been raised.
 */
CW_MUST_CHECK enum err entries_increment(const struct entry_request *request, int64_t by,
                                         int64_t ttl_s, int64_t *value_out, bool *is_enabled_out);

/* Drops all of the namespace. *generation_out: its version now. */
CW_MUST_CHECK enum err entries_clear(const struct entry_request *request, int64_t *generation_out);
/* Drops every entry of the namespace that was filled with this model. */
CW_MUST_CHECK enum err entries_clear_model(const struct entry_request *request, struct str model,
                                           int64_t *generation_out);

#endif
