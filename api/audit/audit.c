/*
 * The audit: a bounded queue that any thread adds to and one thread empties into the streams of the
 * parts, so that no request waits for its own record. A record that cannot be written goes to the log
 * with all its fields; none is dropped.
 */
#include "cachewarden/app.h"

#include "audit/store.h"
#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/routes.h"
#include "services.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum {
    QUEUE_LIMIT = 4096, /* some 1.5 MiB; at ten thousand changes a second 0.4 s of a slow Redis */
    GATHER_MS = 5,      /* waited for company before a write that is not full */
    NEXT_ID_MS = 2,     /* after it Redis' clock, of whole milliseconds, has moved on */
    FIRST_PAUSE_MS = 50,
    LONGEST_PAUSE_MS = 2000,
    ARENA_BLOCK = 64 * 1024, /* a whole batch and its replies */
};

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
    bool closing;
    int64_t close_deadline_ns;
    uint64_t saved_count, logged_count; /* records, by where they ended */
};

/* ---- the side of the requests ---- */

/* False when the queue is full; the entry is still the caller's then. */
static bool enqueue(struct audit *audit, struct audit_entry *entry)
{
    lock_take(&audit->lock);
    bool has_room = audit->queued < QUEUE_LIMIT;
    if (has_room) {
        if (audit->newest)
            audit->newest->next = entry;
        else
            audit->oldest = entry;
        audit->newest = entry;
        audit->queued++;
        audit->taken_count++;
        /* Waking costs a system call; a thread that is busy looks again by itself. */
        if (audit->is_idle)
            lock_cond_signal(&audit->wake);
    }
    lock_give(&audit->lock);
    return has_room;
}

/* Without memory for a copy the log line is made from the record itself. */
static void log_without_entry(const struct audit_record *record)
{
    const struct log_field fields[] = {
        LOG_CSTR("reason", "no memory"),
        LOG_STR("principal", record->principal->name),
        LOG_INT("principal_id", record->principal->user_id),
        LOG_CSTR("credential", credential_name(record->principal->credential)),
        LOG_STR("address", record->client_address),
        LOG_CSTR("route", record->route),
        LOG_STR("target", record->target),
        LOG_CSTR("result", record->result),
        LOG_INT("count", record->count),
        LOG_STR("request_id", record->request_id),
    };

    log_write(LOG_LEVEL_ERROR, "audit.unsaved", fields, sizeof fields / sizeof *fields);
}

void audit_write(struct app *app, const struct audit_record *record)
{
    struct audit_entry *entry = audit_entry_new(record, str_from(app->audit->node_name));

    if (entry && enqueue(app->audit, entry))
        return;
    lock_take(&app->audit->lock);
    app->audit->logged_count++;
    lock_give(&app->audit->lock);
    if (entry)
        audit_entry_log(entry, "queue full");
    else
        log_without_entry(record);
    free(entry);
}

void audit_stats_read(struct audit *audit, struct audit_stats *stats_out)
{
    lock_take(&audit->lock);
    stats_out->saved = audit->saved_count;
    stats_out->logged = audit->logged_count;
    stats_out->waiting = audit->taken_count - audit->settled_count;
    lock_give(&audit->lock);
}

enum err audit_drain(struct app *app, int64_t deadline_ns)
{
    struct audit *audit = app->audit;

    lock_take(&audit->lock);
    uint64_t wanted = audit->taken_count;
    bool in_time = true;
    audit->drains++;
    lock_cond_signal(&audit->wake);
    while (audit->settled_count < wanted && in_time)
        in_time = lock_cond_wait(&audit->settled, &audit->lock, deadline_ns);
    bool is_settled = audit->settled_count >= wanted;
    audit->drains--;
    lock_give(&audit->lock);
    return is_settled ? ERR_OK : ERR_TIMEOUT;
}

/* ---- the side of the thread ---- */

struct batch {
    struct audit_entry *entries[AUDIT_BATCH];
    size_t count;
};

/*
 * A moment for more records to come, because a wake-up and a write for each takes the processor
 * from the requests (measured with 16 threads that clear: 40,000/s without, 60,000/s with). Under
 * load there is a full batch already, and nothing waits.
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
static bool fits_locked(const struct audit *audit, const struct batch *batch)
    CW_NEEDS_LOCK(&audit->lock)
{
    if (!audit->oldest || batch->count == AUDIT_BATCH)
        return false;
    return batch->count == 0 || audit->oldest->part == batch->entries[0]->part ||
           audit->queued > AUDIT_BATCH;
}

/* Waits for records and takes the oldest; false when there are none and never will be. */
static bool take_batch(struct audit *audit, struct batch *batch)
{
    batch->count = 0;
    lock_take(&audit->lock);
    while (!audit->oldest && !audit->closing) {
        audit->is_idle = true;
        (void)lock_cond_wait(&audit->wake, &audit->lock, INT64_MAX);
        audit->is_idle = false;
    }
    gather_locked(audit);
    while (fits_locked(audit, batch)) {
        struct audit_entry *entry = audit->oldest;
        audit->oldest = entry->next;
        if (!audit->oldest)
            audit->newest = NULL;
        audit->queued--;
        batch->entries[batch->count++] = entry;
    }
    lock_give(&audit->lock);
    return batch->count > 0;
}

/* Frees the batch and tells those who wait in audit_drain. What was not saved goes to the log. */
static void settle(struct audit *audit, struct batch *batch, const bool *saved, const char *reason)
{
    size_t saved_count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        saved_count += saved[i];
        if (!saved[i])
            audit_entry_log(batch->entries[i], reason);
        free(batch->entries[i]);
    }
    lock_take(&audit->lock);
    audit->settled_count += batch->count;
    audit->saved_count += saved_count;
    audit->logged_count += batch->count - saved_count;
    lock_cond_broadcast(&audit->settled);
    lock_give(&audit->lock);
}

/* How long one write may take: the usual budget, and when closing no longer than the end of it. */
static int64_t write_deadline_ns(struct audit *audit, bool *closing_out)
{
    int64_t deadline_ns = clock_deadline_ns(audit->budget_ms);

    lock_take(&audit->lock);
    *closing_out = audit->closing;
    if (audit->closing && audit->close_deadline_ns < deadline_ns)
        deadline_ns = audit->close_deadline_ns;
    lock_give(&audit->lock);
    return deadline_ns;
}

/* Sleeps, but not through a close. */
static void pause_until(struct audit *audit, int64_t deadline_ns)
{
    bool in_time = clock_mono_ns() < deadline_ns;

    lock_take(&audit->lock);
    while (!audit->closing && in_time)
        in_time = lock_cond_wait(&audit->wake, &audit->lock, deadline_ns);
    lock_give(&audit->lock);
}

static bool is_worth_another_try(enum err err)
{
    return err == ERR_BUSY || err == ERR_UPSTREAM_DOWN || err == ERR_TIMEOUT;
}

static enum err write_batch(struct audit *audit, struct batch *batch, int64_t deadline_ns,
                            bool *saved_out, struct error *error)
{
    int64_t keep[AUDIT_PARTS];

    for (int part = 0; part < AUDIT_PARTS; part++)
        keep[part] = atomic_load_explicit(&audit->keep[part], memory_order_relaxed);
    arena_reset(audit->arena);
    enum err err = audit_store(audit->control, audit->arena, batch->entries, batch->count, keep,
                               deadline_ns, saved_out, error);
    audit->written_part = batch->entries[batch->count - 1]->part;
    audit->written_ns = clock_mono_ns();
    return err;
}

/*
 * Brings one batch into the stream or the log. Only a write that surely did not reach Redis is
 * tried again, for as long as it takes: meanwhile the queue fills, and what no longer fits is
 * logged by the requests. False when closing and Redis is out of reach: no use trying the rest.
 */
static bool deliver(struct audit *audit, struct batch *batch)
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
        if (closing || !is_worth_another_try(err))
            break;
        if (pause_ms == FIRST_PAUSE_MS)
            log_event(LOG_LEVEL_WARN, "audit.delayed", LOG_CSTR("error", err_name(err)),
                      LOG_CSTR("detail", error.detail));
        pause_until(audit, clock_deadline_ns(pause_ms));
        pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
    }
    settle(audit, batch, saved, err_name(err));
    return !is_worth_another_try(err);
}

static void *run(void *arg)
{
    static const bool none_saved[AUDIT_BATCH];
    struct audit *audit = arg;
    struct batch batch;
    bool reachable = true;

    while (take_batch(audit, &batch)) {
        if (reachable)
            reachable = deliver(audit, &batch);
        else
            settle(audit, &batch, none_saved, "closing");
    }
    return NULL;
}

/* Signals are the main thread's business. */
static int start_thread(struct audit *audit)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&audit->thread, NULL, run, audit);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        pthread_setname_np(audit->thread, "cw-audit");
    return result;
}

static void destroy(struct audit *audit)
{
    lock_cond_fini(&audit->settled);
    lock_cond_fini(&audit->wake);
    lock_fini(&audit->lock);
    arena_free(&audit->arena);
    free(audit->node_name);
    free(audit);
}

static void set_keep(struct audit *audit, const int64_t keep[AUDIT_PARTS])
{
    for (int part = 0; part < AUDIT_PARTS; part++)
        atomic_store_explicit(&audit->keep[part], keep[part], memory_order_relaxed);
}

void audit_keep(struct app *app, const int64_t keep[AUDIT_PARTS])
{
    set_keep(app->audit, keep);
}

enum err audit_open(struct pool *control, const struct app_options *options, int64_t budget_ms,
                    struct audit **audit_out, struct error *error)
{
    struct str node_name = options->node_name;
    struct audit *audit = calloc(1, sizeof *audit);

    *audit_out = NULL;
    if (!audit)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the audit");
    audit->control = control;
    audit->budget_ms = budget_ms;
    set_keep(audit, options->audit_keep);
    lock_init(&audit->lock, LOCK_RANK_AUDIT, "audit");
    lock_cond_init(&audit->wake);
    lock_cond_init(&audit->settled);
    audit->node_name = strndup(node_name.ptr ? node_name.ptr : "", node_name.len);
    audit->arena = arena_new(ARENA_BLOCK, 0);
    if (!audit->node_name || !audit->arena) {
        destroy(audit);
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the audit");
    }
    int result = start_thread(audit);
    if (result != 0) {
        destroy(audit);
        return error_set_detail(error, ERR_INTERNAL, "the audit thread did not start: errno %d",
                                result);
    }
    *audit_out = audit;
    return ERR_OK;
}

void audit_close(struct audit **audit, int64_t deadline_ns)
{
    if (!*audit)
        return;
    lock_take(&(*audit)->lock);
    (*audit)->closing = true;
    (*audit)->close_deadline_ns = deadline_ns;
    lock_cond_broadcast(&(*audit)->wake);
    lock_give(&(*audit)->lock);
    pthread_join((*audit)->thread, NULL);
    destroy(*audit);
    *audit = NULL;
}
