/*
 * Putting switches back after a new term has left them out: in portions, each one page of the users
 * database and one pipeline, with the progress kept in Redis, so that whoever goes on begins where
 * another one stopped. HSETNX: what somebody has switched since the term began stays.
 */
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "control/version_guard_private.h"
#include "keyspace.h"

enum {
    PORTION = 500,     /* about a millisecond for Redis */
    SLICE_MS = 50,     /* then the thread has other things to do */
    STALLED_MS = 1000, /* without progress, the node that began has died */
    OLDER_TERMS = 3,   /* whose switches are removed on the way */
};

/* The node that began the term restores, or one that sees it standing still. */
static bool is_mine(struct version_guard *guard, const struct version_knowledge *known)
{
    int64_t now_ns = clock_mono_ns();

    if (atomic_load(&guard->own_term) == known->term)
        return true;
    if (guard->stalled_term != known->term || guard->stalled_at != known->restored) {
        guard->stalled_term = known->term;
        guard->stalled_at = known->restored;
        guard->stalled_since_ns = now_ns;
    }
    if (now_ns - guard->stalled_since_ns < STALLED_MS * NS_PER_MS)
        return false;
    atomic_store(&guard->own_term, known->term);
    return true;
}

static void add_switch(struct pipeline *pipeline, int64_t user_id, int64_t term)
{
    char now[SWITCH_FIELD_SIZE], older[OLDER_TERMS][SWITCH_FIELD_SIZE];
    struct key key = key_user(user_id);
    struct str remove[2 + OLDER_TERMS] = {STR("HDEL"), key_str(&key)};

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSETNX"), key_str(&key), switch_field(now, term),
                 STR("1"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSETNX"), key_str(&key), STR("switched"), STR("1"));
    for (int i = 0; i < OLDER_TERMS; i++)
        remove[2 + i] = switch_field(older[i], term - 1 - i);
    pipeline_add_keys(pipeline, EXPECT_INTEGER, 1, 2 + OLDER_TERMS, remove);
}

/* What another thread agreed to meanwhile is not touched. */
static void note_progress(struct version_guard *guard, const struct version_knowledge *known)
{
    lock_acquire(&guard->lock);
    if (atomic_load(&guard->term) == known->term)
        version_guard_raise(&guard->restored, known->restored);
    lock_release(&guard->lock);
}

static enum err restore_portion(struct version_guard *guard, struct version_knowledge *known,
                                int64_t deadline_ns, struct error *error)
{
    struct arena *arena = guard->restore_arena;
    struct users_ids off;

    arena_reset(arena);
    enum err err = users_switches_off(guard->users, arena, known->restored, PORTION, &off, error);
    if (err != ERR_OK)
        return err;
    int64_t restored = off.count < PORTION ? ALL_RESTORED : off.ids[off.count - 1];
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE_REPAIR);
    pipeline_require(pipeline, guard->relies ? 0 : known->replication_id);
    for (size_t i = 0; i < off.count; i++)
        add_switch(pipeline, off.ids[i], known->term);
    err = dataset_write_restored(pipeline, arena, known->term, restored);
    if (err == ERR_OK)
        err = redis_run(guard->control, pipeline,
                        (struct work){.deadline_ns = deadline_ns, .error = error});
    if (err != ERR_OK)
        return err;
    known->restored = restored;
    note_progress(guard, known);
    return ERR_OK;
}

/* A failure is no news: the same portion is tried again in the next round, and what made it fail is
 * told by everything else that fails. */
bool version_guard_restore(struct version_guard *guard, int64_t deadline_ns)
{
    struct version_knowledge known;
    struct error error = {0};
    int64_t until_ns = clock_deadline_ns(SLICE_MS);
    enum err err;

    if (!version_guard_known(guard, &known) || version_is_all_restored(&known) ||
        !is_mine(guard, &known))
        return false;
    do { /* one at least, however late it is already */
        err = restore_portion(guard, &known, deadline_ns, &error);
    } while (err == ERR_OK && !version_is_all_restored(&known) && clock_mono_ns() < until_ns);
    if (err != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "switches.not_restored", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error.detail));
    if (version_is_all_restored(&known))
        log_event(LOG_LEVEL_INFO, "switches.restored", LOG_INT("term", known.term));
    return err == ERR_OK && !version_is_all_restored(&known);
}
