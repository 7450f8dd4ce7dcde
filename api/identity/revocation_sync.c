#include "identity/revocation_sync.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/thread.h"
#include "identity/revocation_reader.h"
#include "identity/revoke.h"
#include "keyspace.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    POLL_MS = 250,   /* with a round trip well within the second that is promised */
    AWAITED_MS = 10, /* while requests wait for a record of the control data */
    SLICE_MS =
        100, /* of reading all, or of putting back, and what there is besides gets its turn */
    PUT_BACK_LIMIT = 500, /* written at once */
    CLEAN_S = 10,         /* between two looks for what has expired */
    /* The clocks of two nodes may be so far apart: what has expired by one is counted, and would be put
     * back, by the other. */
    CLOCKS_APART_S = 60,
    ARENA_BLOCK = 64 * 1024,
};

struct revocation_sync {
    struct revocation_reader reader; /* the thread's own, as the following */
    bool has_loaded;                 /* all that Redis holds was read once */
    bool is_lost;                    /* said in the log that Redis is out of reach */
    int64_t cleaned_at_s;

    struct revocations *list; /* set at open */
    struct periodic *thread;  /* NULL: not started */
    struct lock lock;
    struct lock_cond changed; /* the list became known, or unknown */
};

/* ---- writing ---- */

/*
 * What is read in this round is ours, and so is what was agreed to; else nothing is written. The gate of the
 * pool is not asked, because it may have to wait for the users database. NULL: no memory.
 */
static struct pipeline *begin_writing(struct revocation_sync *sync, uint64_t replication_id)
{
    arena_reset(sync->reader.arena);
    struct pipeline *pipeline = pipeline_new(sync->reader.arena, PIPELINE_WRITE_REPAIR);
    pipeline_require(pipeline, replication_id);
    return pipeline;
}

static enum err run(struct revocation_sync *sync, struct pipeline *pipeline, struct error *error)
{
    return redis_run(
        sync->reader.control, pipeline,
        (struct work){.deadline_ns = clock_deadline_ns(sync->reader.budget_ms), .error = error});
}

/* Also to the stream: the others may have missed it. *is_done_out: there are no more. */
static enum err put_back_some(struct revocation_sync *sync, uint64_t replication_id,
                              bool *is_done_out, struct error *error)
{
    struct pipeline *pipeline = begin_writing(sync, replication_id);
    struct arena *arena = sync->reader.arena;
    struct revocation *list;
    size_t count;

    enum err err =
        revocations_unsaved(sync->list, arena, clock_wall_s(), PUT_BACK_LIMIT, &list, &count);
    *is_done_out = count == 0;
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = revoke_add(pipeline, arena, &list[i]);
    if (err == ERR_OK && count > 0)
        err = run(sync, pipeline, error);
    if (err != ERR_OK || count == 0)
        return err;
    revocations_saved(sync->list, list, count);
    log_event(LOG_LEVEL_INFO, "revocations.put_back", LOG_INT("count", count));
    return ERR_OK;
}

/* *is_done_out: nothing is left that could be put back now. */
static enum err put_back(struct revocation_sync *sync, bool *is_done_out, struct error *error)
{
    int64_t until_ns = clock_deadline_ns(SLICE_MS);
    enum err err = ERR_OK;
    uint64_t replication_id;

    *is_done_out = !revocation_reader_may_write(&sync->reader, &replication_id);
    while (err == ERR_OK && !*is_done_out && clock_mono_ns() < until_ns)
        err = put_back_some(sync, replication_id, is_done_out, error);
    return err;
}

/* Neither the list nor Redis keeps what has expired. What Redis does not drop now it drops later. */
static void clean_up(struct revocation_sync *sync, bool is_reachable)
{
    int64_t now_s = clock_wall_s();
    struct key key = key_revoked();
    uint64_t replication_id;

    if (now_s - sync->cleaned_at_s < CLEAN_S && now_s >= sync->cleaned_at_s)
        return;
    revocations_expire(sync->list, now_s);
    if (!is_reachable || !revocation_reader_may_write(&sync->reader, &replication_id))
        return;
    struct pipeline *pipeline = begin_writing(sync, replication_id);
    struct str until = str_format(sync->reader.arena, "%" PRId64, now_s - CLOCKS_APART_S);
    if (!until.ptr)
        return;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZREMRANGEBYSCORE"), key_str(&key), STR("-inf"),
                 until);
    if (run(sync, pipeline, NULL) == ERR_OK)
        sync->cleaned_at_s = now_s;
}

/* ---- the thread ---- */

/* Once when it is lost, once when it is back: four lines a second would be no news. */
static void tell(struct revocation_sync *sync, enum err err, const struct error *error)
{
    bool is_lost = err != ERR_OK;

    if (is_lost && !sync->is_lost)
        log_event(LOG_LEVEL_WARN, "revocations.unreachable", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error->detail));
    if (!is_lost && sync->is_lost)
        log_event(LOG_LEVEL_INFO, "revocations.reachable",
                  LOG_INT("count", revocations_count(sync->list)));
    sync->is_lost = is_lost;
}

/* Redis holds what this node has to know. */
static bool has_revocations(const struct revocation_reader *reader)
{
    return reader->data == REVOCATION_DATA_OURS ||
           (reader->data == REVOCATION_DATA_NONE && reader->held > 0);
}

/*
 * Whether requests have to wait: Redis answers, and has what this node never read to the end. While it
 * does not answer, or has another's data, what is not known to be revoked lives on.
 */
static bool is_awaited(const struct revocation_sync *sync)
{
    return sync->reader.has_answer && !sync->has_loaded && has_revocations(&sync->reader);
}

static void set_known(struct revocation_sync *sync, bool is_known)
{
    lock_acquire(&sync->lock);
    revocations_set_known(sync->list, is_known);
    lock_cond_broadcast(&sync->changed);
    lock_release(&sync->lock);
}

static enum err read_some(struct revocation_sync *sync, struct error *error)
{
    int64_t until_ns = clock_deadline_ns(SLICE_MS);
    struct revocation_reader *reader = &sync->reader;
    enum err err;

    do
        err = revocation_reader_look(reader, error);
    while (err == ERR_OK && reader->has_more && clock_mono_ns() < until_ns);
    sync->has_loaded |= reader->is_proven && has_revocations(reader);
    return err;
}

/* A Redis that takes no writes still tells the news. */
static int64_t do_round(void *arg)
{
    struct revocation_sync *sync = arg;
    const struct revocation_reader *reader = &sync->reader;
    struct error error = {0};
    bool is_written = true;
    enum err err = read_some(sync, &error);
    bool must_wait = is_awaited(sync);

    set_known(sync, !must_wait);
    clean_up(sync, err == ERR_OK);
    if (err == ERR_OK)
        err = put_back(sync, &is_written, &error);
    tell(sync, err, &error);
    if (err == ERR_OK && (reader->has_more || !is_written))
        return 0;
    return must_wait ? AWAITED_MS : POLL_MS;
}

enum err revocation_sync_open(const struct revocation_sync_options *options,
                              struct revocation_sync **sync_out, struct error *error)
{
    struct revocation_sync *sync = calloc(1, sizeof *sync);
    struct arena *arena = arena_new(ARENA_BLOCK, 0);

    *sync_out = NULL;
    if (!sync || !arena) {
        free(sync);
        arena_free(&arena);
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the revocations");
    }
    sync->list = options->revocations;
    sync->reader = (struct revocation_reader){
        .control = options->control,
        .guard = options->guard,
        .list = options->revocations,
        .arena = arena,
        .budget_ms = options->budget_ms,
    };
    lock_init(&sync->lock, LOCK_RANK_LEAF, "revocation sync");
    lock_cond_init(&sync->changed);
    *sync_out = sync;
    return ERR_OK;
}

enum err revocation_sync_start(struct revocation_sync *sync, struct error *error)
{
    revocations_set_known(sync->list, false);
    return periodic_start("cw-revocations", do_round, sync, &sync->thread, error);
}

void revocation_sync_close(struct revocation_sync **sync)
{
    if (!*sync)
        return;
    periodic_stop(&(*sync)->thread);
    lock_cond_fini(&(*sync)->changed);
    lock_fini(&(*sync)->lock);
    arena_free(&(*sync)->reader.arena);
    free(*sync);
    *sync = NULL;
}

void revocation_sync_wait(struct revocation_sync *sync, int64_t until_ns)
{
    bool in_time = true;

    if (revocations_are_known(sync->list))
        return;
    lock_acquire(&sync->lock);
    while (!revocations_are_known(sync->list) && in_time)
        in_time = lock_cond_wait(&sync->changed, &sync->lock, until_ns);
    lock_release(&sync->lock);
}
