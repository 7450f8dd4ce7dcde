/* What the files behind issuers.h share. */
#ifndef AUTH_ISSUERS_ISSUERS_PRIVATE_H
#define AUTH_ISSUERS_ISSUERS_PRIVATE_H

#include "issuers/issuer_cache.h"
#include "issuers/issuer_keys.h"
#include "issuers/issuers.h"
#include "issuers/key_file.h"
#include "issuers/refetch.h"

#include "cachewarden/lock.h"

#include <stdatomic.h>

/* One that is in force, or was: whoever uses it holds it. */
struct issuer {
    atomic_int owners;
    struct arena *memory;
    struct issuer_spec spec; /* set at the beginning, like its texts in memory */
    /* guarded by the lock of struct issuers */
    struct issuer_keys *keys; /* NULL: none yet, or none any more */
    struct refetch refetch;   /* of jwks_url */
    bool was_asked;           /* whatever came of it */
    /* the thread's alone: of a file, how it looked when it was read, and what came of that */
    bool was_read;
    struct key_file_stamp stamp;
    enum err read_outcome;
};

struct issuer_list {
    struct issuer **items;
    size_t count;
};

struct issuers {
    /* set at the beginning */
    struct issuer_claims_rules rules;
    struct str own_name;
    struct users *users;
    struct arena *memory; /* of the two texts */
    int fetch_timeout_ms, look_ms;
    struct issuer_cache *cache;
    struct lock lock;
    struct lock_cond changed; /* a fetch is due earlier, or has ended; the list; the end */
    pthread_t thread;
    bool has_thread;
    /* atomic */
    atomic_bool stops;
    atomic_int_fast64_t generation; /* rises whenever a token might be judged otherwise */
    atomic_size_t count;            /* of the list: none costs a request nothing */
    /* guarded by the lock */
    struct issuer_list list;
};

/* The files read, nothing fetched. One with a file that cannot be used has no keys yet. ERR_BAD_INPUT as
 * issuer_check. */
CW_MUST_CHECK enum err issuer_new(const struct issuer_spec *spec, struct issuer **issuer_out,
                                  struct error *error);
/* The path of jwks_file or secret_file, with a NUL behind. */
struct str issuer_file(const struct issuer_spec *spec);
/* Reads it as it is now, and remembers how it looked. Errors of issuer_keys_load. */
CW_MUST_CHECK enum err issuer_read_file(struct issuer *issuer, struct issuer_keys **keys_out,
                                        struct error *error);
struct issuer *issuer_hold(struct issuer *issuer);
void issuer_release(struct issuer **issuer);

/* What the thread does: takes care of keys until issuers->stops. */
void issuers_refresh(struct issuers *issuers);

#endif
