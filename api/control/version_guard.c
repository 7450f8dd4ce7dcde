#include "control/version_guard.h"

#include "cachewarden/clock.h"
#include "cachewarden/control.h"
#include "cachewarden/log.h"
#include "cachewarden/random.h"
#include "control/version_guard_private.h"
#include "redis_reply.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK = 16 * 1024 };

/* The users database's fact: the id of the control data that was seen last. */
#define DATASET_FACT STR("control_dataset")

/* ---- life ---- */

static enum err read_install(struct version_guard *guard, struct error *error)
{
    struct str install;
    enum err err = users_fact_get(guard->users, guard->arena, STR("install_id"), &install, error);

    if (err != ERR_OK)
        return err;
    if (install.len != DATASET_ID_SIZE)
        return error_set_detail(error, ERR_INTERNAL, "users database: install_id is no id");
    memcpy(guard->install, install.ptr, DATASET_ID_SIZE);
    return ERR_OK;
}

static void save_dataset(struct version_guard *guard, struct str id)
{
    struct error error = {0};
    enum err err = users_fact_set(guard->users, DATASET_FACT, id, &error);

    if (err != ERR_OK)
        log_event(LOG_LEVEL_WARN, "versions.dataset_unsaved", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error.detail));
}

/* A users database out of reach is no error: then the id is a fresh one. */
static enum err read_dataset(struct version_guard *guard, struct error *error)
{
    struct str known, fresh = random_hex(guard->arena, DATASET_ID_SIZE / 2);

    if (!fresh.ptr)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for an id");
    bool is_known =
        users_fact_get(guard->users, guard->arena, DATASET_FACT, &known, NULL) == ERR_OK &&
        dataset_is_id(known);
    memcpy(guard->dataset, is_known ? known.ptr : fresh.ptr, DATASET_ID_SIZE);
    memcpy(guard->agreed_dataset, guard->dataset, DATASET_ID_SIZE);
    guard->agreed_dataset_s = clock_wall_s();
    if (!is_known)
        save_dataset(guard, fresh);
    return ERR_OK;
}

static enum err let_write(void *with, uint64_t missed, int64_t deadline_ns,
                          uint64_t *replication_id_out, struct error *error);

enum err version_guard_new(struct redis *control, struct users *users,
                           struct version_guard **guard_out, struct error *error)
{
    struct version_guard *guard = calloc(1, sizeof *guard);

    *guard_out = NULL;
    if (!guard)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the version guard");
    guard->control = control;
    guard->users = users;
    lock_init(&guard->lock, LOCK_RANK_LEAF, "version guard");
    lock_cond_init(&guard->changed);
    guard->arena = arena_new(ARENA_BLOCK, 0);
    guard->restore_arena = arena_new(ARENA_BLOCK, 0);
    enum err err =
        guard->arena && guard->restore_arena ? read_install(guard, error) : ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = read_dataset(guard, error);
    if (err == ERR_OK)
        redis_set_gate(control, (struct redis_gate){.ask = let_write, .with = guard});
    else
        version_guard_free(&guard);
    *guard_out = guard;
    return err;
}

void version_guard_free(struct version_guard **guard)
{
    if (!*guard)
        return;
    arena_free(&(*guard)->arena);
    arena_free(&(*guard)->restore_arena);
    lock_cond_fini(&(*guard)->changed);
    lock_fini(&(*guard)->lock);
    free(*guard);
    *guard = NULL;
}

void version_guard_set_patience(struct version_guard *guard, int64_t patience_ms)
{
    guard->patience_ms = patience_ms;
}

void version_guard_adopt(struct version_guard *guard)
{
    atomic_store(&guard->adopts, true);
}

void version_guard_doubt(struct version_guard *guard, int64_t own_term)
{
    atomic_store(&guard->doubted_term, own_term);
    atomic_fetch_add(&guard->doubts, 1);
}

void version_guard_look_at_users(struct version_guard *guard)
{
    int64_t agreed = atomic_load(&guard->term);
    struct reserved reserved;

    arena_reset(guard->restore_arena);
    if (agreed != 0 &&
        reserved_read(guard->users, guard->restore_arena, &reserved, NULL) == ERR_OK &&
        reserved.term > agreed)
        version_guard_doubt(guard, 0);
}

void version_guard_rely(struct version_guard *guard)
{
    guard->relies = true;
}

void version_guard_follow(struct version_guard *guard)
{
    guard->follows = true;
}

/* ---- trust ---- */

void version_guard_raise(_Atomic int64_t *highest, int64_t value)
{
    int64_t seen = atomic_load_explicit(highest, memory_order_relaxed);

    while (value > seen && !atomic_compare_exchange_weak(highest, &seen, value))
        ;
}

bool version_guard_known(struct version_guard *guard, struct version_knowledge *known)
{
    known->term = atomic_load(&guard->term);
    known->replication_id = atomic_load(&guard->replication_id);
    known->restored = atomic_load(&guard->restored);
    known->epoch = atomic_load(&guard->epoch);
    return known->term != 0 && known->term == atomic_load(&guard->term);
}

struct version_guard_basis version_guard_basis(const struct version_guard *guard)
{
    return (struct version_guard_basis){.term = atomic_load(&guard->term),
                                        .replication_id = atomic_load(&guard->replication_id)};
}

bool version_guard_is_install(const struct version_guard *guard, struct str install)
{
    return str_eq(install, (struct str){guard->install, DATASET_ID_SIZE});
}

bool version_guard_is_anothers(const struct version_guard *guard, const struct dataset *dataset)
{
    return dataset->is_whole && !version_guard_is_install(guard, dataset->install) &&
           !atomic_load(&guard->adopts);
}

bool version_guard_trusts(struct version_guard *guard, const struct version_knowledge *known,
                          const struct observation *seen)
{
    if (version_guard_replication_id(guard, seen->replication_id) != known->replication_id ||
        seen->term != known->term || !version_guard_is_install(guard, seen->install) ||
        !seen->has_epoch || seen->epoch < known->epoch ||
        seen->epoch > atomic_load(&guard->reserved) + RESERVED_JUMP_MAX)
        return false;
    version_guard_raise(&guard->epoch, seen->epoch);
    return true;
}

enum err version_guard_show(struct version_guard *guard, enum version_guard_mode mode,
                            struct work work, const struct version_knowledge *known,
                            const struct observation *seen, int64_t *version_out)
{
    int64_t reserved = atomic_load(&guard->reserved), most = reserved + RESERVED_JUMP_MAX;
    enum err err = ERR_OK;

    *version_out = 0;
    if (seen->clears > most || seen->clears + seen->epoch >= most)
        return refuse_reply(work.error,
                            "%" PRId64 " clears of an account: somebody set them by hand",
                            seen->clears);
    int64_t version = 1 + seen->clears + seen->epoch;
    version_guard_raise(&guard->shown, version);
    if (version > reserved)
        err = version_guard_reconcile(guard, mode, work);
    if (err == ERR_OK && atomic_load(&guard->term) == known->term &&
        version <= atomic_load(&guard->reserved))
        *version_out = version;
    return err;
}

bool version_guard_is_foreign(struct version_guard *guard, struct error *error)
{
    if (!atomic_load(&guard->is_foreign))
        return false;
    (void)control_refuse_foreign(error);
    return true;
}

bool version_guard_may_write(struct version_guard *guard, uint64_t *replication_id_out)
{
    struct version_knowledge known;
    bool is_agreed = version_guard_known(guard, &known) && !atomic_load(&guard->is_foreign);

    *replication_id_out = is_agreed && !guard->relies ? known.replication_id : 0;
    return is_agreed;
}

/* The gate of the pool. Of data that is another's nothing is agreed to, so it is looked at again each time. */
static enum err let_write(void *with, uint64_t missed, int64_t deadline_ns,
                          uint64_t *replication_id_out, struct error *error)
{
    struct version_guard *guard = with;
    struct work work = {.deadline_ns = deadline_ns, .error = error};
    struct version_knowledge known;
    enum err err = ERR_OK;

    *replication_id_out = 0;
    if (missed != 0 && atomic_load(&guard->replication_id) == missed)
        err = version_guard_reconcile(guard, VERSION_GUARD_REPAIRS, work);
    if (err == ERR_OK)
        err = version_guard_know(guard, VERSION_GUARD_REPAIRS, work, &known);
    if (err == ERR_OK && !guard->relies)
        *replication_id_out = known.replication_id;
    return err;
}

/* ---- one reconciles, the others wait ---- */

/* Called with the lock. It is released while Redis is asked, and taken again. */
static void reconcile_now(struct version_guard *guard, enum version_guard_mode mode,
                          int64_t deadline_ns) CW_NEEDS_LOCK(&guard->lock)
{
    struct error error = {0};

    guard->is_running = true;
    uint64_t mine = ++guard->begun;
    lock_release(&guard->lock);
    enum err err =
        version_guard_reconcile_once(guard, mode, (struct work){guard->arena, deadline_ns, &error});
    arena_reset(guard->arena);
    lock_acquire(&guard->lock);
    error.code = err;
    guard->result = error;
    guard->result_deadline_ns = deadline_ns;
    guard->ended = mine;
    guard->is_running = false;
    lock_cond_broadcast(&guard->changed);
}

/* One that ran out of its own time says nothing to those who have more. */
static bool is_result_for(const struct version_guard *guard, uint64_t wanted, int64_t deadline_ns)
    CW_NEEDS_LOCK(&guard->lock)
{
    bool has_ended_early =
        guard->result.code == ERR_TIMEOUT && guard->result_deadline_ns < deadline_ns;

    return guard->ended >= wanted && !has_ended_early;
}

/* joins: one that is under way will do. */
static enum err reconcile(struct version_guard *guard, enum version_guard_mode mode,
                          struct work work, bool joins)
{
    enum err err = ERR_OK;

    lock_acquire(&guard->lock);
    uint64_t wanted = joins && guard->is_running ? guard->begun : guard->begun + 1;
    while (err == ERR_OK && !is_result_for(guard, wanted, work.deadline_ns)) {
        if (!guard->is_running)
            reconcile_now(guard, mode, work.deadline_ns);
        else if (!lock_cond_wait(&guard->changed, &guard->lock, work.deadline_ns))
            err = ERR_TIMEOUT;
    }
    struct error result = guard->result;
    lock_release(&guard->lock);
    if (err != ERR_OK)
        return error_set_detail(work.error, err, "the control data was not reconciled in time");
    if (result.code != ERR_OK && work.error)
        *work.error = result;
    return result.code;
}

/* One that is under way may have looked before the caller did. */
enum err version_guard_reconcile(struct version_guard *guard, enum version_guard_mode mode,
                                 struct work work)
{
    return reconcile(guard, mode, work, false);
}

/* Whoever agrees to something tells it to all who wait for it. */
enum err version_guard_know(struct version_guard *guard, enum version_guard_mode mode,
                            struct work work, struct version_knowledge *known_out)
{
    while (!version_guard_known(guard, known_out)) {
        enum err err = reconcile(guard, mode, work, true);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

/* ---- which data it is ---- */

void version_guard_note_spent(struct version_guard *guard, int64_t spent)
{
    version_guard_raise(&guard->spent, spent);
}

bool version_guard_is_settled(const struct version_guard *guard)
{
    return clock_mono_ns() >= atomic_load(&guard->settled_ns);
}

void version_guard_note_dataset(struct version_guard *guard, struct str id)
{
    lock_acquire(&guard->lock);
    guard->has_dataset = id.ptr != NULL;
    if (id.ptr)
        memcpy(guard->dataset, id.ptr, DATASET_ID_SIZE);
    lock_release(&guard->lock);
}

void version_guard_note_agreed(struct version_guard *guard, struct str id, int64_t seen_at_s)
{
    lock_acquire(&guard->lock);
    bool is_new = memcmp(guard->agreed_dataset, id.ptr, DATASET_ID_SIZE) != 0;
    memcpy(guard->agreed_dataset, id.ptr, DATASET_ID_SIZE);
    guard->agreed_dataset_s = seen_at_s;
    lock_release(&guard->lock);
    if (is_new)
        save_dataset(guard, id);
}

bool version_guard_dataset(struct version_guard *guard, char id_out[VERSION_GUARD_ID_SIZE])
{
    lock_acquire(&guard->lock);
    bool is_there = guard->has_dataset;
    memcpy(id_out, guard->dataset, DATASET_ID_SIZE);
    lock_release(&guard->lock);
    return is_there;
}

struct str version_guard_last_dataset(struct version_guard *guard, struct arena *arena)
{
    char id[DATASET_ID_SIZE];

    lock_acquire(&guard->lock);
    memcpy(id, guard->agreed_dataset, sizeof id);
    lock_release(&guard->lock);
    return str_dup(arena, (struct str){id, sizeof id});
}
