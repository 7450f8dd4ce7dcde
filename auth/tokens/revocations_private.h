/* What the files of the revocations share: the table and what is in it (revocations.c explains both). */
#ifndef AUTH_TOKENS_REVOCATIONS_PRIVATE_H
#define AUTH_TOKENS_REVOCATIONS_PRIVATE_H

#include "cachewarden/lock.h"
#include "cachewarden/revocations.h"

#include <stdatomic.h>

/* A slot is free while its hash is 0. */
struct revocations_slot {
    _Atomic uint64_t hash;
    _Atomic int64_t cut_s; /* INT64_MAX: whenever the token was issued */
    size_t entry;          /* guarded by lock */
};

struct revocations_table {
    size_t mask; /* slots - 1, a power of two less one */
    struct revocations_table *older;
    struct revocations_slot slots[];
};

struct revocations_entry {
    struct revocation revocation;
    bool is_saved;
    char *texts; /* its own, one behind the other */
};

struct revocations {
    uint64_t key; /* set at open */
    _Atomic(struct revocations_table *) table;
    _Atomic uint64_t version; /* odd while a clean-up is under way */
    _Atomic size_t count;
    _Atomic bool is_incomplete;
    struct lock lock;
    /* guarded by lock */
    struct revocations_entry *entries;
    size_t capacity;
    size_t unsaved;
};

/* The slot of what is revoked; NULL: it is not. */
struct revocations_slot *revocations_find_locked(struct revocations *revocations,
                                                 const struct revocation *wanted)
    CW_NEEDS_LOCK(&revocations->lock);

#endif
