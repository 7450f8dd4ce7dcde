/* What the version guard does when it looks closely: see version_guard.h, and docs/design/versions.md for the
 * reasons. */
#include "cachewarden/clock.h"
#include "cachewarden/control.h"
#include "cachewarden/log.h"
#include "cachewarden/random.h"
#include "control/reconcile_private.h"
#include "keyspace.h"
#include "redis_reply.h"

#include <inttypes.h>
#include <time.h>

enum {
    PAUSE_MS = 5, /* between two looks at what another node does */
    /* Within this each node has looked at a Redis that came back, and says if it knows of a loss: at
     * the latest with the next try to connect, one second later. */
    SETTLE_MS = 2000,
    /* Clears of so long are reserved for: half of it is left when the janitor looks again. */
    RESERVED_FOR_S = 4,
};

#define TERM_UNREAD (-1)

/* ---- looking ---- */

/* A Redis that was promoted, or made to follow another one, keeps its connections. */
static bool has_moved(struct version_guard *guard, const struct value *info,
                      uint64_t replication_id)
{
    bool has_moved =
        info->kind == VALUE_STRING && replication_id > REDIS_REPLICATION_ID_UNTOLD &&
        redis_replication_id_is_other(redis_replication_id_of(info->text), replication_id);

    if (has_moved)
        redis_renew(guard->control);
    else if (redis_role_of(info) == REDIS_ROLE_REPLICA)
        redis_note_replica(guard->control);
    return has_moved;
}

/* *is_stale_out: it came over a connection that is not to be used any more; look again. */
static enum err look_at_redis(struct reconcile_run *run, struct reconcile_look *look,
                              bool *is_stale_out)
{
    struct version_guard *guard = run->guard;
    struct pipeline *pipeline = pipeline_new(guard->arena, PIPELINE_READ);

    look->known_epoch = atomic_load(&guard->epoch);
    look->known_spent = atomic_load(&guard->spent);
    dataset_ask(pipeline);
    /* Who may not ask for INFO may say HELLO, which tells the role. */
    if (guard->is_told)
        PIPELINE_ADD(pipeline, EXPECT_STRING, STR("INFO"), STR("replication"));
    else
        PIPELINE_ADD(pipeline, EXPECT_UNJUDGED, STR("HELLO"));
    enum err err = redis_run(guard->control, pipeline,
                             (struct work){.deadline_ns = run->deadline_ns, .error = run->error});
    /* No hash at all: it counts as absent, and goes with the repair. */
    if (err == ERR_UPSTREAM_REFUSED &&
        value_fault(pipeline_value(pipeline, 0)) == REDIS_FAULT_WRONGTYPE) {
        error_clear(run->error);
        err = ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    look->replication_id = version_guard_replication_id(guard, pipeline_replication_id(pipeline));
    dataset_take(pipeline_value(pipeline, 0), &look->dataset);
    *is_stale_out = has_moved(guard, pipeline_value(pipeline, 1), look->replication_id);
    guard->is_told = look->replication_id > REDIS_REPLICATION_ID_UNTOLD;
    return ERR_OK;
}

bool reconcile_is_ours(const struct reconcile_run *run, const struct reconcile_look *look)
{
    return look->dataset.is_whole && version_guard_is_install(run->guard, look->dataset.install);
}

/*
 * Whether data that was agreed to at replication id `agreed` (the dataset says so) goes on when it is `seen` at
 * this one. Who is not told where an answer came from has nothing to compare. A dataset without a
 * replication id is of somebody who was not told, or relies: who follows does as that one does.
 */
static bool goes_by(const struct version_guard *guard, uint64_t agreed, uint64_t seen)
{
    return agreed == seen || seen == REDIS_REPLICATION_ID_UNTOLD ||
           (guard->follows && agreed == REDIS_REPLICATION_ID_UNTOLD);
}

/* The data has been made good for the Redis that holds it now, in the term that it still is, and has
 * lost nothing since. */
static bool is_current(const struct reconcile_run *run, const struct reconcile_look *look,
                       int64_t term)
{
    return reconcile_is_ours(run, look) && look->dataset.term == term &&
           goes_by(run->guard, look->dataset.replication_id, look->replication_id) &&
           look->dataset.has_epoch && look->dataset.epoch >= look->known_epoch &&
           look->dataset.spent >= look->known_spent;
}

static bool is_plausible(const struct dataset *dataset, int64_t term, int64_t reserved)
{
    return (!dataset->is_whole || (dataset->term <= term + TERM_JUMP_MAX &&
                                   dataset->reserved <= reserved + RESERVED_JUMP_MAX)) &&
           (!dataset->has_epoch || dataset->epoch <= reserved + RESERVED_JUMP_MAX) &&
           dataset->spent <= VERSION_MAX;
}

/* Half of what was reserved last is left of a number. */
static bool has_room(const struct version_guard *guard, int64_t reserved)
{
    int64_t step = atomic_load(&guard->step);

    return atomic_load(&guard->shown) <= reserved - (step > 0 ? step : RESERVED_STEP) / 2;
}

/* ---- deciding ---- */

/* What lasts for a while at the pace of late: a request that finds nothing reserved waits for the users
 * database, and everybody else who clears with it. */
static int64_t choose_step(const struct version_guard *guard, int64_t shown, int64_t now_ns)
{
    int64_t more = guard->raised_at > 0 ? shown - guard->raised_at : 0;
    int64_t ms = (now_ns - guard->raised_ns) / NS_PER_MS + 1;

    more = more < RESERVED_STEP_MAX ? more : RESERVED_STEP_MAX;
    int64_t step = more * 1000 / ms * RESERVED_FOR_S;
    step = step > RESERVED_STEP ? step : RESERVED_STEP;
    return step < RESERVED_STEP_MAX ? step : RESERVED_STEP_MAX;
}

static void note_step(struct version_guard *guard, int64_t step, int64_t shown, int64_t now_ns)
{
    atomic_store(&guard->step, step);
    guard->raised_at = shown;
    guard->raised_ns = now_ns;
}

/* Ahead of what is shown, so that no request has to wait for it; in Redis as well, for when the users
 * database is put back older. That Redis may take no writes is no reason to show nothing. */
static enum err reserve(struct reconcile_run *run, const struct reconcile_look *look,
                        int64_t *up_to)
{
    struct version_guard *guard = run->guard;
    int64_t shown = atomic_load(&guard->shown), now_ns = clock_mono_ns();
    struct key key = key_dataset();

    if (has_room(guard, *up_to))
        return ERR_OK;
    int64_t step = choose_step(guard, shown, now_ns);
    *up_to = shown + step;
    if (*up_to > VERSION_MAX)
        return reconcile_at_the_end(run, *up_to);
    enum err err = reserved_move(guard->users, guard->arena, &look->reserved, look->reserved.term,
                                 *up_to, run->error);
    if (err != ERR_OK)
        return err;
    note_step(guard, step, shown, now_ns);
    struct pipeline *pipeline = reconcile_writing(run, look);
    struct str text = str_format(guard->arena, "%" PRId64, *up_to);
    if (!text.ptr)
        return reconcile_no_memory(run);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&key), STR("reserved"), text);
    (void)!redis_run(guard->control, pipeline, (struct work){.deadline_ns = run->deadline_ns});
    return ERR_OK;
}

static void warn_untold(const struct version_guard *guard, const struct reconcile_look *look)
{
    if (look->replication_id == REDIS_REPLICATION_ID_UNTOLD && !guard->relies &&
        atomic_load(&guard->replication_id) != look->replication_id)
        log_event(LOG_LEVEL_WARN, "versions.replication_id_untold",
                  LOG_CSTR("fix", "grant +info, so that a Redis that came back with older data is "
                                  "noticed"));
}

/* See struct version_guard for the order. */
static enum err agree(struct reconcile_run *run, const struct reconcile_look *look)
{
    struct version_guard *guard = run->guard;
    int64_t up_to = look->reserved.up_to;
    enum err err = ERR_OK;

    if (atomic_load(&guard->term) != look->dataset.term)
        note_step(guard, 0, 0, 0); /* what has jumped is no pace */
    if (run->mode == VERSION_GUARD_REPAIRS)
        err = reserve(run, look, &up_to);
    if (err != ERR_OK)
        return err;
    warn_untold(guard, look);
    version_guard_raise(&guard->epoch, look->dataset.epoch);
    version_guard_note_spent(guard, look->dataset.spent);
    atomic_store(&guard->adopts, false);
    int64_t agreed = atomic_load(&guard->term);
    if (agreed != look->dataset.term ||
        atomic_load(&guard->replication_id) != look->replication_id) {
        lock_acquire(&guard->lock);
        /* A node that starts finds what the others agreed on long ago. Data that is gone has nothing left to
         * agree on. */
        if (agreed != 0 &&
            memcmp(guard->agreed_dataset, look->dataset.id.ptr, DATASET_ID_SIZE) == 0)
            atomic_store(&guard->settled_ns, clock_deadline_ns(SETTLE_MS));
        atomic_store(&guard->term, 0);
        atomic_store(&guard->replication_id, look->replication_id);
        atomic_store(&guard->restored, look->dataset.restored);
        atomic_store(&guard->reserved, up_to);
        atomic_store(&guard->term, look->dataset.term);
        lock_release(&guard->lock);
    }
    version_guard_raise(&guard->restored, look->dataset.restored);
    version_guard_raise(&guard->reserved, up_to);
    guard->doubts_settled = run->doubts;
    return ERR_OK;
}

static bool is_done(const struct reconcile_run *run, const struct reconcile_look *look)
{
    struct version_guard *guard = run->guard;
    int64_t term = atomic_load(&guard->term);

    return guard->doubts_settled == atomic_load(&guard->doubts) && is_current(run, look, term) &&
           atomic_load(&guard->replication_id) == look->replication_id &&
           is_plausible(&look->dataset, term, atomic_load(&guard->reserved)) &&
           has_room(guard, atomic_load(&guard->reserved));
}

/* Another node has begun this term: how long it is left to it. That is counted from when this node saw it first, in
 * whichever run that was: one that ends with somebody's deadline takes nothing of the time away. */
static int64_t leave_until_ns(struct version_guard *guard, int64_t term)
{
    if (guard->awaited_term != term) {
        guard->awaited_term = term;
        guard->awaited_until_ns = clock_mono_ns() + guard->patience_ms * NS_PER_MS;
    }
    return guard->awaited_until_ns;
}

/* Another node has begun a term and may be about to write it to Redis. */
static bool is_anothers_turn(struct reconcile_run *run, const struct reconcile_look *look)
{
    int64_t agreed = atomic_load(&run->guard->term);
    bool is_own = run->guard->begun_term > 0 && look->reserved.term == run->guard->begun_term;

    if (is_own || look->reserved.term == atomic_load(&run->guard->doubted_term))
        return false;
    if (look->reserved.term != run->term) {
        /* Of a new installation, too, whose first node is at it while the second one starts. */
        bool is_ahead = look->reserved.term > (agreed > 0 ? agreed : look->dataset.term) &&
                        look->reserved.term != look->dataset.term;
        bool has_changed = run->term != TERM_UNREAD;
        run->patient_ns =
            has_changed || is_ahead ? leave_until_ns(run->guard, look->reserved.term) : 0;
        run->term = look->reserved.term;
    }
    return clock_mono_ns() < run->patient_ns;
}

static enum err look_for_foreigners(struct reconcile_run *run, const struct reconcile_look *look)
{
    struct version_guard *guard = run->guard;
    bool is_foreign = version_guard_is_anothers(guard, &look->dataset);

    if (atomic_exchange(&guard->is_foreign, is_foreign) != is_foreign)
        log_event(is_foreign ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
                  is_foreign ? "versions.foreign" : "versions.ours_again",
                  LOG_CSTR("fix", is_foreign ? "give all nodes on this Redis one users database, "
                                               "or start one with --adopt"
                                             : "none needed"));
    if (!is_foreign)
        return ERR_OK;
    atomic_store(&guard->term, 0); /* nothing is trusted any more */
    return control_refuse_foreign(run->error);
}

/* Numbers that no clears can have brought there are not followed: what they stand in counts as lost. */
static bool is_implausible(const struct reconcile_look *look)
{
    if (is_plausible(&look->dataset, look->reserved.term, look->reserved.up_to))
        return false;
    log_event(LOG_LEVEL_ERROR, "versions.implausible", LOG_INT("term", look->dataset.term),
              LOG_INT("reserved", look->dataset.reserved), LOG_INT("epoch", look->dataset.epoch),
              LOG_INT("known_term", look->reserved.term),
              LOG_INT("known_reserved", look->reserved.up_to),
              LOG_CSTR("fix", "somebody wrote to cw:dataset by hand; a new term begins"));
    return true;
}

/* An older users database was put back, or another one's control data is taken over. */
static bool is_behind(const struct reconcile_look *look)
{
    const struct dataset *dataset = &look->dataset;

    return dataset->is_whole &&
           (dataset->term > look->reserved.term ||
            (dataset->term == look->reserved.term && dataset->reserved > look->reserved.up_to));
}

static enum err catch_up(struct reconcile_run *run, const struct reconcile_look *look)
{
    int64_t up_to = look->reserved.up_to;

    if (look->dataset.reserved > up_to)
        up_to = look->dataset.reserved;
    return reserved_move(run->guard->users, run->guard->arena, &look->reserved, look->dataset.term,
                         up_to, run->error);
}

static enum err pause_for_others(struct reconcile_run *run)
{
    if (run->mode == VERSION_GUARD_PASSIVE && clock_mono_ns() > run->give_up_ns)
        return error_set(run->error, ERR_UPSTREAM_REFUSED,
                         "no server has looked after the versions in redis since it was restarted, "
                         "emptied or changed by hand; start one, or look into the log of the one "
                         "that runs");
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * NS_PER_MS}, NULL);
    return ERR_OK;
}

/* What a node that writes nothing makes of it. */
static enum err watch(struct reconcile_run *run, const struct reconcile_look *look,
                      bool *is_over_out)
{
    int64_t shown = atomic_load(&run->guard->shown);

    if (!look->dataset.is_whole && look->reserved.term == 0)
        return error_set_detail(run->error, ERR_NOT_FOUND, "no version was ever shown");
    *is_over_out = is_current(run, look, look->reserved.term) && shown <= look->reserved.up_to &&
                   is_plausible(&look->dataset, look->reserved.term, look->reserved.up_to);
    return *is_over_out ? agree(run, look) : pause_for_others(run);
}

/* One step on what was seen. *is_over_out: all is well. ERR_CONFLICT: look again. */
static enum err take_step(struct reconcile_run *run, struct reconcile_look *look, bool *is_over_out)
{
    struct version_guard *guard = run->guard;
    enum err err = look_for_foreigners(run, look);

    *is_over_out = err == ERR_OK && is_done(run, look);
    if (*is_over_out) {
        version_guard_raise(&guard->restored, look->dataset.restored);
        version_guard_note_spent(guard, look->dataset.spent);
    }
    if (err != ERR_OK || *is_over_out)
        return err;
    run->doubts = atomic_load(&guard->doubts);
    err = reserved_read(guard->users, guard->arena, &look->reserved, run->error);
    if (err != ERR_OK)
        return err;
    if (run->mode == VERSION_GUARD_PASSIVE)
        return watch(run, look, is_over_out);
    bool is_wrong = is_implausible(look);
    if (is_wrong)
        look->dataset = (struct dataset){0};
    if (is_behind(look))
        return catch_up(run, look);
    *is_over_out = is_current(run, look, look->reserved.term);
    if (*is_over_out)
        return agree(run, look);
    if (!is_anothers_turn(run, look))
        return reconcile_begin_term(
            run, look, is_wrong || !look->dataset.is_whole || !look->dataset.has_epoch);
    return pause_for_others(run);
}

/* Every look is a pipeline, which ends at the deadline; so this ends, too. */
enum err version_guard_reconcile_once(struct version_guard *guard, enum version_guard_mode mode,
                                      struct work work)
{
    struct reconcile_run run = {.guard = guard,
                                .mode = mode,
                                .deadline_ns = work.deadline_ns,
                                .give_up_ns = clock_deadline_ns(VERSION_GUARD_PASSIVE_MS),
                                .term = TERM_UNREAD,
                                .error = work.error};
    bool is_over = false;
    enum err err = ERR_OK;

    while (!is_over) {
        struct reconcile_look look = {0};
        bool is_stale = false;
        int64_t asked_at_s =
            clock_wall_s(); /* Redis may be gone by the time that the answer is read */
        arena_reset(guard->arena);
        err = look_at_redis(&run, &look, &is_stale);
        if (err == ERR_OK && !is_stale) {
            version_guard_note_dataset(guard,
                                       reconcile_is_ours(&run, &look) ? look.dataset.id : STR_NONE);
            err = take_step(&run, &look, &is_over);
        }
        if (err == ERR_OK && is_over) {
            version_guard_note_agreed(guard, look.dataset.id, asked_at_s);
            guard->agreed_ns = clock_mono_ns();
        }
        if (err == ERR_CONFLICT) {
            error_clear(work.error);
            is_over = false;
        } else if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}
