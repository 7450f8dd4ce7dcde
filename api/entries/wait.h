/*
 * Who waits at this node for somebody's fill. Of those who wait for one label one looks every now and then, for all of
 * them; a fill that comes to this node wakes them at once. Only so many may wait, because each holds a worker.
 */
#ifndef API_ENTRIES_WAIT_H
#define API_ENTRIES_WAIT_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stdint.h>

struct waits;

/* One who waits, on the stack of its thread. */
struct waiter {
    struct str key; /* what for; it stays where it is */
    bool looks;     /* for the others, too */
    bool is_woken;
    struct waiter *next;
};

CW_MUST_CHECK enum err waits_new(unsigned max, struct waits **waits_out, struct error *error);
void waits_free(struct waits **waits);

/* False: as many wait as may. */
bool waits_enter(struct waits *waits, struct waiter *waiter);
/* Until it is woken or its time is over; who looks, until next_ns only. Who looked may have left: then it is
 * somebody else's turn, at once. */
void waits_sleep(struct waits *waits, struct waiter *waiter, int64_t next_ns, int64_t until_ns);
void waits_leave(struct waits *waits, struct waiter *waiter);

/* Something is there. Costs nothing while nobody waits. */
void waits_wake(struct waits *waits, struct str key);

#endif
