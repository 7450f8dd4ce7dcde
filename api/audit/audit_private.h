/* What the queue of the audit (audit.c) and the thread that empties it (writer.c) share. */
#ifndef API_AUDIT_AUDIT_PRIVATE_H
#define API_AUDIT_AUDIT_PRIVATE_H

#include "audit/store.h"
#include "cachewarden/audit.h"
#include "cachewarden/lock.h"
#include "cachewarden/thread.h"

#include <pthread.h>
#include <stdatomic.h>

/* Why a record is in the log that will be in Redis, too, unless this node ends before. */
#define AUDIT_WAITING "waiting"

struct audit {
    /* Set at open. */
    struct redis *control;
    char *node_name;
    int64_t budget_ms;
    int64_t delayed_ms; /* a record that waits for longer is delayed */
    pthread_t thread;
    struct periodic *watch;            /* does audit_look_for_delay */
    _Atomic int64_t keep[AUDIT_PARTS]; /* records; audit_keep */

    /* The writing thread's own. */
    struct arena *arena;          /* commands and replies of one batch */
    enum audit_part written_part; /* of the last record that was written, and when */
    int64_t written_ns;

    /* Guarded by `lock` (LOCK_RANK_AUDIT). */
    struct lock lock;
    struct lock_cond wake;     /* for the writing thread: something to do */
    struct lock_cond finished; /* for audit_drain: `finished_count` has grown */
    struct lock_cond logged;   /* `is_logging` is over */
    struct audit_entry *oldest, *newest;
    size_t queued;
    struct audit_entry *const *under_way; /* the batch of the writing thread */
    size_t under_way_count;
    uint64_t taken_count;    /* records ever put into the queue */
    uint64_t finished_count; /* of those, the ones in the stream or in the log by now */
    bool is_idle;            /* the thread waits for work and wants to be woken */
    unsigned drains;         /* threads in audit_drain: no time to gather */
    bool is_delayed;         /* records wait for long: each that waits is in the log, too */
    bool is_logging;         /* somebody reads what waits, without the lock: it stays where it is */
    bool closing;
    int64_t close_deadline_ns;
    uint64_t saved_count, logged_count; /* records, by where they ended */
};

/* Starts the thread. ERR_INTERNAL: there is none to be had. It ends once `closing` is set and the queue is empty. */
CW_MUST_CHECK enum err audit_writer_start(struct audit *audit, struct error *error);

/* Logs all that waits; gives the lock for that time. Not while `is_logging`. */
void audit_log_waiting_locked(struct audit *audit) CW_NEEDS_LOCK(&audit->lock);
void audit_await_logged_locked(struct audit *audit) CW_NEEDS_LOCK(&audit->lock);
/* Once: logs what waits when the oldest record has waited for long. A periodic_task. */
int64_t audit_look_for_delay(void *arg);

#endif
