/* How a new term of the control data is begun, and what of the old one is kept. */
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/random.h"
#include "control/reconcile_private.h"
#include "keyspace.h"
#include "redis_reply.h"

#include <inttypes.h>

enum {
    /* A node that saw nothing for longer may have missed what another one did that is gone, too. */
    WITNESS_S = 600,
};

enum err reconcile_no_memory(struct reconcile_run *run)
{
    return error_set_detail(run->error, ERR_NO_MEMORY, "no memory for the control data");
}

struct pipeline *reconcile_writing(struct reconcile_run *run, const struct reconcile_look *look)
{
    struct pipeline *pipeline = pipeline_new(run->guard->arena, PIPELINE_WRITE_REPAIR);

    pipeline_require(pipeline, run->guard->relies ? 0 : look->replication_id);
    return pipeline;
}

enum err reconcile_send(struct reconcile_run *run, struct pipeline *pipeline)
{
    return redis_run(run->guard->control, pipeline,
                     (struct work){.deadline_ns = run->deadline_ns, .error = run->error});
}

/* Whether it is the very data, in the very Redis, that this node agreed to: then it is no older copy, whatever its
 * term. A node that slept between moving the term and writing it has written one that was over by then. */
static bool is_same_data(const struct reconcile_run *run, const struct reconcile_look *look)
{
    struct version_guard *guard = run->guard;
    struct str agreed = version_guard_last_dataset(guard, guard->arena);

    return look->replication_id > REDIS_REPLICATION_ID_UNTOLD &&
           look->replication_id == atomic_load(&guard->replication_id) &&
           str_eq(agreed, look->dataset.id);
}

/* Whether this data, which may be older, is all that there was: this node saw it until a moment ago, in
 * the term that it still is if it may be a copy, and nothing was spent that it does not know of. */
static bool has_lost_nothing(const struct reconcile_run *run, const struct reconcile_look *look)
{
    const struct version_guard *guard = run->guard;

    return reconcile_is_ours(run, look) &&
           (look->dataset.term == atomic_load(&guard->term) || is_same_data(run, look)) &&
           look->dataset.spent >= look->known_spent &&
           clock_mono_ns() - guard->agreed_ns <= WITNESS_S * NS_PER_S;
}

/* What is known of the data before. Of what may have been spent in data that is lost, the term tells
 * that has a record, and the time that has none. What was lost gets a new id; what may only be older stays the data it
 * is. */
static void describe_loss(struct reconcile_run *run, const struct reconcile_look *look,
                          struct dataset *dataset)
{
    struct version_guard *guard = run->guard;
    struct str last = version_guard_last_dataset(guard, guard->arena);

    lock_acquire(&guard->lock);
    dataset->seen_at_s = guard->agreed_dataset_s;
    lock_release(&guard->lock);
    dataset->intact = look->dataset.is_whole ? dataset->term : 0;
    if (!look->dataset.is_whole)
        dataset->id = random_hex(guard->arena, DATASET_ID_SIZE / 2);
    if (!look->dataset.is_whole || !str_eq(last, dataset->id))
        dataset->before = last;
}

/*
 * Whether anybody has cleared for all says the last epoch before this one, which the step that wrote this one has read.
 * Behind it, because it is known then. A note that is lost, or stands beside another term's epoch, says that somebody
 * may have.
 */
static void carry_uncleared(struct reconcile_run *run, const struct reconcile_look *look,
                            const struct value *before, int64_t base)
{
    bool is_there;

    if (!dataset_is_uncleared(before, &is_there))
        return;
    struct pipeline *pipeline = reconcile_writing(run, look);
    dataset_write_uncleared(pipeline, base);
    (void)!redis_run(run->guard->control, pipeline, (struct work){.deadline_ns = run->deadline_ns});
}

/*
 * All of it in one step: what names a term has the epoch of that term, whoever comes between look and write, and
 * however late. Where nothing was lost, what an earlier term has said of losses stays as it is. A dataset that is
 * damaged goes first. *was_there_out: it had an epoch until now.
 */
static enum err write_dataset(struct reconcile_run *run, const struct reconcile_look *look,
                              bool is_damaged, int64_t term, int64_t base, bool *was_there_out)
{
    struct version_guard *guard = run->guard;
    struct pipeline *pipeline = reconcile_writing(run, look);
    struct key key = key_dataset();
    struct dataset dataset = look->dataset;
    int64_t spent = dataset.spent > look->known_spent ? dataset.spent : look->known_spent;
    bool has_lost = !look->dataset.is_whole || !has_lost_nothing(run, look);

    dataset.term = term;
    if (has_lost)
        describe_loss(run, look, &dataset);
    dataset.epoch = base;
    dataset.install = (struct str){guard->install, DATASET_ID_SIZE};
    dataset.replication_id = look->replication_id;
    dataset.reserved = base + RESERVED_STEP;
    dataset.restored = 0;
    pipeline_begin_transaction(pipeline);
    size_t before = pipeline_count(pipeline);
    dataset_ask_uncleared(pipeline);
    if (is_damaged)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&key));
    size_t first = pipeline_count(pipeline);
    enum err err = dataset_write_term(pipeline, guard->arena, &dataset);
    if (err == ERR_OK && (has_lost || is_damaged))
        err = dataset_write_loss(pipeline, &dataset);
    if (err != ERR_OK)
        return reconcile_no_memory(run);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key_str(&key), STR("spent"),
                 STR_INT64(is_damaged ? spent : spent - dataset.spent));
    pipeline_end_transaction(pipeline);
    err = reconcile_send(run, pipeline);
    if (err == ERR_OK)
        carry_uncleared(run, look, pipeline_value(pipeline, before), base);
    /* HSET answers how many of its fields were new. */
    *was_there_out = err == ERR_OK && pipeline_value(pipeline, first)->integer == 0;
    return err;
}

/* ---- a new term ---- */

enum err reconcile_at_the_end(struct reconcile_run *run, int64_t number)
{
    return error_set_detail(run->error, ERR_UPSTREAM_REFUSED,
                            "versions have come to their end at %" PRId64, number);
}

/* Where it begins: above all that was shown, and a good step above an epoch that may have lost its
 * last raises. A Redis this installation never showed anything from goes on as it is. */
static enum err choose_base(struct reconcile_run *run, const struct reconcile_look *look,
                            int64_t *base_out)
{
    int64_t epoch = look->dataset.has_epoch ? look->dataset.epoch : 0;
    bool is_first = look->reserved.term == 0 && !look->dataset.is_whole;

    if (look->known_epoch > epoch)
        epoch = look->known_epoch;
    if (!is_first)
        epoch += RESERVED_STEP;
    *base_out = look->reserved.up_to > epoch ? look->reserved.up_to : epoch;
    return *base_out > VERSION_MAX ? reconcile_at_the_end(run, *base_out) : ERR_OK;
}

/* In the users database, where one node wins. Or one this node has begun and could not go on with:
 * while Redis takes no writes there would be a new one every time. Nobody agrees to it before it is in
 * Redis, so nothing above its base has been shown. */
static enum err move_term(struct reconcile_run *run, const struct reconcile_look *look,
                          int64_t *base_out)
{
    struct version_guard *guard = run->guard;
    int64_t term = look->reserved.term + 1;

    if (guard->begun_term > 0 && guard->begun_term == look->reserved.term) {
        *base_out = look->reserved.up_to - RESERVED_STEP;
        return ERR_OK;
    }
    enum err err = choose_base(run, look, base_out);
    if (err == ERR_OK)
        err = reserved_move(guard->users, guard->arena, &look->reserved, term,
                            *base_out + RESERVED_STEP, run->error);
    guard->begun_term = err == ERR_OK ? term : 0;
    return err;
}

/* Mostly nobody has a switch that is off, and there is nothing to put back. Counted when the new term can
 * be seen: one that is switched off later is written in it. */
static enum err note_if_all_restored(struct reconcile_run *run, const struct reconcile_look *look,
                                     int64_t term)
{
    struct arena *arena = run->guard->arena;
    struct users_ids off;
    enum err err = users_switches_off(run->guard->users, arena, 0, 1, &off, run->error);

    if (err != ERR_OK || off.count > 0)
        return err;
    struct pipeline *pipeline = reconcile_writing(run, look);
    err = dataset_write_restored(pipeline, arena, term, ALL_RESTORED);
    return err == ERR_OK ? reconcile_send(run, pipeline) : reconcile_no_memory(run);
}

static void log_begun(const struct reconcile_run *run, const struct reconcile_look *look,
                      int64_t term, int64_t base)
{
    log_event(
        LOG_LEVEL_INFO, "versions.term_begun", LOG_INT("term", term), LOG_INT("epoch", base),
        LOG_CSTR("because", !look->dataset.is_whole         ? "redis held no control data"
                            : !reconcile_is_ours(run, look) ? "it was another users database's"
                                                            : "redis may hold older control data"),
        LOG_CSTR("refresh_tokens",
                 look->reserved.term == 0 || has_lost_nothing(run, look) ? "kept" : "refused"));
}

enum err reconcile_begin_term(struct reconcile_run *run, const struct reconcile_look *look,
                              bool is_damaged)
{
    struct version_guard *guard = run->guard;
    int64_t base;
    bool was_there;
    enum err err = move_term(run, look, &base);
    int64_t term = guard->begun_term;

    if (err == ERR_OK)
        err = write_dataset(run, look, is_damaged, term, base, &was_there);
    if (err != ERR_OK)
        return err;
    guard->begun_term = 0;
    run->term = term;
    /* Lost since it was looked at: what this one says of that is not true. */
    if (!is_damaged && !was_there) {
        struct reconcile_look lost = {.replication_id = look->replication_id,
                                      .known_epoch = look->known_epoch,
                                      .known_spent = look->known_spent};
        err = reserved_read(guard->users, guard->arena, &lost.reserved, run->error);
        return err == ERR_OK ? reconcile_begin_term(run, &lost, true) : err;
    }
    atomic_store(&guard->own_term, term);
    log_begun(run, look, term, base);
    return note_if_all_restored(run, look, term);
}
