#include "entries/wait.h"

#include "cachewarden/lock.h"

#include <stdatomic.h>
#include <stdlib.h>

struct waits {
    unsigned max;
    _Atomic unsigned count; /* written with the lock */

    /* Guarded by `lock`. Few wait, so one list and one condition do. */
    struct lock lock;
    struct lock_cond changed;
    struct waiter *first;
};

enum err waits_new(unsigned max, struct waits **waits_out, struct error *error)
{
    struct waits *waits = calloc(1, sizeof *waits);

    *waits_out = waits;
    if (!waits)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for those who wait");
    waits->max = max;
    lock_init(&waits->lock, LOCK_RANK_LEAF, "waiting for fills");
    lock_cond_init(&waits->changed);
    return ERR_OK;
}

void waits_free(struct waits **waits)
{
    if (!*waits)
        return;
    lock_cond_fini(&(*waits)->changed);
    lock_fini(&(*waits)->lock);
    free(*waits);
    *waits = NULL;
}

static struct waiter *find_locked(struct waits *waits, struct str key, bool who_looks)
    CW_NEEDS_LOCK(&waits->lock)
{
    struct waiter *each = waits->first;

    while (each && !(str_eq(each->key, key) && (!who_looks || each->looks)))
        each = each->next;
    return each;
}

bool waits_enter(struct waits *waits, struct waiter *waiter)
{
    lock_acquire(&waits->lock);
    bool has_room = waits->count < waits->max;
    if (has_room) {
        waiter->looks = !find_locked(waits, waiter->key, true);
        waiter->is_woken = false;
        waiter->next = waits->first;
        waits->first = waiter;
        waits->count++;
    }
    lock_release(&waits->lock);
    return has_room;
}

void waits_sleep(struct waits *waits, struct waiter *waiter, int64_t next_ns, int64_t until_ns)
{
    bool has_time = true;

    lock_acquire(&waits->lock);
    bool looked = waiter->looks;
    while (has_time && !waiter->is_woken && waiter->looks == looked)
        has_time = lock_cond_wait(&waits->changed, &waits->lock, looked ? next_ns : until_ns);
    waiter->is_woken = false;
    lock_release(&waits->lock);
}

void waits_leave(struct waits *waits, struct waiter *waiter)
{
    lock_acquire(&waits->lock);
    struct waiter **link = &waits->first;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    waits->count--;
    struct waiter *heir = waiter->looks ? find_locked(waits, waiter->key, false) : NULL;
    if (heir)
        heir->looks = true;
    lock_release(&waits->lock);
    if (heir)
        lock_cond_broadcast(&waits->changed);
}

void waits_wake(struct waits *waits, struct str key)
{
    if (atomic_load_explicit(&waits->count, memory_order_acquire) == 0)
        return;
    lock_acquire(&waits->lock);
    for (struct waiter *each = waits->first; each; each = each->next)
        each->is_woken = each->is_woken || str_eq(each->key, key);
    lock_release(&waits->lock);
    lock_cond_broadcast(&waits->changed);
}
