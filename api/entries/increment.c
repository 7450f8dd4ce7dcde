/*
 * Raising a counter. Nothing that was acknowledged is lost or counted twice: each number is raised by one command that
 * Redis does whole, under the version that is believed to be the current one; if it was not, the number is dead, and
 * the same is done under the right one. What may come between these steps: docs/design/counters.md.
 */
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/redis_error.h"
#include "entries/admit.h"
#include "entries/counter.h"
#include "entries/look.h"
#include "entries/old.h"
#include "keyspace.h"
#include "redis_reply.h"

/* Who clears, or takes the counter away, between each try and the next makes it fail; not for ever. */
#define TRIES_MAX 16

struct increment {
    const struct entry_request *request;
    int64_t by;
    struct label_key key;
    struct key scratch;
    struct envelope envelope; /* of a counter that begins now */
    struct str head;
    int64_t guess;                /* the version that is believed to be the current one; 0: none */
    struct counter_fields fields; /* of that */
    struct counter_fields dead;   /* of the guess before, if that was wrong */
    bool has_dead;
    int64_t began_ns; /* the try */
    int64_t value;
    bool has_begun; /* it was not there */
    bool is_done;
};

/* The commands of add_raise, in their order; DROPPED only if a guess was wrong. */
enum { DROPPED, TEXT, BEGUN, BEGUN_LIFE, MOVED, UNMADE, RAISED, HEADED, FIELDS, LEFT };
/*
 * Where nothing is, a hash that has nothing but its life is moved there first: so none lives for ever. Then the number
 * is raised, wherever it lies.
 */
static void add_raise(void *with, struct pipeline *pipeline)
{
    struct increment *increment = with;
    struct str key = label_key_str(&increment->key), scratch = key_str(&increment->scratch);
    const struct counter_fields *fields = &increment->fields;

    if (increment->has_dead)
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HDEL"), key, increment->dead.number,
                     increment->dead.head, increment->dead.life);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("GETRANGE"), key, STR("0"),
                 STR_INT64(ENVELOPE_HEAD_MAX - 1));
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HSET"), scratch, fields->life, STR("1"));
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("PEXPIRE"), scratch,
                 STR_INT64(increment->envelope.life_ms));
    PIPELINE_KEYS(pipeline, EXPECT_UNJUDGED, 2, STR("RENAMENX"), scratch, key);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("UNLINK"), scratch);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HINCRBY"), key, fields->number,
                 STR_INT64(increment->by));
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HSETNX"), key, fields->head, increment->head);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HGETALL"), key);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("PTTL"), key);
}

static const struct value *raise_reply(const struct increment *increment,
                                       const struct entry_look *look, size_t index)
{
    size_t absent = increment->has_dead ? 0 : 1;

    return entry_reply(look, index - absent);
}

/* Under the version that is believed in. What was counted under another is dead, and goes. */
static enum err prepare(struct increment *increment, int64_t version)
{
    increment->has_dead = increment->guess > 0 && increment->guess != version;
    if (increment->has_dead)
        counter_name_fields(&increment->dead, increment->guess);
    increment->guess = version;
    increment->scratch = key_scratch(&increment->request->space);
    increment->envelope.version = version;
    counter_name_fields(&increment->fields, version);
    counter_make_tag(&increment->envelope);
    increment->head = envelope_encode_head(increment->request->work.arena, &increment->envelope);
    return increment->head.ptr ? ERR_OK
                               : error_set_detail(increment->request->work.error, ERR_NO_MEMORY,
                                                  "no memory for a counter");
}

/* ---- what it met ---- */

static enum err refuse_raise(const struct increment *increment, const struct value *reply)
{
    struct error *error = increment->request->work.error;
    enum redis_fault fault = value_fault(reply);

    if (fault == REDIS_FAULT_OVERFLOW)
        return error_set(error, ERR_BAD_INPUT,
                         "by: The counter would become %s than a whole number of 64 bits.",
                         increment->by > 0 ? "larger" : "smaller");
    struct str word = value_error_word(reply);
    return refuse_reply(error, "a counter: redis answered %.*s", STR_ARG(word));
}

/* What is good is refused; what is out of date goes, and the next try begins a counter. */
static enum err meet_text(struct increment *increment, struct entry_look *look)
{
    int64_t now_ms = clock_wall_ms();
    bool is_good;
    enum err err = entry_judge_text(look, raise_reply(increment, look, TEXT), now_ms, &is_good);

    if (err == ERR_OK && !is_good)
        err = old_remove_text(increment->request, &increment->key,
                              raise_reply(increment, look, TEXT), now_ms, &is_good);
    return err == ERR_OK && is_good
               ? error_set(increment->request->work.error, ERR_CONFLICT,
                           "What is stored under this label is no whole number, or names a model.")
               : err;
}

/* PTTL, as the raise found it: milliseconds, or -1 for a hash without an end. */
static bool may_have_expired(const struct increment *increment, int64_t left_ms)
{
    return left_ms >= 0 && (clock_mono_ns() - increment->began_ns) / NS_PER_MS >= left_ms;
}

/*
 * Whether the head that is there by now is the one that was raised. ERR_UNCERTAIN: ours may have ended with its hash,
 * or been told by others, who made that live on, and then taken away.
 */
static enum err find_again(const struct increment *increment, const struct value *all,
                           const struct value *head, int64_t left_ms)
{
    bool is_same =
        head->kind == VALUE_STRING && str_eq(head->text, counter_find(all, increment->fields.head));

    return is_same || !may_have_expired(increment, left_ms) ? ERR_OK : ERR_UNCERTAIN;
}

/*
 * It was counted in a hash of an earlier version, which ends when that was to end. So its own life is set, and what is
 * out of date goes. If it is not the one any more that was raised, and its time is not over, somebody deleted or
 * replaced it after us: we were counted, and others may have been told so.
 */
static enum err set_life(struct increment *increment, const struct value *all, int64_t left_ms)
{
    struct pipeline *pipeline = entry_pipeline(increment->request, PIPELINE_WRITE);
    struct error *error = increment->request->work.error;
    struct str key = label_key_str(&increment->key);

    pipeline_begin_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HMGET"), key, increment->fields.head);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HSET"), key, increment->fields.life, STR("1"));
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("PEXPIRE"), key,
                 STR_INT64(increment->envelope.life_ms));
    (void)counter_add_drop(pipeline, key, all, increment->guess);
    pipeline_end_transaction(pipeline);
    enum err err = entry_run(increment->request, pipeline);
    const struct value *heads = pipeline_value(pipeline, 1);
    bool is_text = err == ERR_OK && entry_is_other_type(heads, error, &err);
    if (err == ERR_OK && !is_text)
        err = heads->kind == VALUE_ARRAY && heads->count == 1
                  ? find_again(increment, all, &heads->items[0], left_ms)
                  : refuse_reply(error, "a counter: redis answered with no fields");
    increment->is_done = err == ERR_OK;
    return err == ERR_OK ? err
                         : redis_error_set(error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN,
                                           "a counter was raised, and then: %s", err_name(err));
}

static enum err take_raise(struct increment *increment, const struct entry_look *look)
{
    const struct value *all = raise_reply(increment, look, FIELDS);
    int64_t left_ms = raise_reply(increment, look, LEFT)->integer;

    increment->value = raise_reply(increment, look, RAISED)->integer;
    increment->has_begun = raise_reply(increment, look, HEADED)->integer == 1;
    increment->is_done = counter_find(all, increment->fields.life).len > 0 && left_ms >= 0;
    return increment->is_done ? ERR_OK : set_life(increment, all, left_ms);
}

/* ---- one try ---- */

static enum err take_away(struct increment *increment)
{
    struct pipeline *pipeline = entry_pipeline(increment->request, PIPELINE_WRITE);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), label_key_str(&increment->key));
    increment->value = increment->by;
    increment->has_begun = false;
    increment->is_done = true;
    return entry_run(increment->request, pipeline);
}

static enum err take_answer(struct increment *increment, struct entry_look *look)
{
    const struct entry_request *request = increment->request;
    const struct value *raised = raise_reply(increment, look, RAISED);

    if (!look->is_enabled)
        return take_away(increment);
    if (increment->guess !=
        look->version) /* the number is dead, and the next one who raises it removes it */
        return ERR_OK;
    if (look->is_repeated)
        return error_set_detail(request->work.error, ERR_UNCERTAIN,
                                "the control data was repaired while a counter was raised");
    if (raised->kind == VALUE_INTEGER)
        return take_raise(increment, look);
    if (old_is_foreign(raise_reply(increment, look, TEXT), raise_reply(increment, look, FIELDS),
                       look->version))
        return old_take_foreign(increment->request, &increment->key);
    return value_fault(raised) == REDIS_FAULT_WRONGTYPE ? meet_text(increment, look)
                                                        : refuse_raise(increment, raised);
}

static enum err try_once(struct increment *increment, bool *is_enabled_out)
{
    struct entry_look look = {.request = increment->request,
                              .add = increment->guess > 0 ? add_raise : NULL,
                              .with = increment,
                              .writes = increment->guess > 0,
                              .is_one_step = increment->guess > 0};

    increment->began_ns = clock_mono_ns();
    enum err err = entry_look(&look);
    *is_enabled_out = look.is_enabled;
    if (err == ERR_OK)
        err = take_answer(increment, &look);
    return err == ERR_OK && !increment->is_done ? prepare(increment, look.version) : err;
}

static void add_head(void *with, struct pipeline *pipeline)
{
    const struct label_key *key = with;

    entry_ask_head(pipeline, label_key_str(key));
}

/* What is there may be raised, and where the cache is off nothing is stored. */
static enum err refuse_to_begin(const struct increment *increment, enum err why)
{
    struct label_key key = increment->key;
    struct entry_look look = {.request = increment->request, .add = add_head, .with = &key};
    bool is_there;
    enum err err = entry_look(&look);

    if (err == ERR_OK)
        err = entry_judge_head(&look, look.pipeline, look.first, increment->envelope.stored_at_ms,
                               &is_there);
    return err == ERR_OK && look.is_enabled && !is_there ? entry_refuse(increment->request, why)
                                                         : err;
}

enum err entries_increment(const struct entry_request *request, int64_t by, int64_t ttl_s,
                           int64_t *value_out, bool *is_enabled_out)
{
    struct recent_state state;
    struct increment increment = {.request = request,
                                  .by = by,
                                  .key = key_entry(&request->space, request->label),
                                  .envelope = {.stored_at_ms = clock_wall_ms(),
                                               .life_ms = ttl_s * 1000,
                                               .content_type = STR("text/plain")}};
    enum err why = entry_admit(request, sizeof increment.value);
    enum err err = why == ERR_OK ? ERR_OK : refuse_to_begin(&increment, why);
    bool is_known = recent_find(request->app->entries->recent, &request->space, &state);

    if (err == ERR_OK && is_known && state.is_enabled)
        err = prepare(&increment, state.version);

    for (int i = 0; err == ERR_OK && !increment.is_done; i++) {
        if (i == TRIES_MAX)
            return error_set_detail(
                request->work.error, ERR_BUSY,
                "the cache was cleared, or the counter taken away, again and again");
        err = try_once(&increment, is_enabled_out);
    }
    *value_out = increment.value;
    if (err == ERR_OK && increment.has_begun)
        entry_note_kept(request, sizeof increment.value);
    if (err == ERR_OK)
        entries_metrics_add(request->app->entries->metrics, &request->space, ENTRY_INCREMENTS, 1);
    return err;
}
