/* Storing a response, with the numbers that were seen before the upstream was asked. */
#include "cachewarden/clock.h"
#include "cachewarden/entries.h"
#include "cachewarden/random.h"
#include "cachewarden/redis_error.h"
#include "entries/service.h"
#include "gateway/mark.h"
#include "gateway/store_private.h"

/* A record must fit into one reply of Redis, with room to spare (pool/protocol/reply.h). */
#define BODY_MAX ((size_t)60 * 1024 * 1024)
/* What remembers the clears of tags lives for longer (entries/models.h). */
#define LIFE_MAX_MS (ENTRY_MODEL_TTL_MAX_S * 1000)
/* What took less is seldom overtaken, and would feel one round trip more. */
#define UNCHECKED_MS 20

struct putting {
    struct gateway_store *store;
    const struct gateway_key *key;
    const struct gateway_look *look;
    struct work work;
    int64_t life_ms, path_life_ms; /* of what is stored; of what lies under the path */
    struct namespace space;
    struct stored_response response; /* with its id, Vary and all tags */
    struct stored_numbers numbers;
    struct gateway_digest entry;
    bool is_listed;         /* the list of variants that lies there is the right one */
    struct str start, head; /* of its record */
    /* Which replies tell of the path; -1: none does. */
    ptrdiff_t drop_at, life_at;
};

static enum err refuse_void(const struct putting *putting)
{
    return store_refuse_void(putting->work.error);
}

/* ---- what is stored ---- */

static int64_t age_ms(const struct gateway_look *look)
{
    return (clock_mono_ns() - look->looked_ns) / NS_PER_MS;
}

static enum err check(const struct putting *putting)
{
    const struct gateway_look *look = putting->look;

    if (putting->life_ms < 1 || !look->is_enabled)
        return error_set_detail(putting->work.error, ERR_CONFLICT,
                                "not stored: it has no life, or the user's cache is off");
    if (putting->response.body.len > BODY_MAX)
        return error_set_detail(putting->work.error, ERR_TOO_LARGE, "not stored: more than 60 MiB");
    return age_ms(look) <= STORE_LOOK_MAX_MS
               ? ERR_OK
               : error_set_detail(putting->work.error, ERR_PRECONDITION,
                                  "not stored: the upstream has taken more than two minutes");
}

static enum err take_vary(struct putting *putting)
{
    struct stored_response *response = &putting->response;
    enum vary vary;
    enum err err = vary_of(putting->work.arena, &response->fields, &vary, &response->vary);

    if (err == ERR_OK && vary == VARY_ANYTHING)
        return error_set_detail(putting->work.error, ERR_BAD_INPUT,
                                "not stored: its Vary fits no other request");
    return err;
}

static enum err take_tags(struct putting *putting)
{
    struct stored_response *response = &putting->response;
    enum err err =
        tags_join(putting->work.arena, putting->key->models, putting->key->model_count,
                  response->tags, response->tag_count, &response->tags, &response->tag_count);

    return err == ERR_TOO_LARGE ? error_set_detail(putting->work.error, err,
                                                   "not stored: more than %d tags", STORED_TAGS_MAX)
                                : err;
}

/* Under which key: the path's own, or one beside the list that lies there, or will. */
static enum err take_place(struct putting *putting)
{
    const struct gateway_look *look = putting->look;
    struct str names = putting->response.vary;

    putting->entry = look->path;
    memcpy(putting->numbers.drop, look->drop, sizeof look->drop);
    if (names.len == 0)
        return ERR_OK;
    putting->is_listed = look->has_variants && str_eq(names, look->names);
    if (putting->is_listed)
        memcpy(putting->numbers.stamp, look->stamp, sizeof look->stamp);
    else
        random_bytes(putting->numbers.stamp, sizeof putting->numbers.stamp);
    return gateway_key_variant(putting->key, putting->work.arena, &look->path, names,
                               &putting->entry);
}

/* ---- its numbers ---- */

/* For the next look, which then asks for these tags. */
static void remember(struct putting *putting)
{
    const struct stored_response *response = &putting->response;
    struct stored_copy *note =
        stored_copy_new_note(response->vary, response->tags, response->tag_count);

    if (note)
        memory_put(putting->store->memory, &putting->look->path, note);
    stored_copy_release(&note);
}

/* What the look did not ask for is asked for now. It is what it was then, if nothing was cleared in between. */
static enum err ask_now(struct putting *putting, struct tag_look *now)
{
    const struct stored_response *response = &putting->response;
    struct entry_request models = store_models_request(putting->store, putting->work);
    struct pipeline *pipeline = pipeline_new(putting->work.arena, PIPELINE_WRITE);
    struct model_set anew;
    enum err err =
        tag_look_new(putting->work.arena, response->tags, response->tag_count, false, now);

    if (err != ERR_OK)
        return err;
    /* In one step: the sum and all counts are those of one moment. */
    pipeline_begin_transaction(pipeline);
    tag_look_ask(now, pipeline, true);
    pipeline_end_transaction(pipeline);
    err = redis_run(putting->store->app->control, pipeline, putting->work);
    if (err == ERR_OK)
        err = tag_look_take(now, pipeline, true, putting->work.error);
    if (err == ERR_OK && now->is_damaged) {
        err = models_begin_anew(&models, STR_NONE, &anew);
        now->base = 0;
    }
    return err;
}

static enum err take_numbers(struct putting *putting)
{
    const struct stored_response *response = &putting->response;
    const struct tag_look *before = &putting->look->tags;
    int64_t *counts = NULL;
    struct tag_look now;
    enum err err = ERR_OK;

    putting->numbers.version = putting->look->numbers_version;
    putting->numbers.base = before->base;
    putting->numbers.any = before->any;
    if (before->base > 0)
        err = tag_look_counts(before, putting->work.arena, response->tags, response->tag_count,
                              &counts);
    putting->numbers.counts = counts;
    if (err != ERR_OK || counts)
        return err;
    err = ask_now(putting, &now);
    if (err != ERR_OK)
        return err;
    /* There was no hash of models: the one that is there now has seen no clear, if it says so. */
    bool is_same = now.base > 0 && now.any == before->any &&
                   (now.base == before->base || (before->base == 0 && !before->is_damaged));
    if (!is_same) {
        remember(putting);
        return refuse_void(putting);
    }
    putting->numbers.base = now.base;
    putting->numbers.counts = now.counts;
    return ERR_OK;
}

/* ---- writing ---- */

/* The hash of models lives on: it must outlive what was stored. */
static void add_models_life(struct pipeline *pipeline)
{
    const struct namespace space = namespace_of_gateway();
    const struct model_set none = {0};

    models_ask(pipeline, &space, &none, true);
}

/*
 * What lies under the path itself. Where it was forgotten which drop the look has seen, it is remembered again: beside
 * it this is good, as what else was asked for behind that drop.
 */
static enum err add_to_path(const struct putting *putting, struct pipeline *pipeline,
                            const struct key *path)
{
    static const unsigned char none[STORED_STAMP_SIZE];
    const struct gateway_look *look = putting->look;

    if (memcmp(look->drop, none, sizeof none) != 0)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSETNX"), key_str(path), RECORD_FIELD_DROP,
                     (struct str){(const char *)look->drop, sizeof look->drop});
    store_record_clear(pipeline, path);
    if (putting->response.vary.len > 0) {
        struct str list = record_encode_variants(putting->work.arena, &look->path,
                                                 &putting->numbers, putting->response.vary);
        if (!list.ptr)
            return ERR_NO_MEMORY;
        store_record_put_variants(pipeline, path, list);
    } else {
        store_record_put_response(pipeline, path, putting->start, putting->head,
                                  putting->response.body);
    }
    store_record_set_life(pipeline, path, putting->path_life_ms);
    return ERR_OK;
}

/* A list that lies there lives on for as long as the longest of its variants. The command that does this makes none:
 * what was dropped meanwhile stays so. */
static void add_life(struct putting *putting, struct pipeline *pipeline, const struct key *path)
{
    if (putting->look->list_left_ms >= putting->path_life_ms)
        return;
    putting->life_at = (ptrdiff_t)pipeline_count(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PTTL"), key_str(path));
    store_record_set_life(pipeline, path, putting->path_life_ms);
}

/*
 * All in one step, a variant and the list that makes it good among it; and which drop was the path's last is told in
 * it. If that is not the one that the look has seen, what is written here is never served: its start names another.
 */
static enum err add_record(struct putting *putting, struct pipeline *pipeline)
{
    struct key path = key_response(&putting->space, putting->look->path.bytes);
    struct key entry = key_response(&putting->space, putting->entry.bytes);
    enum err err = ERR_OK;

    pipeline_begin_transaction(pipeline);
    if (putting->response.vary.len > 0) {
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key_str(&entry));
        store_record_put_response(pipeline, &entry, putting->start, putting->head,
                                  putting->response.body);
        store_record_set_life(pipeline, &entry, putting->life_ms);
    }
    if (putting->is_listed)
        add_life(putting, pipeline, &path);
    else
        err = add_to_path(putting, pipeline, &path);
    putting->drop_at = (ptrdiff_t)pipeline_count(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("HGET"), key_str(&path), RECORD_FIELD_DROP);
    pipeline_end_transaction(pipeline);
    return err;
}

/* A list that another fill has made live for longer since the look, or what a drop has left there, lives as long as
 * that. */
static enum err give_back_life(const struct putting *putting, int64_t left_ms)
{
    struct pipeline *pipeline = pipeline_new(putting->work.arena, PIPELINE_WRITE);
    struct key path = key_response(&putting->space, putting->look->path.bytes);

    if (left_ms <= putting->path_life_ms)
        return ERR_OK;
    store_record_set_life(pipeline, &path, left_ms);
    return redis_run(entries_redis(putting->store->app->entries), pipeline, putting->work);
}

/* Whether the path's last drop is the one that the look has seen. */
static bool is_in_time(const struct putting *putting, const struct pipeline *pipeline)
{
    const struct value *drop = pipeline_value(pipeline, (size_t)putting->drop_at);
    static const unsigned char none[STORED_STAMP_SIZE];
    const unsigned char *seen = putting->look->drop;

    if (drop->kind != VALUE_STRING)
        return memcmp(seen, none, sizeof none) == 0;
    return str_eq(drop->text, (struct str){(const char *)seen, sizeof none});
}

static enum err look_back(const struct putting *putting, const struct pipeline *pipeline)
{
    enum err err = ERR_OK;

    if (putting->life_at >= 0)
        err = give_back_life(putting, pipeline_value(pipeline, (size_t)putting->life_at)->integer);
    return err == ERR_OK && !is_in_time(putting, pipeline) ? refuse_void(putting) : err;
}

static enum err write(struct putting *putting)
{
    const struct app *app = putting->store->app;
    struct pipeline *pipeline = pipeline_new(putting->work.arena, PIPELINE_WRITE);
    enum err err = ERR_OK;

    add_models_life(pipeline);
    if (entries_own_redis(app->entries)) {
        err = redis_run(app->control, pipeline, putting->work);
        pipeline = pipeline_new(putting->work.arena, PIPELINE_WRITE);
    }
    if (err == ERR_OK)
        err = add_record(putting, pipeline);
    if (err == ERR_OK && putting->look->is_marked)
        mark_add_end(pipeline, &putting->space, &putting->look->mark);
    if (err == ERR_OK)
        err = redis_run(entries_redis(app->entries), pipeline, putting->work);
    return err == ERR_OK ? look_back(putting, pipeline) : err;
}

/* What nobody can store over goes, and with it all that was asked for by now. */
static enum err drop_foreign(const struct putting *putting)
{
    enum err err = gateway_store_drop(putting->store, putting->key, putting->work);

    return err == ERR_OK ? refuse_void(putting) : err;
}

/* ---- all of it ---- */

static enum err store(struct putting *putting, struct stored_copy **copy_out)
{
    const struct gateway_look *look = putting->look;
    const struct stored_response *response = &putting->response;
    struct stored_copy *body_of =
        look->has_body && response->body.ptr == look->copy->response.body.ptr ? look->copy : NULL;
    size_t size;

    putting->head = record_encode_head(putting->work.arena, response, &putting->numbers);
    putting->start = record_encode_response(putting->work.arena, &putting->entry, response,
                                            &putting->numbers, putting->head.len);
    if (!putting->head.ptr || !putting->start.ptr)
        return error_set_detail(putting->work.error, ERR_TOO_LARGE,
                                "not stored: its head is too large, or memory is out");
    size = putting->start.len + putting->head.len + response->body.len;
    if (!entries_take_room(putting->store->app->entries, size, putting->work.deadline_ns))
        return redis_error_set(putting->work.error, ERR_UPSTREAM_REFUSED, REDIS_ERROR_OUT_OF_MEMORY,
                               "not stored: there is no room for entries");
    enum err err = look->is_foreign ? drop_foreign(putting) : write(putting);
    if (err != ERR_OK)
        return err;
    *copy_out = stored_copy_new(response, &putting->numbers, true, response->body.len, body_of);
    if (!*copy_out)
        return ERR_OK;
    memory_put(putting->store->memory, &putting->entry, *copy_out);
    if (response->vary.len > 0)
        remember(putting);
    return ERR_OK;
}

enum err gateway_store_put(struct gateway_store *store_, const struct gateway_key *key,
                           const struct gateway_look *look, const struct stored_response *response,
                           int64_t life_ms, struct work work, struct stored_copy **copy_out)
{
    struct putting putting = {.store = store_,
                              .key = key,
                              .look = look,
                              .work = work,
                              .life_ms = life_ms < LIFE_MAX_MS ? life_ms : LIFE_MAX_MS,
                              .space = gateway_key_space(key),
                              .response = *response,
                              .drop_at = -1,
                              .life_at = -1};
    putting.path_life_ms =
        putting.life_ms > STORE_LIFE_MIN_MS ? putting.life_ms : STORE_LIFE_MIN_MS;
    struct stored_copy *copy = NULL;
    enum err err = check(&putting);

    random_bytes(putting.response.id, sizeof putting.response.id);
    if (err == ERR_OK)
        err = take_vary(&putting);
    if (err == ERR_OK)
        err = take_tags(&putting);
    if (err == ERR_OK)
        err = take_place(&putting);
    if (err == ERR_OK)
        err = take_numbers(&putting);
    if (err == ERR_OK && age_ms(look) >= UNCHECKED_MS)
        err = store_check(store_, key, look, &putting.response, &putting.numbers, work);
    if (err == ERR_OK)
        err = store(&putting, &copy);
    if (copy_out)
        *copy_out = copy;
    else
        stored_copy_release(&copy);
    return err;
}
