#include "gateway/looking.h"

#include "control/look.h"
#include "entries/service.h"

/* ---- asking ---- */

static void ask_entry(struct looking *looking, struct pipeline *pipeline)
{
    enum store_part part = looking->held ? STORE_START : STORE_SHORT;
    const struct gateway_look *look = looking->look;

    looking->replies_at = pipeline_count(pipeline);
    store_record_ask(pipeline, &looking->space, &look->path,
                     looking->is_varied ? STORE_START : part);
    if (looking->is_varied) {
        struct key path = key_response(&looking->space, look->path.bytes);
        store_record_ask(pipeline, &looking->space, &look->entry, part);
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("PTTL"), key_str(&path));
    }
}

static bool is_apart(const struct looking *looking)
{
    return entries_own_redis(looking->store->app->entries);
}

static void add_part(void *with, struct pipeline *pipeline)
{
    struct looking *looking = with;

    if (!is_apart(looking))
        ask_entry(looking, pipeline);
    tag_look_ask(&looking->look->tags, pipeline, false);
}

static enum err take_part(void *with, const struct pipeline *pipeline, struct error *error)
{
    struct looking *looking = with;

    if (!is_apart(looking))
        looking->pipeline = pipeline;
    return tag_look_take(&looking->look->tags, pipeline, false, error);
}

/* What lives elsewhere is asked first: it is judged by numbers that were read after it. */
static enum err ask_elsewhere(struct looking *looking)
{
    struct pipeline *pipeline = pipeline_new(looking->work.arena, PIPELINE_READ);

    ask_entry(looking, pipeline);
    looking->pipeline = pipeline;
    return redis_run(entries_redis(looking->store->app->entries), pipeline, looking->work);
}

enum err looking_ask(struct looking *looking)
{
    /* Everybody's answers have no version but the epoch: their own clears are those of tags. */
    struct namespace none = {0};
    const struct control_part part = {.add = add_part, .take = take_part, .with = looking};
    struct gateway_look *look = looking->look;
    struct cache_state state;
    bool is_short = looking->held && !looking->has_all_tags &&
                    gateway_names_count(looking->tag_count) > ENTRY_MODELS_MAX;
    enum err err =
        tag_look_new(looking->work.arena, looking->tags, looking->tag_count, is_short, &look->tags);

    if (err == ERR_OK && is_apart(looking))
        err = ask_elsewhere(looking);
    if (err == ERR_OK)
        err = control_look(looking->store->app, looking->work,
                           looking->key->user_id > 0 ? &looking->space : &none, &part, &state);
    if (err != ERR_OK)
        return err;
    look->is_enabled = state.enabled;
    look->numbers_version = state.version;
    look->version = looking->key->user_id > 0 ? state.version : 0;
    return ERR_OK;
}

enum err looking_take(const struct looking *looking, size_t index, struct stored_record *found_out)
{
    return store_record_take(pipeline_value(looking->pipeline, looking->replies_at + index),
                             looking->work.error, found_out);
}

int64_t looking_path_left_ms(const struct looking *looking)
{
    const struct value *left = pipeline_value(looking->pipeline, looking->replies_at + 2);

    return left->kind == VALUE_INTEGER ? left->integer : 0;
}

/* ---- what is asked for ---- */

static void release_later(void *with)
{
    struct stored_copy *copy = with;

    stored_copy_release(&copy);
}

enum err looking_let_go(struct looking *looking)
{
    struct stored_copy *held = looking->held;

    looking->held = NULL;
    return held ? arena_defer(looking->work.arena, release_later, held) : ERR_OK;
}

static enum err hold(struct looking *looking, struct stored_copy *copy)
{
    enum err err = looking_let_go(looking);

    if (copy && copy->is_note)
        stored_copy_release(&copy);
    looking->held = copy;
    return err;
}

enum err looking_choose_tags(struct looking *looking)
{
    const struct stored_copy *known = looking->held ? looking->held : looking->look->hint;

    looking->has_all_tags = false;
    if (known) {
        looking->tags = known->response.tags;
        looking->tag_count = known->response.tag_count;
        return ERR_OK;
    }
    return tags_join(looking->work.arena, looking->key->models, looking->key->model_count, NULL, 0,
                     &looking->tags, &looking->tag_count);
}

enum err looking_at_variant(struct looking *looking, struct str names)
{
    struct gateway_look *look = looking->look;
    enum err err =
        gateway_key_variant(looking->key, looking->work.arena, &look->path, names, &look->entry);

    if (err != ERR_OK)
        return err;
    looking->is_varied = true;
    look->names = names;
    err = hold(looking, memory_find(looking->store->memory, &look->entry));
    return err == ERR_OK ? looking_choose_tags(looking) : err;
}

enum err looking_at_path(struct looking *looking)
{
    looking->is_varied = false;
    looking->look->names = STR_NONE;
    looking->look->entry = looking->look->path;
    enum err err = hold(looking, memory_find(looking->store->memory, &looking->look->path));
    return err == ERR_OK ? looking_choose_tags(looking) : err;
}

enum err looking_begin(struct looking *looking)
{
    struct gateway_look *look = looking->look;
    enum err err = gateway_key_path(looking->key, looking->work.arena, &look->path);

    if (err != ERR_OK)
        return err;
    look->hint = memory_find(looking->store->memory, &look->path);
    if (look->hint && look->hint->response.vary.len > 0)
        return looking_at_variant(looking, look->hint->response.vary);
    return looking_at_path(looking);
}
