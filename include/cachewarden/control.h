/*
 * Cache control: users' switches and versions, each operation one round trip, O(1).
 *
 * A version never goes back and never repeats, whatever happens to Redis (control/version_guard.h): an
 * operation that finds the control data gone or older than it was repairs it first and looks again; one
 * that finds another installation's fails and writes nothing anywhere. Further errors: those of the
 * users database. Not without users.
 */
#ifndef CACHEWARDEN_CONTROL_H
#define CACHEWARDEN_CONTROL_H

#include "cachewarden/namespace.h"
#include "cachewarden/str.h"
#include "cachewarden/work.h"

#include <stdbool.h>

struct app;
struct call;
struct redis;

struct cache_state {
    bool enabled;
    int64_t version; /* 1, the account's clears and the epoch together */
};
/* `counted` is a call whose row's limit is counted on the way, if it still is to be; NULL: none is. */
CW_MUST_CHECK enum err control_status(struct app *app, struct work work, int64_t user_id,
                                      struct call *counted, struct cache_state *state_out);
/*
 * The same for a command, but nothing is written anywhere. Shows what a server shows. Where there is
 * something to repair it waits two seconds for a server to do it: after that, ERR_UPSTREAM_REFUSED
 * says so.
 */
CW_MUST_CHECK enum err control_observe(struct app *app, struct arena *arena, int64_t user_id,
                                       struct cache_state *state_out, struct error *error);
/* Kept in the users database first, then done. */
CW_MUST_CHECK enum err control_switch(struct app *app, struct work work, int64_t user_id,
                                      bool enabled, struct cache_state *state_out);
/* Raises the account's version by one. ERR_UNCERTAIN: it may have been raised. */
CW_MUST_CHECK enum err control_clear(struct app *app, struct work work, int64_t user_id,
                                     struct cache_state *state_out);
/* The same of any namespace. */
CW_MUST_CHECK enum err control_clear_namespace(struct app *app, struct work work,
                                               const struct namespace *whose,
                                               struct cache_state *state_out);
/* Raises everybody's version by one. */
CW_MUST_CHECK enum err control_clear_all(struct app *app, struct work work, int64_t *epoch_out);

/* ---- whose control data it is ---- */

/* The id of the users database that the control data in this Redis belongs to (users_sight has it too),
 * in the arena; empty: there is none, or of nobody. Errors of redis_run. */
CW_MUST_CHECK enum err control_installation(struct redis *control, struct work work,
                                            struct str *install_out);
/* Tries what status, switch and clear ask of a Redis, a transaction above all, on keys of random names, which are
 * removed, and expire if that fails. Not beside another installation's control data. Errors of redis_run.
 * ERR_UPSTREAM_REFUSED: the caller's text names the command, `detail` has what Redis said. */
CW_MUST_CHECK enum err control_try_write(struct redis *control, struct work work);
/* ERR_UPSTREAM_REFUSED with the text of app_is_foreign. */
enum err control_refuse_foreign(struct error *error);

#endif
