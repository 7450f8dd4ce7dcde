/* A front of access.c, which makes the round trip: showing a namespace's version, which is 1, its clears and the
 * epoch together, and an account's switch. */
#include "cachewarden/clock.h"
#include "control/access_private.h"

enum err control_status(struct app *app, struct work work, int64_t user_id, struct call *counted,
                        struct cache_state *state_out)
{
    return access_run_for(
        (struct access){
            .app = app, .work = work, .whose = namespace_of_user(user_id), .counted = counted},
        state_out);
}

enum err control_look(struct app *app, struct work work, const struct namespace *whose,
                      const struct control_part *part, struct cache_state *state_out)
{
    bool is_passive = part && part->is_passive;

    if (is_passive)
        work.deadline_ns += VERSION_GUARD_PASSIVE_MS * NS_PER_MS;
    return access_run_for(
        (struct access){.app = app,
                        .work = work,
                        .mode = is_passive ? VERSION_GUARD_PASSIVE : VERSION_GUARD_REPAIRS,
                        .whose = *whose,
                        .part = part},
        state_out);
}

enum err control_observe(struct app *app, struct arena *arena, int64_t user_id,
                         struct cache_state *state_out, struct error *error)
{
    enum err err = access_run_for(
        (struct access){
            .app = app,
            .work = {arena, clock_deadline_ns(app->budget_ms + VERSION_GUARD_PASSIVE_MS), error},
            .mode = VERSION_GUARD_PASSIVE,
            .whose = namespace_of_user(user_id),
        },
        state_out);

    if (err != ERR_NOT_FOUND)
        return err;
    error_clear(error);
    *state_out = (struct cache_state){.enabled = true, .version = 1};
    return ERR_OK;
}
