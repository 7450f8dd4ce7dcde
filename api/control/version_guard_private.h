/* What version_guard.c, reconcile.c and restore.c share: the guard itself. */
#ifndef API_CONTROL_VERSION_GUARD_PRIVATE_H
#define API_CONTROL_VERSION_GUARD_PRIVATE_H

#include "cachewarden/lock.h"
#include "control/dataset.h"
#include "control/reserved.h"
#include "control/version_guard.h"

#include <stdatomic.h>

struct version_guard {
    struct redis *control; /* set by version_guard_new */
    struct users *users;
    char install[DATASET_ID_SIZE];
    bool relies, follows; /* see version_guard_rely, version_guard_follow */
    int64_t patience_ms;  /* see version_guard_set_patience */

    /* What was agreed to: written by the one that reconciles, read by all. `term` is 0 while the others
     * change; so who finds it the same before and after has read what belongs together. */
    _Atomic int64_t term;
    _Atomic uint64_t replication_id;
    _Atomic int64_t reserved, restored;
    _Atomic int64_t step; /* by so much the reserved number was raised last; 0: it was not */
    _Atomic bool is_foreign;
    _Atomic bool adopts; /* until another's control data was taken over */
    /* Raised by all. */
    _Atomic int64_t epoch;      /* the highest one seen */
    _Atomic int64_t shown;      /* the highest version anybody wanted to show */
    _Atomic int64_t spent;      /* refresh tokens, as many as were seen */
    _Atomic int64_t settled_ns; /* see version_guard_is_settled */
    _Atomic uint64_t doubts;    /* see version_guard_doubt; and the term it named */
    _Atomic int64_t doubted_term;

    /* Of the one that reconciles. */
    struct arena *arena;
    int64_t begun_term; /* by this node, and not yet written to Redis; 0: none */
    int64_t awaited_term,
        awaited_until_ns; /* begun by another node, which is left to it until then */
    int64_t agreed_ns;    /* when it last found what was agreed to */
    int64_t
        raised_at; /* what was shown when the reserved number was raised last in this term; 0: it was not */
    int64_t raised_ns;       /* when that was */
    bool is_told;            /* Redis tells its replication id */
    uint64_t doubts_settled; /* so many were there when it agreed to something last */

    /* Of the thread that restores. */
    struct arena *restore_arena;
    int64_t stalled_term, stalled_at, stalled_since_ns; /* another node's progress */
    _Atomic int64_t own_term; /* begun by this node, so that it is the one to restore */

    struct lock lock;
    struct lock_cond changed;
    /* guarded by lock */
    bool is_running;
    uint64_t begun, ended; /* runs of version_guard_reconcile_once */
    struct error result;   /* of the last one that ended; .code too */
    int64_t result_deadline_ns;
    bool has_dataset;
    char dataset[DATASET_ID_SIZE]; /* when Redis was looked at last, agreed to or not */
    char agreed_dataset[DATASET_ID_SIZE];
    int64_t agreed_dataset_s; /* when that was seen last */
};

/* A dataset of another users database, which is not to be taken over. */
bool version_guard_is_anothers(const struct version_guard *guard, const struct dataset *dataset);

/* What was agreed to; false: nothing. */
bool version_guard_known(struct version_guard *guard, struct version_knowledge *known);

void version_guard_raise(_Atomic int64_t *highest, int64_t value);

/* What counts as the replication id of an answer. */
static inline uint64_t version_guard_replication_id(const struct version_guard *guard,
                                                    uint64_t replication_id)
{
    return guard->relies ? REDIS_REPLICATION_ID_UNTOLD : replication_id;
}

/* Remembers which data Redis holds; {NULL,0}: none. */
void version_guard_note_dataset(struct version_guard *guard, struct str id);
/* Notes the same, and that this node takes the data for its own, as it was at that time at least. */
void version_guard_note_agreed(struct version_guard *guard, struct str id, int64_t seen_at_s);

/* One reconciling, from the first look to the agreement. Errors as version_guard_reconcile. */
CW_MUST_CHECK enum err version_guard_reconcile_once(struct version_guard *guard,
                                                    enum version_guard_mode mode, struct work work);

#endif
