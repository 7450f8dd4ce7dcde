#include "identity/feed.h"

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

struct feed {
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
static struct pipeline *begin_writing(struct feed *feed, uint64_t replication_id)
{
    arena_reset(feed->reader.arena);
    struct pipeline *pipeline = pipeline_new(feed->reader.arena, PIPELINE_WRITE_REPAIR);
    pipeline_require(pipeline, replication_id);
    return pipeline;
}

static enum err run(struct feed *feed, struct pipeline *pipeline, struct error *error)
{
    return redis_run(
        feed->reader.control, pipeline,
        (struct work){.deadline_ns = clock_deadline_ns(feed->reader.budget_ms), .error = error});
}

/* Also to the stream: the others may have missed it. *is_done_out: there are no more. */
static enum err put_back_some(struct feed *feed, uint64_t replication_id, bool *is_done_out,
                              struct error *error)
{
    struct pipeline *pipeline = begin_writing(feed, replication_id);
    struct arena *arena = feed->reader.arena;
    struct revocation *list;
    size_t count;

    enum err err =
        revocations_unsaved(feed->list, arena, clock_wall_s(), PUT_BACK_LIMIT, &list, &count);
    *is_done_out = count == 0;
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = revoke_add(pipeline, arena, &list[i]);
    if (err == ERR_OK && count > 0)
        err = run(feed, pipeline, error);
    if (err != ERR_OK || count == 0)
        return err;
    revocations_saved(feed->list, list, count);
    log_event(LOG_LEVEL_INFO, "revocations.put_back", LOG_INT("count", count));
    return ERR_OK;
}

/* *is_done_out: nothing is left that could be put back now. */
static enum err put_back(struct feed *feed, bool *is_done_out, struct error *error)
{
    int64_t until_ns = clock_deadline_ns(SLICE_MS);
    enum err err = ERR_OK;
    uint64_t replication_id;

    *is_done_out = !revocation_reader_may_write(&feed->reader, &replication_id);
    while (err == ERR_OK && !*is_done_out && clock_mono_ns() < until_ns)
        err = put_back_some(feed, replication_id, is_done_out, error);
    return err;
}

/* Neither the list nor Redis keeps what has expired. What Redis does not drop now it drops later. */
static void clean_up(struct feed *feed, bool is_reachable)
{
    int64_t now_s = clock_wall_s();
    struct key key = key_revoked();
    uint64_t replication_id;

    if (now_s - feed->cleaned_at_s < CLEAN_S && now_s >= feed->cleaned_at_s)
        return;
    revocations_expire(feed->list, now_s);
    if (!is_reachable || !revocation_reader_may_write(&feed->reader, &replication_id))
        return;
    struct pipeline *pipeline = begin_writing(feed, replication_id);
    struct str until = str_format(feed->reader.arena, "%" PRId64, now_s - CLOCKS_APART_S);
    if (!until.ptr)
        return;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZREMRANGEBYSCORE"), key_str(&key), STR("-inf"),
                 until);
    if (run(feed, pipeline, NULL) == ERR_OK)
        feed->cleaned_at_s = now_s;
}

/* ---- the thread ---- */

/* Once when it is lost, once when it is back: four lines a second would be no news. */
static void tell(struct feed *feed, enum err err, const struct error *error)
{
    bool is_lost = err != ERR_OK;

    if (is_lost && !feed->is_lost)
        log_event(LOG_LEVEL_WARN, "revocations.unreachable", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error->detail));
    if (!is_lost && feed->is_lost)
        log_event(LOG_LEVEL_INFO, "revocations.reachable",
                  LOG_INT("count", revocations_count(feed->list)));
    feed->is_lost = is_lost;
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
static bool is_awaited(const struct feed *feed)
{
    return feed->reader.has_answer && !feed->has_loaded && has_revocations(&feed->reader);
}

static void set_known(struct feed *feed, bool is_known)
{
    lock_acquire(&feed->lock);
    revocations_set_known(feed->list, is_known);
    lock_cond_broadcast(&feed->changed);
    lock_release(&feed->lock);
}

static enum err read_some(struct feed *feed, struct error *error)
{
    int64_t until_ns = clock_deadline_ns(SLICE_MS);
    struct revocation_reader *reader = &feed->reader;
    enum err err;

    do
        err = revocation_reader_look(reader, error);
    while (err == ERR_OK && reader->has_more && clock_mono_ns() < until_ns);
    feed->has_loaded |= reader->is_proven && has_revocations(reader);
    return err;
}

/* A Redis that takes no writes still tells the news. */
static int64_t do_round(void *arg)
{
    struct feed *feed = arg;
    const struct revocation_reader *reader = &feed->reader;
    struct error error = {0};
    bool is_written = true;
    enum err err = read_some(feed, &error);
    bool must_wait = is_awaited(feed);

    set_known(feed, !must_wait);
    clean_up(feed, err == ERR_OK);
    if (err == ERR_OK)
        err = put_back(feed, &is_written, &error);
    tell(feed, err, &error);
    if (err == ERR_OK && (reader->has_more || !is_written))
        return 0;
    return must_wait ? AWAITED_MS : POLL_MS;
}

enum err feed_open(const struct feed_options *options, struct feed **feed_out, struct error *error)
{
    struct feed *feed = calloc(1, sizeof *feed);
    struct arena *arena = arena_new(ARENA_BLOCK, 0);

    *feed_out = NULL;
    if (!feed || !arena) {
        free(feed);
        arena_free(&arena);
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the revocations");
    }
    feed->list = options->revocations;
    feed->reader = (struct revocation_reader){
        .control = options->control,
        .guard = options->guard,
        .list = options->revocations,
        .arena = arena,
        .budget_ms = options->budget_ms,
    };
    lock_init(&feed->lock, LOCK_RANK_LEAF, "revocation feed");
    lock_cond_init(&feed->changed);
    *feed_out = feed;
    return ERR_OK;
}

enum err feed_start(struct feed *feed, struct error *error)
{
    revocations_set_known(feed->list, false);
    return periodic_start("cw-revocations", do_round, feed, &feed->thread, error);
}

void feed_close(struct feed **feed)
{
    if (!*feed)
        return;
    periodic_stop(&(*feed)->thread);
    lock_cond_fini(&(*feed)->changed);
    lock_fini(&(*feed)->lock);
    arena_free(&(*feed)->reader.arena);
    free(*feed);
    *feed = NULL;
}

void feed_wait(struct feed *feed, int64_t until_ns)
{
    bool in_time = true;

    if (revocations_are_known(feed->list))
        return;
    lock_acquire(&feed->lock);
    while (!revocations_are_known(feed->list) && in_time)
        in_time = lock_cond_wait(&feed->changed, &feed->lock, until_ns);
    lock_release(&feed->lock);
}
