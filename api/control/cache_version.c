/*
 * Cache control: a namespace's clears, an account's switch, and the epoch. Clearing is one increment; nothing
 * is deleted, so it costs the same however much is cached. A version that is shown is 1, the namespace's
 * clears and the epoch together. Every operation is one round trip, as long as the version guard
 * trusts what it brought back, and they all go through `run`.
 */
#include "cachewarden/app.h"
#include "cachewarden/redis_error.h"

#include "cachewarden/call.h"
#include "cachewarden/clock.h"
#include "cachewarden/control.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "control/look.h"
#include "control/observation.h"
#include "control/version_guard.h"
#include "keyspace.h"
#include "limits/append.h"
#include "redis_reply.h"

enum action { LOOK, SWITCH, CLEAR, CLEAR_ALL };

struct operation {
    struct app *app;
    struct work work;
    enum action action;
    enum version_guard_mode mode;
    struct namespace whose; /* none given: everybody's */
    bool enabled;           /* SWITCH: what it is to be */
    struct call *counted;   /* its limit is counted on the way, the first time; NULL: none is */
    const struct control_part *part; /* what else goes with it; NULL: nothing */
    /* What came of it. */
    bool was_written;     /* Redis took it */
    int64_t written_term; /* in the data of this term; 0: of none, or not yet */
    int64_t switch_term;  /* the term whose switch was asked for and written */
    struct observation seen;
    struct cache_state state;
};

/* Redis may be lost again while it is repaired, and another node may be at it; not for ever. */
#define TRIES_MAX 4

/* Once in a term: what was written in one that is over is lost, or was cleared by the next. */
static bool is_to_be_written(const struct operation *op, const struct version_knowledge *known)
{
    return op->action != LOOK && op->written_term != known->term;
}

/* On is what is absent; but while switches are being put back, that would be put back, too. */
static void add_switch(const struct operation *op, const struct version_knowledge *known,
                       struct pipeline *pipeline)
{
    struct key user = key_namespace(&op->whose);
    char buffer[SWITCH_FIELD_SIZE];
    struct str field = switch_field(buffer, known->term);

    if (op->enabled && version_is_all_restored(known))
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HDEL"), key_str(&user), field);
    else
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&user), field,
                     op->enabled ? STR("0") : STR("1"));
}

static void add_write(const struct operation *op, const struct version_knowledge *known,
                      struct pipeline *pipeline)
{
    struct key key = op->action == CLEAR_ALL ? key_dataset() : key_namespace(&op->whose);

    if (op->action == SWITCH)
        add_switch(op, known, pipeline);
    else
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key_str(&key),
                     op->action == CLEAR ? STR("clears") : STR("epoch"), STR("1"));
}

/* A clear is given its own number, not that of a clear right behind it. */
static void take_write(struct operation *op, int64_t number)
{
    op->written_term = op->action == SWITCH ? op->switch_term : op->seen.term;
    if (op->action == CLEAR)
        op->seen.clears = number;
    if (op->action == CLEAR_ALL)
        op->seen.epoch = number;
}

/* Of a try that brought all its replies. The part's come first, then that of what was written. */
static enum err take_replies(struct operation *op, const struct pipeline *pipeline, size_t part,
                             bool writes)
{
    enum err err = observation_take(pipeline, part + writes, &op->whose, &op->seen, op->work.error);

    if (err == ERR_OK && writes)
        take_write(op, pipeline_value(pipeline, part)->integer);
    if (err == ERR_OK && op->part)
        err = op->part->take(op->part->with, pipeline, op->work.error);
    return err;
}

/* One round trip. */
static enum err ask(struct operation *op, const struct version_knowledge *known)
{
    bool writes = is_to_be_written(op, known), part_writes = op->part && op->part->writes;
    struct pipeline *pipeline =
        pipeline_new(op->work.arena, writes || part_writes ? PIPELINE_WRITE : PIPELINE_READ);
    struct call *call = op->counted;
    struct limit_appended appended = {0};

    if (op->part)
        op->part->add(op->part->with, pipeline);
    size_t part = pipeline_count(pipeline);
    if (writes)
        add_write(op, known, pipeline);
    op->switch_term = known->term;
    observation_ask(pipeline, &op->whose, known->term);
    if (call)
        limits_append(call, pipeline, &appended);
    enum err err = redis_run(op->app->control, pipeline, op->work);
    if (call)
        err = limits_collect(call, pipeline, &appended, err);
    op->counted = NULL;
    /* A Redis that is full or read-only refuses to count, and can still be read. */
    if (err == ERR_UPSTREAM_REFUSED && appended.is_on)
        return ask(op, known);
    if (err != ERR_OK)
        return err;
    op->was_written |= writes || part_writes;
    return take_replies(op, pipeline, part, writes);
}

/* While switches are being put back, only the users database knows of one that is not yet; and of one that
 * was not asked for, because the term was another one than this node knew. */
static enum err judge_switch(struct operation *op, const struct version_knowledge *known)
{
    bool is_off = op->seen.is_off;
    enum err err = ERR_OK;

    if (op->action == SWITCH)
        is_off = !op->enabled;
    else if (op->whose.user_id > 0 &&
             (op->switch_term != known->term ||
              (!op->seen.has_switch && op->whose.user_id > known->restored)))
        err = users_switch_is_off(op->app->users, op->whose.user_id, &is_off, op->work.error);
    op->state.enabled = !is_off;
    return err;
}

/* What was observed under `known` is not trusted. Whatever is wrong is repaired; if the data was only in
 * a newer term than this node knew, the observation is good, and known becomes that term. */
static enum err judge_again(struct operation *op, struct version_knowledge *known,
                            bool *is_good_out)
{
    struct version_guard *guard = op->app->guard;
    int64_t term = known->term;
    enum err err = version_guard_reconcile(guard, op->mode, op->work);

    if (err == ERR_OK)
        err = version_guard_know(guard, op->mode, op->work, known);
    known->epoch = 0; /* nothing was known of it before it was asked for */
    /* A switch names its term, so it is to be written again. */
    *is_good_out = err == ERR_OK && op->action != SWITCH && op->seen.term > term &&
                   version_guard_trusts(guard, known, &op->seen);
    return err;
}

/* *is_good_out: what was observed may be shown, and state says it. Else what was wrong has been
 * repaired, and it is to be done again. */
static enum err judge(struct operation *op, struct version_knowledge *known, bool *is_good_out)
{
    struct version_guard *guard = op->app->guard;
    enum err err = ERR_OK;

    *is_good_out = version_guard_trusts(guard, known, &op->seen);
    if (!*is_good_out)
        err = judge_again(op, known, is_good_out);
    if (!*is_good_out)
        return err;
    err = version_guard_show(guard, op->mode, op->work, known, &op->seen, &op->state.version);
    *is_good_out = op->state.version > 0;
    return *is_good_out ? judge_switch(op, known) : err;
}

/* Redis took a write, and what came then failed: the caller is not to be told that nothing happened.
 * The log gets the reason. Of data that no version can be made of it is said that it is refused; a switch is
 * taken back first (control_switch). */
static enum err after_write(const struct operation *op, enum err err)
{
    if (err == ERR_OK || err == ERR_UPSTREAM_REFUSED || !op->was_written)
        return err;
    return redis_error_set(op->work.error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN, "%s",
                           op->work.error->detail);
}

static enum err run(struct operation *op)
{
    bool is_good = false;
    enum err err = ERR_OK;

    for (int i = 0; err == ERR_OK && !is_good; i++) {
        struct version_knowledge known;
        if (i == TRIES_MAX)
            return after_write(op,
                               refuse_reply(op->work.error, "the control data was lost again and "
                                                            "again while it was read"));
        err = version_guard_know(op->app->guard, op->mode, op->work, &known);
        if (err == ERR_OK)
            err = ask(op, &known);
        if (err == ERR_OK)
            err = judge(op, &known, &is_good);
    }
    return after_write(op, err);
}

/* ---- the operations ---- */

static enum err run_for(struct operation op, struct cache_state *state_out)
{
    enum err err = run(&op);

    *state_out = op.state;
    return err;
}

enum err control_status(struct app *app, struct work work, int64_t user_id, struct call *counted,
                        struct cache_state *state_out)
{
    return run_for(
        (struct operation){
            .app = app, .work = work, .whose = namespace_of_user(user_id), .counted = counted},
        state_out);
}

enum err control_look(struct app *app, struct work work, const struct namespace *whose,
                      const struct control_part *part, struct cache_state *state_out)
{
    bool is_passive = part && part->is_passive;

    if (is_passive)
        work.deadline_ns += VERSION_GUARD_PASSIVE_MS * NS_PER_MS;
    return run_for(
        (struct operation){.app = app,
                           .work = work,
                           .mode = is_passive ? VERSION_GUARD_PASSIVE : VERSION_GUARD_REPAIRS,
                           .whose = *whose,
                           .part = part},
        state_out);
}

enum err control_observe(struct app *app, struct arena *arena, int64_t user_id,
                         struct cache_state *state_out, struct error *error)
{
    enum err err = run_for(
        (struct operation){
            .app = app,
            .work = {arena, clock_deadline_ns(app->budget_ms + VERSION_GUARD_PASSIVE_MS), error},
            .mode = VERSION_GUARD_PASSIVE,
            .whose = namespace_of_user(user_id),
        },
        state_out);

    if (err != ERR_NOT_FOUND)
        return err;
    error_clear(error);
    *state_out = (struct cache_state){.enabled = true, .version = 1};
    return ERR_OK;
}

enum err control_clear(struct app *app, struct work work, int64_t user_id,
                       struct cache_state *state_out)
{
    struct namespace whose = namespace_of_user(user_id);

    return control_clear_namespace(app, work, &whose, state_out);
}

enum err control_clear_namespace(struct app *app, struct work work, const struct namespace *whose,
                                 struct cache_state *state_out)
{
    return run_for((struct operation){.app = app, .work = work, .action = CLEAR, .whose = *whose},
                   state_out);
}

/* What is told to have failed must not have happened, nor happen the next time switches are put back. Redis
 * may have taken it all the same, where no version can be made of the account's clears. */
static enum err take_back(const struct operation *op, bool was_off, enum err err)
{
    struct error unwanted = {0};
    struct operation back = {.app = op->app,
                             .action = SWITCH,
                             .whose = op->whose,
                             .enabled = !was_off,
                             .work = {op->work.arena, op->work.deadline_ns, &unwanted}};

    if (users_switch_set(op->app->users, op->whose.user_id, was_off, NULL) != ERR_OK)
        log_event(LOG_LEVEL_WARN, "switches.ahead", LOG_INT("user_id", op->whose.user_id));
    /* In data of somebody else, whose term is another one, a switch of ours says nothing. */
    bool is_undone = !op->was_written || run(&back) == ERR_OK || back.was_written ||
                     version_guard_is_foreign(op->app->guard, NULL);
    if (is_undone)
        return err;
    return redis_error_set(op->work.error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN, "%s",
                           unwanted.detail);
}

/*
 * The users database first: a switch that Redis alone has could be lost with it a moment later. Before
 * that, a look whose control data it is: a switch that is refused must not be kept anywhere.
 */
enum err control_switch(struct app *app, struct work work, int64_t user_id, bool enabled,
                        struct cache_state *state_out)
{
    struct operation op = {.app = app,
                           .work = work,
                           .action = SWITCH,
                           .whose = namespace_of_user(user_id),
                           .enabled = enabled};
    struct version_knowledge known;
    bool was_off = false;
    enum err err = version_guard_know(app->guard, VERSION_GUARD_REPAIRS, work, &known);

    if (err == ERR_OK)
        err = users_switch_is_off(app->users, user_id, &was_off, work.error);
    if (err == ERR_OK)
        err = users_switch_set(app->users, user_id, !enabled, work.error);
    if (err != ERR_OK)
        return err;
    err = run(&op);
    *state_out = op.state;
    return err == ERR_OK || err == ERR_UNCERTAIN ? err : take_back(&op, was_off, err);
}

enum err control_clear_all(struct app *app, struct work work, int64_t *epoch_out)
{
    struct operation op = {.app = app, .work = work, .action = CLEAR_ALL};
    enum err err = run(&op);

    *epoch_out = op.seen.epoch;
    return err;
}
