#include "gateway/refill.h"

#include "cachewarden/clock.h"
#include "cachewarden/digest.h"
#include "cachewarden/lock.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/redis.h"
#include "entries/service.h"
#include "keyspace.h"

#include <stdlib.h>

struct refill {
    const struct app *app;
    struct key key;
    int64_t window_count, window_ms;
    struct lock lock; /* LOCK_RANK_LEAF; guards what follows */
    struct refill_queue queue;
};

enum { WINDOWS_PER_S = 20 };

/*
 * A second touches one window more than it holds, so each is longer by that. Of one request it is as long as a request
 * has: it begins with that.
 */
static void cut_time(struct refill *refill, int64_t per_s)
{
    int64_t count = per_s / WINDOWS_PER_S;

    refill->window_count = count > 1 ? count : 1;
    refill->window_ms = count > 1 ? (1000 * count + per_s - count - 1) / (per_s - count)
                                  : (1000 + per_s - 1) / per_s;
    refill->queue.step_ns = refill->window_ms * NS_PER_MS / refill->window_count;
}

enum err refill_new(const struct app *app, struct str route, int64_t per_s,
                    struct refill **refill_out)
{
    const struct namespace space = namespace_of_gateway();
    unsigned char digest[DIGEST_SHA256_SIZE];

    *refill_out = NULL;
    if (per_s == 0)
        return ERR_OK;
    enum err err = digest_sha256(route, digest);
    if (err != ERR_OK)
        return err;
    struct refill *refill = calloc(1, sizeof *refill);
    if (!refill)
        return ERR_NO_MEMORY;
    refill->app = app;
    refill->key = key_refill(&space, digest);
    cut_time(refill, per_s);
    lock_init(&refill->lock, LOCK_RANK_LEAF, "gateway refill");
    *refill_out = refill;
    return ERR_OK;
}

void refill_free(struct refill **refill)
{
    if (!*refill)
        return;
    lock_fini(&(*refill)->lock);
    free(*refill);
    *refill = NULL;
}

bool refill_may_ask(struct refill *refill, struct refill_caller *caller)
{
    if (!refill)
        return true;
    lock_acquire(&refill->lock);
    bool may_ask = refill_queue_may_ask(&refill->queue, caller, clock_mono_ns());
    lock_release(&refill->lock);
    return may_ask;
}

int64_t refill_turn_ns(struct refill *refill, int64_t place_ns)
{
    lock_acquire(&refill->lock);
    int64_t turn_ns = refill_queue_turn_ns(&refill->queue, place_ns, clock_mono_ns());
    lock_release(&refill->lock);
    return turn_ns;
}

void refill_give_back(struct refill *refill, int64_t place_ns)
{
    lock_acquire(&refill->lock);
    refill_queue_give_back(&refill->queue, place_ns, clock_mono_ns());
    lock_release(&refill->lock);
}

/* A count that lost its window would never begin anew. */
static void give_window(const struct refill *refill, struct work work)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key_str(&refill->key),
                 STR_INT64(refill->window_ms));
    (void)!redis_run(entries_redis(refill->app->entries), pipeline, work);
}

enum { REPLY_SET, REPLY_COUNT, REPLY_LEFT };

bool refill_take(struct refill *refill, struct refill_caller *caller, struct work work)
{
    struct pipeline *pipeline = refill ? pipeline_new(work.arena, PIPELINE_WRITE) : NULL;

    if (!refill)
        return true;
    PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(&refill->key), STR("0"), STR("PX"),
                 STR_INT64(refill->window_ms), STR("NX"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("INCR"), key_str(&refill->key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PTTL"), key_str(&refill->key));
    if (redis_run(entries_redis(refill->app->entries), pipeline, work) != ERR_OK)
        return true;
    int64_t left_ms = pipeline_value(pipeline, REPLY_LEFT)->integer;
    if (left_ms < 0) {
        give_window(refill, work);
        left_ms = refill->window_ms;
    }
    int64_t count = pipeline_value(pipeline, REPLY_COUNT)->integer;
    if (count < refill->window_count)
        return true;
    lock_acquire(&refill->lock);
    refill_queue_close(&refill->queue, clock_deadline_ns(left_ms + 1));
    if (count > refill->window_count)
        refill_queue_stand(&refill->queue, caller, clock_mono_ns());
    lock_release(&refill->lock);
    return count == refill->window_count;
}
