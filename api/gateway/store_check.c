/* Whether a fetch that took its time was overtaken by a clear or a drop. */
#include "control/look.h"
#include "entries/service.h"
#include "gateway/store_private.h"

struct checking {
    const struct gateway_store *store;
    const struct gateway_look *look;
    struct namespace space;
    struct tag_look tags;
    size_t path_at;
    struct stored_record path;
};

enum err store_refuse_void(struct error *error)
{
    return error_set_detail(error, ERR_CONFLICT,
                            "not stored: something was cleared since the upstream was asked");
}

static bool is_apart(const struct checking *checking)
{
    return entries_own_redis(checking->store->app->entries);
}

static void ask_path(struct checking *checking, struct pipeline *pipeline)
{
    checking->path_at = pipeline_count(pipeline);
    store_record_ask(pipeline, &checking->space, &checking->look->path, STORE_START);
}

static enum err take_path(struct checking *checking, const struct pipeline *pipeline,
                          struct error *error)
{
    return store_record_take(pipeline_value(pipeline, checking->path_at), error, &checking->path);
}

static void add_part(void *with, struct pipeline *pipeline)
{
    struct checking *checking = with;

    if (!is_apart(checking))
        ask_path(checking, pipeline);
    tag_look_ask(&checking->tags, pipeline, false);
}

static enum err take_part(void *with, const struct pipeline *pipeline, struct error *error)
{
    struct checking *checking = with;
    enum err err = is_apart(checking) ? ERR_OK : take_path(checking, pipeline, error);

    return err == ERR_OK ? tag_look_take(&checking->tags, pipeline, false, error) : err;
}

static enum err ask_elsewhere(struct checking *checking, struct work work)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);

    ask_path(checking, pipeline);
    enum err err = redis_run(entries_redis(checking->store->app->entries), pipeline, work);
    return err == ERR_OK ? take_path(checking, pipeline, work.error) : err;
}

/* What the look knows of a drop may be forgotten by now (STORE_LIFE_MIN_MS): then none came since. */
static bool is_behind_drop(const struct checking *checking)
{
    static const unsigned char none[STORED_STAMP_SIZE];
    const unsigned char *last = checking->path.drop;

    return memcmp(last, checking->look->drop, sizeof none) == 0 ||
           memcmp(last, none, sizeof none) == 0;
}

enum err store_check(const struct gateway_store *store, const struct gateway_key *key,
                     const struct gateway_look *look, const struct stored_response *response,
                     const struct stored_numbers *numbers, struct work work)
{
    struct checking checking = {.store = store, .look = look, .space = gateway_key_space(key)};
    const struct namespace none = {0};
    const struct control_part part = {.add = add_part, .take = take_part, .with = &checking};
    struct cache_state state;
    enum err err =
        tag_look_new(work.arena, response->tags, response->tag_count, false, &checking.tags);

    if (err == ERR_OK && is_apart(&checking))
        err = ask_elsewhere(&checking, work);
    if (err == ERR_OK)
        err = control_look(store->app, work, key->user_id > 0 ? &checking.space : &none, &part,
                           &state);
    if (err != ERR_OK)
        return err;
    bool holds = state.enabled && state.version == numbers->version && is_behind_drop(&checking) &&
                 tags_judge(response, numbers, &checking.tags) != TAGS_MOVED;
    return holds ? ERR_OK : store_refuse_void(work.error);
}
