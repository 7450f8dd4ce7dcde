/*
 * Two numbers of the users database that only rise: the highest id of an account, and the latest second up
 * to which tokens were voided. They fall when an older copy is put back, or an empty database takes its
 * place: it would give an id once more, and the next user would find the cache of somebody else under
 * theirs; and tokens would be good again that a new password or a deactivation had ended. So Redis holds
 * both, too, and whichever of the two sides is behind is raised. What is lost on both sides together is not
 * covered.
 *
 * What no account and no clock can have brought to Redis is overwritten there, each mark for itself. A number
 * counts as if it were absent; a date far ahead counts as now.
 */
#ifndef API_IDENTITY_HIGH_WATER_H
#define API_IDENTITY_HIGH_WATER_H

#include "cachewarden/redis.h"
#include "cachewarden/users.h"

/* All borrowed. */
struct high_water_options {
    struct redis *control; /* of control data that is ours */
    struct users *users;
    int64_t budget_ms; /* for one round trip */
};

enum { HIGH_WATER_IDS, HIGH_WATER_VOIDS, HIGH_WATER_MARKS };

/* What one thread found out before, for each of the two. Zeroed at the start. */
struct high_water {
    int64_t seen[HIGH_WATER_MARKS];   /* in the users database */
    int64_t raised[HIGH_WATER_MARKS]; /* to this, there */
    bool is_bad[HIGH_WATER_MARKS];    /* in Redis, and that was said in the log */
};

/* One look at both sides, once in a while; a write where they differ. Errors of users.h and of
 * redis_run: nothing is lost by trying again later. */
CW_MUST_CHECK enum err high_water_agree(struct high_water *water,
                                        const struct high_water_options *options,
                                        struct error *error);

#endif
