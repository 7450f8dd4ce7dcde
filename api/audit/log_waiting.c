/*
 * Records that wait for Redis for long are in the log, before anybody knows what becomes of them: the
 * program may be killed. A thread looks for the oldest, because the one that writes waits with it.
 */
#include "audit/audit_private.h"

#include "cachewarden/clock.h"

enum { LOOK_MS = 100 };

/*
 * What waits is read without the lock. Nobody takes a record away while `is_logging`; whoever adds one
 * changes the last, of which nothing is read but its own fields.
 */
void audit_log_waiting_locked(struct audit *audit)
{
    const struct audit_entry *last = audit->newest;
    struct audit_entry *entry = audit->oldest;
    struct audit_entry *const *under_way = audit->under_way;
    size_t count = audit->under_way_count;

    audit->is_delayed = audit->is_logging = true;
    lock_release(&audit->lock);
    for (size_t i = 0; i < count; i++)
        audit_entry_log(under_way[i], AUDIT_WAITING);
    for (; entry; entry = entry == last ? NULL : entry->next)
        audit_entry_log(entry, AUDIT_WAITING);
    lock_acquire(&audit->lock);
    audit->is_logging = false;
    lock_cond_broadcast(&audit->logged);
}

void audit_await_logged_locked(struct audit *audit)
{
    while (audit->is_logging)
        (void)lock_cond_wait(&audit->logged, &audit->lock, INT64_MAX);
}

int64_t audit_look_for_delay(void *arg)
{
    struct audit *audit = arg;

    lock_acquire(&audit->lock);
    const struct audit_entry *first =
        audit->under_way_count > 0 ? audit->under_way[0] : audit->oldest;
    if (first && !audit->is_delayed && !audit->is_logging &&
        clock_mono_ns() - first->queued_ns > audit->delayed_ms * NS_PER_MS)
        audit_log_waiting_locked(audit);
    lock_release(&audit->lock);
    return LOOK_MS;
}
