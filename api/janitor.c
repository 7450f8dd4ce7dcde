#include "janitor.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/thread.h"
#include "entries/service.h"
#include "identity/high_water.h"

#include <stdlib.h>

enum {
    LOOK_MS = 250, /* how long lost control data may go unnoticed, and that entries have no room */
    ROUNDS_A_LOOK = 4, /* at the numbers of accounts, which have no news for hours */
    BUDGETS = 4,       /* of a round trip, for one reconciling; nobody waits for it */
};

struct janitor {
    struct janitor_options options; /* set at the start */
    struct periodic *thread;
    /* The thread's own. */
    struct high_water water;
    unsigned rounds;
};

/* Failures are told by the operations that need the versions. */
static bool reconcile(struct janitor *janitor)
{
    int64_t deadline_ns = clock_deadline_ns(janitor->options.budget_ms * BUDGETS);
    struct error error = {0};

    return version_guard_reconcile(janitor->options.guard, VERSION_GUARD_REPAIRS,
                                   (struct work){.deadline_ns = deadline_ns, .error = &error}) ==
           ERR_OK;
}

/* Only with control data that is known to be ours: it may change the users database. */
static void agree_on_high_water(struct janitor *janitor)
{
    const struct high_water_options options = {
        .control = janitor->options.control,
        .users = janitor->options.users,
        .budget_ms = janitor->options.budget_ms,
    };
    struct error error = {0};

    if (high_water_agree(&janitor->water, &options, &error) != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "users.high_water_unknown",
                  LOG_CSTR("error", err_name(error.code)), LOG_CSTR("detail", error.detail));
}

/* What fails is tried again in the next round. */
static int64_t do_round(void *arg)
{
    struct janitor *janitor = arg;

    entries_look_for_room(janitor->options.entries, clock_deadline_ns(janitor->options.budget_ms));
    bool is_agreed = reconcile(janitor);

    if (is_agreed && janitor->rounds++ % ROUNDS_A_LOOK == 0) {
        agree_on_high_water(janitor);
        version_guard_look_at_users(janitor->options.guard);
    }
    bool has_more = version_guard_restore(janitor->options.guard,
                                          clock_deadline_ns(janitor->options.budget_ms));
    return has_more ? 0 : LOOK_MS;
}

enum err janitor_start(const struct janitor_options *options, struct janitor **janitor_out,
                       struct error *error)
{
    struct janitor *janitor = calloc(1, sizeof *janitor);

    *janitor_out = janitor;
    if (!janitor)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the janitor");
    janitor->options = *options;
    enum err err = periodic_start("cw-janitor", do_round, janitor, &janitor->thread, error);
    if (err != ERR_OK)
        janitor_stop(janitor_out);
    return err;
}

void janitor_stop(struct janitor **janitor)
{
    if (!*janitor)
        return;
    periodic_stop(&(*janitor)->thread);
    free(*janitor);
    *janitor = NULL;
}

void janitor_wait(struct janitor *janitor, int64_t deadline_ns)
{
    (void)periodic_wait_first(janitor->thread, deadline_ns);
}
