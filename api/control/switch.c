/* A front of access.c, which makes the round trip: switching an account's cache on and off. */
#include "cachewarden/log.h"
#include "cachewarden/redis_error.h"
#include "control/access_private.h"

/* What is told to have failed must not have happened, nor happen the next time switches are put back. Redis
 * may have taken it all the same, where no version can be made of the account's clears. */
static enum err take_back(const struct access *access, bool was_off, enum err err)
{
    struct error unwanted = {0};
    struct access back = {.app = access->app,
                          .action = ACCESS_SWITCH,
                          .whose = access->whose,
                          .enabled = !was_off,
                          .work = {access->work.arena, access->work.deadline_ns, &unwanted}};

    if (users_switch_set(access->app->users, access->whose.user_id, was_off, NULL) != ERR_OK)
        log_event(LOG_LEVEL_WARN, "switches.ahead", LOG_INT("user_id", access->whose.user_id));
    /* In data of somebody else, whose term is another one, a switch of ours says nothing. */
    bool is_undone = !access->was_written || access_run(&back) == ERR_OK || back.was_written ||
                     version_guard_is_foreign(access->app->guard, NULL);
    if (is_undone)
        return err;
    return redis_error_set(access->work.error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN, "%s",
                           unwanted.detail);
}

/*
 * The users database first: a switch that Redis alone has could be lost with it a moment later. Before
 * that, a look whose control data it is: a switch that is refused must not be kept anywhere.
 */
enum err control_switch(struct app *app, struct work work, int64_t user_id, bool enabled,
                        struct cache_state *state_out)
{
    struct access access = {.app = app,
                            .work = work,
                            .action = ACCESS_SWITCH,
                            .whose = namespace_of_user(user_id),
                            .enabled = enabled};
    struct version_knowledge known;
    bool was_off = false;
    enum err err = version_guard_know(app->guard, VERSION_GUARD_REPAIRS, work, &known);

    if (err == ERR_OK)
        err = users_switch_is_off(app->users, user_id, &was_off, work.error);
    if (err == ERR_OK)
        err = users_switch_set(app->users, user_id, !enabled, work.error);
    if (err != ERR_OK)
        return err;
    err = access_run(&access);
    *state_out = access.state;
    return err == ERR_OK || err == ERR_UNCERTAIN ? err : take_back(&access, was_off, err);
}
