/* A front of access.c, which makes the round trip. Clearing is one increment; nothing is deleted, so it costs the
 * same however much is cached. */
#include "control/clear.h"
#include "audit/calls.h"
#include "control/access_private.h"

enum err control_clear(struct app *app, struct work work, int64_t user_id,
                       struct cache_state *state_out)
{
    struct namespace whose = namespace_of_user(user_id);

    return control_clear_namespace(app, work, &whose, state_out);
}

enum err control_clear_namespace(struct app *app, struct work work, const struct namespace *whose,
                                 struct cache_state *state_out)
{
    return access_run_for(
        (struct access){.app = app, .work = work, .action = ACCESS_CLEAR, .whose = *whose},
        state_out);
}

enum err control_clear_all(struct app *app, struct work work, int64_t *epoch_out)
{
    struct access access = {.app = app, .work = work, .action = ACCESS_CLEAR_ALL};
    enum err err = access_run(&access);

    *epoch_out = access.seen.epoch;
    return err;
}

enum err control_clear_recorded(struct call *call, int64_t user_id, struct cache_state *state_out)
{
    struct namespace whose = namespace_of_user(user_id);
    enum err err = control_clear_namespace(call->app, call_work(call), &whose, state_out);

    audit_clear(call, namespace_text(call->arena, &whose), err,
                err == ERR_OK ? state_out->version : -1);
    if (err == ERR_OK)
        tally_add(call->app->tallies, TALLY_CLEARS_USER);
    return err;
}
