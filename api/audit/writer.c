/* The thread of the audit: takes records from the queue and brings them into Redis, or into the log. */
#include "audit/audit_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/thread.h"

#include <stdlib.h>

enum {
    GATHER_MS = 20, /* waited for company before a write that is not full */
    NEXT_ID_MS = 2, /* after it Redis' clock, of whole milliseconds, has moved on */
    FIRST_PAUSE_MS = 50,
    LONGEST_PAUSE_MS = 2000,
};

struct record_batch {
    struct audit_entry *entries[AUDIT_BATCH];
    size_t count;
};

/*
 * A moment for more records to come, because a wake-up and a write for each takes the processor
 * from the requests (measured with 16 threads that clear: 40,000/s without, 60,000/s with). Ten thousand
 * clears a second just fill a batch in it; where one is full already, nothing waits.
 */
static void gather_locked(struct audit *audit) CW_NEEDS_LOCK(&audit->lock)
{
    int64_t deadline_ns = clock_deadline_ns(GATHER_MS);
    bool in_time = true;

    while (audit->queued < AUDIT_BATCH && !audit->closing && audit->drains == 0 && in_time)
        in_time = lock_cond_wait(&audit->wake, &audit->lock, deadline_ns);
}

/*
 * Whether the oldest record may go with this batch. Ids of one part tell which record came first; of
 * two parts their milliseconds do. So a batch is of one part, as long as nobody has to queue for that.
 */
static bool fits_locked(const struct audit *audit, const struct record_batch *batch)
    CW_NEEDS_LOCK(&audit->lock)
{
    if (!audit->oldest || batch->count == AUDIT_BATCH)
        return false;
    return batch->count == 0 || audit->oldest->part == batch->entries[0]->part ||
           audit->queued > AUDIT_BATCH;
}

/* Waits for records and takes the oldest; false when there are none and never will be. */
static bool take_batch(struct audit *audit, struct record_batch *batch)
{
    batch->count = 0;
    lock_acquire(&audit->lock);
    while (!audit->oldest && !audit->closing) {
        audit->is_idle = true;
        (void)lock_cond_wait(&audit->wake, &audit->lock, INT64_MAX);
        audit->is_idle = false;
    }
    gather_locked(audit);
    audit_await_logged_locked(audit);
    while (fits_locked(audit, batch)) {
        struct audit_entry *entry = audit->oldest;
        audit->oldest = entry->next;
        if (!audit->oldest)
            audit->newest = NULL;
        audit->queued--;
        batch->entries[batch->count++] = entry;
    }
    audit->under_way = batch->entries;
    audit->under_way_count = batch->count;
    lock_release(&audit->lock);
    return batch->count > 0;
}

/* Frees the batch and tells those who wait in audit_drain. What was not saved goes to the log. */
static void finish_batch(struct audit *audit, struct record_batch *batch, const bool *saved,
                         const char *reason)
{
    size_t saved_count = 0;

    lock_acquire(&audit->lock);
    audit_await_logged_locked(audit);
    audit->under_way_count = 0;
    lock_release(&audit->lock);
    for (size_t i = 0; i < batch->count; i++) {
        saved_count += saved[i];
        if (!saved[i])
            audit_entry_log(batch->entries[i], reason);
        free(batch->entries[i]);
    }
    lock_acquire(&audit->lock);
    audit->finished_count += batch->count;
    audit->saved_count += saved_count;
    audit->logged_count += batch->count - saved_count;
    lock_cond_broadcast(&audit->finished);
    lock_release(&audit->lock);
}

/* How long one write may take: the usual budget, and when closing no longer than the end of it. */
static int64_t write_deadline_ns(struct audit *audit, bool *closing_out)
{
    int64_t deadline_ns = clock_deadline_ns(audit->budget_ms);

    lock_acquire(&audit->lock);
    *closing_out = audit->closing;
    if (audit->closing && audit->close_deadline_ns < deadline_ns)
        deadline_ns = audit->close_deadline_ns;
    lock_release(&audit->lock);
    return deadline_ns;
}

/* Sleeps, but not through a close. */
static void pause_until(struct audit *audit, int64_t deadline_ns)
{
    bool in_time = clock_mono_ns() < deadline_ns;

    lock_acquire(&audit->lock);
    while (!audit->closing && in_time)
        in_time = lock_cond_wait(&audit->wake, &audit->lock, deadline_ns);
    lock_release(&audit->lock);
}

static bool is_worth_another_try(enum err err)
{
    return err == ERR_BUSY || err == ERR_UPSTREAM_DOWN || err == ERR_TIMEOUT;
}

/* Once Redis does not take records, those that wait are logged, and from then on each that comes is logged
 * before it is queued, until Redis answers again. What may have got there is finish_batch's to log. */
static void note_outcome(struct audit *audit, enum err err)
{
    bool is_delayed = is_worth_another_try(err);

    lock_acquire(&audit->lock);
    audit_await_logged_locked(audit);
    if (is_delayed && !audit->is_delayed)
        audit_log_waiting_locked(audit);
    audit->is_delayed = is_delayed;
    lock_release(&audit->lock);
}

static enum err write_batch(struct audit *audit, struct record_batch *batch, int64_t deadline_ns,
                            bool *saved_out, struct error *error)
{
    int64_t keep[AUDIT_PARTS];

    for (int part = 0; part < AUDIT_PARTS; part++)
        keep[part] = atomic_load_explicit(&audit->keep[part], memory_order_relaxed);
    arena_reset(audit->arena);
    enum err err = audit_store(audit->control, (struct work){audit->arena, deadline_ns, error},
                               batch->entries, batch->count, keep, saved_out);
    audit->written_part = batch->entries[batch->count - 1]->part;
    audit->written_ns = clock_mono_ns();
    return err;
}

/*
 * Brings one batch into the stream or the log. Only a write that surely did not reach Redis is
 * tried again, for as long as it takes: meanwhile the queue fills, and what no longer fits is
 * logged by the requests. False when closing and Redis is out of reach: no use trying the rest.
 */
static bool deliver(struct audit *audit, struct record_batch *batch)
{
    bool saved[AUDIT_BATCH] = {false}, closing = false;
    struct error error = {0};
    int64_t pause_ms = FIRST_PAUSE_MS;
    enum err err;

    if (batch->entries[0]->part != audit->written_part)
        pause_until(audit, audit->written_ns + NEXT_ID_MS * NS_PER_MS);
    for (;;) {
        int64_t deadline_ns = write_deadline_ns(audit, &closing);
        err = write_batch(audit, batch, deadline_ns, saved, &error);
        note_outcome(audit, err);
        if (closing || !is_worth_another_try(err))
            break;
        if (pause_ms == FIRST_PAUSE_MS)
            log_event(LOG_LEVEL_WARN, "audit.delayed", LOG_CSTR("error", err_name(err)),
                      LOG_CSTR("detail", error.detail));
        pause_until(audit, clock_deadline_ns(pause_ms));
        pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
    }
    finish_batch(audit, batch, saved, err_name(err));
    return !is_worth_another_try(err);
}

static void *run(void *arg)
{
    static const bool none_saved[AUDIT_BATCH];
    struct audit *audit = arg;
    struct record_batch batch;
    bool reachable = true;

    while (take_batch(audit, &batch)) {
        if (reachable)
            reachable = deliver(audit, &batch);
        else
            finish_batch(audit, &batch, none_saved, "closing");
    }
    return NULL;
}

enum err audit_writer_start(struct audit *audit, struct error *error)
{
    return thread_start(&audit->thread, "cw-audit", 0, run, audit, error);
}
