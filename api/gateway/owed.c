#include "gateway/owed.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "gateway/clear.h"

#include <stdlib.h>

enum { PATHS_MAX = 8, TRY_AGAIN_MS = 100, ARENA_BLOCK = 4096 };

/* Of one route. All zero: nothing. */
struct debt {
    bool has_models, has_all;
    size_t path_count;
    struct gateway_path paths[PATHS_MAX];
    int64_t changes; /* how many were noted: what a try has not seen stays */
    bool is_tried;   /* a worker is at it */
    int64_t next_try_ns;
};

struct owed {
    struct lock lock; /* LOCK_RANK_LEAF; guards what follows */
    struct debt *debts;
    /* Routes that owe. Changed under the lock; read without, for most looks. */
    _Atomic size_t debtors;
};

enum err owed_new(const struct gateway *gateway, struct owed **owed_out, struct error *error)
{
    struct owed *owed = calloc(1, sizeof *owed);

    *owed_out = NULL;
    if (owed)
        owed->debts = calloc(gateway->route_count ? gateway->route_count : 1, sizeof *owed->debts);
    if (!owed || !owed->debts) {
        free(owed);
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    }
    lock_init(&owed->lock, LOCK_RANK_LEAF, "clears that are owed");
    *owed_out = owed;
    return ERR_OK;
}

void owed_free(struct owed **owed)
{
    struct owed *gone = *owed;

    *owed = NULL;
    if (!gone)
        return;
    if (gone->debtors > 0)
        log_event(LOG_LEVEL_ERROR, "gateway.clears_lost",
                  LOG_INT("routes", (int64_t)gone->debtors));
    lock_fini(&gone->lock);
    free(gone->debts);
    free(gone);
}

static struct debt *debt_of(const struct gateway_route *route)
{
    return &route->gateway->owed->debts[route - route->gateway->routes];
}

/* ---- noting ---- */

static void add_path(struct debt *debt, const struct gateway_path *path)
{
    for (size_t i = 0; i < debt->path_count; i++)
        if (gateway_path_eq(&debt->paths[i], path))
            return;
    if (debt->path_count == PATHS_MAX)
        debt->has_all = true;
    else
        debt->paths[debt->path_count++] = *path;
}

/* `path` NULL, and not models: all. */
static void note(const struct gateway_route *route, bool is_models, const struct gateway_path *path,
                 const struct error *why)
{
    struct owed *owed = route->gateway->owed;
    struct debt *debt = debt_of(route);

    lock_acquire(&owed->lock);
    bool is_first = debt->changes++ == 0;
    if (is_first)
        owed->debtors++;
    if (is_models)
        debt->has_models = true;
    else if (path)
        add_path(debt, path);
    else
        debt->has_all = true;
    lock_release(&owed->lock);
    if (is_first)
        log_event(LOG_LEVEL_WARN, "gateway.clear_failed", LOG_CSTR("route", route->row->name),
                  LOG_CSTR("detail", why->detail[0] ? why->detail : why->caller));
}

void owed_note_models(const struct gateway_route *route, const struct error *why)
{
    note(route, true, NULL, why);
}

void owed_note_path(const struct gateway_route *route, const struct gateway_path *path,
                    const struct error *why)
{
    note(route, false, path, why);
}

void owed_note_all(const struct gateway_route *route, const struct error *why)
{
    note(route, false, NULL, why);
}

/* ---- clearing ---- */

static enum err clear_debt(const struct gateway_route *route, const struct debt *debt,
                           struct work work)
{
    const struct gateway *gateway = route->gateway;
    enum err err = ERR_OK;
    int64_t generation;

    if (debt->has_all)
        return gateway_clear_all(gateway->app, work, &generation);
    if (debt->has_models)
        err = gateway_clear_models(gateway->app, route->options.models, route->options.model_count,
                                   work);
    if (err == ERR_OK && debt->path_count > 0)
        err = gateway_store_drop_paths(gateway->store, debt->paths, debt->path_count, work);
    return err;
}

/* True: nothing is owed. Else whether the caller is to try, with *debt_out. */
static bool owes_nothing(const struct gateway_route *route, bool *tries_out, struct debt *debt_out)
{
    struct owed *owed = route->gateway->owed;
    struct debt *debt = debt_of(route);

    lock_acquire(&owed->lock);
    bool is_nothing = debt->changes == 0;
    *tries_out = !is_nothing && !debt->is_tried && clock_mono_ns() >= debt->next_try_ns;
    if (*tries_out) {
        debt->is_tried = true;
        *debt_out = *debt;
    }
    lock_release(&owed->lock);
    return is_nothing;
}

static bool end_try(const struct gateway_route *route, const struct debt *tried, bool is_done)
{
    struct owed *owed = route->gateway->owed;
    struct debt *debt = debt_of(route);

    lock_acquire(&owed->lock);
    bool is_nothing = is_done && debt->changes == tried->changes;
    if (is_nothing) {
        *debt = (struct debt){0};
        owed->debtors--;
    } else {
        debt->is_tried = false;
        debt->next_try_ns = clock_deadline_ns(TRY_AGAIN_MS);
    }
    lock_release(&owed->lock);
    return is_nothing;
}

static bool settle_debt(const struct gateway_route *route, struct arena *arena)
{
    struct error error;
    struct debt debt;
    bool tries;

    if (owes_nothing(route, &tries, &debt))
        return true;
    if (!tries)
        return false;
    error_clear(&error);
    const struct work work = {arena, clock_deadline_ns(route->gateway->app->budget_ms), &error};
    bool is_done = clear_debt(route, &debt, work) == ERR_OK;
    if (!end_try(route, &debt, is_done))
        return false;
    log_event(LOG_LEVEL_INFO, "gateway.clears_made_up", LOG_CSTR("route", route->row->name),
              LOG_INT("clears", debt.changes));
    return true;
}

static bool has_model(const struct gateway_route *route, struct str model)
{
    for (size_t i = 0; i < route->options.model_count; i++)
        if (str_eq(route->options.models[i], model))
            return true;
    return false;
}

/* Whether what one of them owes may be an answer of the other. */
static bool share_answers(const struct gateway_route *debtor, const struct gateway_route *route)
{
    bool does_share = debtor == route;

    for (size_t i = 0; i < route->options.model_count && !does_share; i++)
        does_share = has_model(debtor, route->options.models[i]);
    return does_share;
}

bool owed_settle(const struct gateway_route *route, struct arena *arena)
{
    const struct gateway *gateway = route->gateway;
    bool is_settled = true;

    if (gateway->owed->debtors == 0)
        return true;
    for (size_t i = 0; i < gateway->route_count; i++)
        if (share_answers(&gateway->routes[i], route) && !settle_debt(&gateway->routes[i], arena))
            is_settled = false;
    return is_settled;
}

void owed_settle_all(const struct gateway *gateway)
{
    struct arena *arena = gateway->owed->debtors > 0 ? arena_new(ARENA_BLOCK, 0) : NULL;

    for (size_t i = 0; arena && i < gateway->route_count; i++)
        (void)settle_debt(&gateway->routes[i], arena);
    arena_free(&arena);
}

bool owed_has_tag_of(const struct gateway *gateway, const struct stored_response *response)
{
    struct owed *owed = gateway->owed;
    bool has = false;

    if (owed->debtors == 0)
        return false;
    lock_acquire(&owed->lock);
    for (size_t i = 0; i < gateway->route_count && !has; i++)
        for (size_t t = 0; t < response->tag_count && owed->debts[i].has_models && !has; t++)
            has = has_model(&gateway->routes[i], response->tags[t]);
    lock_release(&owed->lock);
    return has;
}
