/* Every access to the control data of a namespace: know, ask, judge. */
#include "control/access_private.h"

#include "cachewarden/pipeline.h"
#include "cachewarden/redis_error.h"
#include "keyspace.h"
#include "limits/count.h"
#include "redis_reply.h"

/* Redis may be lost again while it is repaired, and another node may be at it; not for ever. */
#define TRIES_MAX 4

/* Once in a term: what was written in one that is over is lost, or was cleared by the next. */
static bool is_to_be_written(const struct access *access, const struct version_knowledge *known)
{
    return access->action != ACCESS_LOOK && access->written_term != known->term;
}

/* On is what is absent; but while switches are being put back, that would be put back, too. */
static void add_switch(const struct access *access, const struct version_knowledge *known,
                       struct pipeline *pipeline)
{
    struct key user = key_namespace(&access->whose);
    char buffer[SWITCH_FIELD_SIZE];
    struct str field = switch_field(buffer, known->term);

    if (access->enabled && version_is_all_restored(known))
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HDEL"), key_str(&user), field);
    else
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&user), field,
                     access->enabled ? STR("0") : STR("1"), STR("switched"), STR("1"));
}

/* Whether what is written is an increment: then it is one transaction with what is seen of the data. */
static bool is_clear(const struct access *access, bool writes)
{
    return writes && access->action != ACCESS_SWITCH;
}

/* Only a clear of an account shows a switch. */
static bool clear_shows_switch(const struct access *access)
{
    return access->action == ACCESS_CLEAR && access->whose.user_id > 0;
}

/*
 * A clear and what is seen of it are one transaction. So it is shown the version that it made itself, and not what a
 * clear for all right behind it has made of that, which another clear may have been shown. Of the two numbers the
 * increment answers one. The switch says nothing of versions, and costs less outside; its command is one that the
 * transaction has, too, so a Redis that refuses it does not clear.
 */
static void add_clear(const struct access *access, const struct version_knowledge *known,
                      struct pipeline *pipeline)
{
    bool is_for_all = access->action == ACCESS_CLEAR_ALL;
    struct key key = is_for_all ? key_dataset() : key_namespace(&access->whose);

    if (clear_shows_switch(access))
        observation_ask_switch(pipeline, &access->whose, known->term);
    pipeline_begin_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key_str(&key),
                 is_for_all ? STR("epoch") : STR("clears"), STR("1"));
    observation_ask_data(pipeline);
    pipeline_end_transaction(pipeline);
}

/* A switch makes no version; and a Redis that is full still switches on, but takes nothing in a transaction. */
static void add_and_look(const struct access *access, const struct version_knowledge *known,
                         bool writes, struct pipeline *pipeline)
{
    if (is_clear(access, writes)) {
        add_clear(access, known, pipeline);
        return;
    }
    if (writes)
        add_switch(access, known, pipeline);
    observation_ask(pipeline, &access->whose, known->term);
}

static enum err take_clear(struct access *access, const struct pipeline *pipeline, size_t first)
{
    struct observation *seen = &access->seen;

    *seen = (struct observation){0};
    if (clear_shows_switch(access))
        observation_take_switch(pipeline_value(pipeline, first++), seen);
    first++; /* MULTI */
    if (access->action == ACCESS_CLEAR)
        seen->clears = pipeline_value(pipeline, first)->integer;
    observation_take_data(pipeline, first + 1, seen);
    return seen->clears < 0
               ? refuse_reply(access->work.error, "the clears of a namespace are below 0")
               : ERR_OK;
}

/* Of a try that brought all its replies: from `first` on those of what was written, and of what was asked. */
static enum err take_replies(struct access *access, const struct pipeline *pipeline, size_t first,
                             bool writes)
{
    enum err err = is_clear(access, writes)
                       ? take_clear(access, pipeline, first)
                       : observation_take(pipeline, first + writes, &access->whose, &access->seen,
                                          access->work.error);

    if (err == ERR_OK && writes)
        access->written_term =
            access->action == ACCESS_SWITCH ? access->switch_term : access->seen.term;
    if (err == ERR_OK && access->part)
        err = access->part->take(access->part->with, pipeline, access->work.error);
    return err;
}

/* What looks, and the part. Gives where the replies to what looks begin. */
static size_t add_with_part(const struct access *access, const struct version_knowledge *known,
                            bool writes, struct pipeline *pipeline)
{
    const struct control_part *part = access->part;

    if (part && part->is_one_step)
        pipeline_begin_transaction(pipeline);
    if (part)
        part->add(part->with, pipeline);
    size_t first = pipeline_count(pipeline);
    add_and_look(access, known, writes, pipeline);
    if (part && part->is_one_step)
        pipeline_end_transaction(pipeline);
    return first;
}

/* One round trip. */
static enum err ask(struct access *access, const struct version_knowledge *known)
{
    bool writes = is_to_be_written(access, known),
         part_writes = access->part && access->part->writes;
    struct pipeline *pipeline =
        pipeline_new(access->work.arena, writes || part_writes ? PIPELINE_WRITE : PIPELINE_READ);
    struct call *call = access->counted;
    struct limit_appended appended = {0};

    size_t first = add_with_part(access, known, writes, pipeline);
    access->switch_term = known->term;
    if (call)
        limits_append(call, pipeline, &appended);
    enum err err = redis_run(access->app->control, pipeline, access->work);
    if (call)
        err = limits_collect(call, pipeline, &appended, err);
    access->counted = NULL;
    /* A Redis that is full or read-only refuses to count, and can still be read. */
    if (err == ERR_UPSTREAM_REFUSED && appended.is_on)
        return ask(access, known);
    if (err != ERR_OK)
        return err;
    access->was_written |= writes || part_writes;
    return take_replies(access, pipeline, first, writes);
}

/* While switches are being put back, only the users database knows of one that is not yet; and of one that
 * was not asked for, because the term was another one than this node knew. */
static enum err judge_switch(struct access *access, const struct version_knowledge *known)
{
    bool is_off = access->seen.is_off;
    enum err err = ERR_OK;

    if (access->action == ACCESS_SWITCH)
        is_off = !access->enabled;
    else if (access->whose.user_id > 0 &&
             (access->switch_term != known->term ||
              (!access->seen.has_switch && access->whose.user_id > known->restored)))
        err = users_switch_is_off(access->app->users, access->whose.user_id, &is_off,
                                  access->work.error);
    access->state.enabled = !is_off;
    return err;
}

/* What was observed under `known` is not trusted. Whatever is wrong is repaired; if the data was only in
 * a newer term than this node knew, the observation is good, and known becomes that term. */
static enum err judge_again(struct access *access, struct version_knowledge *known,
                            bool *is_good_out)
{
    struct version_guard *guard = access->app->guard;
    int64_t term = known->term;
    enum err err = version_guard_reconcile(guard, access->mode, access->work);

    if (err == ERR_OK)
        err = version_guard_know(guard, access->mode, access->work, known);
    known->epoch = 0; /* nothing was known of it before it was asked for */
    /* A switch names its term, so it is to be written again. */
    *is_good_out = err == ERR_OK && access->action != ACCESS_SWITCH && access->seen.term > term &&
                   version_guard_trusts(guard, known, &access->seen);
    return err;
}

/* *is_good_out: what was observed may be shown, and state says it. Else what was wrong has been
 * repaired, and it is to be done again. */
static enum err judge(struct access *access, struct version_knowledge *known, bool *is_good_out)
{
    struct version_guard *guard = access->app->guard;
    enum err err = ERR_OK;

    *is_good_out = version_guard_trusts(guard, known, &access->seen);
    if (!*is_good_out)
        err = judge_again(access, known, is_good_out);
    if (!*is_good_out)
        return err;
    err = version_guard_show(guard, access->mode, access->work, known, &access->seen,
                             &access->state.version);
    *is_good_out = access->state.version > 0;
    return *is_good_out ? judge_switch(access, known) : err;
}

/* Redis took a write, and what came then failed: the caller is not to be told that nothing happened.
 * The log gets the reason. Of data that no version can be made of it is said that it is refused; a switch is
 * taken back first (switch.c). */
static enum err after_write(const struct access *access, enum err err)
{
    if (err == ERR_OK || err == ERR_UPSTREAM_REFUSED || !access->was_written)
        return err;
    return redis_error_set(access->work.error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN, "%s",
                           access->work.error->detail);
}

enum err access_run(struct access *access)
{
    bool is_good = false;
    enum err err = ERR_OK;

    for (int i = 0; err == ERR_OK && !is_good; i++) {
        struct version_knowledge known;
        if (i == TRIES_MAX)
            return after_write(access, refuse_reply(access->work.error,
                                                    "the control data was lost again and "
                                                    "again while it was read"));
        err = version_guard_know(access->app->guard, access->mode, access->work, &known);
        if (err == ERR_OK)
            err = ask(access, &known);
        if (err == ERR_OK)
            err = judge(access, &known, &is_good);
    }
    return after_write(access, err);
}

enum err access_run_for(struct access access, struct cache_state *state_out)
{
    enum err err = access_run(&access);

    *state_out = access.state;
    return err;
}
