/*
 * What became of the last backup, and of the last good one. The users database has it for all nodes, and for whoever
 * makes backups on the shell; in memory is what this node knows of it, for its metrics.
 */
#ifndef API_BACKUP_RESULTS_H
#define API_BACKUP_RESULTS_H

#include "cachewarden/backup_result.h"
#include "cachewarden/lock.h"
#include "cachewarden/users.h"

struct backup_results {
    struct lock lock;
    /* guarded by lock; at_s 0: there is none */
    struct backup_result last, good;
    bool last_is_unkept, good_is_unkept; /* the users database did not take it yet */
    int64_t since_s;                     /* when the schedule began */
    int64_t made, failed;                /* by this node, since its start */
};

void backup_results_init(struct backup_results *results);
void backup_results_fini(struct backup_results *results);

/* One has ended. It is known here even if the users database does not take it. */
void backup_results_note(struct backup_results *results, struct users *users,
                         const struct backup_result *result);
/* The schedule begins; ticks before do not count. */
void backup_results_begin(struct backup_results *results, struct users *users, int64_t now_s);
/* Learns what other nodes, and commands, have noted. */
CW_MUST_CHECK enum err backup_results_load(struct backup_results *results, struct users *users,
                                           struct arena *arena, struct error *error);
/* A copy without the lock. What no clock of now can have made is left out. */
void backup_results_get(struct backup_results *results, struct backup_results *copy_out);

#endif
