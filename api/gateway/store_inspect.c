#include "gateway/store_inspect.h"

#include "control/look.h"
#include "entries/service.h"
#include "gateway/store_private.h"

struct inspecting {
    const struct gateway_store *store;
    const struct gateway_key *key;
    struct work work;
    struct namespace space;
    struct inspection *found;
};

/* ---- what lies there ---- */

/* The record without a long body, and how long it lives. */
static enum err read_record(const struct inspecting *inspecting,
                            const struct gateway_digest *digest, struct stored_record *record_out)
{
    struct pipeline *pipeline = pipeline_new(inspecting->work.arena, PIPELINE_READ);
    struct key key = key_response(&inspecting->space, digest->bytes);

    store_record_ask(pipeline, &inspecting->space, digest, STORE_SHORT);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PTTL"), key_str(&key));
    enum err err =
        redis_run(entries_redis(inspecting->store->app->entries), pipeline, inspecting->work);
    if (err != ERR_OK)
        return err;
    inspecting->found->left_ms = pipeline_value(pipeline, 1)->integer;
    return store_record_take(pipeline_value(pipeline, 0), inspecting->work.error, record_out);
}

static enum lying take_response(const struct inspecting *inspecting,
                                const struct stored_record *bytes, const unsigned char *stamp)
{
    struct inspection *found = inspecting->found;
    struct record record;

    if (!record_decode(bytes->start, &record) || record.kind != RECORD_RESPONSE ||
        !gateway_digest_eq(&record.digest, &found->entry) ||
        !record_decode_head(bytes->head, &record, inspecting->work.arena, &found->response,
                            &found->numbers))
        return LIES_UNREADABLE;
    found->look.body_length = record.body_length;
    return memcmp(record.stamp, stamp, sizeof record.stamp) == 0 ? LIES_RESPONSE : LIES_OTHERS;
}

static enum err read_variant(const struct inspecting *inspecting, const struct record *list)
{
    struct inspection *found = inspecting->found;
    struct stored_record bytes;

    found->names = list->names;
    enum err err = gateway_key_variant(inspecting->key, inspecting->work.arena, &found->look.path,
                                       list->names, &found->entry);
    if (err == ERR_OK)
        err = read_record(inspecting, &found->entry, &bytes);
    if (err != ERR_OK)
        return err;
    found->lies = !bytes.is_foreign && bytes.start.len == 0
                      ? LIES_OTHERS
                      : take_response(inspecting, &bytes, list->stamp);
    return ERR_OK;
}

/* What is there beside the stamp of the path's last drop; of what was stored before that, nothing. */
static enum lying judge_path(const struct stored_record *bytes, const struct record *record,
                             bool is_record)
{
    static const unsigned char none[STORED_STAMP_SIZE];

    if (bytes->is_foreign || (bytes->start.len > 0 && !is_record))
        return LIES_UNREADABLE;
    if (is_record)
        return memcmp(record->drop, bytes->drop, sizeof none) == 0 ? LIES_RESPONSE : LIES_DROPPED;
    return memcmp(bytes->drop, none, sizeof none) == 0 ? LIES_NOTHING : LIES_DROPPED;
}

static enum err read_path(const struct inspecting *inspecting)
{
    static const unsigned char no_stamp[STORED_STAMP_SIZE];
    struct inspection *found = inspecting->found;
    struct stored_record bytes;
    struct record record;
    enum err err = gateway_key_path(inspecting->key, inspecting->work.arena, &found->look.path);

    found->entry = found->look.path;
    if (err == ERR_OK)
        err = read_record(inspecting, &found->entry, &bytes);
    if (err != ERR_OK)
        return err;
    bool is_record =
        record_decode(bytes.start, &record) && gateway_digest_eq(&record.digest, &found->entry);
    found->lies = judge_path(&bytes, &record, is_record);
    if (found->lies == LIES_RESPONSE && record.kind == RECORD_VARIANTS)
        return read_variant(inspecting, &record);
    if (found->lies == LIES_RESPONSE)
        found->lies = take_response(inspecting, &bytes, no_stamp);
    return ERR_OK;
}

/* ---- the numbers of now ---- */

static void add_part(void *with, struct pipeline *pipeline)
{
    const struct inspecting *inspecting = with;

    tag_look_ask(&inspecting->found->now, pipeline, false);
}

static enum err take_part(void *with, const struct pipeline *pipeline, struct error *error)
{
    const struct inspecting *inspecting = with;

    return tag_look_take(&inspecting->found->now, pipeline, false, error);
}

static enum err read_numbers(struct inspecting *inspecting)
{
    struct inspection *found = inspecting->found;
    const struct namespace none = {0};
    const struct control_part part = {
        .add = add_part, .take = take_part, .with = inspecting, .is_passive = true};
    struct cache_state state = {0};
    enum err err = tag_look_new(inspecting->work.arena, found->response.tags,
                                found->response.tag_count, false, &found->now);

    if (err == ERR_OK)
        err =
            control_look(inspecting->store->app, inspecting->work,
                         inspecting->key->user_id > 0 ? &inspecting->space : &none, &part, &state);
    if (err == ERR_NOT_FOUND) { /* no control data, so that everything that lies there is void */
        error_clear(inspecting->work.error);
        *found = (struct inspection){
            .is_enabled = true, .version = 1, .entry = found->entry, .now = found->now};
        return ERR_OK;
    }
    found->is_enabled = state.enabled;
    found->version = state.version;
    return err;
}

/* ---- judging ---- */

/* The first tag that was cleared. */
static struct str find_moved(const struct inspection *found)
{
    for (size_t i = 0; i < found->response.tag_count; i++)
        if (found->now.counts[1 + i] != found->numbers.counts[1 + i])
            return found->response.tags[i];
    return STR_NONE;
}

static void judge(struct inspection *found)
{
    enum tags_verdict verdict = tags_judge(&found->response, &found->numbers, &found->now);

    if (found->numbers.version != found->version) {
        found->moved = MOVED_VERSION;
    } else if (verdict == TAGS_MOVED) {
        found->moved_tag = found->numbers.base == found->now.base ? find_moved(found) : STR_NONE;
        found->moved = found->numbers.base != found->now.base || found->now.base == 0 ? MOVED_BASE
                       : found->moved_tag.len > 0                                     ? MOVED_TAG
                                                                                      : MOVED_ALL;
    } else {
        found->look.stored = &found->response;
        found->look.is_outdated = verdict == TAGS_OUTDATED;
    }
}

enum err gateway_store_inspect(const struct gateway_store *store, const struct gateway_key *key,
                               struct work work, struct inspection *inspection_out)
{
    struct inspecting inspecting = {.store = store,
                                    .key = key,
                                    .work = work,
                                    .space = gateway_key_space(key),
                                    .found = inspection_out};

    *inspection_out = (struct inspection){.moved = MOVED_NOT};
    enum err err = read_path(&inspecting);
    if (err == ERR_OK)
        err = read_numbers(&inspecting); /* later than what they judge */
    if (err == ERR_OK && inspection_out->lies == LIES_RESPONSE)
        judge(inspection_out);
    inspection_out->look.is_enabled = inspection_out->is_enabled;
    inspection_out->look.version = key->user_id > 0 ? inspection_out->version : 0;
    inspection_out->look.entry = inspection_out->entry;
    inspection_out->look.has_variants = inspection_out->names.len > 0;
    return err;
}
