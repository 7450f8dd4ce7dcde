/*
 * Filling an entry. The numbers it carries are those of its lease, or without one those current at its arrival. It
 * looks first and then writes. Where this node knows the numbers, or believes to, it looks and writes in one step: a
 * guess that was wrong was wrong already when it was written, so nobody is ever served that, and it is written again
 * with the right numbers. What lives in a Redis of its own is never written on a guess: numbers that are read in
 * another round trip, behind it, would not tell a guess that was wrong from one that a clear has overtaken, and that
 * may have been served.
 */
#include "entries/put.h"
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "entries/admit.h"
#include "entries/counter.h"
#include "entries/promise.h"

/* A value and its head must fit into one reply of Redis, with room to spare (pool/protocol/reply.h). */
#define BODY_MAX ((size_t)60 * 1024 * 1024)
/* A larger one is not sent on a guess: it may have to be sent again, and is copied for it. */
#define GUESS_BODY_MAX ((size_t)1024 * 1024)

/* ---- commands ---- */

enum err put_encode(struct put *put, enum store store)
{
    put->store = store;
    if (store == STORE_NOTHING || store == STORE_DROP)
        return ERR_OK;
    put->bytes = put->is_number ? envelope_encode_head(put->request->work.arena, &put->envelope)
                                : envelope_encode(put->request->work.arena, &put->envelope);
    return put->bytes.ptr ? ERR_OK
                          : error_set_detail(put->request->work.error, ERR_NO_MEMORY,
                                             "no memory for an entry");
}

static void add_set(const struct put *put, struct pipeline *pipeline)
{
    struct str life = STR_INT64(put->envelope.life_ms);
    struct str key = label_key_str(&put->key);

    if (put->store == STORE_IF_ABSENT)
        PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key, put->bytes, STR("PX"), life,
                     STR("NX"));
    else
        PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), key, put->bytes, STR("PX"), life);
}

static void add_what_is_stored(struct put *put, struct pipeline *pipeline)
{
    struct str key = label_key_str(&put->key);

    put->stored_at = pipeline_count(pipeline);
    if (put->store == STORE_DROP)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key);
    else if (put->store != STORE_NOTHING && put->is_number)
        put->stored_at = counter_add_put(pipeline, key, key_str(&put->scratch), &put->envelope,
                                         put->bytes, put->store == STORE_IF_ABSENT);
    else if (put->store != STORE_NOTHING)
        add_set(put, pipeline);
}

static void add_try(void *with, struct pipeline *pipeline)
{
    struct put *put = with;

    entry_ask_head(pipeline, label_key_str(&put->key));
    add_what_is_stored(put, pipeline);
    pipeline_note_stored(pipeline, label_key_str(&put->key));
    if (put->lease.is_promised && put->store != STORE_NOTHING)
        promise_add_end(pipeline, put->request);
}

void put_add_step(struct put *put, struct pipeline *pipeline)
{
    pipeline_begin_transaction(pipeline);
    add_try(put, pipeline);
    pipeline_end_transaction(pipeline);
}

bool put_was_stored(const struct put *put, const struct pipeline *pipeline)
{
    if (put->store != STORE_IF_ABSENT)
        return put->store == STORE_IN_PLACE;
    return put->is_number ? counter_was_put(pipeline, put->stored_at)
                          : pipeline_value(pipeline, put->stored_at)->kind == VALUE_STATUS;
}

static enum err store_now(struct put *put, enum store store, const struct pipeline **pipeline_out)
{
    struct pipeline *pipeline = entry_pipeline(put->request, PIPELINE_WRITE);
    enum err err = put_encode(put, store);

    *pipeline_out = pipeline;
    put_add_step(put, pipeline);
    if (err == ERR_OK)
        err = entry_run(put->request, pipeline);
    put->is_kept = err == ERR_OK && store != STORE_DROP;
    return err;
}

enum err put_drop(struct put *put)
{
    const struct pipeline *ignored;

    return store_now(put, STORE_DROP, &ignored);
}

/* The numbers are right now. *was_there: at the look; if nothing was stored by it, it is of this try alone. */
static enum err replace_now(struct put *put, struct entry_look *look, bool *was_there)
{
    bool was_replaced = *was_there && put->store == STORE_IN_PLACE;
    const struct pipeline *pipeline;
    enum err err = store_now(put, STORE_IN_PLACE, &pipeline);

    if (err == ERR_OK)
        err = entry_judge_head(look, pipeline, PUT_HEAD, put->envelope.stored_at_ms, was_there);
    *was_there = *was_there || was_replaced;
    return err;
}

/* ---- which numbers ---- */

/* Those of the lease, as far as it has them. */
static bool stamp_of_lease(struct put *put)
{
    put->envelope.version = put->lease.version;
    return lease_has_models(&put->lease, &put->envelope.models);
}

/*
 * One that is void must not take the place of something good: with a lease it is written before anything was read only
 * if all that this node remembers agrees with it.
 */
static bool is_lease_current(const struct put *put, const struct recent_state *state)
{
    struct model_set now = put->envelope.models;

    return put->lease.version == state->version &&
           recent_find_models(put->request->app->entries->recent, &put->request->space, &now) &&
           models_judge(&put->envelope.models, &now) == MODELS_CURRENT;
}

/* Whether it may be written before anything was read. */
static enum store first_try(struct put *put)
{
    struct recent_state state;
    bool is_known = recent_find(put->request->app->entries->recent, &put->request->space, &state);
    enum store store = put->fill->only_if_absent ? STORE_IF_ABSENT : STORE_IN_PLACE;

    if (put->request->app->entries->owns_redis)
        return STORE_NOTHING;
    /* Another node may have switched it on since: what is there by now is dropped by no guess. */
    if (!is_known || !state.is_enabled || put->fill->body.len > GUESS_BODY_MAX ||
        put->admission != ERR_OK)
        return STORE_NOTHING;
    if (put->has_lease)
        return stamp_of_lease(put) && is_lease_current(put, &state) ? store : STORE_NOTHING;
    put->envelope.version = state.version;
    return recent_find_models(put->request->app->entries->recent, &put->request->space,
                              &put->envelope.models)
               ? store
               : STORE_NOTHING;
}

/* Nothing that the lease does not name may have been cleared since. */
static bool lease_covers_others(const struct lease *lease, const struct model_set *now)
{
    if (lease->base == 0)
        return now->any == 0;
    return lease->base == now->base && lease->any == now->any;
}

bool put_stamp(struct put *put, const struct entry_look *look)
{
    if (!put->has_lease) {
        put->envelope.version = look->version;
        put->envelope.models = look->models;
        return true;
    }
    if (put->lease.version != look->version)
        return false;
    if (stamp_of_lease(put))
        return models_judge(&put->envelope.models, &look->models) == MODELS_CURRENT;
    put->envelope.models = look->models;
    return lease_covers_others(&put->lease, &look->models);
}

bool put_stamp_again(struct put *put, const struct entry_look *look)
{
    if (!put->has_lease)
        return put_stamp(put, look);
    return put->envelope.version == look->version &&
           models_judge(&put->envelope.models, &look->models) == MODELS_CURRENT;
}

bool put_has_numbers_of(const struct put *put, const struct envelope *tried)
{
    return tried->version == put->envelope.version &&
           models_judge(&tried->models, &put->envelope.models) == MODELS_CURRENT;
}

/* ---- the fill ---- */

struct entry_look put_look(struct put *put)
{
    const struct entry_request *request = put->request;
    bool writes = put->store != STORE_NOTHING;

    return (struct entry_look){.request = request,
                               .add = request->app->entries->owns_redis ? NULL : add_try,
                               .with = put,
                               .writes = writes,
                               .is_one_step = writes,
                               .keeps_models = request->model_count > 0 && put->admission == ERR_OK,
                               .models = models_of(request)};
}

/* What was there at the look; or is there now, where entries have a Redis of their own. */
static enum err find_present(struct put *put, struct entry_look *look, bool *was_there_out)
{
    struct pipeline *pipeline = entry_pipeline(put->request, PIPELINE_READ);
    int64_t now_ms = put->envelope.stored_at_ms;

    if (look->add)
        return entry_judge_head(look, look->pipeline, look->first, now_ms, was_there_out);
    entry_ask_head(pipeline, label_key_str(&put->key));
    enum err err = entry_run(put->request, pipeline);
    return err == ERR_OK ? entry_judge_head(look, pipeline, 0, now_ms, was_there_out) : err;
}

/* Nothing is stored, and who waits need not wait for it. */
static enum err end_without(struct put *put, bool is_void)
{
    if (!is_void)
        return entry_refuse(put->request, put->admission);
    return put->store == STORE_NOTHING && put->lease.is_promised ? promise_end(put->request)
                                                                 : ERR_OK;
}

static enum err finish_fill(struct put *put, struct entry_look *look,
                            struct entry_stored *stored_out)
{
    struct envelope tried = put->envelope;
    enum err err = ERR_OK;

    stored_out->is_enabled = look->is_enabled;
    if (!look->is_enabled)
        return put_drop(put);
    put->is_kept = put_was_stored(put, look->pipeline);
    stored_out->is_void = !put_stamp(put, look);
    bool stores = !stored_out->is_void && put->admission == ERR_OK;
    if (look->add || !stores)
        err = find_present(put, look, &stored_out->was_there);
    if (err != ERR_OK)
        return err;
    if (put->fill->only_if_absent && stored_out->was_there)
        return put_refuse_present(put->request->work.error);
    if (!stores)
        return end_without(put, stored_out->is_void);
    if (put->is_kept && put_has_numbers_of(put, &tried))
        return ERR_OK;
    /* The first try was made with other numbers, or not at all. Who saw it took it for out of date. */
    return put->fill->only_if_absent ? put_if_absent(put, look, stored_out)
                                     : replace_now(put, look, &stored_out->was_there);
}

static enum err check(const struct entry_request *request, const struct entry_fill *fill)
{
    if (fill->body.len > BODY_MAX)
        return error_set(request->work.error, ERR_TOO_LARGE, "An entry may have 60 MiB.");
    if (request->model_count > 0 && fill->ttl_s > ENTRY_MODEL_TTL_MAX_S)
        return error_set(request->work.error, ERR_BAD_INPUT,
                         "ttl: An entry that names a model lives for 2592000 seconds at most.");
    return ERR_OK;
}

/* What stays the same whatever the numbers are. */
static enum err prepare(struct put *put)
{
    const struct entry_request *request = put->request;
    const struct entry_fill *fill = put->fill;
    int64_t now_ms = clock_wall_ms();
    enum err err = ERR_OK;

    put->key = key_entry(&request->space, request->label);
    put->has_lease = fill->lease.len > 0;
    if (put->has_lease) {
        const struct lease_scope scope = entry_lease_scope(request);
        err = lease_open(&scope, request->work, fill->lease, now_ms, &put->lease);
        if (err == ERR_BAD_INPUT)
            entries_metrics_add(request->app->entries->metrics, &request->space, ENTRY_LEASES_WRONG,
                                1);
    }
    if (err != ERR_OK) {
        put->lease.is_promised = false; /* whatever it says */
        return err;
    }
    err = check(request, fill);
    if (err != ERR_OK)
        return err;
    put->admission = entry_admit(request, fill->body.len);
    put->envelope = (struct envelope){.stored_at_ms = now_ms,
                                      .life_ms = fill->ttl_s * 1000,
                                      .content_type = fill->content_type,
                                      .models = models_of(request),
                                      .body = fill->body};
    if (put->has_lease && now_ms > put->lease.issued_at_ms)
        put->envelope.fill_ms = now_ms - put->lease.issued_at_ms;
    put->is_number = counter_is_number(&put->envelope);
    if (put->is_number && fill->only_if_absent)
        put->scratch = key_scratch(&request->space);
    return envelope_make_tag(fill->content_type, fill->body, put->envelope.tag);
}

static enum err fill(struct put *put, struct entry_stored *stored_out)
{
    enum err err = prepare(put);

    if (err == ERR_OK)
        err = put_encode(put, first_try(put));
    if (err != ERR_OK)
        return err;
    struct entry_look look = put_look(put);
    err = entry_look(&look);
    return err == ERR_OK ? finish_fill(put, &look, stored_out) : err;
}

enum err entries_put(const struct entry_request *request, const struct entry_fill *what,
                     struct entry_stored *stored_out)
{
    struct put put = {.request = request, .fill = what};

    *stored_out = (struct entry_stored){.is_enabled = true};
    enum err err = fill(&put, stored_out);
    if (err != ERR_OK)
        put_give_up(&put, err);
    else if (put.is_kept)
        entry_note_kept(request, what->body.len);
    waits_wake(request->app->entries->waits, label_key_str(&put.key));
    entries_metrics_note_fill(request, err, stored_out, what->body.len);
    return err;
}
