/* What the queue of the audit (audit.c) and the thread that empties it (writer.c) share. */
#ifndef API_AUDIT_AUDIT_PRIVATE_H
#define API_AUDIT_AUDIT_PRIVATE_H

#include "audit/store.h"
#include "cachewarden/lock.h"

#include <pthread.h>
#include <stdatomic.h>

/* Why a record is in the log that will be in Redis, too, unless this node ends before. */
#define AUDIT_WAITING "waiting"

struct audit {
    /* Set at open. */
    struct pool *control;
    char *node_name;
    int64_t budget_ms;
    pthread_t thread;
    _Atomic int64_t keep[AUDIT_PARTS]; /* records; audit_keep */

    /* The writing thread's own. */
    struct arena *arena;          /* commands and replies of one batch */
    enum audit_part written_part; /* of the last record that was written, and when */
    int64_t written_ns;

    /* Guarded by `lock` (LOCK_RANK_AUDIT). */
    struct lock lock;
    struct lock_cond wake;    /* for the writing thread: something to do */
    struct lock_cond settled; /* for audit_drain: `settled_count` has grown */
    struct audit_entry *oldest, *newest;
    size_t queued;
    uint64_t taken_count;   /* records ever put into the queue */
    uint64_t settled_count; /* of those, the ones in the stream or in the log by now */
    bool is_idle;           /* the thread waits for work and wants to be woken */
    unsigned drains;        /* threads in audit_drain: no time to gather */
    bool is_delayed;        /* Redis does not take records: what is queued is in the log, too */
    bool closing;
    int64_t close_deadline_ns;
    uint64_t saved_count, logged_count; /* records, by where they ended */
};

/* Starts the thread; 0, or an errno. It ends once `closing` is set and the queue is empty. */
CW_MUST_CHECK enum err audit_writer_start(struct audit *audit, struct error *error);

#endif
