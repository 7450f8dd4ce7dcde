#include "gateway/store_inspect.h"

#include "control/look.h"
#include "entries/look.h"
#include "entries/service.h"
#include "gateway/store_private.h"

struct store_probe {
    const struct gateway_store *store;
    const struct gateway_key *key;
    struct work work;
    struct namespace space;
    struct inspection *found;
};

/* ---- what lies there ---- */

/* Its bytes, but for most of a large body, and how long it lives. No bytes: nothing lies there; "?": no string does. */
static enum err read_text(const struct store_probe *probe, const struct gateway_digest *digest,
                          struct str *bytes_out, int64_t *left_ms_out)
{
    struct pipeline *pipeline = pipeline_new(probe->work.arena, PIPELINE_READ);
    struct key key = key_response(&probe->space, digest->bytes);
    int64_t last = RECORD_PREFIX_SIZE + RECORD_HEAD_SIZE_MAX;

    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("GETRANGE"), key_str(&key), STR("0"),
                 STR_INT64(last));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PTTL"), key_str(&key));
    enum err err = redis_run(entries_redis(probe->store->app->entries), pipeline, probe->work);
    if (err != ERR_OK)
        return err;
    const struct value *text = pipeline_value(pipeline, 0);
    *bytes_out = text->kind == VALUE_STRING ? text->text : STR("?");
    *left_ms_out = pipeline_value(pipeline, 1)->integer;
    return entry_is_other_type(text, probe->work.error, &err) ? ERR_OK : err;
}

static enum lying take_response(const struct store_probe *probe, struct str bytes,
                                const unsigned char *stamp)
{
    struct inspection *found = probe->found;
    struct record record;
    bool has_body;

    if (bytes.len == 0)
        return LIES_NOTHING;
    if (!record_decode(bytes, &record) || record.kind != RECORD_RESPONSE ||
        !gateway_digest_eq(&record.digest, &found->entry) ||
        !record_decode_response(bytes, &record, probe->work.arena, &found->response,
                                &found->numbers, &has_body))
        return LIES_UNREADABLE;
    found->look.body_length = record.body_length;
    return memcmp(record.stamp, stamp, sizeof record.stamp) == 0 ? LIES_RESPONSE : LIES_OTHERS;
}

static enum err read_variant(const struct store_probe *probe, const struct record *list)
{
    struct inspection *found = probe->found;
    struct str bytes;

    found->names = list->names;
    enum err err = gateway_key_variant(probe->key, probe->work.arena, &found->look.path,
                                       list->names, &found->entry);
    if (err == ERR_OK)
        err = read_text(probe, &found->entry, &bytes, &found->left_ms);
    if (err != ERR_OK)
        return err;
    found->lies = take_response(probe, bytes, list->stamp);
    if (found->lies == LIES_NOTHING)
        found->lies = LIES_OTHERS;
    return ERR_OK;
}

static enum err read_path(const struct store_probe *probe)
{
    static const unsigned char no_stamp[STORED_STAMP_SIZE];
    struct inspection *found = probe->found;
    struct record record;
    struct str bytes;
    enum err err = gateway_key_path(probe->key, probe->work.arena, &found->look.path);

    found->entry = found->look.path;
    if (err == ERR_OK)
        err = read_text(probe, &found->entry, &bytes, &found->left_ms);
    if (err != ERR_OK)
        return err;
    if (bytes.len > 0 && record_decode(bytes, &record) &&
        gateway_digest_eq(&record.digest, &found->entry)) {
        if (record.kind == RECORD_VARIANTS)
            return read_variant(probe, &record);
        if (record.kind == RECORD_DROPPED) {
            found->lies = LIES_DROPPED;
            return ERR_OK;
        }
    }
    found->lies = take_response(probe, bytes, no_stamp);
    return ERR_OK;
}

/* ---- the numbers of now ---- */

static void add_part(void *with, struct pipeline *pipeline)
{
    const struct store_probe *probe = with;

    tag_look_ask(&probe->found->now, pipeline, false);
}

static enum err take_part(void *with, const struct pipeline *pipeline, struct error *error)
{
    const struct store_probe *probe = with;

    return tag_look_take(&probe->found->now, pipeline, false, error);
}

static enum err read_numbers(struct store_probe *probe)
{
    struct inspection *found = probe->found;
    const struct namespace none = {0};
    const struct control_part part = {
        .add = add_part, .take = take_part, .with = probe, .is_passive = true};
    struct cache_state state = {0};
    enum err err = tag_look_new(probe->work.arena, found->response.tags, found->response.tag_count,
                                false, &found->now);

    if (err == ERR_OK)
        err = control_look(probe->store->app, probe->work,
                           probe->key->user_id > 0 ? &probe->space : &none, &part, &state);
    if (err == ERR_NOT_FOUND) { /* no control data, so that everything that lies there is void */
        error_clear(probe->work.error);
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
    struct store_probe probe = {.store = store,
                                .key = key,
                                .work = work,
                                .space = gateway_key_space(key),
                                .found = inspection_out};

    *inspection_out = (struct inspection){.moved = MOVED_NOT};
    enum err err = read_path(&probe);
    if (err == ERR_OK)
        err = read_numbers(&probe); /* later than what they judge */
    if (err == ERR_OK && inspection_out->lies == LIES_RESPONSE)
        judge(inspection_out);
    inspection_out->look.is_enabled = inspection_out->is_enabled;
    inspection_out->look.version = key->user_id > 0 ? inspection_out->version : 0;
    inspection_out->look.entry = inspection_out->entry;
    inspection_out->look.has_variants = inspection_out->names.len > 0;
    return err;
}
