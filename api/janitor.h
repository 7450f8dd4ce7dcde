/*
 * Looks after what needs the users database as well as Redis, while nobody asks for it: that control data
 * which was lost is repaired, that neither side is behind in the numbers of accounts, that switches are put
 * back. And how much room entries have, what a Redis refuses that has refused something, and that it takes the clears
 * that the gateway owes. A thread of its own,
 * because a database may take its time.
 */
#ifndef API_JANITOR_H
#define API_JANITOR_H

#include "cachewarden/redis.h"
#include "cachewarden/users.h"
#include "control/version_guard.h"

struct app;
struct janitor;

/* All borrowed; they outlive the janitor. */
struct janitor_options {
    struct app *app;
    struct redis *control;
    struct version_guard *guard;
    struct users *users;
    struct entries *entries;
    int64_t budget_ms; /* for one round trip */
};

/* Starts the thread. ERR_NO_MEMORY, ERR_INTERNAL. */
CW_MUST_CHECK enum err janitor_start(const struct janitor_options *options,
                                     struct janitor **janitor_out, struct error *error);
void janitor_stop(struct janitor **janitor);

/* Waits until everything was looked at once, or deadline_ns has passed. */
void janitor_wait(struct janitor *janitor, int64_t deadline_ns);

#endif
