#include "gateway/owed.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "gateway/clear.h"

#include <stdatomic.h>
#include <stdlib.h>

/* How many are remembered one by one, and how often they are tried. */
enum { OWED_MAX = 128, TRY_MS = 100 };

/* A model, or a path of somebody's. */
struct debt {
    char *memory; /* of the texts below */
    struct str model;
    struct gateway_key key; /* model is empty: what tells the path */
};

struct owed {
    struct app *app;
    struct gateway_store *store;
    atomic_bool has_any;
    struct lock lock; /* LOCK_RANK_LEAF; guards what follows */
    /* Who settles looks at the first of them without the lock: they stay where they are until then. */
    struct debt debts[OWED_MAX];
    size_t count;
    bool owes_all, is_settling;
    int64_t next_ns; /* not before */
};

enum err owed_new(struct app *app, struct gateway_store *store, struct owed **owed_out,
                  struct error *error)
{
    struct owed *owed = calloc(1, sizeof *owed);

    *owed_out = owed;
    if (!owed)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    owed->app = app;
    owed->store = store;
    lock_init(&owed->lock, LOCK_RANK_LEAF, "gateway clears");
    return ERR_OK;
}

void owed_free(struct owed **owed)
{
    if (!*owed)
        return;
    for (size_t i = 0; i < (*owed)->count; i++)
        free((*owed)->debts[i].memory);
    lock_fini(&(*owed)->lock);
    free(*owed);
    *owed = NULL;
}

/* ---- remembering ---- */

static void move_text(struct str *text, char **at)
{
    if (text->len > 0)
        memcpy(*at, text->ptr, text->len);
    text->ptr = text->ptr ? *at : NULL;
    *at += text->len;
}

/* Its texts become its own. False: no memory. */
static bool own_texts(struct debt *debt)
{
    struct str *texts[] = {&debt->model, &debt->key.route, &debt->key.host, &debt->key.path,
                           &debt->key.query};
    size_t size = 1;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        size += texts[i]->len;
    debt->memory = malloc(size);
    char *at = debt->memory;
    for (size_t i = 0; at && i < sizeof texts / sizeof *texts; i++)
        move_text(texts[i], &at);
    return debt->memory != NULL;
}

static void add(struct owed *owed, struct debt debt)
{
    lock_acquire(&owed->lock);
    if (owed->count < OWED_MAX && own_texts(&debt))
        owed->debts[owed->count++] = debt;
    else
        owed->owes_all = true;
    atomic_store(&owed->has_any, true);
    lock_release(&owed->lock);
}

void owed_add_models(struct owed *owed, const struct str *models, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(owed, (struct debt){.model = models[i]});
}

void owed_add_path(struct owed *owed, const struct gateway_key *key)
{
    add(owed, (struct debt){.key = {.user_id = key->user_id,
                                    .route = key->route,
                                    .host = key->host,
                                    .path = key->path,
                                    .query = key->query}});
}

/* ---- making up for it ---- */

static enum err settle_one(struct owed *owed, const struct debt *debt, struct work work)
{
    return debt->model.len > 0 ? gateway_clear_models(owed->app, &debt->model, 1, work)
                               : gateway_store_drop(owed->store, &debt->key, work);
}

/* How many of the first are done; all of them if that is what is owed. */
static size_t settle(struct owed *owed, size_t count, bool owes_all, struct arena *arena,
                     bool *did_all_out)
{
    struct error error;
    const struct work work = {arena, clock_deadline_ns(owed->app->budget_ms), &error};
    int64_t generation;
    size_t done = 0;

    error_clear(&error);
    *did_all_out = owes_all && gateway_clear_all(owed->app, work, &generation) == ERR_OK;
    while (done < count &&
           (*did_all_out || (!owes_all && settle_one(owed, &owed->debts[done], work) == ERR_OK)))
        done++;
    return done;
}

static void forget_locked(struct owed *owed, size_t done, bool did_all)
{
    for (size_t i = 0; i < done; i++)
        free(owed->debts[i].memory);
    owed->count -= done;
    memmove(owed->debts, owed->debts + done, owed->count * sizeof *owed->debts);
    if (did_all)
        owed->owes_all = false;
    owed->is_settling = false;
    owed->next_ns = clock_deadline_ns(TRY_MS);
    atomic_store(&owed->has_any, owed->count > 0 || owed->owes_all);
}

bool owed_settle(struct owed *owed, struct arena *arena)
{
    bool did_all;

    if (!atomic_load_explicit(&owed->has_any, memory_order_acquire))
        return true;
    lock_acquire(&owed->lock);
    bool is_mine = !owed->is_settling && clock_mono_ns() >= owed->next_ns;
    bool owes_all = owed->owes_all;
    size_t count = owed->count;
    owed->is_settling = owed->is_settling || is_mine;
    lock_release(&owed->lock);
    if (!is_mine)
        return false;
    size_t done = settle(owed, count, owes_all, arena, &did_all);
    lock_acquire(&owed->lock);
    forget_locked(owed, done, did_all);
    bool is_settled = owed->count == 0 && !owed->owes_all;
    lock_release(&owed->lock);
    if (is_settled)
        log_event(LOG_LEVEL_INFO, "gateway.clears_made_up", LOG_INT("clears", done));
    return is_settled;
}
