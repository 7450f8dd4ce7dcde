#include "janitor.h"

#include "cachewarden/clock.h"
#include "cachewarden/gateway.h"
#include "cachewarden/log.h"
#include "cachewarden/thread.h"
#include "entries/service.h"
#include "health/probe.h"
#include "identity/high_water.h"

#include <stdlib.h>

enum {
    LOOK_MS = 250, /* how long lost control data may go unnoticed, and that entries have no room */
    ROUNDS_A_LOOK = 4, /* at the numbers of accounts, which have no news for hours */
    BUDGETS = 4,       /* of a round trip, for one reconciling; nobody waits for it */
    ARENA_BLOCK = 4096,
};

struct janitor {
    struct janitor_options options; /* set at the start */
    struct periodic *thread;
    /* The thread's own. */
    struct high_water water;
    unsigned rounds;
    uint64_t refusals; /* of both Redis, as many as were seen */
    bool is_refused;   /* what a clear needs, when it was tried last */
    int64_t try_next_ns;
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

/* ---- what Redis refuses ---- */

static uint64_t count_refusals(const struct app *app)
{
    struct redis *entries = health_entries_redis(app);
    struct redis_stats stats, more = {0};

    redis_stats_read(app->control, &stats);
    if (entries)
        redis_stats_read(entries, &more);
    return stats.replies_refused + more.replies_refused;
}

static bool is_refusing(const struct health_report *report)
{
    return report->connected && !report->read_write;
}

/* The report is for the log, which has it though nobody asks how the service is. */
static void try_what_a_clear_needs(struct janitor *janitor)
{
    struct app *app = janitor->options.app;
    struct health_report control, entries = {0};
    struct arena *arena = arena_new(ARENA_BLOCK, 0);

    if (!arena)
        return;
    health_probe(app, arena, clock_deadline_ns(janitor->options.budget_ms), &control);
    (void)health_probe_entries(app, arena, clock_deadline_ns(janitor->options.budget_ms), &entries);
    arena_free(&arena);
    janitor->is_refused = is_refusing(&control) || is_refusing(&entries);
}

/* When something was refused, and until nothing is. */
static void look_at_refusals(struct janitor *janitor)
{
    uint64_t refusals = count_refusals(janitor->options.app);
    bool is_due = refusals != janitor->refusals || janitor->is_refused;

    if (!is_due || clock_mono_ns() < janitor->try_next_ns)
        return;
    try_what_a_clear_needs(janitor);
    /* Its own among them. */
    janitor->refusals = count_refusals(janitor->options.app);
    janitor->try_next_ns = clock_mono_ns() + NS_PER_S;
}

/* What fails is tried again in the next round. */
static int64_t do_round(void *arg)
{
    struct janitor *janitor = arg;

    entries_look_for_room(janitor->options.entries, clock_deadline_ns(janitor->options.budget_ms));
    bool is_agreed = reconcile(janitor);
    look_at_refusals(janitor);
    gateway_settle(janitor->options.app->gateway);
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
