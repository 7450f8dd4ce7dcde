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

struct filling {
    struct gateway_store *store;
    const struct gateway_key *key;
    const struct gateway_look *look;
    struct work work;
    int64_t life_ms;
    struct namespace space;
    struct stored_response response; /* with its id, Vary and all tags */
    struct stored_numbers numbers;
    struct gateway_digest entry;
    bool is_listed; /* the list of variants that lies there is the right one */
};

static enum err refuse_void(const struct filling *filling)
{
    return error_set_detail(filling->work.error, ERR_CONFLICT,
                            "not stored: something was cleared since the upstream was asked");
}

/* ---- what is stored ---- */

static enum err check(const struct filling *filling)
{
    const struct gateway_look *look = filling->look;
    int64_t age_ms = (clock_mono_ns() - look->looked_ns) / NS_PER_MS;

    if (filling->life_ms < 1 || !look->is_enabled)
        return error_set_detail(filling->work.error, ERR_CONFLICT,
                                "not stored: it has no life, or the user's cache is off");
    if (filling->response.body.len > BODY_MAX)
        return error_set_detail(filling->work.error, ERR_TOO_LARGE, "not stored: more than 60 MiB");
    return age_ms > STORE_DROPPED_MS / 2 ? refuse_void(filling) : ERR_OK;
}

static enum err take_vary(struct filling *filling)
{
    struct stored_response *response = &filling->response;
    enum vary vary;
    enum err err = vary_of(filling->work.arena, &response->fields, &vary, &response->vary);

    if (err == ERR_OK && vary == VARY_ANYTHING)
        return error_set_detail(filling->work.error, ERR_BAD_INPUT,
                                "not stored: its Vary fits no other request");
    return err;
}

static enum err take_tags(struct filling *filling)
{
    struct stored_response *response = &filling->response;
    enum err err =
        tags_join(filling->work.arena, filling->key->models, filling->key->model_count,
                  response->tags, response->tag_count, &response->tags, &response->tag_count);

    return err == ERR_TOO_LARGE ? error_set_detail(filling->work.error, err,
                                                   "not stored: more than %d tags", STORED_TAGS_MAX)
                                : err;
}

/* Under which key: the path's own, or one beside the list that lies there, or will. */
static enum err take_place(struct filling *filling)
{
    const struct gateway_look *look = filling->look;
    struct str names = filling->response.vary;

    filling->entry = look->path;
    if (names.len == 0)
        return ERR_OK;
    filling->is_listed = look->has_variants && str_eq(names, look->names);
    if (filling->is_listed)
        memcpy(filling->numbers.stamp, look->stamp, sizeof look->stamp);
    else
        random_bytes(filling->numbers.stamp, sizeof filling->numbers.stamp);
    return gateway_key_variant(filling->key, filling->work.arena, &look->path, names,
                               &filling->entry);
}

/* ---- its numbers ---- */

/* For the next look, which then asks for these tags. */
static void remember(struct filling *filling)
{
    const struct stored_response *response = &filling->response;
    struct kept *note = kept_new_note(response->vary, response->tags, response->tag_count);

    if (note)
        memory_put(filling->store->memory, &filling->look->path, note);
    kept_release(&note);
}

/* What the look did not ask for is asked for now. It is what it was then, if nothing was cleared in between. */
static enum err ask_now(struct filling *filling, struct tag_look *now)
{
    const struct stored_response *response = &filling->response;
    struct entry_request models = store_models_request(filling->store, filling->work);
    struct pipeline *pipeline = pipeline_new(filling->work.arena, PIPELINE_WRITE);
    struct model_set anew;
    enum err err =
        tag_look_new(filling->work.arena, response->tags, response->tag_count, false, now);

    if (err != ERR_OK)
        return err;
    /* In one step: the sum and all counts are those of one moment. */
    pipeline_begin_transaction(pipeline);
    tag_look_ask(now, pipeline, true);
    pipeline_end_transaction(pipeline);
    err = redis_run(filling->store->app->control, pipeline, filling->work);
    if (err == ERR_OK)
        err = tag_look_take(now, pipeline, true, filling->work.error);
    if (err == ERR_OK && now->is_damaged) {
        err = models_begin_anew(&models, STR_NONE, &anew);
        now->base = 0;
    }
    return err;
}

static enum err take_numbers(struct filling *filling)
{
    const struct stored_response *response = &filling->response;
    const struct tag_look *before = &filling->look->tags;
    int64_t *counts = NULL;
    struct tag_look now;
    enum err err = ERR_OK;

    filling->numbers.version = filling->look->numbers_version;
    filling->numbers.base = before->base;
    filling->numbers.any = before->any;
    if (before->base > 0)
        err = tag_look_counts(before, filling->work.arena, response->tags, response->tag_count,
                              &counts);
    filling->numbers.counts = counts;
    if (err != ERR_OK || counts)
        return err;
    err = ask_now(filling, &now);
    if (err != ERR_OK)
        return err;
    /* There was no hash of models: the one that is there now has seen no clear, if it says so. */
    bool is_same = now.base > 0 && now.any == before->any &&
                   (now.base == before->base || (before->base == 0 && !before->is_damaged));
    if (!is_same) {
        remember(filling);
        return refuse_void(filling);
    }
    filling->numbers.base = now.base;
    filling->numbers.counts = now.counts;
    return ERR_OK;
}

/* ---- writing ---- */

/* The hash of models lives on: it must outlive what was stored. */
static void add_keep(struct pipeline *pipeline)
{
    const struct namespace space = namespace_of_gateway();
    const struct model_set none = {0};

    models_ask(pipeline, &space, &none, true);
}

static void add_set(struct pipeline *pipeline, const struct key *key, struct str record,
                    int64_t life_ms, bool only_if_absent)
{
    if (only_if_absent)
        PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(key), record, STR("PX"),
                     STR_INT64(life_ms), STR("NX"));
    else
        PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), key_str(key), record, STR("PX"),
                     STR_INT64(life_ms));
}

/*
 * What lies under the path itself: where the look saw nothing, if there is nothing still. In the place of something,
 * what is replaced is told in the same step. *told_out: by which reply; -1: by none.
 */
static void add_to_path(const struct filling *filling, struct pipeline *pipeline, struct str record,
                        ptrdiff_t *told_out)
{
    const struct gateway_look *look = filling->look;
    struct key path = key_response(&filling->space, look->path.bytes);

    if (look->is_free) {
        add_set(pipeline, &path, record, filling->life_ms, true);
        return;
    }
    pipeline_begin_transaction(pipeline);
    *told_out = (ptrdiff_t)pipeline_count(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("GETRANGE"), key_str(&path), STR("0"),
                 STR_INT64(RECORD_START_SIZE - 1));
    add_set(pipeline, &path, record, filling->life_ms, false);
    pipeline_end_transaction(pipeline);
}

/* What lies there lives on for so long; how long it would have lived is told in the same step. */
static void add_life(struct pipeline *pipeline, const struct key *path, int64_t life_ms,
                     ptrdiff_t *told_out)
{
    pipeline_begin_transaction(pipeline);
    *told_out = (ptrdiff_t)pipeline_count(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PTTL"), key_str(path));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key_str(path), STR_INT64(life_ms));
    pipeline_end_transaction(pipeline);
}

/*
 * A variant first, and then the list that makes it good. A list that is there lives on for as long as the longest of
 * its variants. The command that does this makes none: what was dropped meanwhile stays so.
 */
static enum err add_record(const struct filling *filling, struct pipeline *pipeline,
                           struct str record, ptrdiff_t *told_out)
{
    const struct gateway_look *look = filling->look;
    struct key path = key_response(&filling->space, look->path.bytes);
    struct key entry = key_response(&filling->space, filling->entry.bytes);

    if (filling->response.vary.len == 0) {
        add_to_path(filling, pipeline, record, told_out);
        return ERR_OK;
    }
    add_set(pipeline, &entry, record, filling->life_ms, false);
    if (filling->is_listed) {
        if (look->list_left_ms < filling->life_ms)
            add_life(pipeline, &path, filling->life_ms, told_out);
        return ERR_OK;
    }
    struct str list = record_encode_variants(filling->work.arena, &look->path,
                                             filling->numbers.stamp, filling->response.vary);
    if (!list.ptr)
        return ERR_NO_MEMORY;
    add_to_path(filling, pipeline, list, told_out);
    return ERR_OK;
}

static bool was_first(const struct pipeline *pipeline, size_t from)
{
    for (size_t i = from; i < pipeline_count(pipeline); i++) {
        if (pipeline_value(pipeline, i)->kind == VALUE_NIL)
            return false;
    }
    return true;
}

/* A list that another fill has made live for longer since the look, or what a drop has left there, lives as long as
 * that. */
static enum err give_back_life(const struct filling *filling, int64_t left_ms)
{
    struct pipeline *pipeline = pipeline_new(filling->work.arena, PIPELINE_WRITE);
    struct key path = key_response(&filling->space, filling->look->path.bytes);

    if (left_ms <= filling->life_ms)
        return ERR_OK;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key_str(&path), STR_INT64(left_ms));
    return redis_run(entries_redis(filling->store->app->entries), pipeline, filling->work);
}

/* Whether it took the place of a drop that the look did not see. Then that is put back. */
static enum err look_back(const struct filling *filling, const struct pipeline *pipeline,
                          ptrdiff_t told)
{
    const struct value *replaced = told >= 0 ? pipeline_value(pipeline, (size_t)told) : NULL;
    const struct gateway_look *look = filling->look;
    unsigned char stamp[STORED_STAMP_SIZE];

    if (replaced && replaced->kind == VALUE_INTEGER)
        return give_back_life(filling, replaced->integer);
    if (!replaced || replaced->kind != VALUE_STRING || !record_is_dropped(replaced->text, stamp) ||
        (look->is_dropped && memcmp(stamp, look->dropped, sizeof stamp) == 0))
        return ERR_OK;
    enum err err = gateway_store_drop(filling->store, filling->key, filling->work);
    return err == ERR_OK ? refuse_void(filling) : err;
}

static enum err write(const struct filling *filling, struct str record)
{
    const struct app *app = filling->store->app;
    struct pipeline *pipeline = pipeline_new(filling->work.arena, PIPELINE_WRITE);
    ptrdiff_t told = -1;
    enum err err = ERR_OK;

    add_keep(pipeline);
    if (entries_own_redis(app->entries)) {
        err = redis_run(app->control, pipeline, filling->work);
        pipeline = pipeline_new(filling->work.arena, PIPELINE_WRITE);
    }
    size_t from = pipeline_count(pipeline);
    if (err == ERR_OK)
        err = add_record(filling, pipeline, record, &told);
    if (err == ERR_OK && filling->look->is_marked)
        mark_add_end(pipeline, &filling->space, &filling->look->entry);
    if (err == ERR_OK)
        err = redis_run(entries_redis(app->entries), pipeline, filling->work);
    if (err == ERR_OK && !was_first(pipeline, from))
        return error_set_detail(filling->work.error, ERR_CONFLICT,
                                "not stored: another one was first, or it was dropped");
    return err == ERR_OK ? look_back(filling, pipeline, told) : err;
}

/* ---- all of it ---- */

static enum err store(struct filling *filling, struct kept **kept_out)
{
    const struct gateway_look *look = filling->look;
    const struct stored_response *response = &filling->response;
    struct kept *body_of =
        look->has_body && response->body.ptr == look->kept->response.body.ptr ? look->kept : NULL;
    struct str record =
        record_encode(filling->work.arena, &filling->entry, response, &filling->numbers);

    if (!record.ptr)
        return error_set_detail(filling->work.error, ERR_TOO_LARGE,
                                "not stored: its head is too large, or memory is out");
    if (!entries_take_room(filling->store->app->entries, record.len, filling->work.deadline_ns))
        return redis_error_set(filling->work.error, ERR_UPSTREAM_REFUSED, REDIS_ERROR_OUT_OF_MEMORY,
                               "not stored: there is no room for entries");
    enum err err = write(filling, record);
    if (err != ERR_OK)
        return err;
    *kept_out = kept_new(response, &filling->numbers, true, response->body.len, body_of);
    if (!*kept_out)
        return ERR_OK;
    memory_put(filling->store->memory, &filling->entry, *kept_out);
    if (response->vary.len > 0)
        remember(filling);
    return ERR_OK;
}

enum err gateway_store_put(struct gateway_store *store_, const struct gateway_key *key,
                           const struct gateway_look *look, const struct stored_response *response,
                           int64_t life_ms, struct work work, struct kept **kept_out)
{
    struct filling filling = {.store = store_,
                              .key = key,
                              .look = look,
                              .work = work,
                              .life_ms = life_ms < LIFE_MAX_MS ? life_ms : LIFE_MAX_MS,
                              .space = gateway_key_space(key),
                              .response = *response};
    struct kept *kept = NULL;
    enum err err = check(&filling);

    random_bytes(filling.response.id, sizeof filling.response.id);
    if (err == ERR_OK)
        err = take_vary(&filling);
    if (err == ERR_OK)
        err = take_tags(&filling);
    if (err == ERR_OK)
        err = take_place(&filling);
    if (err == ERR_OK)
        err = take_numbers(&filling);
    if (err == ERR_OK)
        err = store(&filling, &kept);
    if (kept_out)
        *kept_out = kept;
    else
        kept_release(&kept);
    return err;
}
