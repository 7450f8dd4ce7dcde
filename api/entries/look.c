#include "entries/look.h"

#include "cachewarden/app.h"
#include "cachewarden/control.h"
#include "cachewarden/redis_error.h"
#include "control/look.h"
#include "entries/counter.h"
#include "keyspace.h"

struct model_set models_of(const struct entry_request *request)
{
    struct model_set models = {.count = request->model_count};

    for (size_t i = 0; i < request->model_count; i++)
        models.names[i] = request->models[i];
    return models;
}

struct lease_scope entry_lease_scope(const struct entry_request *request)
{
    return (struct lease_scope){request->app->entries->lease_keys, &request->space, request->label};
}

struct pipeline *entry_pipeline(const struct entry_request *request, enum pipeline_effect effect)
{
    return pipeline_new(request->work.arena, effect);
}

enum err entry_run(const struct entry_request *request, struct pipeline *pipeline)
{
    return redis_run(request->app->entries->redis, pipeline, request->work);
}

/* ---- the part of control_look ---- */

/* It was sent, and what came of it is known, though not what that means. */
static bool was_written(const struct entry_look *look)
{
    return look->writes && look->pipeline;
}

static void add_entry(struct entry_look *look, struct pipeline *pipeline)
{
    look->is_repeated = was_written(look);
    if (!look->add || look->is_repeated)
        return;
    look->first = pipeline_count(pipeline);
    look->add(look->with, pipeline);
}

/* Also where no model is named: a lease says how often any was cleared. */
static void add_part(void *with, struct pipeline *pipeline)
{
    struct entry_look *look = with;
    const struct namespace *space = &look->request->space;

    bool is_here = !look->request->app->entries->owns_redis;

    if (is_here)
        add_entry(look, pipeline);
    look->models_at = pipeline_count(pipeline);
    models_ask(pipeline, space, &look->models, look->keeps_models);
}

static enum err take_part(void *with, const struct pipeline *pipeline, struct error *error)
{
    struct entry_look *look = with;

    if (!look->request->app->entries->owns_redis && !was_written(look))
        look->pipeline = pipeline;
    return models_take(pipeline, look->models_at, look->keeps_models, &look->models, error);
}

/* ---- the look ---- */

/* What lives elsewhere is asked first: a value is judged by numbers that were read after it. */
static enum err look_elsewhere(struct entry_look *look)
{
    struct pipeline *pipeline =
        entry_pipeline(look->request, look->writes ? PIPELINE_WRITE : PIPELINE_READ);

    if (!look->add)
        return ERR_OK;
    if (look->is_one_step)
        pipeline_begin_transaction(pipeline);
    add_entry(look, pipeline);
    if (look->is_one_step)
        pipeline_end_transaction(pipeline);
    look->pipeline = pipeline;
    return entry_run(look->request, pipeline);
}

enum err entry_look(struct entry_look *look)
{
    const struct entry_request *request = look->request;
    struct entries *entries = request->app->entries;
    const struct control_part part = {.add = add_part,
                                      .is_one_step = look->is_one_step && !entries->owns_redis,
                                      .take = take_part,
                                      .with = look,
                                      .is_passive = request->is_passive,
                                      .writes = look->keeps_models ||
                                                (look->writes && !entries->owns_redis)};
    struct cache_state state;
    enum err err = entries->owns_redis ? look_elsewhere(look) : ERR_OK;

    if (err != ERR_OK)
        return err;
    err = control_look(request->app, request->work, &request->space, &part, &state);
    if (err != ERR_OK && entries->owns_redis && look->writes && look->add)
        return redis_error_set(request->work.error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN,
                               "the entry was written, and then: %s", err_name(err));
    if (err != ERR_OK)
        return err;
    look->version = state.version;
    look->is_enabled = state.enabled;
    if (look->models.is_damaged && look->keeps_models)
        err = models_begin_anew(request, STR_NONE, &look->models);
    if (err != ERR_OK)
        return err;
    recent_note(entries->recent, &request->space,
                &(struct recent_state){state.version, state.enabled});
    recent_note_models(entries->recent, &request->space, &look->models);
    return ERR_OK;
}

const struct value *entry_reply(const struct entry_look *look, size_t index)
{
    return pipeline_value(look->pipeline, look->first + index);
}

/* ---- judging what was found ---- */

static bool is_alive(const struct envelope *envelope, int64_t now_ms)
{
    /* The clock of the node that stored it may be ahead of ours. */
    return envelope->stored_at_ms + envelope->life_ms > now_ms;
}

/* By the numbers alone, whether the cache is on or off. */
static bool is_current(const struct entry_look *look, const struct envelope *envelope)
{
    return envelope->version == look->version &&
           models_judge(&envelope->models, &look->models) == MODELS_CURRENT;
}

enum err entry_judge(struct entry_look *look, const struct envelope *envelope, int64_t now_ms,
                     bool *is_good_out)
{
    struct entry_look more = {.request = look->request, .models = envelope->models};
    enum models_verdict verdict = models_judge(&envelope->models, &look->models);

    *is_good_out = verdict != MODELS_MOVED && look->is_enabled &&
                   envelope->version == look->version && is_alive(envelope, now_ms);
    if (!*is_good_out || verdict == MODELS_CURRENT)
        return ERR_OK;
    enum err err = entry_look(&more);
    *is_good_out = err == ERR_OK && more.is_enabled && is_current(&more, envelope);
    return err;
}

enum err entry_judge_anew(const struct entry_request *request, const struct value *text,
                          int64_t now_ms, bool *is_over_out)
{
    struct envelope envelope;

    *is_over_out = true;
    if (text->kind != VALUE_STRING || !envelope_decode(text->text, &envelope) ||
        !is_alive(&envelope, now_ms))
        return ERR_OK;
    struct entry_look now = {.request = request, .models = envelope.models};
    enum err err = entry_look(&now);
    *is_over_out = err == ERR_OK && !is_current(&now, &envelope);
    return err;
}

bool entry_is_other_type(const struct value *reply, struct error *error, enum err *err_out)
{
    *err_out = ERR_OK;
    if (reply->kind != VALUE_ERROR)
        return false;
    if (value_fault(reply) == REDIS_FAULT_WRONGTYPE)
        return true;
    struct str word = value_error_word(reply);
    *err_out = redis_error_set(error, ERR_UPSTREAM_REFUSED, redis_fault_cause(value_fault(reply)),
                               "an entry: redis answered %.*s", STR_ARG(word));
    return false;
}

enum err entry_judge_text(struct entry_look *look, const struct value *text, int64_t now_ms,
                          bool *is_good_out)
{
    struct envelope envelope;

    *is_good_out = false;
    if (text->kind != VALUE_STRING || !envelope_decode(text->text, &envelope))
        return ERR_OK;
    return entry_judge(look, &envelope, now_ms, is_good_out);
}

void entry_ask_head(struct pipeline *pipeline, struct str key)
{
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("GETRANGE"), key, STR("0"),
                 STR_INT64(ENVELOPE_HEAD_MAX - 1));
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HGETALL"), key);
}

enum err entry_judge_head(struct entry_look *look, const struct pipeline *pipeline, size_t first,
                          int64_t now_ms, bool *is_good_out)
{
    const struct value *head = pipeline_value(pipeline, first);
    enum err err;

    *is_good_out = false;
    if (entry_is_other_type(head, look->request->work.error, &err)) {
        *is_good_out =
            look->is_enabled && counter_counts(pipeline_value(pipeline, first + 1), look->version);
        return ERR_OK;
    }
    return err == ERR_OK ? entry_judge_text(look, head, now_ms, is_good_out) : err;
}
