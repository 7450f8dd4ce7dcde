/* What reconcile.c and new_term.c share: one run of reconciling, and what it saw. */
#ifndef API_CONTROL_RECONCILE_PRIVATE_H
#define API_CONTROL_RECONCILE_PRIVATE_H

#include "cachewarden/pipeline.h"
#include "control/version_guard_private.h"

/* What one run remembers from look to look. */
struct reconcile_run {
    struct version_guard *guard;
    enum version_guard_mode mode;
    int64_t deadline_ns, give_up_ns;
    int64_t term;       /* of the users database, when it was read last */
    uint64_t doubts;    /* how many there were before it was read */
    int64_t patient_ns; /* until then another node is left to it; 0: nobody is at it */
    struct error *error;
};

/* What was seen at one moment. */
struct reconcile_look {
    uint64_t replication_id;
    int64_t known_epoch, known_spent; /* by this node, before it looked */
    struct dataset dataset;
    struct reserved reserved;
};

/* The data is there, and of this users database. */
bool reconcile_is_ours(const struct reconcile_run *run, const struct reconcile_look *look);

enum err reconcile_no_memory(struct reconcile_run *run);
enum err reconcile_at_the_end(struct reconcile_run *run, int64_t number);
/* A pipeline that may write to the Redis that was looked at, and no other. */
struct pipeline *reconcile_writing(struct reconcile_run *run, const struct reconcile_look *look);
CW_MUST_CHECK enum err reconcile_send(struct reconcile_run *run, struct pipeline *pipeline);

/* Begins the term after that of the users database, above all that was shown. `is_damaged`: the dataset is
 * not whole, and goes. ERR_CONFLICT: another node was faster, or the data was lost again; look again. */
CW_MUST_CHECK enum err reconcile_begin_term(struct reconcile_run *run,
                                            const struct reconcile_look *look, bool is_damaged);

#endif
