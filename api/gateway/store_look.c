/* A look: what lies under a key, and whether it is good. */
#include "cachewarden/clock.h"
#include "control/look.h"
#include "entries/service.h"
#include "gateway/store_private.h"

/* Names of what Vary names were wrong, the memory was, tags were not asked for. */
enum { TRIES_MAX = 6 };

struct seek {
    struct gateway_store *store;
    const struct gateway_key *key;
    struct work work;
    struct gateway_look *look; /* what comes of it */
    struct namespace space;
    /* What is asked for. */
    bool is_varied; /* the variant look->entry of look->names, or else the path's only answer */
    bool has_all_tags;
    struct kept *held; /* what memory has under look->entry: its start will do then */
    const struct str *tags;
    size_t tag_count;
    /* What came. */
    const struct pipeline *pipeline;
    size_t replies_at;
    bool is_over;
};

/* ---- asking ---- */

static void ask_entry(struct seek *seek, struct pipeline *pipeline)
{
    enum store_part part = seek->held ? STORE_START : STORE_SHORT;
    const struct gateway_look *look = seek->look;

    seek->replies_at = pipeline_count(pipeline);
    store_record_ask(pipeline, &seek->space, &look->path, seek->is_varied ? STORE_START : part);
    if (seek->is_varied) {
        struct key path = key_response(&seek->space, look->path.bytes);
        store_record_ask(pipeline, &seek->space, &look->entry, part);
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("PTTL"), key_str(&path));
    }
}

static bool is_apart(const struct seek *seek)
{
    return entries_own_redis(seek->store->app->entries);
}

static void add_part(void *with, struct pipeline *pipeline)
{
    struct seek *seek = with;

    if (!is_apart(seek))
        ask_entry(seek, pipeline);
    tag_look_ask(&seek->look->tags, pipeline, false);
}

static enum err take_part(void *with, const struct pipeline *pipeline, struct error *error)
{
    struct seek *seek = with;

    if (!is_apart(seek))
        seek->pipeline = pipeline;
    return tag_look_take(&seek->look->tags, pipeline, false, error);
}

/* What lives elsewhere is asked first: it is judged by numbers that were read after it. */
static enum err ask_elsewhere(struct seek *seek)
{
    struct pipeline *pipeline = pipeline_new(seek->work.arena, PIPELINE_READ);

    ask_entry(seek, pipeline);
    seek->pipeline = pipeline;
    return redis_run(entries_redis(seek->store->app->entries), pipeline, seek->work);
}

static enum err ask(struct seek *seek)
{
    /* Everybody's answers have no version but the epoch: their own clears are those of tags. */
    struct namespace none = {0};
    const struct control_part part = {.add = add_part, .take = take_part, .with = seek};
    struct gateway_look *look = seek->look;
    struct cache_state state;
    bool is_short = seek->held && !seek->has_all_tags &&
                    gateway_names_count(seek->tag_count) > ENTRY_MODELS_MAX;
    enum err err =
        tag_look_new(seek->work.arena, seek->tags, seek->tag_count, is_short, &look->tags);

    if (err == ERR_OK && is_apart(seek))
        err = ask_elsewhere(seek);
    if (err == ERR_OK)
        err = control_look(seek->store->app, seek->work,
                           seek->key->user_id > 0 ? &seek->space : &none, &part, &state);
    if (err != ERR_OK)
        return err;
    look->is_enabled = state.enabled;
    look->numbers_version = state.version;
    look->version = seek->key->user_id > 0 ? state.version : 0;
    return ERR_OK;
}

/* ---- what is asked for ---- */

static void release_later(void *with)
{
    struct kept *kept = with;

    kept_release(&kept);
}

/* The look tells of tags that lie in what was held, until the request is over. */
static enum err let_go(struct seek *seek)
{
    struct kept *held = seek->held;

    seek->held = NULL;
    return held ? arena_defer(seek->work.arena, release_later, held) : ERR_OK;
}

static enum err hold(struct seek *seek, struct kept *kept)
{
    enum err err = let_go(seek);

    if (kept && kept->is_note)
        kept_release(&kept);
    seek->held = kept;
    return err;
}

/* The tags of what is held; else those that the path's answers had, or are bound to have. */
static enum err choose_tags(struct seek *seek)
{
    const struct kept *known = seek->held ? seek->held : seek->look->hint;

    seek->has_all_tags = false;
    if (known) {
        seek->tags = known->response.tags;
        seek->tag_count = known->response.tag_count;
        return ERR_OK;
    }
    return tags_join(seek->work.arena, seek->key->models, seek->key->model_count, NULL, 0,
                     &seek->tags, &seek->tag_count);
}

static enum err seek_variant(struct seek *seek, struct str names)
{
    struct gateway_look *look = seek->look;
    enum err err =
        gateway_key_variant(seek->key, seek->work.arena, &look->path, names, &look->entry);

    if (err != ERR_OK)
        return err;
    seek->is_varied = true;
    look->names = names;
    err = hold(seek, memory_find(seek->store->memory, &look->entry));
    return err == ERR_OK ? choose_tags(seek) : err;
}

static enum err seek_path(struct seek *seek)
{
    seek->is_varied = false;
    seek->look->names = STR_NONE;
    seek->look->entry = seek->look->path;
    enum err err = hold(seek, memory_find(seek->store->memory, &seek->look->path));
    return err == ERR_OK ? choose_tags(seek) : err;
}

static enum err begin(struct seek *seek)
{
    struct gateway_look *look = seek->look;
    enum err err = gateway_key_path(seek->key, seek->work.arena, &look->path);

    if (err != ERR_OK)
        return err;
    look->hint = memory_find(seek->store->memory, &look->path);
    if (look->hint && look->hint->response.vary.len > 0)
        return seek_variant(seek, look->hint->response.vary);
    return seek_path(seek);
}

/* ---- judging ---- */

/* Something is good in memory only while it is in Redis. */
static enum err end_as_miss(struct seek *seek)
{
    if (seek->held)
        memory_forget(seek->store->memory, &seek->look->entry, seek->held);
    seek->is_over = true;
    return ERR_OK;
}

static enum err give(struct seek *seek, struct kept *kept, bool is_outdated)
{
    struct gateway_look *look = seek->look;

    if (!kept)
        return ERR_NO_MEMORY;
    /* One that somebody has set by hand may be too large for that. */
    if (look->tags.any < INT64_MAX / 2)
        atomic_store_explicit(&kept->verified, look->tags.any * 2 + is_outdated,
                              memory_order_relaxed);
    look->kept = kept;
    look->stored = &kept->response;
    look->has_body = kept->has_body;
    look->body_length = kept->body_length;
    look->is_outdated = is_outdated;
    seek->is_over = true;
    return ERR_OK;
}

static enum tags_verdict judge_tags(const struct seek *seek, const struct stored_response *response,
                                    const struct stored_numbers *numbers)
{
    const struct tag_look *now = &seek->look->tags;
    int64_t verified =
        seek->held ? atomic_load_explicit(&seek->held->verified, memory_order_relaxed) : -1;

    if (verified >= 0 && verified / 2 == now->any && numbers->base == now->base && now->base != 0)
        return verified % 2 ? TAGS_OUTDATED : TAGS_CURRENT;
    return tags_judge(response, numbers, now);
}

static enum err judge_response(struct seek *seek, const struct record *record,
                               const struct stored_response *response,
                               const struct stored_numbers *numbers, bool has_body)
{
    enum tags_verdict verdict = judge_tags(seek, response, numbers);
    struct gateway_look *look = seek->look;

    switch (verdict) {
    case TAGS_MOVED:
        return end_as_miss(seek);
    case TAGS_UNKNOWN:
        seek->tags = response->tags;
        seek->tag_count = response->tag_count;
        seek->has_all_tags = true;
        return ERR_OK;
    case TAGS_OUTDATED:
    case TAGS_CURRENT:
        break;
    }
    if (seek->held)
        return give(seek, kept_hold(seek->held), verdict == TAGS_OUTDATED);
    struct kept *kept = kept_new(response, numbers, has_body, record->body_length, NULL);
    if (kept && has_body)
        memory_put(seek->store->memory, &look->entry, kept);
    return give(seek, kept, verdict == TAGS_OUTDATED);
}

static enum err judge_response_record(struct seek *seek, const struct stored_record *found,
                                      const struct record *record)
{
    struct stored_response response;
    struct stored_numbers numbers;

    if (record->version != seek->look->numbers_version)
        return end_as_miss(seek);
    if (seek->held && memcmp(seek->held->response.id, record->id, sizeof record->id) == 0)
        return judge_response(seek, record, &seek->held->response, &seek->held->numbers, true);
    if (seek->held) { /* it was replaced, and only its start came */
        memory_forget(seek->store->memory, &seek->look->entry, seek->held);
        enum err err = let_go(seek);
        return err == ERR_OK ? choose_tags(seek) : err;
    }
    if (!record_decode_head(found->head, record, seek->work.arena, &response, &numbers))
        return end_as_miss(seek);
    bool has_body = store_record_body(found, record->body_length, &response.body);
    if (!has_body && record->body_length <= RECORD_BODY_SHORT)
        return end_as_miss(seek);
    return judge_response(seek, record, &response, &numbers, has_body);
}

/* Whether the last drop of the path is the one that its fill has seen. */
static bool is_behind_drop(const struct seek *seek, const struct record *record)
{
    return memcmp(record->drop, seek->look->drop, sizeof record->drop) == 0;
}

static enum err judge_entry(struct seek *seek, const struct stored_record *found)
{
    struct gateway_look *look = seek->look;
    struct record record;

    memset(look->seen, 0, sizeof look->seen);
    if (!record_decode(found->start, &record) || record.kind != RECORD_RESPONSE ||
        !gateway_digest_eq(&record.digest, &look->entry))
        return end_as_miss(seek);
    memcpy(look->seen, record.id, sizeof look->seen);
    if (!is_behind_drop(seek, &record) ||
        memcmp(record.stamp, look->stamp, sizeof record.stamp) != 0)
        return end_as_miss(seek);
    return judge_response_record(seek, found, &record);
}

static enum err take_found(const struct seek *seek, size_t index, struct stored_record *found_out)
{
    return store_record_take(pipeline_value(seek->pipeline, seek->replies_at + index),
                             seek->work.error, found_out);
}

/* A list of variants lies under the path. */
static enum err judge_variants(struct seek *seek, const struct record *list)
{
    struct gateway_look *look = seek->look;
    struct stored_record found;

    look->has_variants = true;
    memcpy(look->stamp, list->stamp, sizeof look->stamp);
    if (!seek->is_varied || !str_eq(look->names, list->names)) {
        struct kept *note = kept_new_note(list->names, seek->tags, seek->tag_count);
        if (note)
            memory_put(seek->store->memory, &look->path, note);
        kept_release(&note);
        return seek_variant(seek, list->names);
    }
    const struct value *left = pipeline_value(seek->pipeline, seek->replies_at + 2);
    look->list_left_ms = left->kind == VALUE_INTEGER ? left->integer : 0;
    enum err err = take_found(seek, 1, &found);
    return err == ERR_OK ? judge_entry(seek, &found) : err;
}

static enum err judge(struct seek *seek)
{
    struct gateway_look *look = seek->look;
    struct stored_record found;
    struct record record;
    enum err err = take_found(seek, 0, &found);

    if (err != ERR_OK)
        return err;
    look->is_foreign = found.is_foreign;
    memcpy(look->drop, found.drop, sizeof look->drop);
    look->has_variants = false;
    memset(look->stamp, 0, sizeof look->stamp);
    if (!look->is_enabled) {
        seek->is_over = true;
        return ERR_OK;
    }
    if (!record_decode(found.start, &record) || !gateway_digest_eq(&record.digest, &look->path) ||
        !is_behind_drop(seek, &record)) {
        look->names = STR_NONE;
        return end_as_miss(seek);
    }
    if (record.kind == RECORD_VARIANTS)
        return judge_variants(seek, &record);
    if (!seek->is_varied)
        return judge_entry(seek, &found);
    if (look->hint)
        memory_forget(seek->store->memory, &look->path, look->hint);
    return seek_path(seek);
}

enum err gateway_store_look(struct gateway_store *store, const struct gateway_key *key,
                            struct work work, struct gateway_look *look_out)
{
    struct seek seek = {.store = store,
                        .key = key,
                        .work = work,
                        .look = look_out,
                        .space = gateway_key_space(key)};

    *look_out = (struct gateway_look){.looked_ns = clock_mono_ns()};
    enum err err = begin(&seek);
    /* What changes each time is a miss. */
    for (int i = 0; err == ERR_OK && !seek.is_over && i < TRIES_MAX; i++) {
        err = ask(&seek);
        if (err == ERR_OK)
            err = judge(&seek);
    }
    if (err == ERR_OK && !look_out->kept)
        err = let_go(&seek);
    kept_release(&seek.held);
    if (err != ERR_OK)
        gateway_look_release(look_out);
    return err;
}

void gateway_look_release(struct gateway_look *look)
{
    look->stored = NULL;
    kept_release(&look->kept);
    kept_release(&look->hint);
}

/* ---- the body ---- */

/* The same id is the same response, whatever was cleared meanwhile: the look has said that it is good. */
static struct kept *take_whole(const struct gateway_look *look, struct arena *arena,
                               const struct stored_record *found)
{
    struct stored_response response;
    struct stored_numbers numbers;
    struct record record;

    if (!record_decode(found->start, &record) || record.kind != RECORD_RESPONSE ||
        memcmp(record.id, look->stored->id, sizeof record.id) != 0 ||
        !record_decode_head(found->head, &record, arena, &response, &numbers) ||
        !store_record_body(found, record.body_length, &response.body))
        return NULL;
    return kept_new(&response, &numbers, true, record.body_length, NULL);
}

enum err gateway_store_body(struct gateway_store *store, const struct gateway_key *key,
                            struct gateway_look *look, struct work work)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    const struct namespace space = gateway_key_space(key);
    struct stored_record found;

    if (look->has_body)
        return ERR_OK;
    store_record_ask(pipeline, &space, &look->entry, STORE_WHOLE);
    enum err err = redis_run(entries_redis(store->app->entries), pipeline, work);
    if (err == ERR_OK)
        err = store_record_take(pipeline_value(pipeline, 0), work.error, &found);
    if (err != ERR_OK)
        return err;
    struct kept *whole = take_whole(look, work.arena, &found);
    if (!whole)
        return error_set_detail(work.error, ERR_NOT_FOUND,
                                "what was stored is gone, or another one now");
    atomic_store_explicit(&whole->verified,
                          atomic_load_explicit(&look->kept->verified, memory_order_relaxed),
                          memory_order_relaxed);
    memory_put(store->memory, &look->entry, whole);
    kept_release(&look->kept);
    look->kept = whole;
    look->stored = &whole->response;
    look->has_body = true;
    return ERR_OK;
}
