/*
 * The audit: a bounded queue that any thread adds to and one thread empties into the streams of the
 * parts, so that no request waits for its own record. A record that cannot be written goes to the log
 * with all its fields; none is dropped. One that waits for Redis for long goes there at once (delay.c):
 * whatever ends the program then, the log has it.
 */
#include "cachewarden/app.h"

#include "audit/audit_private.h"
#include "audit/service.h"
#include "cachewarden/audit.h"
#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/routes.h"

#include <stdlib.h>

enum {
    QUEUE_LIMIT = 4096, /* some 1.5 MiB; at ten thousand changes a second 0.4 s of a slow Redis */
    DELAYED_MS = 250,   /* longer than any write of a Redis that is well */
    ARENA_BLOCK = 256 * 1024, /* a whole batch and its replies */
};

/* ---- the side of the requests ---- */

enum place { PLACE_QUEUE, PLACE_LOG_FIRST, PLACE_NONE };

/* Anything but PLACE_QUEUE: the entry is still the caller's. PLACE_LOG_FIRST: log it, and ask again. */
static enum place enqueue(struct audit *audit, struct audit_entry *entry)
{
    enum place place = PLACE_QUEUE;

    lock_acquire(&audit->lock);
    if (audit->queued >= QUEUE_LIMIT)
        place = PLACE_NONE;
    else if (audit->is_delayed && !entry->is_logged)
        place = PLACE_LOG_FIRST;
    if (place == PLACE_QUEUE) {
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
    lock_release(&audit->lock);
    return place;
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
        LOG_STR("request_id", record->request_id),
        LOG_INT("count", record->count), /* the last: not every record has one */
    };
    size_t count = sizeof fields / sizeof *fields;

    log_write(LOG_LEVEL_ERROR, "audit.unsaved", fields, record->count < 0 ? count - 1 : count);
}

void audit_write(struct app *app, const struct audit_record *record)
{
    struct audit_entry *entry = audit_entry_new(record, str_from(app->audit->node_name));
    enum place place = entry ? enqueue(app->audit, entry) : PLACE_NONE;

    if (place == PLACE_LOG_FIRST) {
        audit_entry_log(entry, AUDIT_WAITING);
        place = enqueue(app->audit, entry);
    }
    if (place == PLACE_QUEUE)
        return;
    lock_acquire(&app->audit->lock);
    app->audit->logged_count++;
    lock_release(&app->audit->lock);
    if (entry)
        audit_entry_log(entry, "queue full");
    else
        log_without_entry(record);
    free(entry);
}

void audit_stats_read(struct audit *audit, struct audit_stats *stats_out)
{
    lock_acquire(&audit->lock);
    stats_out->saved = audit->saved_count;
    stats_out->logged = audit->logged_count;
    stats_out->waiting = audit->taken_count - audit->finished_count;
    lock_release(&audit->lock);
}

enum err audit_drain(struct app *app, int64_t deadline_ns)
{
    struct audit *audit = app->audit;

    lock_acquire(&audit->lock);
    uint64_t wanted = audit->taken_count;
    bool in_time = true;
    audit->drains++;
    lock_cond_signal(&audit->wake);
    while (audit->finished_count < wanted && in_time)
        in_time = lock_cond_wait(&audit->finished, &audit->lock, deadline_ns);
    bool is_finished = audit->finished_count >= wanted;
    audit->drains--;
    lock_release(&audit->lock);
    return is_finished ? ERR_OK : ERR_TIMEOUT;
}

static void destroy(struct audit *audit)
{
    lock_cond_fini(&audit->logged);
    lock_cond_fini(&audit->finished);
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

enum err audit_open(struct redis *control, const struct app_options *options, int64_t budget_ms,
                    struct audit **audit_out, struct error *error)
{
    struct str node_name = options->node_name;
    struct audit *audit = calloc(1, sizeof *audit);

    *audit_out = NULL;
    if (!audit)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the audit");
    audit->control = control;
    audit->budget_ms = budget_ms;
    audit->delayed_ms = options->audit_delayed_ms > 0 ? options->audit_delayed_ms : DELAYED_MS;
    set_keep(audit, options->audit_keep);
    lock_init(&audit->lock, LOCK_RANK_AUDIT, "audit");
    lock_cond_init(&audit->wake);
    lock_cond_init(&audit->finished);
    lock_cond_init(&audit->logged);
    audit->node_name = strndup(node_name.ptr ? node_name.ptr : "", node_name.len);
    audit->arena = arena_new(ARENA_BLOCK, 0);
    if (!audit->node_name || !audit->arena) {
        destroy(audit);
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the audit");
    }
    enum err err = audit_writer_start(audit, error);
    if (err != ERR_OK) {
        destroy(audit);
        return err;
    }
    err = periodic_start("cw-audit-watch", audit_look_for_delay, audit, &audit->watch, error);
    if (err == ERR_OK)
        *audit_out = audit;
    else
        audit_close(&audit, clock_mono_ns());
    return err;
}

void audit_close(struct audit **audit, int64_t deadline_ns)
{
    if (!*audit)
        return;
    lock_acquire(&(*audit)->lock);
    (*audit)->closing = true;
    (*audit)->close_deadline_ns = deadline_ns;
    lock_cond_broadcast(&(*audit)->wake);
    lock_release(&(*audit)->lock);
    pthread_join((*audit)->thread, NULL);
    periodic_stop(&(*audit)->watch);
    destroy(*audit);
    *audit = NULL;
}
