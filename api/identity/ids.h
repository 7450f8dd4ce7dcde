/*
 * A number is given to one account, for ever. The users database sees to that, until an older copy of it is
 * put back, or an empty one takes its place: it would give numbers once more, and the next user would find
 * the cache of somebody else under theirs. So Redis holds the highest that was given, too, and whichever of
 * the two knows of a lower one is raised. What is lost together, in both, is not covered.
 */
#ifndef API_IDENTITY_IDS_H
#define API_IDENTITY_IDS_H

#include "cachewarden/pool.h"
#include "cachewarden/users.h"

/* All borrowed. */
struct ids_options {
    struct pool *control; /* of control data that is ours */
    struct users *users;
    int64_t budget_ms; /* for one round trip */
};

/* What one thread found out before. Zeroed at the start. */
struct ids {
    int64_t highest; /* that an account had */
    int64_t skipped; /* the users database gives none up to this, */
};

/* One look at both, once in a while; one write where they differ. Errors of users.h and of
 * pipeline_run: nothing is lost by trying again later. */
CW_MUST_CHECK enum err ids_agree(struct ids *ids, const struct ids_options *options,
                                 struct error *error);

#endif
