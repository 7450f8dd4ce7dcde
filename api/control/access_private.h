/*
 * An access to control data, of which version.c, clear.c and switch.c are fronts: one round trip that asks for a
 * namespace's clears, an account's switch and the epoch, and may write one of them. It counts as long as the version
 * guard trusts what it brought back; else what is wrong is repaired, and it is done again.
 */
#ifndef API_CONTROL_ACCESS_PRIVATE_H
#define API_CONTROL_ACCESS_PRIVATE_H

#include "cachewarden/app.h"
#include "cachewarden/control.h"
#include "control/look.h"
#include "control/observation.h"
#include "control/version_guard.h"

enum access_action { ACCESS_LOOK, ACCESS_SWITCH, ACCESS_CLEAR, ACCESS_CLEAR_ALL };

struct access {
    struct app *app;
    struct work work;
    enum access_action action;
    enum version_guard_mode mode;
    struct namespace whose; /* none given: everybody's */
    bool enabled;           /* SWITCH: what it is to be */
    struct call *counted;   /* its limit is counted on the way, the first time; NULL: none is */
    const struct control_part *part; /* what else goes with it; NULL: nothing */
    /* What came of it. */
    bool was_written;     /* Redis took it */
    int64_t written_term; /* in the data of this term; 0: of none, or not yet */
    int64_t switch_term;  /* the term whose switch was asked for and written */
    struct observation seen;
    struct cache_state state;
};

/* Fills in what came of it. ERR_UNCERTAIN: Redis took what it writes, and what came then failed. */
CW_MUST_CHECK enum err access_run(struct access *access);
/* The same, for who wants the state alone. */
CW_MUST_CHECK enum err access_run_for(struct access access, struct cache_state *state_out);

#endif
