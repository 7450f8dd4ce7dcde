/* Taking entries away: one by its label; those of a model, or all of a namespace, by one increment. */
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/control.h"
#include "entries/promise.h"
#include "keyspace.h"

struct drop {
    const struct entry_request *request;
    struct label_key key;
    bool is_full; /* Redis is, and refuses every transaction */
};

/* One step: what is removed is what the head tells of. A full Redis takes no step of several commands, but nobody
 * stores there in between, either. Whoever waits for a fill may fill it from now on. */
static void add_drop(void *with, struct pipeline *pipeline)
{
    const struct drop *drop = with;
    struct str key = label_key_str(&drop->key);

    entry_ask_head(pipeline, key);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key);
    promise_add_end(pipeline, drop->request);
}

static enum err drop_now(struct drop *drop, bool *was_there_out)
{
    struct entry_look look = {.request = drop->request,
                              .add = add_drop,
                              .with = drop,
                              .writes = true,
                              .is_one_step = !drop->is_full,
                              .models = models_of(drop->request)};
    enum err err = entry_look(&look);

    return err == ERR_OK
               ? entry_judge_head(&look, look.pipeline, look.first, clock_wall_ms(), was_there_out)
               : err;
}

enum err entries_delete(const struct entry_request *request, bool *was_there_out)
{
    struct drop drop = {request, key_entry(&request->space, request->label), false};

    *was_there_out = false;
    enum err err = drop_now(&drop, was_there_out);
    if (err == ERR_OK || request->work.error->redis != REDIS_ERROR_OUT_OF_MEMORY)
        return err;
    drop.is_full = true;
    error_clear(request->work.error);
    return drop_now(&drop, was_there_out);
}

enum err entries_clear(const struct entry_request *request, int64_t *generation_out)
{
    struct cache_state state;

    if (request->space.is_gateway)
        return entries_clear_model(request, MODELS_EVERYTHING, generation_out);
    enum err err = control_clear_namespace(request->app, request->work, &request->space, &state);

    *generation_out = state.version;
    if (err == ERR_OK)
        recent_note(request->app->entries->recent, &request->space,
                    &(struct recent_state){state.version, state.enabled});
    return err;
}

enum err entries_clear_model(const struct entry_request *request, struct str model,
                             int64_t *generation_out)
{
    int64_t count = 0;
    enum err err = models_clear(request, &model, 1, &count);

    *generation_out = 1 + count;
    if (err == ERR_OK && !request->space.is_gateway)
        entries_metrics_add(request->app->entries->metrics, &request->space, ENTRY_MODEL_CLEARS, 1);
    return err;
}
