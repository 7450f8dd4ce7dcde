/*
 * Raising a counter. Nothing that was acknowledged is lost or counted twice: each number is raised by one command that
 * Redis does whole, under the version that is believed to be the current one; if it was not, the field is dead, and
 * the same is done under the right one.
 */
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "entries/counter.h"
#include "entries/look.h"
#include "keyspace.h"
#include "redis_reply.h"

/* Who clears, or takes the counter away, between each try and the next makes it fail; not for ever. */
#define TRIES_MAX 4
/* What was taken away lives on for a moment, to be looked at. */
#define TAKEN_MS STR("30000")

struct increment {
    const struct entry_request *request;
    int64_t by;
    struct label_key key;
    struct key scratch;
    struct envelope envelope; /* of a counter that begins now */
    struct str head;
    int64_t guess;  /* the version that is believed to be the current one; 0: none */
    unsigned sends; /* how often the look was made */
    int64_t value;
    bool is_done;
};

/* The commands of add_raise, in their order. */
enum { MADE, MADE_LIFE, MOVED, MADE_GONE, RAISED };

/* A counter that begins is made beside its place, with its life, and moved there if nothing is. */
static void add_raise(const struct increment *increment, struct pipeline *pipeline)
{
    char version[STR_INT64_SIZE];
    struct str field = counter_field(version, increment->guess);
    struct str key = label_key_str(&increment->key), scratch = key_str(&increment->scratch);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), scratch, field, STR("0"), COUNTER_HEAD,
                 increment->head);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), scratch,
                 STR_INT64(increment->envelope.life_ms));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("RENAMENX"), scratch, key);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), scratch);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HINCRBY"), key, field, STR_INT64(increment->by));
}

/* When the look is repeated, the data it was counted in is gone; then the version is another one, too. */
static void add_increment(void *with, struct pipeline *pipeline)
{
    struct increment *increment = with;

    entry_ask_head(pipeline, label_key_str(&increment->key));
    if (increment->sends++ == 0)
        add_raise(increment, pipeline);
}

/* Under the version that is believed in. */
static enum err prepare(struct increment *increment, int64_t version)
{
    increment->guess = version;
    increment->sends = 0;
    increment->scratch = key_scratch(&increment->request->space);
    increment->envelope.version = version;
    increment->head = envelope_encode_head(increment->request->work.arena, &increment->envelope);
    return increment->head.ptr ? ERR_OK
                               : error_set_detail(increment->request->work.error, ERR_NO_MEMORY,
                                                  "no memory for a counter");
}

/* ---- what it met ---- */

static enum err refuse_raise(struct error *error, const struct value *reply)
{
    enum redis_fault fault = value_fault(reply);

    if (fault == REDIS_FAULT_OVERFLOW)
        return error_set(error, ERR_BAD_INPUT,
                         "by: The counter would become larger than a whole number of 64 bits.");
    struct str word = value_error_word(reply);
    return refuse_reply(error, "a counter: redis answered %.*s", STR_ARG(word));
}

static enum err refuse_text(struct error *error)
{
    return error_set(error, ERR_CONFLICT,
                     "What is stored under this label is no whole number, or names a model.");
}

static struct str text_of(const struct value *value)
{
    return value->kind == VALUE_STRING ? value->text : STR_NONE;
}

static void ask_fields(const struct increment *increment, struct pipeline *pipeline)
{
    char version[STR_INT64_SIZE];

    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HMGET"), label_key_str(&increment->key),
                 COUNTER_HEAD, COUNTER_OLD_HEAD, counter_field(version, increment->guess));
}

/* Whether ours is in what ask_fields met. Not adopted yet: the head is still the old one. */
static bool has_ours(const struct increment *increment, const struct value *fields,
                     struct str old_head, bool *is_adopted_out)
{
    *is_adopted_out = true;
    if (fields->kind != VALUE_ARRAY || fields->count != 3) /* a text took its place, after us */
        return true;
    if (fields->items[2].kind != VALUE_STRING) /* it is gone, and ours with it */
        return false;
    *is_adopted_out = counter_is_of(&fields->items[0], increment->guess);
    struct str began_as = text_of(&fields->items[*is_adopted_out ? 1 : 0]);
    return old_head.len == 0 || str_eq(began_as, old_head);
}

/*
 * Its head and its life become ours, and its number nobody's. That it began as another one stays written in it. If it
 * was taken away in between, ours is gone.
 */
static enum err adopt(struct increment *increment, struct str old_head)
{
    struct pipeline *pipeline = entry_pipeline(increment->request, PIPELINE_WRITE);
    struct str key = label_key_str(&increment->key);
    char field[STR_INT64_SIZE];
    struct envelope old;
    bool is_adopted;

    ask_fields(increment, pipeline);
    /* Whoever puts a text there meanwhile comes after us. */
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HSET"), key, COUNTER_HEAD, increment->head,
                 COUNTER_OLD_HEAD, old_head);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key,
                 STR_INT64(increment->envelope.life_ms));
    if (envelope_decode(old_head, &old))
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HDEL"), key,
                     counter_field(field, old.version));
    enum err err = entry_run(increment->request, pipeline);
    increment->is_done =
        err == ERR_OK && has_ours(increment, pipeline_value(pipeline, 0), old_head, &is_adopted);
    return err;
}

/*
 * It was counted in a hash of an earlier version, whose life may end at any moment. So its life is made longer first,
 * and then looked at: if it is still the same, or another one of this version that began as it, ours is in it. If not,
 * ours is gone, and is counted again.
 */
static enum err begin_in_old(struct increment *increment, struct str old_head)
{
    struct pipeline *pipeline = entry_pipeline(increment->request, PIPELINE_WRITE);
    bool is_adopted;

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), label_key_str(&increment->key),
                 STR_INT64(increment->envelope.life_ms));
    ask_fields(increment, pipeline);
    enum err err = entry_run(increment->request, pipeline);
    if (err != ERR_OK || !has_ours(increment, pipeline_value(pipeline, 1), old_head, &is_adopted))
        return err;
    increment->is_done = is_adopted;
    return is_adopted ? ERR_OK : adopt(increment, old_head);
}

/* `first` is where the commands of add_raise begin; old_head: of the counter there was before, if any. */
static enum err take_raise(struct increment *increment, const struct pipeline *pipeline,
                           size_t first, const struct value *old_head)
{
    const struct value *moved = pipeline_value(pipeline, first + MOVED);
    const struct value *raised = pipeline_value(pipeline, first + RAISED);

    if (raised->kind != VALUE_INTEGER)
        return refuse_raise(increment->request->work.error, raised);
    increment->value = raised->integer;
    increment->is_done =
        moved->integer == 1 || !old_head || counter_is_of(old_head, increment->guess);
    return increment->is_done ? ERR_OK : begin_in_old(increment, text_of(old_head));
}

/*
 * Something out of date is in the way. It is moved aside, in one step, so that nobody's number can be lost with it: if
 * it was a counter of this version after all, its number is added to ours.
 */
static enum err raise_in_place_of_old(struct increment *increment)
{
    struct pipeline *pipeline = entry_pipeline(increment->request, PIPELINE_WRITE);
    struct key taken = key_scratch(&increment->request->space);
    struct str key = label_key_str(&increment->key);
    char version[STR_INT64_SIZE];
    struct str field = counter_field(version, increment->guess);

    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("RENAME"), key, key_str(&taken));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key_str(&taken), TAKEN_MS);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HGET"), key_str(&taken), field);
    size_t first = pipeline_count(pipeline);
    add_raise(increment, pipeline);
    enum err err = entry_run(increment->request, pipeline);
    const struct value *number = pipeline_value(pipeline, first - 1);
    if (err == ERR_OK)
        err = take_raise(increment, pipeline, first, NULL);
    if (err != ERR_OK)
        return err;
    pipeline = entry_pipeline(increment->request, PIPELINE_WRITE);
    if (number->kind == VALUE_STRING)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key, field, number->text);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key_str(&taken));
    err = entry_run(increment->request, pipeline);
    if (err == ERR_OK && number->kind == VALUE_STRING)
        increment->value = pipeline_value(pipeline, 0)->integer;
    return err;
}

/* ---- one try ---- */

/* Nobody reads the field, and after the next clear nobody knows of it. */
static enum err forget_guess(const struct increment *increment)
{
    struct pipeline *pipeline = entry_pipeline(increment->request, PIPELINE_WRITE);
    char version[STR_INT64_SIZE];

    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HDEL"), label_key_str(&increment->key),
                 counter_field(version, increment->guess));
    return entry_run(increment->request, pipeline);
}

static enum err take_away(struct increment *increment)
{
    struct pipeline *pipeline = entry_pipeline(increment->request, PIPELINE_WRITE);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), label_key_str(&increment->key));
    increment->value = increment->by;
    increment->is_done = true;
    return entry_run(increment->request, pipeline);
}

static enum err settle(struct increment *increment, struct entry_look *look)
{
    const struct entry_request *request = increment->request;
    const struct value *raised = pipeline_value(look->pipeline, HEAD_COMMANDS + RAISED);
    bool is_good;

    if (!look->is_enabled)
        return take_away(increment);
    if (increment->guess != look->version)
        return increment->guess > 0 ? forget_guess(increment) : ERR_OK;
    if (increment->sends > 1)
        return error_set_detail(request->work.error, ERR_UNCERTAIN,
                                "the control data was repaired while a counter was raised");
    if (raised->kind != VALUE_ERROR || value_fault(raised) != REDIS_FAULT_WRONGTYPE)
        return take_raise(increment, look->pipeline, HEAD_COMMANDS,
                          pipeline_value(look->pipeline, 1));
    enum err err = entry_judge_head(look, look->pipeline, 0, clock_wall_ms(), &is_good);
    if (err != ERR_OK)
        return err;
    return is_good ? refuse_text(request->work.error) : raise_in_place_of_old(increment);
}

static enum err try_once(struct increment *increment, bool *is_enabled_out)
{
    struct entry_look look = {.request = increment->request,
                              .add = increment->guess > 0 ? add_increment : NULL,
                              .with = increment,
                              .writes = increment->guess > 0};
    enum err err = entry_look(&look);

    *is_enabled_out = look.is_enabled;
    if (err == ERR_OK)
        err = settle(increment, &look);
    return err == ERR_OK && !increment->is_done ? prepare(increment, look.version) : err;
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
    bool is_known = recent_find(request->app->entries->recent, &request->space, &state);
    enum err err = is_known && state.is_enabled ? prepare(&increment, state.version) : ERR_OK;

    for (int i = 0; err == ERR_OK && !increment.is_done; i++) {
        if (i == TRIES_MAX)
            return error_set_detail(
                request->work.error, ERR_BUSY,
                "the cache was cleared, or the counter taken away, again and again");
        err = try_once(&increment, is_enabled_out);
    }
    *value_out = increment.value;
    if (err == ERR_OK)
        entries_metrics_add(request->app->entries->metrics, &request->space, ENTRY_INCREMENTS, 1);
    return err;
}
