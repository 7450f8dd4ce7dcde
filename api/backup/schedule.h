/*
 * Backups by themselves, at the ticks of a cron expression. Of all nodes that share a users database one works on
 * each tick. If it dies in it, another one does it once more; if nobody was there, the last tick that was missed is
 * done when the next node starts. What fails is tried again before the next tick, a few times.
 */
#ifndef API_BACKUP_SCHEDULE_H
#define API_BACKUP_SCHEDULE_H

#include "cachewarden/cron.h"
#include "cachewarden/users.h"

#include <stdatomic.h>

/* The first two give up soon, with any error, once *is_stopping. The last two may be NULL. */
struct backup_work {
    enum err (*make)(void *arg, const _Atomic bool *is_stopping, struct error *error);
    /* Takes away what is too old. */
    enum err (*clean_up)(void *arg, const _Atomic bool *is_stopping, size_t *removed_out,
                         struct error *error);
    /* The schedule begins, anew perhaps: nothing that was before is missing. */
    void (*begin)(void *arg);
    /* The users database was looked at: others may have written there, too. */
    void (*learn)(void *arg, struct arena *arena);
    void *arg;
};

struct backup_schedule_options {
    struct users *users; /* borrowed */
    struct backup_work work;
    struct cron cron;
    cron_offset *offset;
    struct str words;         /* the expression and the zone: another one begins anew */
    int64_t (*wall_s)(void);  /* NULL: the clock's */
    int64_t beat_ms;          /* 0: SCHEDULE_BEAT_MS */
    int64_t (*mono_ns)(void); /* NULL: the clock's */
};

enum {
    SCHEDULE_BEAT_MS = 15000,  /* how often a node says that it is alive */
    SCHEDULE_CLAIM_MS = 60000, /* without that, its tick is another's */
    SCHEDULE_AGAIN_MS = 1000,  /* when another node was faster */
    SCHEDULE_RETRY_MS = 5000,  /* while the users database does not answer */
    SCHEDULE_REST_MS = 60000,  /* at most: somebody may set the clock */
    SCHEDULE_ATTEMPTS = 4,
};

struct backup_schedule;

CW_MUST_CHECK enum err backup_schedule_new(const struct backup_schedule_options *options,
                                           struct backup_schedule **schedule_out,
                                           struct error *error);
/* Starts its thread. */
CW_MUST_CHECK enum err backup_schedule_start(struct backup_schedule *schedule, struct error *error);
/* One look, and what is to be done now; by the thread only, where there is one. How long to rest, in ms. */
int64_t backup_schedule_round(struct backup_schedule *schedule);
/* Ends what is under way, and leaves it to another node. Harmless for NULL. */
void backup_schedule_free(struct backup_schedule **schedule);

#endif
